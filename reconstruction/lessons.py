"""What a model learns from: inputs, and what the dense model computes from them."""

import keras
import numpy as np

from ..models.arrays import to_numpy
from ..pruning.examples import Examples
from ..utils import UsageError
from .mixtures import can_be_mixed, mixtures
from .reconstruct import without_gradients
from .statistics import HELD_OUT, are_held_out
from .student import Prepared, Student, batches, loss_of, num_shards, some

# Examples of a step, and numbers in their inputs.
BATCH, BATCH_NUMBERS = 256, 2**22
# With few examples epochs are longer, so that they have this many optimizer steps.
OPTIMIZER_STEPS = 10


class Lessons:
    """Trains a model towards the outputs of the dense one; a context, in which the model has
    logits as outputs, and is trained as a whole, without dropout.

    A tenth of the examples is held out.

    Args:
        model: the one to train.
        dense: the model whose outputs are the targets.
        examples: from `calibration_inputs`.

    Attributes:
        prepared: the `Prepared` model.
        steps: of an epoch.

    Raises:
        UsageError: (a ValueError) if there are too few examples for the devices that share a batch,
            or the model's variables are too coarse to be trained.
    """

    def __init__(self, model: keras.Model, dense: keras.Model, examples: Examples) -> None:
        shards = num_shards()
        if shards > 1:
            examples = _divisible(examples, shards)
        _check_precision(model)
        x = examples.parts[0]
        few = HELD_OUT * shards
        self._first = keras.tree.map_structure(lambda array: np.asarray(array[:few]), x)
        self._x = tuple(x) if isinstance(x, list) else x  # which a `tf.data.Dataset` does not take
        self._held = are_held_out(np.arange(len(examples)))
        self._fitted = np.flatnonzero(~self._held)
        size = -(-examples.batch_size(BATCH_NUMBERS, BATCH) // shards) * shards
        self._size = min(size, len(self._fitted))
        self._dense, self.prepared = dense, Prepared(model)
        self.steps = max(len(self._fitted) // self._size, OPTIMIZER_STEPS)

    def __enter__(self) -> "Lessons":
        outputs = self._predicted(self._dense, self._x)
        # Not by `predict`, which would keep its compiled function for the user's own calls.
        with self.prepared, without_gradients():
            own = keras.tree.flatten(self.prepared.model(self._first, training=False))
        self._losses = [
            loss_of(target, to_numpy(output), _outputs_logits(self._dense))
            for target, output in zip(outputs, own, strict=True)
        ]
        self._targets = self._targets_of(outputs)
        self.prepared.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.prepared.__exit__()

    def teach(
        self,
        optimizer: keras.optimizers.Optimizer,
        epochs: int,
        callback: keras.callbacks.Callback,
        seed: int,
    ) -> None:
        """Trains the model.

        Args:
            optimizer: whose learning rate may follow the steps.
            epochs: how many.
            callback: gets the loss on held-out examples as `val_loss`.
            seed: of the order of the examples.
        """
        student = Student(self.prepared.model, self._losses)
        student.compile(optimizer=optimizer)
        student.fit(
            self._batches(np.random.default_rng(seed)),
            validation_data=some(self._held, self._x, self._targets),
            validation_batch_size=self._size,
            epochs=epochs,
            steps_per_epoch=self.steps,
            callbacks=[callback],
            verbose=0,
            shuffle=False,  # a generator cannot be
        )

    def _batches(self, random):
        """Batches for ever, of examples and mixtures of them."""
        x, targets = some(self._fitted, self._x, self._targets)
        if can_be_mixed(self._dense, x):
            more = mixtures(x, len(self._fitted), random)
            found = more, self._targets_of(self._predicted(self._dense, more))
            x, targets = keras.tree.map_structure(_joined, (x, targets), found)
        number = len(keras.tree.flatten(x)[0])
        return batches(x, targets, number, self._size, random)

    def _predicted(self, model, x):
        return keras.tree.flatten(model.predict(x, batch_size=self._size, verbose=0))

    def _targets_of(self, outputs):
        pairs = zip(self._losses, outputs, strict=True)
        return tuple(loss.targets(output) for loss, output in pairs)


def is_coarse(model: keras.Model) -> bool:
    """Whether a model's own variables have half precision: most steps of Adam are lost in them."""
    return any(v.dtype in ("float16", "bfloat16") for v in model.trainable_variables)


def _check_precision(model):
    if is_coarse(model):
        raise UsageError(
            f"distill: the variables of {model.name!r} have half precision, in which steps of "
            "training are lost; choose the recovery reconstruct, or build the model with a policy "
            "such as mixed_bfloat16."
        )


def _joined(one, other):
    return np.concatenate([one, other])


def _divisible(examples, shards):
    """As many of the examples as can be held out, and divided among devices."""
    least = HELD_OUT * shards
    if len(examples) < least:
        raise UsageError(
            f"data: {len(examples)} examples are too few for {shards} devices; give at least "
            f"{least}, better some hundreds."
        )
    return examples.head(len(examples) // least * least)


def _outputs_logits(model):
    return getattr(getattr(model, "loss", None), "from_logits", False)
