"""The same training in PyTorch: network, batches, Adam (fused), validation after every epoch.

`torch_twin.py DATA_DIR EPOCHS` prints the seconds of each epoch as one JSON object; `torch_twin.py
DATA_DIR sgemm` prints what the matrix products alone take, the limit of what can be had.
"""

import itertools
import json
import sys
import time

import torch
from plain_keras import load

SIZES = (784, 1000, 1000, 500, 200, 10)
BATCH = 128


def epochs(data, count):
    (x, y), (vx, vy), _ = ([torch.tensor(array) for array in split] for split in data)
    y, vy = y.long(), vy.long()
    layers = []
    for inputs, units in itertools.pairwise(SIZES):
        layers += [torch.nn.Linear(inputs, units, bias=False), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001, fused=True)
    loss_of = torch.nn.CrossEntropyLoss()
    seconds = []
    for _ in range(count):
        begun = time.perf_counter()
        for batch in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            loss_of(model(x[batch]), y[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            for start in range(0, len(vx), 2500):
                answers = model(vx[start : start + 2500])
                loss_of(answers, vy[start : start + 2500]).item()
        seconds.append(time.perf_counter() - begun)
    return seconds


def sgemm():
    """Seconds of the matrix products of one epoch with validation, and of one test evaluation."""
    step, evaluation = products(BATCH, backward=True), products(10_000, backward=False)
    best_step = min(clock(step) for _ in range(200))
    typical_step = sorted(clock(step) for _ in range(200))[100]
    forward = min(clock(evaluation) for _ in range(10))
    steps = 50_000 / BATCH
    return {
        "epoch": typical_step * steps + forward,
        "epoch_best": best_step * steps + forward,
        "evaluation": forward,
    }


def products(rows, backward):
    """The products of one pass, as a function: forward, and both gradients of every layer."""
    pairs = list(itertools.pairwise(SIZES))
    x = [torch.randn(rows, size) for size in SIZES]
    w = [torch.randn(*pair) for pair in pairs]

    def run():
        for layer in range(len(pairs)):
            x[layer] @ w[layer]
            if backward:
                x[layer].T @ x[layer + 1]
                if layer:
                    x[layer + 1] @ w[layer].T

    return run


def clock(function):
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


if __name__ == "__main__":
    if sys.argv[2] == "sgemm":
        print(json.dumps(sgemm()))
    else:
        print(json.dumps({"epochs": epochs(load(sys.argv[1]), int(sys.argv[2]))}))
