"""Training the living part of a pruned network under its masks.

What is gone stays gone, and so do units that have lost all their weights. A network gets the
cheaper to train the smaller it is, because only what lives is computed.
"""

import itertools
import math

import numpy as np

from ..compression.dense import Compact
from ..data.data_loaders.loader_utils import Split
from ..models import model as models
from ..models.architectures import Architecture
from ..models.backend import tf
from ..models.training import STEPS_AT_ONCE, check_finite, compile_steps
from ..models.weights import Weights

# Compiling takes as long as an epoch or two: what has been compiled serves smaller networks too
# until less than this share of its multiply-adds is alive.
WORTH_COMPILING = 0.6


class Trainee:
    """A Keras model that is trained under masks.

    Attributes:
        model: the compiled model.
        config: with `batch_size`.
        size: the number of examples.
        run_steps: as `compile_steps` returns it.
        pixels: the variable that holds the examples' pixels.
        moving: a `MovedImages`, or None to leave images where they are.
    """

    def train(self, epochs, learning_rate, generators, on_steps, prune=None, prunings=0):
        """Trains in place.

        Every epoch visits the examples in a new order; its last batch is filled up with the
        epoch's first examples, because another size would be compiled anew.

        Args:
            epochs: how many.
            learning_rate: at a progress in [0, 1].
            generators: an iterator that gives every epoch its random generator.
            on_steps: called with the number of steps just done.
            prune: called with the progress, so many times at equal distances on the way.
            prunings: how many times, if there are as many steps.
        """
        batch_size = self.config.batch_size
        steps = -(-self.size // batch_size)
        total = epochs * steps
        times = min(prunings, total)
        stops = {number * total // (times + 1) for number in range(1, times + 1)}
        for epoch in range(epochs):
            generator, done = next(generators), epoch * steps
            if self.moving:
                self.pixels.assign(self.moving(generator))
            order = generator.permutation(self.size).astype(np.int32)
            batches = np.resize(order, (steps, batch_size))
            cuts = {*range(0, steps, STEPS_AT_ONCE), steps, *(stop - done for stop in stops)}
            for start, end in itertools.pairwise(sorted(c for c in cuts if 0 <= c <= steps)):
                if done + start in stops:
                    prune((done + start) / total)
                rate = learning_rate((done + start) / total)
                self.model.optimizer.learning_rate.assign(rate)
                loss, _ = self.run_steps(batches[start:end])
                on_steps(end - start)
            check_finite(float(loss), epoch + 1)
            self.check_masks(epoch + 1)

    def forget(self):
        """Gives the model a fresh Adam."""
        for variable in self.model.optimizer.variables:
            variable.assign(tf.zeros_like(variable))


class LivingNetwork(Trainee):
    """The living part of a network as a Keras model, compiled to be trained on one split.

    Args:
        weights: the `Weights` to begin with.
        masks: by layer name.
        split: what to train on.
        config: with `batch_size`, `learning_rate`, `l1_reg`, `l2_reg` and `shift`.
        targets: as for `compile_steps`.
        shape: of an example as an image, (height, width, channels); needed to shift them.
    """

    def __init__(self, weights, masks, split, config, targets, shape=None):
        self.config, self.size = config, len(split)
        self.compact = Compact.of(weights.masked(masks))
        inputs = self.compact.kept[0]
        self.model = models.assemble(
            Architecture(self.compact.hidden_units, bool(weights.biases)),
            len(inputs),
            config.learning_rate,
            config.l1_reg,
            config.l2_reg,
            num_classes=len(self.compact.kept[-1]),
        )
        hidden = self.model.layers[:-1]
        self.mask_variables = {
            layer.name: tf.Variable(tf.ones_like(layer.kernel)) for layer in hidden
        }
        self.alive = {
            layer.name: tf.Variable(tf.ones_like(layer.bias)) for layer in hidden if layer.use_bias
        }
        pairs = [(layer.kernel, self.mask_variables[layer.name]) for layer in hidden]
        pairs += [(layer.bias, self.alive[layer.name]) for layer in hidden if layer.use_bias]
        self.moving = (
            MovedImages(split.pixels, shape, config.shift, inputs) if config.shift else None
        )
        self.pixels = tf.Variable(np.ascontiguousarray(split.pixels[:, inputs]), trainable=False)
        self.run_steps = compile_steps(self.model, Split(self.pixels, split.labels), pairs, targets)
        self.load(weights, masks)

    def serves(self, weights, masks):
        """Whether it may train this network too: a part of its own, and not a much smaller one."""
        needed = Compact.of(weights.masked(masks))
        pairs = zip(needed.kept, self.compact.kept, strict=True)
        if not all(np.isin(theirs, own).all() for theirs, own in pairs):
            return False
        return needed.multiply_adds() > WORTH_COMPILING * self.compact.multiply_adds()

    def load(self, weights, masks):
        """Begins anew with these `Weights` and masks, and a fresh Adam."""
        self.whole, self.whole_masks = weights, masks
        self.compact.smaller(weights).put_into(self.model)
        self.forget()
        self.prune(self.compact.smaller_masks(masks))

    def prune(self, masks):
        """Removes what these masks of the living part do not keep."""
        self.masks = masks
        alive = self._alive()
        for layer in self.model.layers[:-1]:
            mask = self.mask_variables[layer.name]
            mask.assign(masks[layer.name])
            layer.kernel.assign(layer.kernel * mask)
            if layer.use_bias:
                self.alive[layer.name].assign(alive[layer.name])
                layer.bias.assign(layer.bias * self.alive[layer.name])

    def _alive(self):
        """Which units keep their biases: those with a weight, be it of an input that is dead."""
        if not self.alive:
            return {}
        masks = self.compact.larger_masks(self.masks, self.whole_masks)
        units = zip(masks.items(), self.compact.kept[1:-1], strict=True)
        return {name: mask.any(axis=0)[kept] for (name, mask), kept in units}

    @property
    def weights(self):
        """The `Weights` of the living part."""
        return Weights.of(self.model)

    def grown(self):
        """The `Weights` and the masks of the whole network."""
        masks = self.compact.larger_masks(self.masks, self.whole_masks)
        return self.compact.larger(self.weights, self.whole).masked(masks), masks

    def check_masks(self, epoch):
        """Makes sure that weights are finite, and pruned ones exactly 0.0."""
        for layer in self.model.layers[:-1]:
            kernel = layer.kernel.numpy()
            check_finite(float(kernel.sum()), epoch)
            if kernel[~self.masks[layer.name]].any():
                raise AssertionError(f"a pruned weight of {layer.name} has come back")


class MovedImages:
    """Images, each moved by up to `limit` pixels in each direction; black moves in, or what is the
    least in images that are no bytes.

    Args:
        pixels: of shape (n, height · width · channels), or of any other with as many numbers.
        shape: of an image, (height, width, channels).
        limit: the largest shift, in pixels.
        seen: indices of the numbers that are looked at, of shape (inputs,); None for all.
    """

    def __init__(self, pixels, shape, limit, seen=None):
        frame = ((0, 0), (limit, limit), (limit, limit), (0, 0))
        least = 0 if pixels.dtype == np.uint8 else pixels.min()
        framed = np.pad(pixels.reshape(-1, *shape), frame, constant_values=least)
        self.strides = framed.shape[2] * shape[2], shape[2]  # of a row, of a column
        self.framed, self.limit = framed.reshape(len(framed), -1), limit
        seen = np.arange(math.prod(shape)) if seen is None else seen
        row, column, channel = np.unravel_index(seen, shape)
        # In the framed image, moved to the upper left.
        self.positions = row * self.strides[0] + column * self.strides[1] + channel

    def __call__(self, generator):
        """The pixels of all images, moved by random shifts, of shape (n, inputs)."""
        down, right = generator.integers(2 * self.limit + 1, size=(2, len(self.framed)))
        moved = np.empty((len(self.framed), len(self.positions)), self.framed.dtype)
        for row, column in itertools.product(range(2 * self.limit + 1), repeat=2):
            chosen = np.flatnonzero((down == row) & (right == column))
            positions = self.positions + row * self.strides[0] + column * self.strides[1]
            moved[chosen] = np.take(self.framed[chosen], positions, axis=1)
        return moved
