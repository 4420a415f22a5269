import itertools

import pytest
from network_pruning.pruning import methods
from network_pruning.pruning.methods import AXES, Method
from network_pruning.pruning.recoveries import RECOVERIES
from network_pruning.utils import UsageError
from network_pruning.visualization.tables import UNTRAINED


@pytest.mark.parametrize(
    ("text", "expected", "name"),
    [
        ("weight", Method(), "weight"),
        ("unit", Method("unit"), "unit"),
        (" unit/magnitude ", Method("unit"), "unit"),
        ("random", Method(criterion="random"), "weight/random"),
        ("2:4", Method("2:4"), "2:4"),
        (
            "finetune/gradual/global/lamp/weight",
            Method("weight", "lamp", "global", "gradual", "finetune"),
            "weight/lamp/global/gradual/finetune",
        ),
        ("4x4/erk", Method("4x4", scope="erk"), "4x4/erk"),
    ],
)
def test_text_to_method_and_back(text, expected, name):
    method = methods.parse(text)
    assert method == expected
    assert method.name == name
    assert methods.parse(method.name) == method


def test_every_combination_has_a_name_of_its_own():
    values = [
        [name for name in registry.names() if name not in ("N:M", "AxB")]
        for registry in AXES.values()
    ]
    everything = [
        method
        for method in itertools.starmap(Method, itertools.product(*values))
        # Whole units do not compete with inputs of one unit: refused.
        if method.scope != "output" or not method.granularity.startswith("unit")
        # Nor do calibration data repair what is trained on labels.
        if not (method.calibrates and method.trains)
    ]
    assert len({method.name for method in everything}) == len(everything)
    assert all(methods.parse(method.name) == method for method in everything)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wieght", "'wieght' in 'wieght' is not known"),
        ("weight/unit", "two values for the granularity, weight and unit"),
        ("", "is not known"),
        ("weight//lamp", "'' in"),
        ("4:2", "0 < N < M"),
        ("0x4", "such as 4x4"),
    ],
)
def test_nonsense_is_refused(text, message):
    with pytest.raises(UsageError, match=message):
        methods.parse(text)


def test_what_trains():
    assert not methods.parse("weight/lamp/global").trains
    for text in ("gradual", "iterative", "finetune", "lr_rewind"):
        assert methods.parse(text).trains


def test_what_is_repaired_without_labels_trains_nothing_but_is_kept():
    for text in ("weight/reconstruct", "unit/distill", "weight/budget"):
        method = methods.parse(text)
        assert not method.trains
        assert method.calibrates
        assert method.is_stored
        assert methods.settings_of(method) == ["calibration_examples"]
    assert not methods.parse("weight/lamp").is_stored
    assert methods.parse("weight/finetune").is_stored


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("weight/budget/finetune", "scope budget"),
        ("unit/gradual/reconstruct", "recovery reconstruct"),
        ("weight/iterative/distill", "recovery distill"),
    ],
)
def test_calibration_is_not_combined_with_training(text, what):
    with pytest.raises(UsageError, match=f"the {what} prunes without training on labels"):
        methods.parse(text)


def test_tables_know_which_recoveries_train():
    untrained = [name for name in RECOVERIES.names() if not methods.parse(f"weight/{name}").trains]
    assert sorted(untrained) == sorted(UNTRAINED)
