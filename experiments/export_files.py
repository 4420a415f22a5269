"""A model in the formats that an export is asked for: its files, compared with it, their accuracy
and latency."""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compression import format_runs, formats, runtimes
from ..utils import echo, one_line

if TYPE_CHECKING:
    import keras

    from ..data.data_loaders.loader_utils import Dataset, Split

BATCHES = 1, 256
# Training examples by which formats with eight bits choose the ranges of activations.
CALIBRATION = 500
# Of recurrent layers, for example.
SELECT_OPS = "it needs operations of TensorFlow that LiteRT alone does not have"
# Points of accuracy that may be lost with eight bits without a word.
WORSE = 1.0
# The runtimes of the formats that are always made.
KEPT_ON = {"keras": "Keras compiled", "npk": "NumPy"}


def files_of(
    model: "keras.Model", dataset: "Dataset", asked: Iterable[str], is_reported: bool = True
) -> dict[str, formats.Files]:
    """A model as a `.keras` file and, of the other formats that are asked for, as those that give
    the same outputs, by format and suffix; those with eight bits may differ. `.npk` is left out.

    Args:
        model: a Keras model.
        dataset: its `Dataset`.
        asked: names of formats.
        is_reported: whether to print a line for a format that cannot hold the model.
    """
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "model.keras")
        model.save(file)
        found: dict[str, formats.Files] = {"keras": {"keras": file.read_bytes()}}
    others = [name for name in asked if name in formats.NAMES]
    if not others:
        return found
    x = dataset.test[:256].images
    expected = runtimes.keras_predict(model)(x)
    for name in others:
        try:
            files = formats.converted(model, name, dataset.train[:CALIBRATION].images)
            outputs = format_runs.run_of(files, name)(x)
            if name not in formats.INT8 and not runtimes.agree(outputs, expected):
                raise ValueError("its outputs differ")
            found[name] = files
        except Exception as error:  # of a runtime that cannot run the model: anything
            if is_reported:
                text = SELECT_OPS if "Select TensorFlow op" in str(error) else one_line(error, 120)
                echo(f"No file for {formats.NAMES[name]}: this model cannot be converted ({text}).")
    return found


class Measured:
    """The files of the dense and of the exported model, on the runtimes of this machine.

    Args:
        models: before and after, by these names.
        contents: their files, by the same names.
        dataset: the `Dataset`.
    """

    def __init__(
        self,
        models: "Mapping[str, keras.Model]",
        contents: Mapping[str, Mapping[str, formats.Files]],
        dataset: "Dataset",
    ) -> None:
        self.dataset, self.contents = dataset, contents
        few = dataset.test[:8].images
        self.runs = {w: runtimes.started(m, few, contents[w]) for w, m in models.items()}

    def latency(self) -> dict[str, dict[str, dict[str, float]]]:
        """Median latencies in seconds, by batch size, before and after, and runtime."""
        answers = {(w, name): run for w, found in self.runs.items() for name, run in found.items()}
        found = {}
        for batch in BATCHES:
            x = self.dataset.test[:batch].images
            times = runtimes.latencies(answers, x)
            found[str(len(x))] = {
                when: {name: times[when, name] for name in runs} for when, runs in self.runs.items()
            }
        return found

    def by_format(self, accuracies: tuple[float, float]) -> dict[str, dict[str, Any]]:
        """Of each format of the exported model that runs here: its runtime, its bytes, its latency
        for one example, and its accuracies: those of the model, or for eight bits its own.

        Args:
            accuracies: of the model, on validation and on test examples.
        """
        found = {}
        for name, files in self.contents["after"].items():
            runtime = {**KEPT_ON, **formats.NAMES}[name]
            run = self.runs["after"].get(runtime)
            if run is None:
                continue
            valid, test = accuracies
            if name in formats.INT8:
                valid, test = (_accuracy(run, s) for s in (self.dataset.valid, self.dataset.test))
                lost = 100 * (accuracies[0] - valid)
                if lost > WORSE:
                    echo(
                        f"{runtime}: {lost:.1f} points of validation accuracy are lost with eight "
                        "bits."
                    )
            found[name] = {
                "runtime": runtime,
                "bytes": sum(map(len, files.values())),
                "latency_ms": runtimes.cold_latency(run, self.dataset.test[:1].images),
                "valid_accuracy": valid,
                "test_accuracy": test,
            }
        return found


def _accuracy(run: format_runs.Run, split: "Split | None") -> float:
    assert split is not None  # exports are chosen by validation examples
    batch, right = BATCHES[-1], 0
    for start in range(0, len(split), batch):
        part = split[start : start + batch]
        right += int(np.sum(run(part.images).argmax(axis=1) == part.labels))
    return right / len(split)
