"""Models of KerasHub, with small random weights: pruned, shrunk, saved and loaded again."""

import warnings

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras_models import outputs_of
from network_pruning.compression.npk_sources import check_sources

# On one backend: what differs between backends is in Keras' own layers, which other tests have.
keras_hub = pytest.importorskip("keras_hub")
hub = keras_hub.models

SMALL = {"vocabulary_size": 50, "num_layers": 2, "hidden_dim": 16, "intermediate_dim": 32}
ENCODER = {**SMALL, "num_heads": 4, "max_sequence_length": 12}
DECODER = {**SMALL, "num_query_heads": 4, "num_key_value_heads": 2}
MODELS = {
    "bert": lambda: hub.BertBackbone(**ENCODER),
    "mistral": lambda: hub.MistralBackbone(**DECODER),
    "gemma": lambda: hub.GemmaBackbone(**DECODER, head_dim=4),
}


def inputs_of(model, number=40):
    generator = np.random.default_rng(0)
    found = {}
    for tensor in model.inputs:
        shape = (number, *(size or 8 for size in tensor.shape[1:]))
        if "mask" in tensor.name:
            found[tensor.name] = np.ones(shape, "int32")
        elif "segment" in tensor.name:
            found[tensor.name] = np.zeros(shape, "int32")
        elif "token" in tensor.name:
            found[tensor.name] = generator.integers(0, 50, shape)
        else:
            found = generator.normal(size=shape).astype("float32")
    return found


@pytest.mark.parametrize("name", ["bert", "gemma"])
def test_backbones_are_pruned_shrunk_and_saved(name, tmp_path):
    model = MODELS[name]()
    x = inputs_of(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        pruned = npr.prune(model, 0.5, "weight/activation/reconstruct", data=(x, None), verbose=0)
        shares = npr.measure(pruned).layer_sparsity
        others = npr.measure(npr.prune(model, 0.5, "2:4")).layer_sparsity
        smaller = npr.shrink(pruned)
        npr.save(pruned, tmp_path / "model.npk")
        loaded = npr.load(tmp_path / "model.npk")
    assert len(shares) > 5
    assert all(share == pytest.approx(0.5, abs=0.01) for share in shares.values())
    assert all(0.3 < share <= 0.5 for share in others.values())  # three channels lose one
    expected = outputs_of(pruned, x)
    for each in (smaller, loaded):
        for ours, theirs in zip(outputs_of(each, x), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_hidden_units_of_a_transformer_layer_are_removed(tmp_path):
    body = MODELS["bert"]()
    answer = keras.layers.Dense(3, name="answer")(body.output["pooled_output"])
    model = keras.Model(body.input, answer)
    with pytest.warns(
        UserWarning, match="feedforward_output_dense .because of transformer_layer_0"
    ):
        pruned = npr.prune(model, 0.75, "unit")
    smaller = npr.shrink(pruned)
    x = inputs_of(model)
    np.testing.assert_allclose(outputs_of(smaller, x)[0], outputs_of(pruned, x)[0], atol=1e-5)
    assert [layer.intermediate_dim for layer in smaller.layers[-4:-2]] == [8, 8]
    smaller.compile("adam", "sparse_categorical_crossentropy")
    smaller.save(tmp_path / "smaller.keras")
    again = keras.saving.load_model(tmp_path / "smaller.keras")
    np.testing.assert_allclose(outputs_of(again, x)[0], outputs_of(pruned, x)[0], atol=1e-5)


def test_gated_units_of_a_layer_that_is_not_registered_are_removed(tmp_path):
    """Keras finds KerasHub's layers by their modules, and so does `load`."""
    model = MODELS["mistral"]()
    x = inputs_of(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # heads stay
        pruned = npr.prune(model, 0.75, "unit")
        smaller = npr.shrink(pruned)
        npr.save(pruned, tmp_path / "model.npk")
    assert [layer.intermediate_dim for layer in smaller.layers[-3:-1]] == [8, 8]
    smaller.save(tmp_path / "smaller.keras")
    loaded = keras.saving.load_model(tmp_path / "smaller.keras")
    for each in (smaller, loaded, npr.load(tmp_path / "model.npk")):
        np.testing.assert_allclose(outputs_of(each, x)[0], outputs_of(pruned, x)[0], atol=1e-5)


def test_activations_that_look_at_all_units_keep_them():
    layer = keras_hub.layers.TransformerEncoder(32, 4, activation="softmax", name="block")
    inputs = keras.Input((5, 16))
    model = keras.Model(inputs, keras.layers.Dense(2)(layer(inputs)))
    fixed = npr.dependency_groups(model).fixed
    assert any("block (softmax reads all units)" in text for text in fixed)
    second = layer._feedforward_output_dense
    kernel = np.array(second.kernel)
    kernel[:16] = 0  # nobody reads these units
    second.kernel.assign(kernel)
    x = np.random.default_rng(0).normal(size=(3, 5, 16))
    smaller = npr.shrink(model)
    np.testing.assert_allclose(*(outputs_of(m, x)[0] for m in (model, smaller)), atol=1e-6)


@pytest.mark.parametrize(
    ("module", "name", "registered"),
    [
        ("keras_hub.src.tokenizers.byte_pair_tokenizer", "BytePairTokenizer", "BytePairTokenizer"),
        ("keras_hub", "WhisperTokenizer", "keras_hub>WhisperTokenizer"),
        ("keras_hub", "PARSeqTokenizer", "keras_hub>PARSeqTokenizer"),
        ("keras_hub", "StartEndPacker", "keras_hub>StartEndPacker"),
        ("keras_hub.src.utils.preset_utils", "load_json", "another"),
    ],
)
def test_files_may_name_what_only_computes_of_keras_hub(module, name, registered):
    """Tokenizers open files that a config names."""
    inner = {"vocabulary": "/etc/passwd", "special_tokens": "/etc/passwd"}
    config = {"module": module, "class_name": name, "registered_name": registered, "config": inner}
    with pytest.raises(ValueError, match=f"it needs {registered} of KerasHub, which is not a lay"):
        check_sources(config)


def test_functions_of_keras_hub_are_no_activations():
    config = {"module": "keras_hub", "class_name": "function", "config": "upload_preset"}
    config["registered_name"] = "keras_hub>upload_preset"
    with pytest.raises(ValueError, match="not"):
        check_sources(config)


def test_a_class_that_is_not_there_is_named():
    config = {"module": "keras_hub.src.new", "class_name": "New", "config": {}}
    with pytest.raises(ValueError, match="it needs New of KerasHub; import keras_hub before"):
        check_sources(config)
