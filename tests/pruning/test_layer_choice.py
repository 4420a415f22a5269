"""Names of layers in `exclude` and `sparsity`: a layer, and all within it."""

import re

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import attention, mixed, randomized

pytestmark = pytest.mark.backends


class Block(layers.Layer):
    def build(self, shape):
        self.one, self.two = layers.Dense(4, name="one"), layers.Dense(4, name="two")
        self.one.build(shape)
        self.two.build((*shape[:-1], 4))

    def call(self, inputs):
        return self.two(self.one(inputs))


def nested():
    """A nested model, and a layer with layers in it."""
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, name="one"), layers.Dense(4, name="two")], name="inner"
    )
    inputs = keras.Input((4,))
    x = layers.Dense(4, name="first")(inputs)
    x = Block(name="block")(inner(x))
    return randomized(keras.Model(inputs, layers.Dense(2, name="out")(x)))


def sparsities(model, sparsity=0.5, **arguments):
    pruned = npr.prune(model, sparsity, **arguments)
    return {name: share for name, share in npr.measure(pruned).layer_sparsity.items() if share}


@pytest.mark.parametrize(
    ("exclude", "pruned"),
    [
        ("inner", "first block/one block/two"),
        ("block", "first inner/one inner/two"),
        (["block", "first"], "inner/one inner/two"),
        ("block/one", "first inner/one inner/two block/two"),  # as the library prints it
        ("one", "first inner/two block/two"),
        ("block/*", "first inner/one inner/two"),
        (None, "first inner/one inner/two block/one block/two"),
    ],
)
def test_what_is_excluded_stays_with_all_within_it(exclude, pruned):
    assert set(sparsities(nested(), exclude=exclude)) == set(pruned.split())


@pytest.mark.parametrize(
    ("exclude", "pruned"),
    [
        (re.compile("^t|k/t"), "first inner/one block/one"),
        (lambda layer: layer.name.startswith("in"), "first block/one block/two"),
        (lambda layer: isinstance(layer, Block), "first inner/one inner/two"),
        (["inner", re.compile("one$")], "first block/two"),
    ],
)
def test_expressions_and_functions_exclude(exclude, pruned):
    assert set(sparsities(nested(), exclude=exclude)) == set(pruned.split())


def test_layers_exclude_themselves_and_what_is_in_them():
    model = nested()
    inner, first = model.get_layer("inner"), model.get_layer("first")
    assert set(sparsities(model, exclude=inner)) == {"first", "block/one", "block/two"}
    for several in ([inner, first], {inner, first}, (layer for layer in (inner, first))):
        assert set(sparsities(model, exclude=several)) == {"block/one", "block/two"}
    assert set(sparsities(model, exclude=Block)) == {"first", "inner/one", "inner/two"}
    with pytest.raises(npr.UsageError, match=r"chooses layers fails for '\w+'"):
        npr.prune(model, 0.5, exclude=lambda layer: layer.filters > 3)
    with pytest.raises(npr.UsageError, match="the layer 'first' is not in"):
        npr.prune(nested(), 0.5, exclude=first)


def test_sparsities_by_pattern_layer_and_function():
    model = nested()
    shares = {"block/*": 0.25, model.get_layer("inner"): 0.75, "block/two": 0.5}
    assert sparsities(model, shares) == {
        "inner/one": 0.75,
        "inner/two": 0.75,
        "block/one": 0.25,
        "block/two": 0.5,  # a name counts before a pattern
    }
    by_function = {lambda layer: layer.name == "one": 0.5, re.compile("^first$"): 0.25}
    assert sparsities(model, by_function) == {"first": 0.25, "inner/one": 0.5, "block/one": 0.5}


@pytest.mark.parametrize("exclude", ["attention", "attention/*", "*attention/value*"])
def test_attention_is_excluded_by_its_name_and_paths(exclude):
    found = sparsities(randomized(attention()), exclude=exclude)
    assert ("query" in found) == (exclude == "*attention/value*")
    assert "value" not in found
    assert {"wide", "narrow"} <= set(found)


@pytest.mark.parametrize(
    ("exclude", "message"),
    [
        (3, "exclude: 3 is not the name of a layer"),
        ([3], "exclude: 3 is not the name of a layer"),
        (["first", "inner/three"], "exclude: 'inner/three' matches no layer"),
        (["first", "inner", "block"], "exclude: nothing of .* remains to be pruned"),
    ],
)
def test_what_cannot_be_excluded_is_refused(exclude, message):
    with pytest.raises(ValueError, match=message):
        npr.prune(nested(), 0.5, exclude=exclude)


def test_a_sparsity_is_of_all_within_a_layer():
    assert sparsities(nested(), {"inner": 0.5}) == {"inner/one": 0.5, "inner/two": 0.5}
    assert sparsities(nested(), {"inner/two": 0.75, "inner": 0.25, "block/one": 0.5}) == {
        "inner/one": 0.25,
        "inner/two": 0.75,
        "block/one": 0.5,
    }


def residual():
    """Two layers whose sum is normalized, and one before them."""
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(4, 1, name="before")(inputs)
    one = layers.Conv2D(4, 1, name="one")(x)
    two = layers.Conv2D(4, 1, name="two")(x)
    x = layers.BatchNormalization(name="normalization")(layers.Add()([one, two]))
    x = layers.GlobalAveragePooling2D()(x)
    return randomized(keras.Model(inputs, layers.Dense(2, name="out")(x)))


@pytest.mark.parametrize(
    ("exclude", "named"),
    [("one", r"two \(because of one, "), ("normalization", r"one \(because of normalization, ")],
)
def test_what_loses_its_units_with_an_excluded_layer_stays_and_is_named(exclude, named):
    model = residual()
    with pytest.warns(UserWarning, match=rf"{named}which is excluded\)"):
        pruned = npr.prune(model, 0.5, "unit", exclude=exclude)
    for name in ("one", "two", "normalization"):
        for before, after in zip(
            model.get_layer(name).get_weights(), pruned.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(before, after)
    small = npr.shrink(pruned)
    assert (small.get_layer("before").filters, small.get_layer("one").filters) == (2, 4)


def test_an_excluded_reader_fixes_nothing_before_it():
    pruned = npr.prune(randomized(mixed()), 0.5, "unit", exclude="separable")
    assert npr.shrink(pruned).get_layer("project").filters == 3


class Subclassed(keras.Model):
    """A model whose last layer is within another one."""

    def __init__(self):
        super().__init__()
        self.first = layers.Dense(4, name="first")
        self.body = keras.Sequential(
            [layers.Dense(4, name="one"), layers.Dense(2, name="last")], name="body"
        )

    def call(self, inputs):
        return self.body(self.first(inputs))

    def get_config(self):
        return {}


class TwoHeads(keras.Model):
    """A graph with two outputs and a call of its own."""

    def call(self, inputs):
        one, two = super().call(inputs)
        return one, two


def test_the_output_layers_of_models_with_a_call_of_their_own():
    model = Subclassed()
    model(np.zeros((1, 4), np.float32))
    assert sparsities(randomized(model)) == {"first": 0.5, "one": 0.5}
    inputs = keras.Input((4,))
    x = layers.Dense(4, name="first")(inputs)
    heads = [layers.Dense(2, name=name)(x) for name in ("left", "right")]
    model = randomized(TwoHeads(inputs, heads))
    assert sparsities(model) == {"first": 0.5}
    outer = keras.Input((4,))
    assert sparsities(keras.Model(outer, model(outer))) == {"first": 0.5}
