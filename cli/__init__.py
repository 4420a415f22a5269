"""What every command shares: how it starts, flags made of settings, how it ends."""

import gc

# Looking for reference cycles, of which there are few, takes a tenth of a rerun and of `--help`:
# not after every 700 new objects, as is Python's custom.
gc.set_threshold(10_000)
