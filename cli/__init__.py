"""Shared by all commands: their start and end, flags from settings, messages."""

import gc

# Looking for reference cycles, of which there are few, takes a tenth of a rerun and of `--help`:
# not after every 700 new objects, which is Python's default.
gc.set_threshold(10_000)
