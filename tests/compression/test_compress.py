"""`compress`: the model that is closest to the given one, of those that keep limits."""

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import outputs_of, randomized
from network_pruning.compression import compress as module
from network_pruning.compression import limits, search
from network_pruning.compression.closeness import Closeness, divided
from network_pruning.pruning.examples import Examples
from network_pruning.utils import UsageError


@pytest.fixture(autouse=True)
def _few_candidates(monkeypatch):
    # Nothing is trained, which takes longer; other tests do that.
    monkeypatch.setattr(module, "affordable", lambda *_: None)
    monkeypatch.setattr(search, "FEW_DENSITIES", np.array([1, 0.7, 0.01]))


def inputs(number=300, size=8):
    return np.random.default_rng(0).standard_normal((number, size)).astype("float32")


def classifier(last="softmax"):
    """784 + 512 + 128 weights, and biases."""
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(32, activation="relu", name="first"),
            layers.Dense(16, activation="relu", name="second"),
            layers.Dense(4, activation=last, name="last"),
        ]
    )
    return randomized(model)


@pytest.fixture(scope="module")
def small():
    """A classifier, and what it is in 900 bytes."""
    model = classifier()
    before = model.get_weights()
    method = "weight/activation/reconstruct"
    return model, compressed(model, bytes=900, method=method), before


def compressed(model, data=None, **limits):
    limits = {"bits": (3, 4), **limits}
    return npr.compress(model, inputs() if data is None else data, verbose=0, **limits)


def test_bytes_are_those_of_the_file(small, tmp_path):
    model, found, before = small
    size = found.save(tmp_path / "model.npk")
    assert size == found.report.after.bytes == (tmp_path / "model.npk").stat().st_size <= 900
    loaded = npr.load(tmp_path / "model.npk")
    np.testing.assert_allclose(
        *outputs_of(loaded, inputs()), *outputs_of(found.model, inputs()), rtol=1e-5, atol=1e-6
    )
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    # It is the closest of those that fit.
    fitting = [each for each in found.report.candidates if each.needs.bytes <= 900]
    assert found.report.chosen.error == min(each.error for each in fitting)


def test_the_report_is_a_table(small):
    report = str(small[1].report)
    assert "weight/activation/reconstruct at " in report
    lines = [line.split() for line in report.splitlines()]
    assert ["before", "after", "limit"] in lines
    assert [row for row in lines if row[:2] == ["bytes", "3,536"] and row[-1] == "900"]
    assert any(row[:2] == ["same", "predictions"] for row in lines)
    assert any(row[:2] == ["first", "8×32"] for row in lines)


def test_units_are_removed_for_multiply_adds():
    model = classifier()
    found = compressed(model, multiply_adds=0.5)
    total = 8 * 32 + 32 * 16 + 16 * 4
    assert found.report.before.multiply_adds == total
    assert found.report.after.multiply_adds <= total // 2
    assert found.report.chosen.method.startswith("unit")
    assert found.model.count_params() < model.count_params()
    assert outputs_of(found.model, inputs())[0].shape == (300, 4)


def test_of_both_limits_units_go_first_and_then_weights():
    found = compressed(classifier(), multiply_adds=0.6, parameters=200)
    methods = [each.method.split("/")[0] for each in found.report.candidates]
    assert methods == sorted(methods)
    assert {*methods} == {"unit_in_out", "weight"}
    assert found.report.after.parameters <= 200
    assert found.report.after.multiply_adds <= 0.6 * 832


def test_a_latency_that_is_kept_leaves_the_model_as_it_is(monkeypatch):
    monkeypatch.setattr(limits, "latency_of", lambda model: model.count_params() / 1000)
    model = classifier()
    assert compressed(model, latency=1).model.count_params() == model.count_params()
    assert compressed(model, latency=0.5).model.count_params() <= 500


def test_the_smallest_that_is_close_enough():
    x = inputs()
    found = compressed(classifier(), x, max_drop=0.1)
    assert found.report.quality == "same predictions of 60 examples"
    assert found.report.chosen.quality >= 0.9
    enough = [each for each in found.report.candidates if each.quality >= 0.9]
    assert found.report.after.bytes == min(each.needs.bytes for each in enough)


def test_more_bits_are_tried_where_few_are_not_close_enough():
    model = classifier(None)
    data = inputs(), outputs_of(model, inputs())[0]
    error = keras.metrics.MeanSquaredError()
    drop = 0.001 * float(np.var(data[1]))
    report = compressed(model, data, max_drop=drop, metric=error, bits=(2, 6)).report
    assert (report.chosen.bits, report.chosen.sparsity) == (6, 0)
    made = [(row.bits, row.sparsity) for row in report.candidates]
    assert len(made) == len({*made})


def test_with_labels_accuracy_is_compared():
    model, x = classifier(), inputs()
    y = outputs_of(model, x)[0].argmax(axis=1)
    y[:30] = 0
    with pytest.raises(UsageError, match="data: the accuracy of this model cannot be derived"):
        compressed(model, (x, y + 4), bytes=1200)
    report = compressed(model, (x, y), bytes=1200, max_drop=0.5).report
    assert report.quality_limit == pytest.approx(report.quality_before - 0.5)
    assert report.quality == "accuracy of 60 examples"
    assert 0.8 < report.quality_before < 1


def test_a_metric_is_compared_whichever_way_is_better():
    model, x = classifier(None), inputs()
    data = x, outputs_of(model, x)[0]
    report = compressed(
        model, data, bytes=2000, metric=keras.metrics.MeanSquaredError(), max_drop=100.0
    ).report
    assert report.quality_before < 1e-9 < report.chosen.quality


def test_outputs_of_regressors_are_compared():
    report = compressed(classifier(None), bytes=2000, max_drop=0.9).report
    assert report.quality == "1 - relative error of outputs of 60 examples"
    assert report.chosen.quality == pytest.approx(1 - report.chosen.error)


def test_of_labels_those_that_change_are_counted():
    model = classifier("sigmoid")
    assert compressed(model, parameters=0.5).report.quality.startswith("same predictions")


def test_where_one_number_of_bits_fits_others_need_not():
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(8, "relu"), layers.Dense(300, "softmax")]
    )
    report = compressed(randomized(model), inputs(size=4), bytes=1500, bits=(2, 3, 4, 5, 6)).report
    assert report.after.bytes <= 1500
    assert report.chosen.bits < 4


def test_what_has_nothing_to_prune_is_quantized():
    model = randomized(keras.Sequential([keras.Input((8,)), layers.Dense(40, "softmax")]))
    assert compressed(model, bytes=0.5).report.after.bytes <= 0.5 * 4 * 360
    with pytest.raises(UsageError, match="cannot reach this"):
        compressed(model, bytes=20)


def test_integers_of_keras_stay_as_they_are():
    model, x = classifier(), inputs()
    model.quantize("int8")
    with pytest.warns(UserWarning, match="Not re-fitted: first"):
        same = npr.prune(model, 0.0, "weight/activation/reconstruct", data=x, verbose=0)
    np.testing.assert_allclose(*outputs_of(same, x), *outputs_of(model, x), rtol=0.05, atol=0.02)


def test_sketches_may_be_wrong(monkeypatch):
    exact = limits.estimated_bytes
    monkeypatch.setattr(limits, "estimated_bytes", lambda model: 0.6 * exact(model))
    report = compressed(classifier(), bytes=700, bits=(4,)).report
    assert report.after.bytes <= 700
    assert report.candidates[0].needs.bytes > 700  # the whole model, which seemed to fit


def test_what_keeps_the_limits_as_it_is_is_not_pruned():
    model = classifier()
    report = compressed(model, parameters=0.999999).report
    assert report.after.parameters > 0.95 * model.count_params()
    assert compressed(model, parameters=model.count_params()).report.chosen.sparsity == 0
    exact = compressed(model, bytes=10_000).report.chosen
    assert (exact.sparsity, exact.bits, exact.error) == (0, None, 0)


def test_warnings_of_what_is_chosen_are_given_once():
    with pytest.warns(UserWarning, match="re-fitted on 24 examples only") as given:
        compressed(classifier(), inputs(30), bytes=900)
    texts = [str(each.message) for each in given if each.category is UserWarning]
    assert len(texts) == len({*texts})


def test_only_the_chosen_model_is_kept(small):
    report = small[1].report
    assert {each.model for each in (*report.candidates, report.chosen)} == {None}


def test_of_subclassed_models_and_open_sizes_units_cannot_be_limited():
    model = keras.Sequential([keras.Input((None, 3)), layers.Dense(4), layers.Dense(2)])
    with pytest.raises(UsageError, match="multiply_adds: the sizes of the model's inputs are open"):
        compressed(model, inputs(size=3).reshape(50, 6, 3), multiply_adds=0.5)


def test_a_fifth_of_few_is_fewer():
    with pytest.raises(UsageError, match="data: 12 examples are too few, of which a fifth is held"):
        compressed(classifier(), inputs(12), bytes=900)


def test_a_function_trains_each_candidate_and_zeros_stay():
    model, x, seen = classifier(), inputs(), []
    model.compile("sgd", "sparse_categorical_crossentropy")
    y = outputs_of(model, x)[0].argmax(axis=1)

    def train(pruned):
        seen.append(pruned)
        pruned.fit(x, y, epochs=1, verbose=0)

    found = compressed(model, (x, y), parameters=0.4, train=train, method="weight")
    assert len(seen) == len(found.report.candidates)
    assert found.report.after.parameters <= 0.4 * model.count_params()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "Give a limit: bytes"),
        ({"bytes": 0}, "bytes: 0 is not a number above 0"),
        ({"bytes": 1.5}, "bytes: 1.5 is neither a whole number nor a share"),
        ({"parameters": "all"}, "parameters: 'all' is not a number"),
        ({"max_drop": 2}, "max_drop: 2 is not a fraction"),
        ({"max_drop": -1, "metric": np.mean}, "max_drop: -1 is not a number of 0 or more"),
        ({"bytes": 900, "method": "unit/oops"}, "method:"),
        ({"bytes": 900, "bits": (1, 4)}, "bits: (1, 4) is no list of numbers from 2 to 6"),
        ({"bytes": 900, "bits": 4}, "bits: 4 is no list"),
        ({"latency": 1.0, "timer": 3}, "timer: it is given with latency, as a function"),
        ({"bytes": 900, "timer": len}, "timer: it is given with latency"),
        ({"bytes": 900, "train": "fit"}, "train: 'fit' is not a function"),
        ({"bytes": 900, "metric": "mse"}, "metric: 'mse' is neither a Keras metric nor"),
        ({"multiply_adds": 0.5, "method": "weight"}, "leaves multiply_adds as before"),
        ({"bytes": 10}, "cannot reach this; unpruned, the model needs"),
        (
            {"parameters": 300, "max_drop": 0.0, "method": "weight"},
            "max_drop: same predictions is worse by",
        ),
    ],
)
def test_what_makes_no_sense_or_cannot_be_is_said(given, sentence):
    with pytest.raises(UsageError) as error:
        compressed(classifier(), **given)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_a_metric_needs_labels():
    with pytest.raises(UsageError, match="metric: it needs labels"):
        compressed(classifier(), bytes=900, metric=keras.metrics.MeanSquaredError())


def test_nothing_is_fitted_to_what_is_held_out():
    fitted, held_out = divided(Examples((np.arange(50.0), np.arange(50))), 0)
    assert (len(fitted), len(held_out)) == (40, 10)
    assert {*fitted.parts[0]}.isdisjoint(held_out.parts[0])
    np.testing.assert_array_equal(*fitted.parts)


def test_the_error_by_hand():
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, use_bias=False)])
    model.set_weights([np.ones((1, 1))])
    closeness = Closeness(model, Examples((np.array([[1.0], [3.0]]), None)))
    model.set_weights([np.full((1, 1), 2.0)])
    error, quality = closeness(model)
    assert error == pytest.approx((1 + 9) / 2)
    assert closeness.drop(quality) == pytest.approx(5)


def test_latency_is_of_one_example():
    model = classifier()
    assert 0 < limits.latency_of(model) < 10_000
    open_sizes = keras.Sequential([keras.Input((None, 3)), layers.Dense(2)])
    with pytest.raises(UsageError, match="latency: the sizes of the model's inputs are open"):
        limits.latency_of(open_sizes)
