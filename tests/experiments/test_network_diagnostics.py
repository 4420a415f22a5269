"""What pages show of networks: counted by hand on a tiny one."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from network_pruning.experiments.network_diagnostics import (
    BINS,
    DiagnosticsWriter,
    pictures,
    read_diagnostics,
    read_labels,
)
from network_pruning.experiments.paths import ArtifactPaths
from network_pruning.pages.diagnostics import diagnostics_of
from network_pruning.pruning.methods import parse

DENSE = {
    "one": np.array([[1.0, -2.0], [0.0, 4.0], [0.5, 0.0], [-1.0, 1.0]], np.float32),
    "two": np.array([[3.0], [-3.0]], np.float32),
}
ANSWERS = np.array([0, 1, 1, 0])


def networks(pixels, shape):
    test = SimpleNamespace(labels=np.array([0, 1, 0, 1]), pixels=pixels)
    dataset = SimpleNamespace(test=test, class_names=("no", "yes"))
    return SimpleNamespace(hidden_matrices=lambda weights: weights, shape=shape, dataset=dataset)


@pytest.fixture
def paths(tmp_path):
    return ArtifactPaths(tmp_path / "x")


def added(paths, method="weight", weights=DENSE, answers=ANSWERS, shape=(2, 2), pixels=None):
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4) if pixels is None else pixels
    data = DiagnosticsWriter(paths, networks(pixels, shape), DENSE, ANSWERS, {})
    data.add(SimpleNamespace(method=parse(method), digest="abc", k=0.5), weights, answers)
    return read_diagnostics(paths.diagnostics("abc"))


def test_a_network_as_it_is(paths):
    look = added(paths)
    assert look.layers == ["one", "two"]
    np.testing.assert_array_equal(look.answers, ANSWERS)
    np.testing.assert_array_equal(look.sizes, [8, 2])
    # The edges are symmetric around zero; what is zero is not counted.
    np.testing.assert_array_equal(look.low, [-4, -3])
    np.testing.assert_array_equal(look.high, [4, 3])
    np.testing.assert_array_equal(look.counts.sum(axis=1), [6, 2])
    step = 8 / BINS
    expected = np.zeros(BINS, int)
    for value in (1, -2, 0.5, -1, 1):
        expected[int((value + 4) / step)] += 1
    expected[-1] += 1  # the largest value belongs to the last bin
    np.testing.assert_array_equal(look.counts[0], expected)
    np.testing.assert_array_equal(look.first_layer, [[3, 4], [0.5, 2]])
    assert len(look.changed) == len(look.pixels) == 0
    labels, names = read_labels(paths.labels)
    np.testing.assert_array_equal(labels, [0, 1, 0, 1])
    assert names == ["no", "yes"]


def test_a_network_that_was_retrained_is_compared_with_its_control(paths):
    method, pixels = parse("weight/finetune"), np.arange(16, dtype=np.uint8).reshape(4, 4)
    data = DiagnosticsWriter(paths, networks(pixels, (2, 2)), DENSE, ANSWERS, {method: "control"})
    control = np.array([1, 1, 1, 0])
    for digest, k, answers in (("control", 0.0, control), ("pruned", 0.5, np.array([1, 1, 0, 0]))):
        data.add(SimpleNamespace(method=method, digest=digest, k=k), DENSE, answers)
    assert list(read_diagnostics(paths.diagnostics("control")).changed) == [
        0
    ]  # against the dense one as it is
    assert list(read_diagnostics(paths.diagnostics("pruned")).changed) == [2]


def test_a_pruned_one_is_counted_in_the_bins_of_the_dense_one(paths):
    pruned = {"one": DENSE["one"] * (np.abs(DENSE["one"]) > 1), "two": DENSE["two"]}
    look = added(paths, weights=pruned, answers=np.array([0, 0, 1, 1]))
    np.testing.assert_array_equal(look.low, [-4, -3])
    np.testing.assert_array_equal(look.counts.sum(axis=1), [2, 2])
    np.testing.assert_array_equal(look.outline.sum(axis=1), [6, 2])
    np.testing.assert_array_equal(look.first_layer, [[2, 4], [0, 0]])
    np.testing.assert_array_equal(look.changed, [1, 3])
    np.testing.assert_array_equal(look.pixels, [[[4, 5], [6, 7]], [[12, 13], [14, 15]]])


def test_on_the_page_are_only_examples_that_differ_from_what_it_compares_with(paths):
    """The table may have got another control since the examples were noted."""
    data = DiagnosticsWriter(
        paths, networks(np.zeros((4, 4), np.uint8), (2, 2)), DENSE, ANSWERS, {}
    )
    for digest, k, answers in (("control", 0.0, [0, 0, 0, 0]), ("pruned", 0.5, [0, 1, 0, 1])):
        key = SimpleNamespace(method=parse("weight/finetune"), digest=digest, k=k)
        data.add(key, DENSE, np.array(answers))
    rows = pd.DataFrame(
        {
            "method": "weight/finetune",
            "granularity": "weight",
            **{"schedule": "oneshot", "recovery": "finetune", "rounds": 1},
            **{"k": [0.0, 0.5], "sparsity": [0.0, 0.5], "recipe": ["control", "pruned"]},
            **{"test_accuracy": 0.5, "test_loss": 1.0},
        }
    )
    looks, _, missing = diagnostics_of(paths, rows, np.array([0, 1, 0, 1]))
    pruned = looks["weight/finetune"][1]
    assert (missing, pruned["compared_with"], pruned["num_changed"]) == ([], "the control", 2)
    # Noted were 2 and 3, of which the control answers 2 alike.
    assert [(each["number"], each["before"]) for each in pruned["changed"]] == [(3, 0)]


def test_a_network_that_has_grown_has_wider_bins_with_the_dense_one_as_outline(paths):
    look = added(paths, weights={"one": 2 * DENSE["one"], "two": DENSE["two"]})
    np.testing.assert_array_equal(look.low, [-8, -3])
    np.testing.assert_array_equal(look.high, [8, 3])
    step = 16 / BINS
    for factor, counts in ((2, look.counts[0]), (1, look.outline[0])):
        expected = np.zeros(BINS, int)
        for value in factor * np.array([1, -2, 4, 0.5, -1, 1]):
            expected[min(int((value + 8) / step), BINS - 1)] += 1
        np.testing.assert_array_equal(counts, expected)
    np.testing.assert_array_equal(look.outline[1], look.counts[1])


def test_units_are_counted_by_their_norms(paths):
    pruned = {"one": DENSE["one"] * [1, 0], "two": DENSE["two"]}
    look = added(paths, "unit", pruned)
    np.testing.assert_array_equal(look.sizes, [2, 1])
    np.testing.assert_array_equal(look.counts.sum(axis=1), [1, 1])
    # √(1 + 0.25 + 1) = 1.5 and √(4 + 16 + 1)
    np.testing.assert_allclose([look.low[0], look.high[0]], [1.5, 21**0.5], rtol=1e-6)


@pytest.mark.parametrize("shape", [(4, 3, 2, 2), (5,)])
def test_examples_that_are_no_images(paths, shape):
    look = added(paths, shape=shape, answers=1 - ANSWERS, pixels=np.zeros((4, 5), np.uint8))
    assert look.first_layer is None
    assert look.pixels is None
    np.testing.assert_array_equal(look.changed, range(4))


def test_large_images_become_small_ones_and_numbers_bytes():
    large = np.zeros((2, 130, 200, 3), np.uint8)
    assert pictures(large).shape == (2, 33, 50, 3)
    numbers = np.array([-1.0, 0, 1, 3], np.float32).reshape(1, 2, 2, 1)
    np.testing.assert_array_equal(pictures(numbers), [[[0, 63], [127, 255]]])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", None])
def test_what_is_damaged_or_missing_is_none(paths, content):
    added(paths)
    for path in (paths.diagnostics("abc"), paths.labels):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
    assert read_diagnostics(paths.diagnostics("abc")) is None
    assert read_labels(paths.labels) == (None, [])


def test_what_cannot_be_written_is_said_once(paths, capsys):
    paths.root.mkdir()
    paths.page_data.write_text("in the way")
    data = DiagnosticsWriter(
        paths, networks(np.zeros((4, 4), np.uint8), (2, 2)), DENSE, ANSWERS, {}
    )
    for digest in "ab":
        data.add(SimpleNamespace(method=parse("weight"), digest=digest, k=0.5), DENSE, ANSWERS)
    said = capsys.readouterr().out
    assert said.count("Warning: pages will have no diagnostics of networks") == 1
