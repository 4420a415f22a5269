"""The channels of a Keras model: which of them are one and the same thing, from layer to layer.

A channel is a position along one axis of a tensor: a neuron, a feature map. Layers pass channels
on, join them (a residual addition makes the channels of both sides one), or read all of them to
make new ones. What is one and the same has one number here, its *atom*; what is removed is removed
as whole atoms (inspired by the groups of DepGraph; Fang et al., 2023, arXiv:2301.12900).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Channels:
    """The channels of a tensor.

    Attributes:
        axis: of the tensor that numbers them, from 0; the batch is axis 0.
        atoms: the atom of each, of shape (channels,).
    """

    axis: int
    atoms: np.ndarray

    def __len__(self):
        return len(self.atoms)


class Atoms:
    """Numbers for channels, some of which turn out to be the same (union-find).

    Attributes:
        kept: why atoms may not be removed, as texts by atom.
        ends: atoms of the model's inputs and outputs, whose number is given.
    """

    def __init__(self):
        self._parent = np.zeros(0, np.int64)
        self._kept, self._ends = {}, set()

    def new(self, number):
        """The numbers of so many new atoms."""
        first = len(self._parent)
        self._parent = np.append(self._parent, np.arange(first, first + number))
        return self._parent[first:].copy()

    def find(self, atoms):
        """The number by which each atom goes now."""
        atoms = np.asarray(atoms)
        while True:
            parents = self._parent[atoms]
            if (parents == atoms).all():
                return atoms
            self._parent[atoms] = self._parent[parents]
            atoms = parents

    def join(self, first, *others):
        """Makes the atoms of arrays of one shape the same, place by place."""
        for other in others:
            for one, two in zip(self.find(first).tolist(), other.tolist(), strict=True):
                one, two = self._root(one), self._root(two)
                self._parent[max(one, two)] = min(one, two)
        return first

    def keep(self, atoms, reason):
        """Notes that these atoms may not be removed, and why."""
        for atom in np.asarray(atoms).tolist():
            self._kept.setdefault(atom, reason)

    def keep_ends(self, atoms):
        """Notes that these atoms are of the model's inputs or outputs."""
        self._ends.update(np.asarray(atoms).tolist())

    @property
    def kept(self):
        """Why atoms may not be removed, by the numbers by which they go now."""
        found = {}
        for atom, reason in self._kept.items():
            found.setdefault(self._root(atom), reason)
        return found

    @property
    def ends(self):
        """The atoms of inputs and outputs, by the numbers by which they go now."""
        return {self._root(atom) for atom in self._ends}

    def __len__(self):
        return len(self._parent)

    def _root(self, atom):
        while self._parent[atom] != atom:
            self._parent[atom] = self._parent[self._parent[atom]]
            atom = int(self._parent[atom])
        return atom
