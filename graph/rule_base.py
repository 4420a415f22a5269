"""The interface of rules: how a kind of layer treats channels.

A rule describes a `Call`: the channels of its outputs (`trace`); which are the same for all
examples (`constants`); which input channels the needed outputs depend on (`needed`); the layer
without the others (`config`, `weights`); and where channels occur in its weights (`kernels`,
`vectors`). Layers without a rule do not change: `UnsupportedRule`.
"""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .channels import Channels

if TYPE_CHECKING:
    from .channels import ChannelGroups
    from .tracing import Call


class Kept(NamedTuple):
    """What is kept of the channels of a call's inputs, of its outputs, and of what it computes
    within; for each booleans, indices, or None for no channels."""

    inputs: Sequence[Any]
    outputs: Sequence[Any]
    inner: Sequence[Any] = ()


class Sides(NamedTuple):
    """Where the channels of a call occur in a kernel.

    Attributes:
        attribute: the path from the layer to the kernel.
        rows, columns: the channel groups of the rows and columns of its matrix; None if a row is of
            several groups.
        reads: whether a row holds all weights that read its channels.
    """

    attribute: str
    rows: np.ndarray | None
    columns: np.ndarray
    reads: bool = True


class UnsupportedRule:
    """A layer that may use every channel: none that it reads or makes is removed."""

    def trace(self, call: "Call", groups: "ChannelGroups") -> list[Channels | None] | None:
        """The `Channels` of each output; None if the rule does not support the call. Joins and
        keeps groups.

        Args:
            call: a `Call` with the `Channels` of its inputs, None for those without.
            groups: the `ChannelGroups` of the model.
        """
        reason = f"{call.op.name} ({type(call.op).__name__})"
        for channels in call.inputs:
            keep(groups, channels, reason)
        outputs = [new_channels(groups, tensor) for tensor in call.tensors_out]
        for channels in outputs:
            keep(groups, channels, reason)
        return outputs

    def constants(self, call: "Call", values: Sequence[Any]) -> list[np.ndarray | None]:
        """The value of each channel of each output if it is constant, else NaN.

        Args:
            call: the `Call`.
            values: the same of each input.
        """
        return [np.full(len(channels), np.nan) if channels else None for channels in call.outputs]

    def needed(
        self, call: "Call", needed: Sequence[Any], values: Sequence[Any]
    ) -> list[np.ndarray | None]:
        """Which channels of each input are needed.

        Args:
            call: the `Call`.
            needed: which channels of each output, and of each of `inner`, are needed.
            values: the constants of each input.

        Returns:
            Booleans for each input, and for each of `inner`.
        """
        return [np.ones(len(channels), bool) if channels else None for channels in call.inputs]

    def kernels(self, call: "Call") -> list[Sides]:
        """The layer's kernels, with their channels."""
        return []

    def vectors(self, call: "Call") -> list[tuple[Any, np.ndarray]]:
        """The variables with entries of channels, and the group of each entry; a channel whose
        entries are all zero, in kernels too, outputs zero."""
        return []

    def config(self, call: "Call", kept: Kept, fold: np.ndarray | None) -> dict[str, Any]:
        """What changes in the layer's config.

        Args:
            call: the `Call`.
            kept: what is kept of its channels.
            fold: what removed, constant inputs add to the outputs, or None.
        """
        return {}

    def weights(
        self, call: "Call", kept: Kept, fold: np.ndarray | None
    ) -> dict[str, np.ndarray] | None:
        """The weights that change, of the kept channels, by attribute or path; None if none
        does."""


def arguments_of(node: Any) -> dict[str, Any]:
    """The arguments of a layer's `call` in a node of the Keras graph, by name."""
    given = node.arguments
    signature = inspect.signature(node.operation.call)
    return signature.bind_partial(*given.args, **given.kwargs).arguments


def taken(array: np.ndarray, kept: Any, axis: int) -> np.ndarray:
    """What is kept of an array along an axis."""
    if kept is None or (kept.dtype == bool and kept.all()):
        return array
    return np.take(array, np.flatnonzero(kept) if kept.dtype == bool else kept, axis=axis)


def number_of(kept: np.ndarray) -> int:
    """How many are kept."""
    return int(kept.sum()) if kept.dtype == bool else len(kept)


def keep(groups: "ChannelGroups", channels: Channels | None, reason: str) -> None:
    """Marks channels that must not be removed."""
    if channels:
        groups.keep(channels.groups, reason)


def new_channels(groups: "ChannelGroups", tensor: Any) -> Channels | None:
    """New channels along the last axis of a tensor; None if it has none or their number is open."""
    if len(tensor.shape) < 2 or tensor.shape[-1] is None:
        return None
    return Channels(len(tensor.shape) - 1, groups.new(tensor.shape[-1]))


def sources_of(call: "Call", needed: np.ndarray) -> np.ndarray:
    """Which channels of a call's input the needed channels of its output come from."""
    found = np.zeros(len(call.inputs[0]), bool)
    np.logical_or.at(found, call.source, needed)
    return found


def channel_axis(layer: Any, tensor: Any) -> int:
    """The channel axis of a layer's tensor."""
    first = getattr(layer, "data_format", None) == "channels_first"
    return 1 if first and len(tensor.shape) > 1 else len(tensor.shape) - 1
