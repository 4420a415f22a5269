"""The channels of a Keras model, in groups that can only be removed together.

A channel is a position along one axis of a tensor: a neuron, a feature map. Layers pass channels
on, join them (a residual addition joins those of both sides), or read all of them to make new ones.
Channels that depend on each other have the same number, their *group*; pruning removes whole groups
(inspired by DepGraph; Fang et al., 2023, arXiv:2301.12900).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Channels:
    """The channels of a tensor.

    Attributes:
        axis: the tensor's channel axis; the batch is axis 0.
        groups: the group of each channel, of shape (channels,).
    """

    axis: int
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.groups)


class ChannelGroups:
    """Numbers of channel groups, which can be joined (union-find).

    Attributes:
        kept: why groups must not be removed, as texts by group.
        io_groups: groups of the model's inputs and outputs, which are fixed.
    """

    def __init__(self) -> None:
        self._parent = np.zeros(0, np.int64)
        self._kept, self._io = {}, set()

    def new(self, number: int) -> np.ndarray:
        """Makes new groups and returns their numbers, of shape (number,)."""
        first = len(self._parent)
        self._parent = np.append(self._parent, np.arange(first, first + number))
        return self._parent[first:].copy()

    def find(self, groups: np.ndarray) -> np.ndarray:
        """The current number of each group, after all joins."""
        groups = np.asarray(groups)
        while True:
            parents = self._parent[groups]
            if (parents == groups).all():
                return groups
            self._parent[groups] = self._parent[parents]
            groups = parents

    def join(self, first: np.ndarray, *others: np.ndarray) -> np.ndarray:
        """Joins the groups of arrays of one shape, element by element."""
        for other in others:
            for one, two in zip(self.find(first).tolist(), other.tolist(), strict=True):
                one, two = self._root(one), self._root(two)
                self._parent[max(one, two)] = min(one, two)
        return first

    def keep(self, groups: np.ndarray, reason: str) -> None:
        """Marks groups that must not be removed, with the reason."""
        for group in np.asarray(groups).tolist():
            self._kept.setdefault(group, reason)

    def keep_io(self, groups: np.ndarray) -> None:
        """Marks groups of the model's inputs or outputs."""
        self._io.update(np.asarray(groups).tolist())

    @property
    def kept(self) -> dict[int, str]:
        """Why groups must not be removed, by their current numbers."""
        found = {}
        for group, reason in self._kept.items():
            found.setdefault(self._root(group), reason)
        return found

    @property
    def fixed(self) -> dict[int, str]:
        """Why groups must stay, by their current numbers: those of inputs and outputs too."""
        return {**dict.fromkeys(self.io_groups, "the model's inputs"), **self.kept}

    @property
    def io_groups(self) -> set[int]:
        """The current numbers of the groups of inputs and outputs."""
        return {self._root(group) for group in self._io}

    def __len__(self) -> int:
        return len(self._parent)

    def _root(self, group):
        while self._parent[group] != group:
            self._parent[group] = self._parent[self._parent[group]]
            group = int(self._parent[group])
        return group
