"""The kept weights of a pruned model, re-fitted: `network_pruning.reconstruct`.

Layer by layer, from the inputs to the outputs, with the inputs that a layer gets in the pruned
model and the outputs that it has in the dense one, as ThiNet does for units (Luo et al., 2017,
arXiv:1707.06342), OBC for weights (Frantar & Alistarh, 2022, arXiv:2208.11580) and SparseGPT for
large layers (Frantar & Alistarh, 2023, arXiv:2301.00774). Labels are not used.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from ..graph.tracing import function_of
from ..models.arrays import count, size_of, to_numpy
from ..models.copies import check_built, copy_of_model
from ..models.kernels import Kernel, describe, leaves, unknown_layers, value_of
from ..models.own_classes import warn_of_lost_methods
from ..pruning.arguments import checked_seed
from ..pruning.examples import Examples
from ..utils import ProgressLine, UsageError, one_line, pluralize, warn_user
from .normalization import recalibrate
from .readings import Reading, reading_of
from .refit import Refit
from .statistics import HELD_OUT, are_held_out, observe
from .walk import Path

# Of calibration data in batches so many examples are used; of arrays, all.
MOST_EXAMPLES = 10_000
# Examples in a batch, and numbers in its inputs.
BATCH, BATCH_NUMBERS = 1000, 2**22
# Inputs of a layer: the Gram matrix of so many takes 200 MB.
MOST_INPUTS = 5000

# With fewer rows of inputs in every layer, a warning says that there could be more examples.
FEW_ROWS = 100
# By so many standard errors the model has to be worse on held-out examples to be taken back.
CERTAIN = 3

Choice = Callable[[Kernel, Refit], np.ndarray | None]


def _of_nonzeros(_kernel, refit):
    return refit.matrix != 0


def reconstruct(
    pruned: keras.Model,
    dense: keras.Model,
    data: Any,
    *,
    seed: int = 0,
    verbose: int = 1,
) -> keras.Model:
    """A copy of a pruned model whose kept weights are re-fitted, so that its layers compute what
    those of the dense model do. Nothing is trained, and no labels are used.

    Dense layers, EinsumDense and convolutions of all kinds are re-fitted, output layers too, with
    their biases; the moving statistics of BatchNormalization are computed anew. Weights that are
    zero stay zero. A tenth of the examples is held out; where new weights do no better on them, the
    old ones stay. Neither of the given models is changed.

    Args:
        pruned: a model with zeros, pruned by any means.
        dense: the model that it was, of the same architecture.
        data: some hundred or thousand inputs: an array, a list or dictionary of arrays for several
            inputs, `(x, y)`, of which the labels are ignored, or batches in anything that `fit`
            takes, of which the first 10,000 examples are used.
        seed: chooses positions of large pictures, where not all are needed.
        verbose: 0 for no progress bar.

    Returns:
        A model of the same architecture and size.

    Raises:
        UsageError: (a ValueError) if the models or the data do not fit each other.
        ValueError: if a model is not built or cannot be copied.

    Warns:
        UserWarning: names layers that are not re-fitted.
    """
    for name, model in (("pruned", pruned), ("dense", dense)):
        check_built(model, name)
    if [v.shape for v in pruned.weights] != [v.shape for v in dense.weights]:
        raise UsageError(
            "dense: its weights have other shapes than those of the pruned model; give the model "
            "that was pruned (a model that `shrink` made smaller cannot be reconstructed)."
        )
    zeros = [sum(map(_num_zeros, model.weights)) for model in (pruned, dense)]
    if zeros[0] < zeros[1]:
        raise UsageError(
            f"dense: it has more zeros than the pruned model ({zeros[1]:,} and {zeros[0]:,}); the "
            "pruned model comes first."
        )
    examples = calibration_inputs(data, dense)
    copy = copy_of_model(pruned)
    warn_of_lost_methods(pruned, copy)
    refit_layers(copy, dense, examples, checked_seed(seed), verbose)
    return copy


def _num_zeros(variable):
    return size_of(variable.value) - int(count(variable.value != 0))


def calibration_inputs(data: Any, model: keras.Model) -> Examples:
    """Calibration data as `Examples`, checked against the inputs of a model.

    Raises:
        UsageError: if there are too few, or they are of another shape or not finite.
    """
    if data is None:
        raise UsageError(
            "data: weights are re-fitted and trained on inputs; give some hundred or thousand as "
            "data=x, or batches of them, as fit takes them. Labels are not needed."
        )
    several = len(getattr(model, "inputs", None) or [1])
    is_inputs = isinstance(data, dict) or hasattr(data, "shape")
    if is_inputs or (isinstance(data, list) and several > 1 and len(data) == several):
        data = (data, None)
    examples = data if isinstance(data, Examples) else Examples(data, MOST_EXAMPLES)
    if len(examples) < HELD_OUT:
        raise UsageError(
            f"data: {len(examples)} examples are too few to re-fit or train weights; give at least "
            f"{HELD_OUT}, better some hundreds."
        )
    arrays = keras.tree.flatten(examples.parts[0])
    for array in map(np.asarray, arrays):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UsageError("data: the inputs are not finite; look for NaN and infinite numbers.")
    function = function_of(model)
    if function is not None and not isinstance(examples.parts[0], dict):
        for array, tensor in zip(arrays, function.inputs, strict=False):
            _check_shape(np.shape(array), tensor.shape)
    try:
        model(examples.head(1).parts[0], training=False)
    except Exception as error:  # Keras and the backend may raise anything
        raise UsageError(
            f"data: the model cannot be run on these inputs ({one_line(error, 160)})."
        ) from error
    return examples


def _check_shape(given, wanted):
    fits = len(given) == len(wanted) and all(
        size in (None, own) for own, size in zip(given[1:], wanted[1:], strict=True)
    )
    if not fits and given[1:] != tuple(wanted[1:-1]) + (wanted[-1],) * (wanted[-1] != 1):
        raise UsageError(
            f"data: inputs of shape {tuple(given[1:])} were given, the model takes "
            f"{tuple(wanted[1:])}."
        )


def refit_layers(
    pruned: keras.Model,
    dense: keras.Model,
    examples: Examples,
    seed: int = 0,
    verbose: int = 0,
    choice: Choice = _of_nonzeros,
    after: Callable[[Refit], None] | None = None,
) -> None:
    """Re-fits the layers of a pruned model in place.

    Args:
        pruned, dense, seed, verbose: as for `reconstruct`.
        examples: from `calibration_inputs`.
        choice: decides which weights of a kernel are kept, from its `Refit`: booleans of the shape
            of its matrix, None for a layer that stays as it is. By default those that are not zero.
        after: what is done to each `Refit` when its weights are found, such as rounding them; then
            the model is expected to be worse.

    Warns:
        UserWarning: names layers that are not re-fitted; if there are few examples, or so few that
            the model's outputs on those held out are farther from the dense ones with re-fitted
            weights: then the weights are not changed, but for those that are pruned.
    """
    given = None if after else [value_of(variable) for variable in pruned.weights]
    with without_gradients():
        work = Reconstruction(pruned, dense, examples, seed, after)
        work.run(choice, verbose)
        if given is not None:
            work.undo_if_worse(given)


@contextlib.contextmanager
def without_gradients() -> Iterator[None]:
    """While it lasts, PyTorch does not keep what only gradients need."""
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.no_grad():
        yield


class Reconstruction:
    """The walk through both models.

    Args:
        pruned, dense, examples, seed, after: as for `refit_layers`.
    """

    def __init__(
        self,
        pruned: keras.Model,
        dense: keras.Model,
        examples: Examples,
        seed: int,
        after: Callable[[Refit], None] | None = None,
    ) -> None:
        self.examples, self.seed, self.after = len(examples), seed, after
        batch = examples.batch_size(BATCH_NUMBERS, BATCH)
        batches = [x for x, *_ in examples.batches(batch)]
        self.starts = range(0, len(examples), batch)
        self.pruned, self.dense = Path(pruned, batches), Path(dense, batches)
        self.counterparts = {
            kernel.name: other
            for kernel, other in zip(self.pruned.kernels, self.dense.kernels, strict=True)
        }
        passed = [each for each in leaves(pruned) if isinstance(each, keras.layers.Embedding)]
        self.has_changed, self.most_rows = False, 0
        self.not_refitted: list[str] = [*map(describe, [*passed, *unknown_layers(pruned)])]

    def run(self, choice: Choice, verbose: int) -> None:
        """Re-fits layer after layer; a warning names those that are not."""
        progress = ProgressLine(len(self.pruned.kernels), verbose)
        for place, step in enumerate(self.pruned.steps):
            for kernel in self.pruned.kernels_at(place):
                progress.show(kernel.name)
                self._refit(kernel, place, choice)
            if isinstance(step.op, keras.layers.BatchNormalization) and self.has_changed:
                recalibrate(step, self.dense.steps[place], self.pruned.values, self.dense.values)
            for path in (self.pruned, self.dense):
                path.advance(place)
        progress.close()
        if self.not_refitted:
            warn_user(f"Not re-fitted: {', '.join(self.not_refitted)}.")
        if self.has_changed and self.most_rows < FEW_ROWS:
            warn_user(
                f"Weights were re-fitted on {pluralize(self.examples, 'example')} only; with some "
                "hundreds the model comes much closer to the dense one."
            )

    def undo_if_worse(self, given: list[np.ndarray]) -> None:
        """Takes the weights that the model was given, but for pruned ones, if with these its
        outputs on held-out examples are closer to the dense ones."""
        if not self.has_changed:
            return
        variables = self.pruned.model.weights
        refitted = [value_of(variable) for variable in variables]
        dense = [*self._held_out(self.dense)]
        errors = _distances(self._held_out(self.pruned), dense)
        for variable, old, new in zip(variables, given, refitted, strict=True):
            variable.assign(np.where(new == 0, new, old))
        worse = errors - _distances(self._held_out_now(), dense)
        if worse.mean() > CERTAIN * np.std(worse) / np.sqrt(len(worse)):
            warn_user(
                "Weights are not re-fitted: with new ones the model is farther from the dense one "
                "on the examples that are held out; give more examples."
            )
            return
        for variable, new in zip(variables, refitted, strict=True):
            variable.assign(new)

    def _held_out(self, path):
        """The outputs of a walk for held-out examples, for each batch that has some."""
        for batch, values in enumerate(path.values):
            held = self._are_held(batch)
            if held.any():
                yield [to_numpy(values[number])[held] for number in path.outputs]

    def _held_out_now(self):
        """The same of the model with its weights of now."""
        for batch, x in enumerate(self.pruned.batches):
            held = self._are_held(batch)
            x = keras.tree.map_structure(lambda array, held=held: array[held], x)
            if held.any():
                outputs = keras.tree.flatten(self.pruned.model(x, training=False))
                yield [*map(to_numpy, outputs)]

    def _are_held(self, batch):
        number = len(keras.tree.flatten(self.pruned.batches[batch])[0])
        return are_held_out(self.starts[batch] + np.arange(number))

    def _refit(self, kernel, place, choice):
        pruned, dense = reading_of(kernel), reading_of(self.counterparts[kernel.name])
        if pruned is None or dense is None:
            self.not_refitted.append(describe(kernel.layer))
        elif kernel.shape[0] > MOST_INPUTS:
            self.not_refitted.append(f"{kernel.name} ({kernel.shape[0]:,} inputs are too many)")
        else:
            seen = observe(
                pruned, dense, self._inputs(pruned, dense, place), self.examples, self.seed
            )
            self._fit(pruned, seen, choice)

    def _fit(self, reading, seen, choice):
        refit = Refit(reading, seen)
        before = refit.weights
        mask = choice(reading.kernel, refit)
        if mask is None:
            return
        self.has_changed, self.most_rows = True, max(self.most_rows, seen.fitted.rows)
        kept, rows = int(mask.sum(axis=0).max()), seen.fitted.rows
        if not refit.finish(mask, before) and kept > rows:
            self.not_refitted.append(
                f"{reading.kernel.name} ({rows:,} rows of inputs for {kept:,} weights of a unit; "
                f"give {int(np.ceil(self.examples * kept / rows)):,} examples or more)"
            )
        if self.after is not None:
            self.after(refit)

    def _inputs(self, pruned: Reading, dense: Reading, place: int):
        for batch, first in enumerate(self.starts):
            one = self.pruned.inputs_of(pruned.kernel, place, batch)
            yield first, [*zip(one, self.dense.inputs_of(dense.kernel, place, batch), strict=True)]


def _distances(ours, theirs):
    """The sum of squared differences of outputs, for each example."""
    found = [
        sum(
            np.square(one.astype(np.float64) - other).reshape(len(other), -1).sum(axis=1)
            for one, other in zip(batch, same, strict=True)
        )
        for batch, same in zip(ours, theirs, strict=True)
    ]
    return np.concatenate(found)
