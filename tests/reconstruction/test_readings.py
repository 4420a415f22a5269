"""Rows of inputs times the kernel's matrix are what a layer computes."""

import keras
import numpy as np
import pytest
from keras import layers
from network_pruning.models.kernels import all_kernels, value_of
from network_pruning.reconstruction.readings import reading_of

pytestmark = pytest.mark.backends

LAYERS = [
    (layers.Dense(5), (7,)),
    (layers.Dense(5, use_bias=False), (3, 7)),
    (layers.Conv1D(6, 3, padding="causal", dilation_rate=2), (9, 4)),
    (layers.Conv2D(6, 3), (8, 9, 4)),
    (layers.Conv2D(6, (3, 4), strides=2, padding="same", groups=2), (8, 9, 4)),
    (layers.Conv2D(6, 3, dilation_rate=2, padding="same"), (8, 9, 4)),
    (layers.Conv3D(3, 2, strides=2, padding="same"), (5, 5, 6, 2)),
    (layers.Conv1DTranspose(5, 3, strides=2), (6, 4)),
    (layers.Conv2DTranspose(5, 3, strides=2, padding="same"), (6, 5, 4)),
    (layers.Conv2DTranspose(5, 2, strides=3), (6, 5, 4)),
    (layers.Conv2DTranspose(5, 4, strides=2, padding="same"), (6, 5, 4)),
    (layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), (6, 5, 4)),
    (layers.DepthwiseConv1D(3, strides=2), (9, 4)),
    (layers.SeparableConv2D(7, 3, depth_multiplier=2, padding="same", strides=2), (6, 5, 4)),
    (layers.EinsumDense("abc,cde->abde", (3, 2, 5), bias_axes="de"), (3, 7)),
    (layers.EinsumDense("abde,dec->abc", (None, 6), bias_axes="c"), (3, 2, 4)),
    (layers.EinsumDense("...x,xy->...y", (3, 6), bias_axes="y"), (3, 4)),
    (layers.EinsumDense("abg,gh->abgh", (3, 4, 2), bias_axes="gh"), (3, 4)),
]


@pytest.mark.parametrize(
    ("layer", "shape"),
    LAYERS,
    ids=[f"{n} {type(each[0]).__name__}" for n, each in enumerate(LAYERS)],
)
def test_rows_times_the_matrix(layer, shape):
    random = np.random.default_rng(0)
    layer = type(layer).from_config(layer.get_config())
    model = keras.Sequential([keras.Input(shape), layer])
    model.set_weights([random.standard_normal(w.shape) for w in model.get_weights()])
    x = random.standard_normal((4, *shape)).astype(np.float32)
    kernel = all_kernels(model)[-1]
    reading = reading_of(kernel)
    positions = reading.positions(x)
    examples, places = np.divmod(np.arange(4 * positions), positions)
    rows = reading.rows(x, examples, places)
    made = np.moveaxis(np.moveaxis(rows, 1, 0) @ reading.split(kernel.matrix()), 0, 1)
    if layer.bias is not None:
        made = made + reading.split(value_of(reading.bias).reshape(1, -1))[:, 0]
    found = np.empty((len(made), kernel.shape[1]))
    found[:, reading.columns] = made
    expected = keras.ops.convert_to_numpy(model(x))
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(reading.joined(reading.split(kernel.matrix())), kernel.matrix())


def test_of_unknown_layers_there_is_none():
    class Scaled(layers.Dense):
        def call(self, inputs):
            return 2 * super().call(inputs)

    model = keras.Sequential([keras.Input((3,)), Scaled(2)])
    assert reading_of(all_kernels(model)[0]) is None
    model = keras.Sequential([keras.Input((3, 2)), layers.EinsumDense("abc,cd->ad", 5)])
    assert reading_of(all_kernels(model)[0]) is None  # sums over an axis of the input alone
