"""Which networks an export looks at: those that may be good enough, against either reference."""

from dataclasses import replace

import pytest
from network_pruning.compression.limits import Needs
from network_pruning.experiments.export_networks import Network, Reference, Source
from network_pruning.experiments.model_selection import ModelSelection
from network_pruning.settings.export import ExportConfig
from network_pruning.utils import RunError

WEAK, STRONG = Reference("control of a", 0.95, 0.94), Reference("control of b", 0.99, 0.98)


def network(name, living, valid_accuracy, control):
    return Network(name, living, valid_accuracy, True, None, control)


def search(networks, **settings):
    dense = network("dense network", 1000, 0.97, None)
    source = Source("an experiment", None, dense, networks, 128, 0.001, None, False, {})
    return ModelSelection(source, ExportConfig(experiment_id="a", **settings))


@pytest.fixture
def networks():
    return [
        network("a at 90 %", 100, 0.949, WEAK),
        network("b at 90 %", 200, 0.981, STRONG),
        network("b at 80 %", 300, 0.989, STRONG),
    ]


def names(networks):
    return [each.name for each in networks]


def test_the_baseline_is_one_for_all(networks):
    found = search(networks, max_accuracy_drop=0.001)
    assert {found.least(each) for each in networks} == {0.969}
    assert names(found._shortlist()) == ["b at 90 %", "b at 80 %"]


def test_each_is_compared_with_its_own_control(networks):
    found = search(networks, max_accuracy_drop=0.001, reference="control")
    assert [round(found.least(each), 6) for each in networks] == [0.949, 0.989, 0.989]
    # Against its control the smallest is as good as any, however much worse it is than others.
    assert names(found._shortlist()) == ["a at 90 %"]


def test_where_none_is_good_the_reference_is_named_and_the_drop_that_would_do(networks):
    text = search(networks[:1])._none_is_good()
    assert "No network reaches a validation accuracy of 97 %" in text
    assert "(dense network: 97 %); the best has 94.9 %. Give --max_accuracy_drop=0.021" in text
    text = search(networks[1:], reference="control")._none_is_good()
    assert "(control of b: 99 %); the best has 98.9 %. Give --max_accuracy_drop=0.001" in text


class Made:
    """A candidate without a model."""

    def __init__(self, network, **needs):
        self.network, self.needs, self.bytes = network, Needs(**needs), needs["bytes"]
        self.valid_accuracy = network.valid_accuracy


def test_of_what_keeps_limits_the_most_accurate_is_taken(networks):
    found = search(networks)
    found.limits = Needs(bytes=500, multiply_adds=1000)
    needs = {
        "a at 90 %": {"bytes": 100, "multiply_adds": 900},
        "b at 90 %": {"bytes": 600, "multiply_adds": 900},
        "b at 80 %": {"bytes": 300, "multiply_adds": 2000},
    }
    asked = []

    def of_network(network, _bits):
        asked.append(network.name)
        return [Made(network, **needs[network.name])]

    found.candidates.of_network = of_network
    # One with more weights that has too many multiply-adds says nothing about others.
    assert found._best_there().network.name == "a at 90 %"
    assert asked == ["b at 80 %", "b at 90 %", "a at 90 %"]
    asked.clear()
    needs["b at 80 %"] = {"bytes": 300, "multiply_adds": 1000}
    assert found._best_there().network.name == "b at 80 %"
    assert asked == ["b at 80 %"]
    found.limits = Needs(bytes=50)
    assert found._best_there() is None
    found.config = replace(found.config, method="weight", max_bytes=50)
    with pytest.raises(RunError, match="No network needs at most 50 bytes; allow more, or leave"):
        found.chosen()


def test_the_dense_network_is_pruned_unless_another_is_chosen_or_was_trained(networks):
    assert search(networks)._prunes_here()
    assert not search(networks, method="weight")._prunes_here()
    assert not search(networks, reference="control")._prunes_here()
    assert not search(networks)._none_was_trained()
    assert search(networks[:0])._none_was_trained()


def test_within_limits_those_are_trained_that_may_become_the_most_accurate(networks):
    """Training makes files a tenth smaller, so that a larger one is tried after the first."""
    found = search(networks)
    found.limits = Needs(bytes=1000)
    small, large, larger = (
        Made(each, bytes=size) for each, size in zip(networks, (500, 990, 1090), strict=True)
    )
    for made, accuracy in ((small, 0.94), (large, 0.9), (larger, 0.9)):
        made.bits, made.valid_accuracy = 4, accuracy
    found.candidates.made = [small, large, larger]
    trained = []

    def tuned(candidate):
        trained.append(candidate)
        return Made(candidate.network, bytes=0.9 * candidate.bytes)

    found.candidates.tuned, found.candidates.work = tuned, lambda _candidate: 0
    made = [*found._tuned_within_limits()]
    assert trained == [large, larger, small]
    assert found._best_of([small, *made]) is made[1]


def test_a_larger_one_that_promises_less_is_not_tried():
    """A sparser network with more bits may be larger than a better one with fewer bits."""
    sparse, better = network("at 99.85 %", 100, 0.969, None), network("at 99.8 %", 200, 0.98, None)
    rows = [
        *((sparse, 5, 500, 0.9695), (sparse, 6, 580, 0.9695)),
        *((better, 4, 560, 0.974), (better, 5, 640, 0.978), (better, None, 900, 0.98)),
    ]
    found, made = search([sparse, better]), []
    for of, bits, size, accuracy in rows:
        candidate = Made(of, bytes=size)
        candidate.bits, candidate.valid_accuracy = bits, accuracy
        made.append(candidate)
    assert [c.bytes for c in found._hopeful(made, None)] == [500, 560, 640]
    assert [c.bytes for c in found._hopeful(made, made[3])] == [500, 560]
