"""The prunable parts of a Keras model: single kernels, or dependency groups of units.

Either way criteria, granularities and scopes get a matrix of shape (inputs, units), and a mask of
that matrix becomes masks of the model's variables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import keras
import numpy as np

from ..graph.dependency_groups import CoupledColumns, DependencyGroup, find_units
from ..graph.tracing import layers_of
from ..models import kernels
from ..models.arrays import Array
from ..models.kernels import Kernel
from ..models.layer_names import layers_in_order
from ..utils import UsageError
from .layer_choice import Excluded, LayerChoice, Meant


@dataclass(frozen=True)
class Prunables:
    """All that can be pruned of a model.

    Attributes:
        kernels: the `Kernel`s that may be pruned.
        layers: the `DependencyGroup`s by name.
        left_alone: descriptions of what has weights but cannot be pruned.
        choice: finds layers by name.
    """

    kernels: list[Kernel]
    layers: dict[str, DependencyGroup]
    left_alone: list[str]
    choice: LayerChoice = field(repr=False)

    @classmethod
    def of(cls, model: keras.Model, by_unit: bool = False, exclude: Excluded = ()) -> "Prunables":
        """Those of a Keras model.

        Args:
            model: a built model.
            by_unit: whether whole units are pruned.
            exclude: layers or nested models that are not pruned, with all within them, as
                `LayerChoice` takes them; a single one may be given as it is.

        Raises:
            UsageError: if a name in `exclude` matches no layer, nothing remains to be pruned, or
                units are to be pruned and the model is not a graph of layers.
            ValueError: if the model is not built.
        """
        hidden = hidden_kernels(model)
        choice = LayerChoice(model, hidden)
        excluded = choice.checked(exclude)
        found = [k for k in hidden if not choice.is_meant(k.layer, excluded, k.name)]
        alone = [
            kernels.describe(layer)
            for layer in kernels.unknown_layers(model)
            if not choice.is_meant(layer, excluded)
        ]
        if by_unit:
            layers, others = find_units(
                model, found, lambda layer: choice.is_meant(layer, excluded)
            )
            alone += others
        else:
            layers = {
                kernel.name: DependencyGroup(kernel.name, [_whole(kernel)]) for kernel in found
            }
        if not layers and found:
            raise UsageError(
                f"{model.name!r} has no units that could be removed: not those of "
                f"{', '.join(alone)}; prune single weights (method='weight')."
            )
        if not layers:
            raise UsageError(_nothing_to_prune(model, hidden))
        return cls(found, layers, alone, choice)

    @property
    def scored(self) -> list[Kernel]:
        """The `Kernel`s that need scores: those that may be pruned, and the consumers of their
        units, such as the output layer's."""
        found = {kernel.name: kernel for kernel in self.kernels}
        for layer in self.layers.values():
            found |= {kernel.name: kernel for kernel, _ in layer.consumers}
        return list(found.values())

    def meant(self, layer: Meant) -> dict[str, float]:
        """The dependency groups that a layer or its name refers to, each with the distance in
        levels of nesting from the nearest of its own layers."""
        found = {}
        for each, group in self.layers.items():
            distances = [self.choice.distance(part.kernel, layer) for part in group.parts]
            known = [distance for distance in distances if distance is not None]
            if known:
                found[each] = min(known)
        return found

    def matrices(self, on_host: bool = False) -> dict[str, Array]:
        """The weights as they are now, by name, as `kernels.matrices_of`."""
        found = kernels.matrices_of(self.kernels, on_host)
        return {name: layer.stacked(found) for name, layer in self.layers.items()}

    def whole_masks(self) -> dict[str, np.ndarray]:
        """Masks of the dependency groups that keep everything, by name."""
        return {name: np.broadcast_to(True, layer.shape) for name, layer in self.layers.items()}

    def masks(self, layer_masks: Mapping[str, Array]) -> list[tuple[keras.Variable, Array]]:
        """Pairs of variables and masks, from the masks of dependency groups by name."""
        return [*self._kernel_masks(layer_masks), *self._vector_masks(layer_masks)]

    def _kernel_masks(self, layer_masks):
        found = {}
        for name, layer in self.layers.items():
            if layer.is_whole_kernel:
                found[layer.parts[0].kernel.name] = layer_masks[name]
                continue
            for part, mask in zip(layer.parts, layer.split(layer_masks[name]), strict=True):
                kernel = part.kernel
                if kernel.name not in found:
                    found[kernel.name] = np.ones(kernel.shape, bool)
                part.put(found[kernel.name], mask)
        return [(k.variable, k.array(found[k.name])) for k in self.kernels if k.name in found]

    def _vector_masks(self, layer_masks):
        found = {}
        for name, layer in self.layers.items():
            coupled = layer.coupled_variables
            alive = layer_masks[name].any(axis=0) if coupled else None
            for variable, places in coupled:
                _, mask = found.setdefault(
                    id(variable), (variable, np.ones(variable.shape, bool).ravel())
                )
                mask[places[:, ~alive]] = False
        return [(variable, mask.reshape(variable.shape)) for variable, mask in found.values()]


def _whole(kernel):
    return CoupledColumns(kernel, np.arange(kernel.shape[1])[np.newaxis])


def _nothing_to_prune(model, hidden):
    if hidden:
        return f"exclude: nothing of {model.name!r} remains to be pruned; exclude less."
    return (
        f"{model.name!r} has nothing that can be pruned: it needs dense layers, convolutions, "
        "recurrent layers or attention before the output layer."
    )


def hidden_kernels(model: keras.Model) -> list[Kernel]:
    """The kernels of all but the output layers: those with nothing prunable behind them."""
    found = kernels.all_kernels(model)
    function = layers_of(model)
    if function is None and found:
        # Of a subclassed model only the order of its layers is known.
        places = {id(layer): place for place, layer in enumerate(layers_in_order(model))}
        outputs = {max((id(kernel.layer) for kernel in found), key=places.get)}  # type: ignore
    else:
        outputs = _last_layers(function) if function is not None else set()
    return [kernel for kernel in found if id(kernel.layer) not in outputs]


def _last_layers(function):
    """The ids of the layers with kernels that come first on every path back from the outputs."""
    found, seen = set(), set()
    ahead = list(function.outputs)
    while ahead:
        tensor = ahead.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        node = _producer(tensor)
        if node is None or node.is_input:
            continue
        inner = layers_of(node.operation)
        if inner is not None:
            ids = _last_layers(inner)
            found |= ids
            if not ids:
                ahead += node.input_tensors
            continue
        last = _last_with_kernels(node.operation)
        found |= last
        if not last:
            ahead += node.input_tensors
    return found


def _last_with_kernels(op):
    """The ids of the layers that make an operation's output, of those with kernels: itself, both
    directions of a `Bidirectional`, or the last layer within it, as far as the order tells."""
    if not isinstance(op, keras.Layer):
        return set()
    layers = [op, *layers_in_order(op)]
    found = [id(layer) for layer in layers if kernels.kernel_axes(layer)]
    if isinstance(op, keras.layers.Bidirectional):
        return set(found)
    return {id(op)} if id(op) in found else set(found[-1:])


def _producer(tensor):
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index] if history.operation else None


def units_of(model: keras.Model) -> dict[str, DependencyGroup]:
    """The units of a graph of layers as `DependencyGroup`s by name, without output layers."""
    return find_units(model, hidden_kernels(model))[0]
