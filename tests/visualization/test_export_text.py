"""What is said of an export: like for like first, then what else is to be known."""

import pytest
from network_pruning.visualization import export_text


def record(before, after, **others):
    sizes = {"raw_bytes": 10_000, "npk_bytes": 9_000, "test_accuracy": 0.97}
    return {
        "before": sizes,
        "after": {**sizes, "npk_bytes": 1_000, "test_accuracy": 0.975},
        "latency": {"1": {"before": before, "after": after}},
        **others,
    }


def speed(before, after):
    return export_text.sentences(record(before, after))[-1]


def test_the_same_format_comes_before_the_numbers_in_it():
    size, *_ = export_text.sentences(record({"NumPy": 1}, {"NumPy": 1}))
    assert size == (
        "Size: 1,000 bytes as .npk file, 9.0× smaller than the dense network in the same format "
        "(9,000 bytes), and 10× smaller than its float32 weights (10,000 bytes)."
    )


def test_the_same_runtime_is_compared_not_a_slow_one_with_a_fast_one():
    dense = {"Keras predict": 0.09, "LiteRT": 0.0002, "NumPy": 0.001}
    small = {"Keras predict": 0.09, "LiteRT": 0.0001, "NumPy": 0.0005}
    text = (
        "Latency of 1 example, both on LiteRT: 0.1 ms, 2.0× as fast as the dense network (0.2 ms)."
    )
    assert speed(dense, small) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.00010, "no faster than"), (0.000095, "no faster than"), (0.0002, "slower than")],
)
def test_a_file_that_is_no_faster_says_so(seconds, text):
    said = speed({"LiteRT": 0.0001}, {"LiteRT": seconds})
    assert f"{text} the dense network (0.1 ms)." in said


def test_the_runtime_is_that_which_suits_the_dense_network_another_is_a_remark():
    """Nobody runs a dense network as a sparse matrix: 50 times as fast would be the runtime's."""
    dense, small = {"LiteRT": 0.002, "SciPy sparse": 0.05}, {"LiteRT": 0.004, "SciPy sparse": 0.001}
    assert speed(dense, small) == (
        "Latency of 1 example, both on LiteRT: 4 ms, slower than the dense network (2 ms); 1 ms on "
        "SciPy sparse, its fastest runtime (2.0×)."
    )


def test_a_runtime_of_the_small_model_alone_is_a_remark():
    said = speed({"NumPy": 0.001}, {"NumPy": 0.0005, "SciPy sparse": 0.0001})
    assert said == (
        "Latency of 1 example, both on NumPy: 0.5 ms, 2.0× as fast as the dense network (1 ms); "
        "0.1 ms on SciPy sparse, its fastest runtime (10×)."
    )
    hardly = speed({"NumPy": 0.001}, {"NumPy": 0.0005, "SciPy sparse": 0.00049})
    assert hardly.endswith("(1 ms).")


def test_accuracy_is_beside_that_of_baseline_and_control():
    times = {"NumPy": 0.001}
    of_baseline = {"name": "dense network", "valid_accuracy": 0.97, "test_accuracy": 0.97}
    control = {"name": "control of a", "valid_accuracy": 0.98, "test_accuracy": 0.982}
    _, text, _ = export_text.sentences(record(times, times, baseline=of_baseline, control=control))
    assert text == (
        "Test accuracy: 97.50 %; 0.50 points above the baseline, the untouched dense network "
        "(97.00 %); 0.70 points below the control, the dense network with the same further "
        "training (98.20 %)."
    )
    for other in (None, of_baseline):
        _, text, _ = export_text.sentences(
            record(times, times, baseline=of_baseline, control=other)
        )
        assert text.endswith("the baseline, the untouched dense network (97.00 %).")


def test_a_model_of_ones_own_is_called_by_its_name():
    mine = {"name": "mine.keras", "valid_accuracy": 0.9, "test_accuracy": 0.97}
    for text in export_text.sentences(record({"NumPy": 1}, {"NumPy": 1}, baseline=mine)):
        assert "mine.keras" in text
        assert "dense network" not in text
