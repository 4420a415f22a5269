"""What `.npk` files may be made of: parts of Keras that only compute, and what is registered."""

import keras
import network_pruning as npr
import pytest
from keras import layers
from network_pruning.compression import npk_config, npk_sources, npk_writer
from network_pruning.compression.npk_sources import check_sources

FUNCTION = {"module": "keras.utils", "class_name": "function", "config": "get_file"}
RELU = {"module": "builtins", "class_name": "function", "config": "relu"}


def layer(name, module="keras.layers", /, **config):
    return {"module": module, "class_name": name, "config": config}


BAD = {
    "a lambda": layer("Lambda", function=FUNCTION),
    "its full name": layer("Lambda", "keras.src.layers.core.lambda_layer", function=FUNCTION),
    "without a module": {"class_name": "Lambda", "config": {"function": FUNCTION}},
    "no module": {"module": None, "class_name": "Dense", "config": {"units": 3}},
    "a SavedModel": layer("TFSMLayer", filepath="model"),
    "a pickle": layer("TorchModuleWrapper", module="…"),
    "JAX": layer("JaxLayer"),
    "Flax": layer("FlaxLayer"),
    "another program": layer("system", "os"),
    "a module": layer("utils", "keras"),
    "an activation that loads": layer("Dense", units=3, activation=FUNCTION),
    "a class that is a function": layer("get_file", "keras.utils"),
    "Python's own": layer("eval", "builtins"),
    "Python's own function": {**FUNCTION, "module": "builtins", "config": "eval"},
    "inside of a module": layer("getsource", "keras.src.layers.core.lambda_layer.inspect"),
    "a wrapper's layer": layer("TimeDistributed", layer=layer("Lambda", function=FUNCTION)),
    "an initializer": layer("Dense", units=3, kernel_initializer=FUNCTION),
    "a regularizer": layer("Dense", units=3, kernel_regularizer=layer("system", "os")),
    "no module, but a name that is registered": {
        "class_name": "Lambda",
        "registered_name": "test_npk_sources>Registered",
        "config": {"function": FUNCTION},
    },
    "code under a name that is registered": {
        "module": None,
        "class_name": "__lambda__",
        "registered_name": "test_npk_sources>Registered",
        "config": {"value": "…"},
    },
    "a name that hides another": {**FUNCTION, "module": "os", "registered_name": "Registered"},
    "code": {"class_name": "__lambda__", "config": {"value": "…"}},
    "a type": {"class_name": "__typespec__", "spec_name": "…", "module": "os", "config": []},
    "text of any length": {
        "class_name": "__numpy__",
        "config": {"value": ["a"], "dtype": "U100000000"},
    },
    "a file of words": layer("StringLookup", vocabulary="/etc/passwd"),
    "an optimizer": layer("Adam", "keras.optimizers"),
}


@keras.saving.register_keras_serializable("test_npk_sources", "Registered")
class Registered(layers.Layer):
    def call(self, x):
        return x


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_what_may_run_code_is_refused(bad):
    for config in (bad, {"layers": [layer("Dense", units=3), bad]}):
        with pytest.raises(ValueError, match=r"it needs|it has an array|reads its vocabulary"):
            check_sources(config)


def test_what_only_computes_is_allowed():
    inputs = keras.Input((6,), name="in")
    x = keras.ops.sqrt(inputs[:, 1:] + 1)
    x = layers.Dense(4, activation=layers.LeakyReLU(), kernel_regularizer="l2")(x)
    x = layers.TimeDistributed(layers.Dense(3, activation="mish"))(layers.Reshape((2, 2))(x))
    x = layers.Bidirectional(layers.LSTM(2))(x)
    x = layers.Dropout(0.5)(Registered()(x))
    x = layers.Dense(2, dtype="mixed_float16", kernel_constraint=keras.constraints.NonNeg())(x)
    check_sources(npk_config.plain_config(keras.Model(inputs, x)))
    check_sources(layer("Activation", activation=RELU))


def test_what_a_script_registers_is_allowed(tmp_path, monkeypatch):
    """Of `__main__`, as in a script or a notebook, Keras says no module."""
    monkeypatch.setattr(Registered, "__module__", "__main__")
    model = keras.Sequential([keras.Input((4,)), Registered(), layers.Dense(3)])
    npr.save(model, tmp_path / "a.npk")
    assert isinstance(npr.load(tmp_path / "a.npk").layers[0], Registered)


def test_every_layer_of_keras_is_decided_about():
    """None but those that run what they are given are refused."""
    refused = {
        name
        for name in dir(keras.layers)
        if isinstance(getattr(keras.layers, name), type)
        and not npk_sources._is_safe(getattr(keras.layers, name))
    }
    assert refused <= {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
    assert {"Lambda", "TFSMLayer", "TorchModuleWrapper"} <= refused


def test_a_forged_file_is_refused_before_it_is_built(tmp_path, monkeypatch):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    config = npk_config.plain_config(model)
    config["config"]["layers"].append(layer("Lambda", name="bad", function=FUNCTION))
    content = npk_writer.write(config, model.get_weights(), [1, 1])
    (tmp_path / "a.npk").write_bytes(content)
    # Versions of Keras differ in what they build.
    monkeypatch.setattr(keras.saving, "deserialize_keras_object", None)
    with pytest.raises(ValueError, match=r"needs keras\.layers\.Lambda, which is not a") as error:
        npr.load(tmp_path / "a.npk")
    assert "\n" not in str(error.value)
