"""Every runtime gives the same answers; the time of each is a median."""

import importlib.util
import itertools
import sys

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import attention, branches, outputs_of, pictures, randomized, recurrent
from network_pruning.compression import format_runs, formats, runtimes

pytestmark = pytest.mark.floors
# Of extras, which the oldest environment lacks.
OTHERS = {
    name
    for name, module in {"ONNX Runtime": "tf2onnx", "OpenVINO": "openvino"}.items()
    if importlib.util.find_spec(module)
}


def dense():
    return randomized(
        keras.Sequential(
            [
                keras.Input((6,)),
                layers.Dense(8, activation="relu"),
                layers.Dropout(0.5),
                layers.Dense(4, use_bias=False),
                layers.Dense(3, activation="softmax"),
            ]
        )
    )


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (dense, {"Keras predict", "Keras compiled", "LiteRT", "NumPy", "SciPy sparse"}),
        (branches, {"Keras predict", "Keras compiled", "LiteRT"}),
    ],
)
def test_all_that_can_run_a_model_answer_the_same(make, expected):
    model = make()
    generator = np.random.default_rng(0)
    x = generator.random((5, *model.input_shape[1:]), np.float32)
    answers = runtimes.started(model, x)
    assert expected | OTHERS <= set(answers)
    for number in (1, 5, 1):
        found = [answer(x[:number]) for answer in answers.values()]
        for each in found:
            assert each.shape == (number, model.output_shape[1])
            np.testing.assert_allclose(each, found[0], rtol=1e-4, atol=1e-5)


def test_a_runtime_that_answers_otherwise_does_not_count(monkeypatch):
    model, x = dense(), np.ones((2, 6), np.float32)
    started = {
        "Keras predict": runtimes.keras_predict,
        "NumPy": lambda _: lambda x: np.ones((len(x), 3)),
        "SciPy sparse": lambda _: lambda x: x @ np.ones((9, 9)),
    }
    monkeypatch.setattr(runtimes, "RUNTIMES", started)
    assert set(runtimes.started(model, x)) == {"Keras predict"}
    assert runtimes.agree(np.array([[1e5]]), np.array([[1e5 + 1]]))
    assert not runtimes.agree(np.array([[1.0]]), np.array([[1.001]]))
    assert not runtimes.agree(np.zeros((1, 2)), np.zeros((1, 1)))


def test_the_time_is_a_median_of_turns(monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(runtimes.time, "perf_counter", lambda: float(next(ticks)))
    calls = []
    answers = {name: lambda _, name=name: calls.append(name) for name in ("a", "b")}
    assert runtimes.latencies(answers, None, seconds=20) == {"a": 1.0, "b": 1.0}
    assert calls[:6] == ["a", "a", "a", "b", "b", "b"]
    assert calls[6:10] == ["a", "b", "a", "b"]
    assert len(calls) < 30


def test_what_litert_cannot_take_is_a_sentence(monkeypatch):
    model = dense()

    def refuse(*_args, **_options):
        raise RuntimeError("not\n  convertible")

    monkeypatch.setattr(model, "export", refuse)
    with pytest.raises(ValueError, match=r"^not convertible$"):
        formats.converted(model, "litert")
    assert "LiteRT" not in runtimes.started(model, np.ones((1, 6), np.float32))


@pytest.mark.parametrize(
    ("make", "format_name"),
    [
        *((recurrent, "onnx"), (attention, "onnx"), (attention, "openvino")),
        (attention, "torch"),  # by another process, which imports PyTorch for ten seconds
    ],
)
def test_sequences_and_gelu_are_converted(make, format_name):
    pytest.importorskip({"onnx": "tf2onnx"}.get(format_name, format_name))
    model = randomized(make())
    x = np.random.default_rng(0).random((4, *model.input_shape[1:]), np.float32)
    run = format_runs.run_of(formats.converted(model, format_name), format_name)
    for number in (4, 1):  # examples
        np.testing.assert_allclose(run(x[:number]), outputs_of(model, x[:number])[0], atol=1e-5)


@pytest.mark.parametrize("format_name", formats.INT8)
def test_eight_bits_answer_nearly_the_same(format_name):
    pytest.importorskip("tf2onnx")
    model = pictures()
    x = np.random.default_rng(0).random((50, *model.input_shape[1:]), np.float32)
    files = formats.converted(model, format_name, x)
    expected = outputs_of(model, x)[0]
    answers = format_runs.run_of(files, format_name)(x)
    differences = np.abs(answers - expected).max()
    assert 0 < differences < 0.1 * np.abs(expected).max()
    started = runtimes.started(model, x[:2], {format_name: files})
    np.testing.assert_allclose(started[formats.NAMES[format_name]](x[:2]), answers[:2], atol=1e-6)


def test_a_missing_package_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(npr.UsageError, match=r'openvino needs .*pip install "network-pruning\[op'):
        formats.check_installed("openvino")
    formats.check_installed("litert")
