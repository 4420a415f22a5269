"""Our file against that of the ISO standard NNC (ISO/IEC 15938-17), same network, same levels.

`pip install nncodec "numpy<2"` in an environment of its own, then there
`python benchmarks/nnc.py model.npk …`. Every kernel goes to NNC as whole numbers, the places of its
levels, which it codes without loss; biases as float32. Of several settings the shortest counts. Our
file holds the levels and the architecture besides.
"""

import contextlib
import importlib.util
import io
import itertools
import sys
import tempfile
from pathlib import Path

import numpy as np

READER = Path(__file__).resolve().parent.parent / "compression" / "npk_reader.py"


def main():
    """Prints both sizes of every file, and their ratio."""
    spec = importlib.util.spec_from_file_location("npk_reader", READER)
    reader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reader)
    for file in sys.argv[1:]:
        content = Path(file).read_bytes()
        _, arrays = reader.read(content)
        theirs = nnc_bytes(arrays)
        print(f"{file}: {len(content):,} bytes, NNC {theirs:,}: {len(content) / theirs:.2f}×")


def nnc_bytes(arrays):
    """The length of NNC's shortest stream."""
    found = []
    for turned, optimized in itertools.product((False, True), repeat=2):
        tensors = {
            f"{number:02}": np.ascontiguousarray(array.T if turned else array)
            for number, array in enumerate(map(as_places, arrays))
        }
        found.append(coded(tensors, optimized))
    return min(found)


def as_places(array):
    """An array on few levels as whole numbers; others as they are."""
    levels = np.unique(np.abs(array[array != 0]))
    if array.ndim < 2 or len(levels) > 64:
        return array.astype(np.float32)
    return (np.sign(array) * np.searchsorted(levels, np.abs(array), "right")).astype(np.int32)


def coded(tensors, optimized):
    from nncodec import nnc

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        stream = nnc.compress(
            tensors,
            bitstream_path=str(Path(folder, "a.nnc")),
            qp=-75,
            param_opt=optimized,
            row_skipping=True,
            return_bitstream=True,
        )
    return len(stream)


if __name__ == "__main__":
    main()
