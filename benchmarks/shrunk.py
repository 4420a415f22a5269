"""What removal makes of a pruned network: `python benchmarks/shrunk.py pruned.hdf5 …`.

Shrinks networks that an experiment has trained (its `networks/`), one for each seed, and prints a
table for docs/methods.md: parameters, bytes, multiply-adds, latency, before and after. A minute,
alone on the machine.
"""

import json
import os
import runpy
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from applications import PACKAGE, pair, times, total

BATCHES = 1, 256
HEAD = """\
| network | parameters | `.keras` (bytes) | multiply-adds | batch 1 (ms) | batch 256 (ms) |
| --- | ---: | ---: | ---: | ---: | ---: |
"""


def main():
    """Prints the table, or times two files."""
    if "--time" in sys.argv:
        # Thrice as long: small networks answer in less than a millisecond.
        found = [times(*sys.argv[-2:], BATCHES) for _ in range(3)]
        print(
            json.dumps(
                {
                    b: [statistics.median(s) for s in zip(*(f[b] for f in found), strict=True)]
                    for b in BATCHES
                }
            )
        )
        return
    print(HEAD + "".join(map(row, sys.argv[1:])), end="")


def row(path):
    """A row of the table."""
    import keras
    import network_pruning as npr

    pruned = keras.models.load_model(path, compile=False)
    small = npr.shrink(pruned)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"{which}.keras") for which in ("pruned", "small")]
        for model, file in zip((pruned, small), files, strict=True):
            model.save(file)
        bytes_of_files = [file.stat().st_size for file in files]
        command = [sys.executable, __file__, "--time", *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = json.loads(done.stdout.splitlines()[-1])
    cells = [
        pair(*(model.count_params() for model in (pruned, small))),
        pair(*bytes_of_files),
        pair(*(total(npr.measure(model)) for model in (pruned, small))),
        *(pair(*(1000 * s for s in seconds[str(batch)])) for batch in BATCHES),
    ]
    return f"| {Path(path).parents[2].name} | {' | '.join(cells)} |\n"


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "--time" not in sys.argv:
        runpy.run_path(str(PACKAGE / "__main__.py"))["load_package"]()
    main()
