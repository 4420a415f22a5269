"""The channels of a Keras model: which of them are one and the same thing, from layer to layer.

A channel is a position along one axis of a tensor: a neuron, a feature map. Layers pass channels
on, join them (a residual addition makes the channels of both sides one), or read all of them to
make new ones. What is one and the same has one number here, its *group*; what is removed is removed
as whole groups (inspired by the groups of DepGraph; Fang et al., 2023, arXiv:2301.12900).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Channels:
    """The channels of a tensor.

    Attributes:
        axis: of the tensor that numbers them, from 0; the batch is axis 0.
        groups: the group of each, of shape (channels,).
    """

    axis: int
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.groups)


class ChannelGroups:
    """Numbers for channels, some of which turn out to be the same (union-find).

    Attributes:
        kept: why groups may not be removed, as texts by group.
        io_groups: groups of the model's inputs and outputs, whose number is given.
    """

    def __init__(self) -> None:
        self._parent = np.zeros(0, np.int64)
        self._kept, self._io = {}, set()

    def new(self, number: int) -> np.ndarray:
        """The numbers of so many new groups."""
        first = len(self._parent)
        self._parent = np.append(self._parent, np.arange(first, first + number))
        return self._parent[first:].copy()

    def find(self, groups: np.ndarray) -> np.ndarray:
        """The number by which each group goes now."""
        groups = np.asarray(groups)
        while True:
            parents = self._parent[groups]
            if (parents == groups).all():
                return groups
            self._parent[groups] = self._parent[parents]
            groups = parents

    def join(self, first: np.ndarray, *others: np.ndarray) -> np.ndarray:
        """Makes the groups of arrays of one shape the same, place by place."""
        for other in others:
            for one, two in zip(self.find(first).tolist(), other.tolist(), strict=True):
                one, two = self._root(one), self._root(two)
                self._parent[max(one, two)] = min(one, two)
        return first

    def keep(self, groups: np.ndarray, reason: str) -> None:
        """Notes that these groups may not be removed, and why."""
        for group in np.asarray(groups).tolist():
            self._kept.setdefault(group, reason)

    def keep_io(self, groups: np.ndarray) -> None:
        """Notes that these groups are of the model's inputs or outputs."""
        self._io.update(np.asarray(groups).tolist())

    @property
    def kept(self) -> dict[int, str]:
        """Why groups may not be removed, by the numbers by which they go now."""
        found = {}
        for group, reason in self._kept.items():
            found.setdefault(self._root(group), reason)
        return found

    @property
    def io_groups(self) -> set[int]:
        """The groups of inputs and outputs, by the numbers by which they go now."""
        return {self._root(group) for group in self._io}

    def __len__(self) -> int:
        return len(self._parent)

    def _root(self, group):
        while self._parent[group] != group:
            self._parent[group] = self._parent[self._parent[group]]
            group = int(self._parent[group])
        return group
