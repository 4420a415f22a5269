"""What of a Keras model competes: kernels on their own, or units with all that goes with them.

Either way it becomes a matrix of shape (inputs, units) for criteria, granularities and scopes, and
a mask of that matrix becomes masks of the model's variables.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import keras
import numpy as np

from ..graph.dependency_groups import CoupledColumns, DependencyGroup, find_units
from ..graph.tracing import layers_of
from ..models import kernels
from ..models.kernels import Kernel
from ..models.layer_names import layers_in_order
from ..utils import UsageError
from .layer_choice import LayerChoice


@dataclass(frozen=True)
class Prunables:
    """All that can be pruned of a model.

    Attributes:
        kernels: the `Kernel`s that may be pruned.
        layers: the `DependencyGroup`s by name.
        left_alone: what cannot be pruned although it has weights, a phrase each.
        choice: which layers a name means.
    """

    kernels: list[Kernel]
    layers: dict[str, DependencyGroup]
    left_alone: list[str]
    choice: LayerChoice = field(repr=False)

    @classmethod
    def of(
        cls, model: keras.Model, by_unit: bool = False, exclude: str | Iterable[str] = ()
    ) -> "Prunables":
        """Those of a Keras model.

        Args:
            model: a built model.
            by_unit: whether whole units go.
            exclude: names of layers or nested models that are not to be pruned, with all within
                them, or patterns such as `block1_*`; a single one may be given as it is.

        Raises:
            UsageError: if a name in `exclude` is of no layer, nothing is left to prune, or the
                model is not a graph of layers and units are to go.
            ValueError: if the model is not built.
        """
        hidden = hidden_kernels(model)
        choice = LayerChoice(model, hidden)
        patterns = choice.patterns(exclude)
        found = [k for k in hidden if not choice.is_meant(k.layer, patterns, k.name)]
        alone = [
            kernels.describe(layer)
            for layer in kernels.unknown_layers(model)
            if not choice.is_meant(layer, patterns)
        ]
        if by_unit:
            layers, others = find_units(
                model, found, lambda layer: choice.is_meant(layer, patterns)
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
        """The `Kernel`s whose scores count: those that may be pruned, and those that read their
        units, such as the output layer's."""
        found = {kernel.name: kernel for kernel in self.kernels}
        for layer in self.layers.values():
            found |= {kernel.name: kernel for kernel, _ in layer.consumers}
        return list(found.values())

    def meant(self, name: str) -> dict[str, int]:
        """What the name of a layer means: the names of prunables, each with how many layers around
        the nearest of its own that one is."""
        found = {}
        for each, layer in self.layers.items():
            distances = [self.choice.distance(part.kernel, name) for part in layer.parts]
            known = [distance for distance in distances if distance is not None]
            if known:
                found[each] = min(known)
        return found

    def matrices(self) -> dict[str, np.ndarray]:
        """The weights as they are now, by name."""
        found = {kernel.name: kernel.matrix() for kernel in self.kernels}
        return {name: layer.stacked(found) for name, layer in self.layers.items()}

    def masks(
        self, layer_masks: Mapping[str, np.ndarray]
    ) -> list[tuple[keras.Variable, np.ndarray]]:
        """Masks of all variables concerned, as pairs, from those of the prunables by name."""
        return [*self._kernel_masks(layer_masks), *self._vector_masks(layer_masks)]

    def _kernel_masks(self, layer_masks):
        whole = {kernel.name: np.ones(kernel.shape, bool) for kernel in self.kernels}
        for name, layer in self.layers.items():
            for part, mask in zip(layer.parts, layer.split(layer_masks[name]), strict=True):
                part.put(whole[part.kernel.name], mask)
        return [(kernel.variable, kernel.array(whole[kernel.name])) for kernel in self.kernels]

    def _vector_masks(self, layer_masks):
        found = {}
        for name, layer in self.layers.items():
            alive = layer_masks[name].any(axis=0)
            for variable, places in layer.coupled_variables:
                _, mask = found.setdefault(
                    id(variable), (variable, np.ones(variable.shape, bool).ravel())
                )
                mask[places[:, ~alive]] = False
        return [(variable, mask.reshape(variable.shape)) for variable, mask in found.values()]


def _whole(kernel):
    return CoupledColumns(kernel, np.arange(kernel.shape[1])[np.newaxis])


def _nothing_to_prune(model, hidden):
    if hidden:
        return f"exclude: nothing that can be pruned is left of {model.name!r}; exclude less."
    return (
        f"{model.name!r} has nothing that can be pruned: dense layers or convolutions are needed "
        "before the output layer."
    )


def hidden_kernels(model: keras.Model) -> list[Kernel]:
    """The kernels of all but the output layers: those with nothing prunable behind them."""
    found = kernels.all_kernels(model)
    function = layers_of(model)
    if function is None and found:
        # Of a subclassed model nobody knows more than the order of its layers.
        places = {id(layer): place for place, layer in enumerate(layers_in_order(model))}
        outputs = {max((id(kernel.layer) for kernel in found), key=places.get)}  # type: ignore
    else:
        outputs = _last_layers(function) if function is not None else set()
    return [kernel for kernel in found if id(kernel.layer) not in outputs]


def _last_layers(function):
    """The ids of the layers with kernels that are met first on the way back from the outputs."""
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
        layers = _layers_of(node.operation)
        with_kernels = {id(layer) for layer in layers if kernels.kernel_axes(layer)}
        found |= with_kernels
        if not with_kernels:
            ahead += node.input_tensors
    return found


def _producer(tensor):
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index] if history.operation else None


def _layers_of(op):
    if not isinstance(op, keras.Layer):
        return []
    return [op, *op._flatten_layers(include_self=False)]


def units_of(model: keras.Model) -> dict[str, DependencyGroup]:
    """The units of a graph of layers as `DependencyGroup`s by name, output layers' left out."""
    return find_units(model, hidden_kernels(model))[0]
