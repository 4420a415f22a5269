"""The picture and the table of an export, from its record."""

import numpy as np
import pytest
from network_pruning.visualization import console, sizes
from network_pruning.visualization.figures import save_png
from PIL import Image


@pytest.fixture
def record():
    candidates = [
        {"network": "a at 99 %", "bits": bits, "finetuned": tuned, "bytes": size, "exact": True,
         "latency_ms": size / 10_000, "valid_accuracy": accuracy, "test_accuracy": accuracy}
        for bits, tuned, size, accuracy in (
            (None, False, 40_000, 0.98), (2, False, 2_000, 0.5), (3, False, 2_500, 0.9),
            (3, True, 2_600, 0.979), (4, False, 3_100, 0.97), (6, False, 9_000, 0.98),
        )
    ]  # fmt: skip
    whole = {"raw_bytes": 1_000_000, "keras_bytes": 1_020_000, "gzipped_bytes": 900_000,
             "litert_bytes": None, "npk_bytes": 910_000, "parameters": 250_000,
             "nonzero": 250_000,
             "multiply_adds": 249_000, "valid_accuracy": 0.978,
             "test_accuracy": 0.9775}  # fmt: skip
    small = {**whole, "raw_bytes": 40_000, "npk_bytes": 2_600, "nonzero": 900, "multiply_adds": 0}
    times = {"Keras predict": 0.05, "NumPy": 0.0005}
    return {
        "source": "an experiment", "chosen": candidates[3], "before": whole, "after": small,
        "latency": {"1": {"before": times, "after": {**times, "SciPy sparse": 0.0001}}},
        "recommended": "SciPy sparse", "candidates": candidates,
    }  # fmt: skip


def test_every_candidate_is_a_point_and_the_dense_network_a_line(record, tmp_path):
    figure = sizes.size_accuracy(record)
    left, right = figure.axes
    for axes in (left, right):
        *points, circle, baseline = axes.lines
        assert [(*p.get_xdata(), round(*p.get_ydata(), 2)) for p in points] == [
            (c["bytes"], round(100 * c["test_accuracy"], 2)) for c in record["candidates"]
        ]
        assert list(circle.get_xdata()) == [2600]
        assert baseline.get_ydata()[0] == pytest.approx(97.75)
        assert axes.get_xscale() == "log"
    low, high = right.get_ylim()
    assert 90 < low < 97
    assert high > 98
    labels = labels_of(figure)
    assert "quantized to 3 bits" in labels
    assert "filled: quantization-aware training" in labels
    assert len(labels) == len(set(labels))
    save_png(figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        image.verify()


def test_the_front_has_what_nothing_beats_in_both(record, tmp_path):
    record["limits"] = {"bytes": 5000}
    figure = sizes.pareto(record)
    small, fast = figure.axes
    for axes, scale in ((small, 1), (fast, 1e-4)):
        front = next(line for line in axes.lines if line.get_drawstyle() == "steps-post")
        np.testing.assert_allclose(
            front.get_xdata(), scale * np.array([2000, 2500, 2600, 9000]), rtol=1e-6
        )
        np.testing.assert_allclose(front.get_ydata(), [50, 90, 97.9, 98])
    assert [line.get_xdata()[0] for line in small.lines if line.get_linestyle() == ":"] == [5000]
    assert not [line for line in fast.lines if line.get_linestyle() == ":"]
    assert "limit" in labels_of(figure)
    assert "limit" not in labels_of(sizes.pareto({**record, "limits": {}}))
    save_png(figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        image.verify()


def labels_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_estimated_sizes_have_another_marker_and_the_legend_says_so(record):
    assert not any("estimated" in label for label in labels_of(sizes.size_accuracy(record)))
    record["candidates"][0]["exact"] = False
    figure = sizes.size_accuracy(record)
    estimated, *counted = figure.axes[0].lines[: len(record["candidates"])]
    assert estimated.get_marker() not in {line.get_marker() for line in counted}
    assert {"size counted", "size estimated (± 5 %)"} <= set(labels_of(figure))


def test_the_control_is_a_line_of_its_own(record):
    record["baseline"] = {"name": "dense network"}
    record["control"] = {"name": "control of a", "test_accuracy": 0.985}
    figure = sizes.size_accuracy(record)
    line = figure.axes[1].lines[-1]
    assert line.get_ydata()[0] == pytest.approx(98.5)
    assert figure.axes[1].get_ylim()[1] > 98.5
    assert "control: dense network, same further training" in labels_of(figure)
    record["control"] = record["baseline"]  # of a method that trains nothing
    assert not any("control" in label for label in labels_of(sizes.size_accuracy(record)))


def test_the_table_has_both_columns_and_ratios(record):
    text = console.export_table(record)
    rows = {line.strip().split("  ")[0]: line.split() for line in text.splitlines() if line.strip()}
    assert rows[".npk, bytes"][-3:] == ["910,000", "2,600", "350×"]
    assert rows[".tflite, bytes"][-2:] == ["—", "—"]
    assert rows["multiply-adds"][-2:] == ["249,000", "0"]
    assert rows["SciPy sparse, 1 example, ms"][-2:] == ["—", "0.1"]
    assert rows["test accuracy (%)"][-2:] == ["97.75", "97.75"]
    assert max(map(len, text.splitlines()[:-5])) <= 80
    assert "Size: 2,600 bytes as .npk file, 350× smaller than the dense network in" in text
    assert "both on NumPy: 0.5 ms, no faster than the dense network (0.5 ms)" in text


@pytest.mark.parametrize(("size", "text"), [(900, "900"), (20_000, "20 k"), (5e6, "5 M")])
def test_bytes_on_the_axis(size, text):
    assert sizes._short(size, None) == text
