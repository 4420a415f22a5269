import pytest
from network_pruning.replicates import interval, summarize


def test_interval_by_hand():
    mean, sd, low, high = interval([1.0, 2.0, 3.0])
    assert (mean, sd) == (2, 1)
    # Student's t with two degrees of freedom: 4.302653 at 97.5 %.
    assert high - mean == pytest.approx(4.302653 / 3**0.5, rel=1e-6)
    assert mean - low == pytest.approx(high - mean)
    assert interval([4.0]) == (4, None, None, None)
    assert interval([4.0, None]) == (None, None, None, None)
    assert interval([5.0, 5.0]) == (5, 0, 5, 5)


def test_rows_of_one_method_and_sparsity_belong_together():
    def row(seed, k, accuracy):
        values = dict.fromkeys(
            ("test_cross_entropy", "sparsity", "effective_sparsity", "compression_ratio"), 1.0
        )
        method = dict.fromkeys(("granularity", "criterion", "scope", "schedule", "recovery"), "x")
        return {
            **values,
            **method,
            "method": "m",
            "seed": seed,
            "k": k,
            "test_accuracy": accuracy,
            "valid_accuracy": None,
            "speedup": 1.0,
            "seconds": 1.0,
        }

    summary = summarize([row(0, 0.5, 0.8), row(0, 0.9, 0.1), row(1, 0.5, 0.9), row(1, 0.9, 0.3)])
    assert [(entry["k"], entry["seeds"]) for entry in summary] == [(0.5, 2), (0.9, 2)]
    assert summary[0]["test_accuracy_mean"] == pytest.approx(0.85)
    assert summary[1]["test_accuracy_sd"] == pytest.approx(0.2 / 2**0.5)
    assert summary[0]["valid_accuracy_mean"] is None
