"""`Networks` of a few NumPy arrays, which learn nothing: for tests of what is written when.

It stands for the networks that are trained by TensorFlow, and speaks all of their protocol. As
theirs, what an epoch makes of a network depends on the weights, on the optimizer's state and on
the number of the epoch: who resumes with one of them missing ends with other bytes. A run takes a
fraction of a second, so that it can be killed dozens of times.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
from network_pruning.pruning import masks
from network_pruning.pruning.methods import REFERENCE
from network_pruning.training import loop
from network_pruning.training.evaluation import Metrics
from network_pruning.training.networks import Networks

SHAPES = {"hidden_1": (6, 5), "hidden_2": (5, 4), "output": (4, 10)}
STEPS = 3  # groups of training steps in an epoch


class Variable:
    """A variable of Keras', as far as checkpoints know it."""

    def __init__(self, value):
        self.value = value

    def assign(self, value):
        self.value = np.asarray(value)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.value, dtype)


class FakeModel:
    """A compiled model of Keras', as far as a training and its checkpoints know it."""

    def __init__(self, seed):
        generator = np.random.default_rng(seed)
        self.variables = [Variable(generator.normal(size=shape)) for shape in SHAPES.values()]
        self.trainable_variables = self.variables
        self.optimizer = SimpleNamespace(
            name="adam",
            build=lambda _variables: None,
            variables=[Variable(np.zeros(shape)) for shape in SHAPES.values()],
        )

    def summary(self, line_length, print_fn):
        print_fn("A fake model".ljust(line_length))

    def save(self, path):
        with Path(path).open("wb") as file:
            np.save(file, np.concatenate([np.ravel(variable) for variable in self.variables]))

    def step(self, generator):
        """One step of training, along a random gradient, with momentum."""
        for variable, momentum in zip(self.variables, self.optimizer.variables, strict=True):
            gradient = generator.normal(size=variable.value.shape)
            momentum.assign(0.9 * momentum.value + gradient)
            variable.assign(variable.value - 0.1 * momentum.value)


class FakeWeights(dict):
    """Kernels by layer name."""

    def put_into(self, model):
        for variable, kernel in zip(model.variables, self.values(), strict=True):
            variable.assign(kernel)

    @property
    def hidden(self):
        return dict(list(self.items())[:-1])


class FakeNetworks(Networks):
    """All networks of one experiment; see `Networks`."""

    reference = REFERENCE

    def __init__(self, config, dataset):
        self.config, self.dataset, self.shape = config, dataset, dataset.shape

    def new_model(self):
        return FakeModel(self.config.seed)

    def weights_of(self, model):
        kernels = [np.array(variable) for variable in model.variables]
        return FakeWeights(zip(SHAPES, kernels, strict=True))

    def read(self, path):
        flat, found = np.load(path), FakeWeights()
        for name, shape in SHAPES.items():
            found[name], flat = flat[: np.prod(shape)].reshape(shape), flat[np.prod(shape) :]
        return found

    def train(self, model, on_steps, on_epoch, first_epoch=1, last_epoch=None):
        for number in range(first_epoch, (last_epoch or self.config.epochs) + 1):
            loop.epoch_order(self.config.seed, number, len(self.dataset.train))
            generator = np.random.default_rng((self.config.seed, number))
            for _ in range(STEPS):
                model.step(generator)
                loss = float(np.mean([np.abs(variable).mean() for variable in model.variables]))
                loop.check_finite(loss, number)
                on_steps(1)
            on_epoch(loop.Epoch(number, loss, 0.5, loss, 0.5))

    def rank(self, method, weights, _masks=None):
        return masks.rank(method, weights, seed=self.config.seed)

    def pruned(self, method, dense, rankings, k):
        kept = masks.make_masks(method, rankings, k)
        return FakeWeights({name: dense[name] * kept.get(name, 1) for name in dense})

    def retrainer(self, dense, rewound):
        raise NotImplementedError("nothing retrains a fake")

    def test(self, weights):
        return self.validate(weights), self._metrics(weights, self.dataset.test)

    def validate(self, weights):
        return self._metrics(weights, self.dataset.valid)

    def _metrics(self, weights, split):
        size = sum(np.abs(kernel).sum() for kernel in weights.values())
        answers = (np.arange(len(split)) * int(1000 * size)) % 10
        return Metrics(size, float(np.mean(answers == split.labels)), size, answers)

    def measure(self, weights):
        nonzero = sum(np.count_nonzero(kernel) for kernel in weights.values())
        ratio = sum(map(np.prod, SHAPES.values())) / nonzero
        shares = {name: float(np.mean(kernel == 0)) for name, kernel in weights.hidden.items()}
        return {
            **{"sparsity": max(shares.values()), "effective_sparsity": max(shares.values())},
            **{"layer_sparsity": shares, "nonzero": nonzero, "living": nonzero},
            **{"compression_ratio": ratio, "multiply_adds": nonzero, "speedup": ratio},
        }

    def hidden_matrices(self, weights):
        return weights.hidden

    def values(self, method, dense, rankings):
        if method.by_unit:
            return {name: ranking.scores for name, ranking in rankings.items()}
        return dense.hidden

    def labels(self, method):
        return {}

    def notes(self):
        return []
