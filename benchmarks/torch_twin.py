"""The same training in PyTorch: network, batches, Adam (fused), validation after every epoch.

`torch_twin.py DATA_DIR EPOCHS` prints the seconds of each epoch as one JSON object.
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


if __name__ == "__main__":
    print(json.dumps({"epochs": epochs(load(sys.argv[1]), int(sys.argv[2]))}))
