"""Our files against those of NNC (ISO/IEC 15938-17) with its own rate-distortion optimisation, of
the same pruned network, over validation accuracy.

    python benchmarks/nnc_rate.py RESULTS/EXPERIMENT "method at 98.8 %" network.npz

writes the network of a finished experiment of dense layers, without its dead units, with the
validation and test examples. In an environment with `pip install nncodec "numpy<2"`,

    python benchmarks/nnc_rate.py network.npz

codes it at many step sizes, with dependent quantization at several trade-offs between bits and
error, and prints what no shorter file beats. What `export` makes of the same network is in its
table: rounded, and trained on its levels, which NNC cannot do.
"""

import contextlib
import importlib
import io
import itertools
import runpy
import sys
import tempfile
from pathlib import Path

import numpy as np

PACKAGE = Path(__file__).resolve().parent.parent
STEP_SIZES, TRADE_OFFS = range(-28, -7), (0.0, 1.0, 3.0)


def main():
    """Writes a network, or codes one."""
    if len(sys.argv) == 4:
        write(*sys.argv[1:])
    else:
        for size, *accuracies in frontier(np.load(sys.argv[1])):
            print(f"{size:,} bytes: {accuracies[0]:.2%} validation, {accuracies[1]:.2%} test")


def write(experiment, name, target):
    """Writes a network of an experiment, and examples, as arrays."""
    package = runpy.run_path(str(PACKAGE / "__main__.py"))["load_package"]()
    sources, settings, npk = (
        importlib.import_module(f"{package.__name__}.{module}")
        for module in ("experiments.export_sources", "settings.export", "compression.npk")
    )
    folder = Path(experiment)
    config = settings.ExportConfig(experiment_id=folder.name, output_dir=str(folder.parent))
    source = sources.source_of(config, sources.paths_of(config))
    network = next(each for each in source.networks if each.name.endswith(name))
    weights = npk.remove_dead_units(network.model()).get_weights()
    named = {f"w{number:02}": array for number, array in enumerate(weights)}
    for split in ("valid", "test"):
        examples = getattr(source.dataset, split)
        named[f"x_{split}"] = examples.images.reshape(len(examples), -1)
        named[f"y_{split}"] = examples.labels
    np.savez(target, **named)


def frontier(arrays):
    """Bytes, validation and test accuracy of files that no shorter one reaches in validation."""
    weights = [arrays[name] for name in sorted(arrays) if name.startswith("w")]
    found, best = [], 0
    for step_size, trade_off in itertools.product(STEP_SIZES, TRADE_OFFS):
        size, decoded = coded(weights, step_size, trade_off)
        splits = ("valid", "test")
        found.append((size, *(accuracy(decoded, arrays, split) for split in splits)))
    for row in sorted(found):
        if row[1] > best:
            best = row[1]
            yield row


def coded(weights, step_size, trade_off):
    """The length of a stream, and the weights that it decodes to."""
    from nncodec import nnc

    named = {f"{n:02}": np.ascontiguousarray(w.T, np.float32) for n, w in enumerate(weights)}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        stream = nnc.compress(
            named,
            bitstream_path=str(Path(folder, "a.nnc")),
            qp=step_size,
            use_dq=True,
            lambda_scale=trade_off,
            param_opt=True,
            row_skipping=True,
            return_bitstream=True,
        )
        decoded = nnc.decompress(stream)
    return len(stream), [np.asarray(decoded[name]).T for name in sorted(decoded)]


def accuracy(weights, arrays, split):
    """Of a chain of dense layers with kernels and biases, with ReLU between them."""
    x = arrays[f"x_{split}"]
    for number in range(0, len(weights), 2):
        x = x @ weights[number] + weights[number + 1]
        if number < len(weights) - 2:
            x = np.maximum(x, 0)
    return float((x.argmax(axis=1) == arrays[f"y_{split}"]).mean())


if __name__ == "__main__":
    main()
