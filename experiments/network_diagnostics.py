"""Diagnostics of networks for pages, a small file each: predictions, distributions of weights,
input weights of the first layer, and examples with changed predictions."""

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
# How many examples with a changed prediction are stored for each network, and their size.
MOST_EXAMPLES, MOST_SIDE = 12, 64
DAMAGES = (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError)


@dataclass(frozen=True)
class NetworkDiagnostics:
    """The diagnostics of one network.

    Attributes:
        answers: the predicted class of every test example, integers of shape (n,).
        layers: names of the hidden layers.
        sizes: weights or units in each of them.
        low, high: the limits of each layer's histogram, of shape (layers,), which includes the
            values of this network and of the dense one.
        counts: weights or norms of units that are not zero, of shape (layers, BINS).
        outline: those of the dense network in the same bins; None in files of earlier versions.
        first_layer: the summed absolute weights of each input, of shape (height, width); None if
            the first layer is not dense, or examples are not images.
        changed: numbers of the first test examples whose prediction differs from that of the
            reference: the control of a method that retrains, or the untouched dense network.
        pixels: of these examples, as bytes of shape (n, height, width) or (n, height, width, 3);
            None if they are not images.
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
    """Writes the diagnostics of the networks of one experiment.

    Args:
        paths: the `ArtifactPaths`.
        networks: the `Networks` of the experiment.
        dense: the weights of the dense network.
        answers: its predictions for the test examples.
        controls: digests of the controls' keys, by `Method`.
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
        """Writes the diagnostics of a network; a failure is only a warning, given once."""
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
                echo(f"Warning: pages will have no diagnostics of networks: {error}")
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
        """Bins for the kept values of a layer, as wide as the dense network's or wider, and the
        counts of the dense network's values in them."""
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
        """The predictions of a network's reference: its control, or the baseline."""
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
    """The labels of the test examples, of shape (n,), and the names of the classes, if any; None
    and [] if the file is missing or damaged."""
    with contextlib.suppress(*DAMAGES), np.load(path, allow_pickle=False) as file:
        return file["labels"], [str(name) for name in file["names"]]
    return None, []


def pictures(pixels: np.ndarray) -> np.ndarray:
    """Images reduced to a small size, as bytes of shape (n, height, width), or with three channels.

    Args:
        pixels: of shape (n, height, width, channels); numbers that are not bytes are scaled to the
            whole range.
    """
    if pixels.dtype != np.uint8 and pixels.size:
        low, high = pixels.min(), pixels.max()
        pixels = (255 * (pixels - low) / (high - low or 1)).astype(np.uint8)
    step = -(-max(pixels.shape[1:3]) // MOST_SIDE)
    pixels = pixels[:, ::step, ::step].astype(np.uint8)
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def _values(by_unit, matrix):
    """The values of a layer's histogram: the norms of its units, or its weights."""
    return np.linalg.norm(matrix, axis=0) if by_unit else matrix


def _counts(values, edges):
    """The number of values in each bin."""
    return np.bincount(bins_of(values, edges), minlength=len(edges) - 1)


def _as_small(classes):
    kind = np.uint8 if classes.max(initial=0) < 256 else np.int32
    return np.asarray(classes).astype(kind)


def _packed(arrays):
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()
