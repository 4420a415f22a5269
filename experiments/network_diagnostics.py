"""What pages show of a network and no table holds: its answers, how its weights are distributed,
what its first layer reads, and the examples that it answers otherwise. A small file for each."""

import contextlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.architectures import image_shape
from ..utils import RunError, UsageError, echo, write_bytes
from ..visualization.histograms import bins_of, spanning_edges, symmetric_edges, widened

if TYPE_CHECKING:
    from ..models.weights import Weights
    from ..pruning.methods import Method
    from ..training.networks import Networks
    from .paths import ArtifactPaths
    from .run_key import NetworkKey


BINS = 48
# How many examples with another answer are kept for each network, and how large.
MOST_EXAMPLES, MOST_SIDE = 12, 64
DAMAGES = (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError)


@dataclass(frozen=True)
class NetworkDiagnostics:
    """How one network looks.

    Attributes:
        answers: the class of every test example, integers of shape (n,).
        layers: names of the hidden layers.
        sizes: weights or units in each of them.
        low, high: of each layer's histogram, of shape (layers,): where the values of this network
            and of the dense one lie.
        counts: weights or norms of units that are not zero, of shape (layers, BINS).
        outline: those of the dense network in the same bins; None in files of earlier versions.
        first_layer: the summed absolute weights of each input, of shape (height, width); None where
            the first layer is not dense, or examples are no images.
        changed: numbers of the first test examples that the network answers otherwise that this one
            is compared with: the control of a method that trains, or the dense network as it is.
        pixels: these, as bytes of shape (n, height, width) or (n, height, width, 3); None where
            they are no images.
    """

    answers: np.ndarray
    layers: list[str]
    sizes: np.ndarray
    low: np.ndarray
    high: np.ndarray
    counts: np.ndarray
    outline: np.ndarray | None
    first_layer: np.ndarray | None
    changed: np.ndarray
    pixels: np.ndarray | None


class DiagnosticsWriter:
    """Writes what pages show of the networks of one experiment.

    Args:
        paths: the `ArtifactPaths`.
        networks: the `Networks` of the experiment.
        dense: the weights of the dense network.
        answers: its answers to the test examples.
        controls: digests of the controls' recipes, by `Method`.
    """

    def __init__(
        self,
        paths: "ArtifactPaths",
        networks: "Networks",
        dense: "Weights",
        answers: np.ndarray,
        controls: "Mapping[Method, str]",
    ) -> None:
        self.paths, self.networks, self.answers = paths, networks, answers
        self.controls = controls
        self.matrices, self._dense = networks.hidden_matrices(dense), {}
        self.failed = False
        try:
            self.image_shape: Any = image_shape(networks.shape)
        except UsageError:
            self.image_shape = None

    def add(self, key: "NetworkKey", weights: "Weights", answers: np.ndarray) -> None:
        """Writes how a network looks; where that cannot be written, it is said, once."""
        arrays = {
            "answers": _as_small(answers),
            **self._distributions(key.method.by_unit, weights),
            **self._examples(answers, self._before(key)),
        }
        try:
            if not self.paths.labels.exists():
                dataset = self.networks.dataset
                labels, names = _as_small(dataset.test.labels), np.array(dataset.class_names, str)
                write_bytes(self.paths.labels, _packed({"labels": labels, "names": names}))
            write_bytes(self.paths.diagnostics(key.digest), _packed(arrays))
        except RunError as error:
            if not self.failed:
                echo(f"Warning: pages will lack what is not in the tables: {error}")
            self.failed = True

    def _distributions(self, by_unit, weights):
        found = {"layers": [], "sizes": [], "low": [], "high": [], "counts": [], "outline": []}
        matrices = self.networks.hidden_matrices(weights)
        for name, matrix in matrices.items():
            values = _values(by_unit, matrix)
            kept = values[values != 0]
            edges, outline = self._bins(by_unit, name, kept)
            found["layers"].append(name)
            found["sizes"].append(values.size)
            found["low"].append(edges[0])
            found["high"].append(edges[-1])
            found["counts"].append(_counts(kept, edges))
            found["outline"].append(outline)
        first = next(iter(matrices.values()))
        shape = self.image_shape
        if shape and len(first) == np.prod(shape):
            read = np.abs(first).sum(axis=1).reshape(shape).sum(axis=2)
            found["first_layer"] = read.astype(np.float32)
        return found

    def _bins(self, by_unit, name, kept):
        """Bins for what a network has kept of a layer, as wide as the dense network's or wider, and
        how many of the dense network's values lie in each."""
        if (by_unit, name) not in self._dense:
            dense = _values(by_unit, self.matrices[name])
            edges = (spanning_edges if by_unit else symmetric_edges)(dense, BINS)
            self._dense[by_unit, name] = edges, _counts(dense[dense != 0], edges)
        edges, outline = self._dense[by_unit, name]
        wider = widened(edges, kept)
        if wider is edges:
            return edges, outline
        dense = _values(by_unit, self.matrices[name])
        return wider, _counts(dense[dense != 0], wider)

    def _before(self, key):
        """What the network answers that this one is compared with: its control, or the baseline."""
        digest = key.k and self.controls.get(key.method)
        control = read_diagnostics(self.paths.diagnostics(digest)) if digest else None
        return self.answers if control is None else control.answers

    def _examples(self, answers, before):
        changed = np.flatnonzero(answers != before)[:MOST_EXAMPLES]
        found = {"changed": changed.astype(np.int32)}
        test = self.networks.dataset.test
        if self.image_shape and self.image_shape[2] in (1, 3):
            found["pixels"] = pictures(test.pixels[changed].reshape(-1, *self.image_shape))
        return found


def read_diagnostics(path: str | PathLike) -> NetworkDiagnostics | None:
    """The `NetworkDiagnostics` in a file; None if there is none, or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        found["layers"] = [str(name) for name in found["layers"]]
        optional = dict.fromkeys(("outline", "first_layer", "pixels"))
        return NetworkDiagnostics(**{**optional, **found})
    except (*DAMAGES, TypeError):
        return None


def read_labels(path: str | PathLike) -> tuple[np.ndarray | None, list[str]]:
    """The labels of the test examples, of shape (n,), and the names of the classes, as far as they
    have some; None and none as for `read_diagnostics`."""
    with contextlib.suppress(*DAMAGES), np.load(path, allow_pickle=False) as file:
        return file["labels"], [str(name) for name in file["names"]]
    return None, []


def pictures(pixels: np.ndarray) -> np.ndarray:
    """Images as small ones of bytes, of shape (n, height, width), or with three channels.

    Args:
        pixels: of shape (n, height, width, channels); numbers that are no bytes are spread over
            the whole range.
    """
    if pixels.dtype != np.uint8 and pixels.size:
        low, high = pixels.min(), pixels.max()
        pixels = (255 * (pixels - low) / (high - low or 1)).astype(np.uint8)
    step = -(-max(pixels.shape[1:3]) // MOST_SIDE)
    pixels = pixels[:, ::step, ::step].astype(np.uint8)
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def _values(by_unit, matrix):
    """What of a layer is distributed: the norms of its units, or its weights."""
    return np.linalg.norm(matrix, axis=0) if by_unit else matrix


def _counts(values, edges):
    """How many of the values lie in each bin."""
    return np.bincount(bins_of(values, edges), minlength=len(edges) - 1)


def _as_small(classes):
    kind = np.uint8 if classes.max(initial=0) < 256 else np.int32
    return np.asarray(classes).astype(kind)


def _packed(arrays):
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()
