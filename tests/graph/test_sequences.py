"""`shrink` of recurrent layers and attention: units and heads, on any backend."""

import keras
import network_pruning as npr
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers
from keras_models import (
    OwnWeights,
    check_random_graph,
    on_random_graphs,
    outputs_of,
    randomized,
    set_part,
    shrunk,
)

on_backends = pytest.mark.backends


def lstm(**settings):
    model = keras.Sequential(
        [keras.Input((4, 2)), layers.LSTM(3, name="memory", **settings), layers.Dense(1)]
    )
    return randomized(model)


@on_backends
def test_a_unit_without_a_candidate_is_gone_and_all_its_gates_with_it():
    model = lstm()
    for suffix in ("kernel", "recurrent_kernel", "bias"):
        # Units 0 to 2 of the third gate of four have columns 6 to 8.
        set_part(model, "memory", f"/{suffix}", lambda array: array[..., 7].fill(0))
    smaller = shrunk(model)
    assert smaller.get_layer("memory").units == 2
    old, new = (m.get_layer("memory").get_weights() for m in (model, smaller))
    columns = [0, 2, 3, 5, 6, 8, 9, 11]
    np.testing.assert_array_equal(new[0], old[0][:, columns])
    np.testing.assert_array_equal(new[1], old[1][[0, 2]][:, columns])
    np.testing.assert_array_equal(new[2], old[2][columns])


def test_a_unit_that_only_other_gates_read_zero_is_kept():
    model = lstm()
    set_part(model, "memory", "/kernel", lambda array: array[..., 1].fill(0))
    assert shrunk(model).get_layer("memory").units == 3


def test_a_unit_that_reads_only_dead_ones_is_dead():
    """The candidate of unit 2 reads unit 1 alone, whose own reads nothing."""
    model = lstm()
    for suffix in ("kernel", "recurrent_kernel", "bias"):
        set_part(model, "memory", f"/{suffix}", lambda array: array[..., 7:9].fill(0))
    set_part(model, "memory", "/recurrent_kernel", lambda array: array[1, 8:9].fill(0.5))
    assert shrunk(model).get_layer("memory").units == 1


def test_activations_that_are_not_zero_at_zero_keep_units():
    model = lstm(activation="sigmoid")
    for suffix in ("kernel", "recurrent_kernel", "bias"):
        set_part(model, "memory", f"/{suffix}", lambda array: array[..., 7].fill(0))
    assert shrunk(model).get_layer("memory").units == 3
    fixed = npr.dependency_groups(model).fixed
    assert fixed[0] == "memory/kernel (because of memory (sigmoid is not 0 at 0))"


def test_gates_that_look_at_all_units_keep_them():
    with pytest.raises(npr.UsageError, match="no units that could be removed"):
        npr.prune(lstm(recurrent_activation="softmax"), 0.5, "unit")


def test_channels_first_over_time():
    inputs = keras.Input((3, 2, 5, 5))
    layer = layers.ConvLSTM2D(4, 2, data_format="channels_first", name="memory")
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layer(inputs))))
    assert npr.measure(npr.prune(model, 0.5)).layer_sparsity["memory/kernel"] == 0.5
    assert npr.shrink(model).get_layer("memory").filters == 4


def test_pruned_units_of_both_directions_go_together():
    inputs = keras.Input((4, 3))
    x = layers.Bidirectional(layers.GRU(6, return_sequences=True), name="both")(inputs)
    x = layers.Bidirectional(layers.LSTM(4), merge_mode="mul", name="product")(x)
    model = randomized(keras.Model(inputs, layers.Dense(2)(x)))
    smaller = shrunk(npr.prune(model, 0.5, "unit"))
    both, product = smaller.get_layer("both"), smaller.get_layer("product")
    assert both.forward_layer.units == both.backward_layer.units == 3
    assert product.forward_layer.units == product.backward_layer.units == 2


@on_backends
def test_states_that_are_passed_on_keep_their_units():
    inputs = keras.Input((4, 3))
    _, h, c = layers.LSTM(6, return_state=True, name="encoder")(inputs)
    x = layers.LSTM(6, return_sequences=True, name="decoder")(inputs, initial_state=[h, c])
    model = randomized(keras.Model(inputs, layers.Dense(2)(x)))
    smaller = shrunk(npr.prune(model, 0.5, "unit"))
    assert smaller.get_layer("encoder").units == smaller.get_layer("decoder").units == 3


def test_cells_in_plain_rnns():
    inputs = keras.Input((4, 3))
    x = layers.Bidirectional(layers.RNN(layers.GRUCell(6), return_sequences=True), name="one")(
        inputs
    )
    x = layers.Dense(4, name="wide")(x)
    cells = [layers.LSTMCell(8), layers.SimpleRNNCell(4)]
    x, (h, _), state = layers.RNN(cells, return_state=True, name="stacked")(x)
    outputs = [layers.Dense(2)(each) for each in (x, h, state)]
    model = randomized(keras.Model(inputs, outputs))
    smaller = shrunk(npr.prune(model, 0.5, "unit"))
    assert smaller.get_layer("one").backward_layer.cell.units == 3
    assert smaller.get_layer("wide").units == 2
    assert [cell.units for cell in smaller.get_layer("stacked").cell.cells] == [4, 2]
    kernels = npr.measure(npr.prune(model, 0.5)).layer_sparsity
    assert kernels["stacked/cells/1/recurrent_kernel"] == 0.5


def test_a_unit_that_only_a_dead_one_of_the_next_cell_reads_is_gone():
    cells = [layers.SimpleRNNCell(3), layers.SimpleRNNCell(2)]
    model = randomized(
        keras.Sequential([keras.Input((4, 3)), layers.RNN(cells, name="both"), layers.Dense(1)])
    )
    first, second = model.get_layer("both").cell.cells
    first.recurrent_kernel.assign(np.eye(3))  # no other unit of its own cell reads one
    kernel, recurrent, bias = second.get_weights()
    kernel[:, 1] = recurrent[:, 1] = bias[1] = 0  # dead
    kernel[2, 0] = 0  # so that only the dead one reads the third of the first cell
    second.set_weights([kernel, recurrent, bias])
    smaller = shrunk(model)
    assert [cell.units for cell in smaller.get_layer("both").cell.cells] == [2, 1]


def test_convolutions_over_time():
    inputs = keras.Input((3, 5, 5, 2))
    x = layers.ConvLSTM2D(4, 2, return_sequences=True, name="one")(inputs)
    x = layers.ConvLSTM2D(2, 2, padding="same", name="two")(x)
    model = randomized(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x))))
    smaller = shrunk(npr.prune(model, 0.5, "unit"))
    assert (smaller.get_layer("one").filters, smaller.get_layer("two").filters) == (2, 1)


def test_masked_steps():
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 4, mask_zero=True)(inputs)
    x = layers.LSTM(6, name="memory")(x)
    model = randomized(keras.Model(inputs, layers.Dense(2)(x)))
    pruned = npr.prune(model, 0.5, "unit")
    x = np.array([[1, 2, 0, 0, 0, 0], [3, 4, 5, 6, 7, 8]])
    smaller = npr.shrink(pruned)
    np.testing.assert_allclose(*(outputs_of(m, x)[0] for m in (smaller, pruned)), atol=1e-6)
    assert smaller.get_layer("memory").units == 3


# --- Attention -----------------------------------------------------------------------------------


def with_attention(layer, width=6):
    inputs = keras.Input((5, 3))
    x = layers.Dense(width, activation="relu", name="before")(inputs)
    x = layer(x, x)
    x = layers.Dense(4, name="after")(x)
    return randomized(keras.Model(inputs, layers.Dense(2)(layers.GlobalMaxPooling1D()(x))))


@on_backends
def test_a_head_without_values_is_gone():
    model = with_attention(layers.MultiHeadAttention(3, 2, name="mha"))
    for suffix in ("value/kernel", "value/bias"):
        set_part(model, "mha", suffix, lambda array: array[..., 1, :].fill(0))
    smaller = shrunk(model)
    old, new = (m.get_layer("mha") for m in (model, smaller))
    assert new.num_heads == 2
    for one, two in zip(old.get_weights()[:-2], new.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(np.delete(one, 1, axis=-2), two)


def test_a_head_that_nobody_reads_is_gone():
    model = with_attention(layers.MultiHeadAttention(3, 2, name="mha"))
    set_part(model, "mha", "output/kernel", lambda array: array[1].fill(0))
    assert shrunk(model).get_layer("mha").num_heads == 2


def test_a_head_without_queries_stays():
    """It takes the mean of its values."""
    model = with_attention(layers.MultiHeadAttention(3, 2, name="mha"))
    for suffix in ("query/kernel", "query/bias"):
        set_part(model, "mha", suffix, lambda array: array[..., 1, :].fill(0))
    assert shrunk(model).get_layer("mha").num_heads == 3


@on_backends
def test_heads_with_a_common_key_go_together():
    model = with_attention(layers.GroupQueryAttention(2, 6, 3, name="gqa"))
    smaller = shrunk(npr.prune(model, 0.6, "unit"))
    layer = smaller.get_layer("gqa")
    assert (layer.num_query_heads, layer.num_key_value_heads) == (4, 2)
    assert smaller.get_layer("before").units == 3  # as wide as the outputs, which are pruned too


def test_excluded_parts_keep_their_heads():
    model = with_attention(layers.MultiHeadAttention(4, 2, name="mha"))
    for exclude in ("mha", "mha/value"):
        pruned = npr.prune(model, 0.5, "unit", exclude=exclude)
        assert shrunk(pruned).get_layer("mha").num_heads == 4


def test_values_from_elsewhere():
    one, two = keras.Input((4, 3)), keras.Input((6, 2))
    query, value = layers.Dense(6)(one), layers.Dense(8, name="value")(two)
    x = layers.MultiHeadAttention(4, 2, output_shape=5, name="mha")(query, value)
    model = randomized(keras.Model([one, two], layers.Dense(2)(layers.ReLU()(x))))
    smaller = shrunk(npr.prune(model, 0.5, "unit"))
    assert smaller.get_layer("mha").num_heads == 2
    assert smaller.get_layer("mha").get_config()["output_shape"] == (3,)
    assert smaller.get_layer("value").units == 4


def test_a_shared_layer_that_is_called_with_other_arguments_stays():
    attention = layers.MultiHeadAttention(4, 3, name="mha")
    inputs = keras.Input((5, 6))
    one, two, three = (layers.Dense(8, activation="tanh")(inputs) for _ in range(3))
    x = layers.Add()([attention(one, two), attention(two, one, key=three)])
    model = randomized(keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x))))
    with pytest.raises(npr.UsageError, match=r"because of mha \(MultiHeadAttention\)"):
        npr.prune(model, 0.5, "unit")
    shrunk(npr.prune(model, 0.9))


# --- Random graphs -------------------------------------------------------------------------------


@on_backends
def test_adapters_within_attention_are_copied(tmp_path):
    """Their layer's config does not tell of LoRA."""
    inputs = keras.Input((5, 6))
    attention = layers.MultiHeadAttention(2, 3, name="attention")
    x = layers.MultiHeadAttention(2, 3, name="plain")(inputs, inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(attention(x, x))))
    attention.query_dense.enable_lora(2)
    model = randomized(model)
    pruned = npr.prune(model, 0.5, "unit")
    smaller = shrunk(pruned)
    assert smaller.get_layer("attention").query_dense.lora_enabled
    assert smaller.get_layer("plain").num_heads == 1
    with pytest.raises(ValueError, match="LoRA adapters within layers such as attention are not"):
        npr.save(pruned, tmp_path / "model.npk")


CELLS = {
    layers.LSTM: layers.LSTMCell,
    layers.GRU: layers.GRUCell,
    layers.SimpleRNN: layers.SimpleRNNCell,
}


@st.composite
def graphs(draw):
    """A random network of recurrent layers, attention, joins and dense layers."""
    number = iter(range(100))
    # Keras 3.15 on TensorFlow computes attention wrongly for as many steps as heads of width 1.
    inputs = keras.Input((7, draw(st.integers(2, 3))))
    tensors = [inputs]
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from([_dense, _recurrent, _bidirectional, _attention, _join, _own]))
        x = draw(st.sampled_from(tensors))
        tensors.append(kind(draw, x, tensors, f"layer_{next(number)}"))
    last = draw(st.sampled_from([layers.LSTM(3), layers.Flatten(), layers.GRU(2)]))
    return keras.Model(inputs, layers.Dense(2, name="out")(last(tensors[-1])))


def _dense(draw, x, _others, name):
    activation = draw(st.sampled_from(["relu", "tanh", "sigmoid"]))
    return layers.Dense(draw(st.integers(1, 5)), activation=activation, name=name)(x)


def _cell(draw):
    kind = draw(st.sampled_from([layers.LSTM, layers.GRU, layers.SimpleRNN]))
    settings = {"activation": draw(st.sampled_from(["tanh", "sigmoid"]))}
    if kind is layers.GRU:
        settings["reset_after"] = draw(st.booleans())
    settings["use_bias"] = draw(st.booleans())
    if draw(st.integers(0, 3)):
        return kind(draw(st.integers(1, 4)), return_sequences=True, **settings)
    first, other = CELLS[kind], draw(st.sampled_from([*CELLS.values()]))
    cells = [first(draw(st.integers(1, 4)), **settings), other(draw(st.integers(1, 4)))]
    return layers.RNN(cells, return_sequences=True)


def _recurrent(draw, x, _others, name):
    layer = _cell(draw)
    layer.name = name
    return layer(x)


def _bidirectional(draw, x, _others, name):
    mode = draw(st.sampled_from(["concat", "sum", "mul"]))
    return layers.Bidirectional(_cell(draw), merge_mode=mode, name=name)(x)


def _attention(draw, x, others, name):
    heads, size = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    if draw(st.booleans()):
        layer = layers.GroupQueryAttention(size, 2 * heads, heads, name=name)
        others = [other for other in others if other.shape == x.shape]
    else:
        width = draw(st.sampled_from([None, 3]))
        settings = {"use_bias": draw(st.booleans()), "output_shape": width}
        layer = layers.MultiHeadAttention(heads, size, name=name, **settings)
    return layer(x, draw(st.sampled_from(others)))


def _join(draw, x, others, name):
    other = draw(st.sampled_from(others))
    kind = layers.Add if x.shape == other.shape else layers.Concatenate
    return kind(name=name)([x, other])


def _own(_draw, x, _others, name):
    return OwnWeights(name=name)(x)


@on_backends
@on_random_graphs
@given(st.data())
def test_random_graphs_answer_the_same(data):
    check_random_graph(data.draw(graphs()), data.draw(st.integers(0, 1000)))
