"""What settings were in the trials of a sweep, as few levels."""

import numpy as np
from network_pruning.sweeps.levels import levels_of


def level(values, among):
    """The levels of a single setting."""
    trials = [{"experiment_id": str(n), "settings": {"s": v}} for n, v in enumerate(values)]
    return levels_of({"varied": {"s": among}, "trials": trials})["s"]


def names(values, among):
    return list(level(values, among).cat.categories)


def test_drawn_numbers_are_quarters_with_as_many_trials_each():
    own = level([10.0 ** (number / 4) for number in range(12)], "loguniform(1, 1000)")
    quarters = ["1.0 to 3.162", "5.623 to 17.78", "31.62 to 100.0", "177.8 to 562.3"]
    assert list(own.cat.categories) == quarters
    assert np.bincount(own.cat.codes).tolist() == [3, 3, 3, 3]


def test_equal_numbers_are_not_parted():
    own = level([1] * 8 + [2, 3, 4, 5, 6], "randint(1, 6)")
    assert own.nunique() == len(own.cat.categories) == 2
    assert list(own.cat.categories) == ["1 to 3", "4 to 6"]


def test_few_drawn_numbers_are_themselves_in_their_order():
    assert names([0.1, 0.001], "loguniform(0.001, 1)") == ["0.001", "0.1"]


def test_values_of_a_list_are_themselves_however_many_in_the_order_asked():
    assert names(range(8), list(range(8))) == list(map(str, range(8)))
    assert names(["b", "a"], ["b", "c", "a"]) == ["b", "a"]
    assert names([None, ["weight", "unit"]], [None, ["weight", "unit"]]) == ["none", "weight,unit"]


def test_files_of_one_name_stay_apart():
    assert names(["/a/x.npz", "/b/x.npz"], []) == ["/a/x.npz", "/b/x.npz"]
    assert names(["/a/x.npz", "/b/y.npz"], []) == ["x.npz", "y.npz"]
