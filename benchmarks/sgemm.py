"""What the matrix products alone take: the limit of what can be had on this machine.

`sgemm.py` times the products of a training step and of an evaluation with NumPy's and PyTorch's
BLAS, and prints the seconds of an epoch with validation and of one test evaluation, by the faster.
"""

import itertools
import json
import statistics
import time

import numpy as np
import torch

SIZES = (784, 1000, 1000, 500, 200, 10)
BATCH, STEPS = 128, 50_000 / 128


def products(rows, backward, array):
    """The products of one pass, as a function: forward, and both gradients of every layer."""
    pairs = list(itertools.pairwise(SIZES))
    generator = np.random.default_rng(0)
    x = [array(generator.normal(size=(rows, size)).astype(np.float32)) for size in SIZES]
    w = [array(generator.normal(size=pair).astype(np.float32)) for pair in pairs]

    def run():
        for layer in range(len(pairs)):
            x[layer] @ w[layer]
            if backward:
                x[layer].T @ x[layer + 1]
                if layer:
                    x[layer + 1] @ w[layer].T

    return run


def clock(function, times):
    """The median of seconds of a call."""
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def main():
    libraries = (np.asarray, torch.tensor)
    step = min(clock(products(BATCH, True, array), 400) for array in libraries)
    evaluation = min(clock(products(10_000, False, array), 11) for array in libraries)
    print(json.dumps({"epoch": step * STEPS + evaluation, "evaluation": evaluation}))


if __name__ == "__main__":
    main()
