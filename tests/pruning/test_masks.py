import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from network_pruning.models.weights import Weights
from network_pruning.pruning import methods
from network_pruning.pruning.criteria import additive, register_criterion
from network_pruning.pruning.masks import make_masks, rank
from network_pruning.pruning.ranking import num_pruned
from network_pruning.pruning.scopes import SCOPES
from network_pruning.utils import RunError, UsageError

KERNEL = np.array([[1.0, -4.0, 0.0], [-3.0, 2.0, 5.0]], np.float32)


def pruned(kernel, method, k):
    """The kernel of a hidden layer as a method leaves it."""
    return pruned_all({"layer": np.asarray(kernel)}, method, k)["layer"]


def pruned_all(hidden, method, k):
    method, kernels = methods.parse(method), with_output(hidden)
    masks = make_masks(method, rank(method, kernels), k)
    return Weights.of_chain(kernels, {}).masked(masks).kernels


def ranking_of(kernel, method):
    return rank(methods.parse(method), with_output({"layer": kernel}))["layer"]


def with_output(hidden):
    last = list(hidden.values())[-1]
    return {**hidden, "output": np.ones((last.shape[1], 2), np.float32)}


@pytest.mark.parametrize(
    ("k", "size", "expected"),
    [
        (0.0, 100, 0),
        (1.0, 100, 100),
        (0.29, 100, 29),  # the binary product is 28.999999999999996
        (0.57, 100, 57),  # and this one 56.99999999999999
        (0.999, 784_000, 783_216),
        (0.995, 200, 199),
        (0.999, 200, 199),
        (0.25, 3, 0),
        (0.5, 3, 1),
        (0.1 + 0.2, 10, 3),
        (1e-05, 100_000, 1),
        (0.5, 0, 0),
    ],
)
def test_num_pruned(k, size, expected):
    assert num_pruned(k, size) == expected


@given(st.integers(0, 1000), st.integers(0, 10**6))
def test_num_pruned_is_the_floor_of_the_decimal_product(thousandths, size):
    assert num_pruned(thousandths / 1000, size) == thousandths * size // 1000


def test_weight_pruning_by_hand():
    np.testing.assert_array_equal(pruned(KERNEL, "weight", 0.0), KERNEL)
    np.testing.assert_array_equal(pruned(KERNEL, "weight", 0.5), [[0, -4, 0], [-3, 0, 5]])
    np.testing.assert_array_equal(pruned(KERNEL, "weight", 0.84), [[0, 0, 0], [0, 0, 5]])
    np.testing.assert_array_equal(pruned(KERNEL, "weight", 1.0), np.zeros((2, 3)))


def test_unit_pruning_by_hand():
    # Column norms: sqrt(10), sqrt(20), 5.
    np.testing.assert_array_equal(pruned(KERNEL, "unit", 0.33), KERNEL)
    np.testing.assert_array_equal(pruned(KERNEL, "unit", 0.34), [[0, -4, 0], [0, 2, 5]])
    np.testing.assert_array_equal(pruned(KERNEL, "unit", 0.67), [[0, 0, 0], [0, 0, 5]])
    np.testing.assert_array_equal(pruned(KERNEL, "unit", 1.0), np.zeros((2, 3)))


def test_ties_go_by_position_and_keep_the_count_exact():
    np.testing.assert_array_equal(pruned(np.full((2, 2), -7.0), "weight", 0.75), [[0, 0], [0, -7]])
    np.testing.assert_array_equal(pruned(np.ones((2, 4)), "unit", 0.5), [[0, 0, 1, 1]] * 2)


def test_a_single_weight():
    assert pruned([[3.0]], "weight", 0.999)[0, 0] == 3
    assert pruned([[3.0]], "weight", 1.0)[0, 0] == 0


def test_each_layer_is_ranked_on_its_own():
    kernels = {"small": np.array([[0.1, 0.2]]), "large": np.array([[10.0], [20.0]])}
    after = pruned_all(kernels, "weight", 0.5)
    np.testing.assert_array_equal(after["small"], [[0, 0.2]])
    np.testing.assert_array_equal(after["large"], [[0], [20.0]])
    np.testing.assert_array_equal(after["output"], np.ones((1, 2)))


def test_the_original_is_not_touched_and_the_type_stays():
    before = KERNEL.copy()
    after = pruned(KERNEL, "weight", 0.5)
    np.testing.assert_array_equal(KERNEL, before)
    assert after.dtype == np.float32


KERNELS = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=8),
    elements=st.floats(-3, 3, width=16),  # few values: many ties
)


METHODS = ["weight", "unit", "weight/random", "weight/lamp", "2x3", "unit_in_out"]


@given(KERNELS, st.sampled_from(METHODS), st.floats(0, 1))
def test_the_count_is_exact_and_what_stays_is_no_less_important(kernel, method, k):
    ranking = ranking_of(kernel, method)
    kept = ranking.kept(ranking.num_removed(k))
    assert kept.size - kept.sum() == num_pruned(k, kept.size)
    if kept.any() and not kept.all():
        assert ranking.scores[kept].min() >= ranking.scores[~kept].max()


@given(KERNELS, st.sampled_from([*METHODS, "1:2"]), st.floats(0, 1), st.floats(0, 1))
def test_masks_nest(kernel, method, one, other):
    lower, higher = (pruned(kernel + 10, method, k) != 0 for k in sorted((one, other)))
    assert not (higher & ~lower).any()


@given(KERNELS, st.floats(0, 1))
def test_what_is_gone_stays_gone(kernel, k):
    """Pruning a pruned network again begins with what has no weight any more."""
    kernels, method = with_output({"layer": kernel}), methods.parse("weight/random")
    masks = {"layer": np.arange(kernel.size).reshape(kernel.shape) % 2 == 0}
    again = make_masks(method, rank(method, kernels, masks=masks), k)["layer"]
    if num_pruned(k, kernel.size) >= np.count_nonzero(~masks["layer"]):
        assert not (again & ~masks["layer"]).any()
    else:
        assert (again | ~masks["layer"]).all()


def test_n_of_m_keeps_the_best_of_each_group_and_stops_there():
    kernel = np.array([[1.0], [4.0], [3.0], [2.0], [9.0], [8.0]], np.float32)
    np.testing.assert_array_equal(pruned(kernel, "2:4", 0.2).T, [[0, 4, 3, 2, 9, 8]])
    # The last group has two weights only, which may both stay.
    np.testing.assert_array_equal(pruned(kernel, "2:4", 0.5).T, [[0, 4, 3, 0, 9, 8]])
    np.testing.assert_array_equal(pruned(kernel, "2:4", 1.0).T, [[0, 4, 3, 0, 9, 8]])
    np.testing.assert_array_equal(pruned(np.ones((4, 1)), "2:4", 1.0).T, [[0, 0, 1, 1]])


@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 1000))
def test_n_of_m_holds_in_every_group(inputs, units, seed):
    kernel = np.random.default_rng(seed).normal(size=(inputs, units))
    kept = pruned(kernel, "1:3", 1.0) != 0
    for start in range(0, inputs, 3):
        assert (kept[start : start + 3].sum(axis=0) == 1).all()


def test_blocks_by_hand():
    kernel = np.array([[1, 1, 5], [1, 1, 0], [0, 3, 1]], np.float32)
    # Blocks of 2 × 2, smaller at the edges: norms 2, 5, 3, 1.
    np.testing.assert_array_equal(pruned(kernel, "2x2", 0.25), [[1, 1, 5], [1, 1, 0], [0, 3, 0]])
    np.testing.assert_array_equal(pruned(kernel, "2x2", 0.5), [[0, 0, 5], [0, 0, 0], [0, 3, 0]])


def test_units_by_what_they_feed_too():
    kernels = {
        "layer": np.array([[1.0, 2.0]]),
        "output": np.array([[9.0], [1.0]]),  # the first unit is weak, but all that counts later
    }
    method = methods.parse("unit_in_out")
    masks = make_masks(method, rank(method, kernels), 0.5)
    np.testing.assert_array_equal(masks["layer"], [[True, False]])


def test_global_scope_by_hand():
    hidden = {"small": np.array([[0.1, 0.2]]), "large": np.array([[10.0], [20.0]])}
    after = pruned_all(hidden, "weight/global", 0.5)
    assert not after["small"].any()
    np.testing.assert_array_equal(after["large"], hidden["large"])
    after = pruned_all(hidden, "weight/global", 0.75)
    np.testing.assert_array_equal(after["large"], [[0], [20.0]])


def test_erk_keeps_small_layers_denser_and_the_total_exact():
    generator = np.random.default_rng(0)
    hidden = {
        "wide": generator.normal(size=(40, 40)),
        "narrow": generator.normal(size=(40, 5)),
    }
    for k in (0.0, 0.3, 0.5, 0.9, 0.99, 1.0):
        after = pruned_all(hidden, "weight/erk", k)
        kept = {name: np.count_nonzero(after[name]) for name in hidden}
        assert sum(kept.values()) == 1800 - num_pruned(k, 1800)
        if 0 < k < 1:
            assert kept["narrow"] / 200 > kept["wide"] / 1600
    # Densities go as (40 + 40) / 1600 = 0.05 and (40 + 5) / 200 = 0.225; 180 weights stay.
    scale = 180 / (0.05 * 1600 + 0.225 * 200)
    after = pruned_all(hidden, "weight/erk", 0.9)
    assert np.count_nonzero(after["wide"]) == pytest.approx(scale * 0.05 * 1600, abs=1)


def test_scope_output_by_hand():
    """Every unit loses the share of its inputs, whatever the weights of other units are."""
    kernel = np.array([[1, 50], [2, 60], [3, 70], [4, 80.0]])
    np.testing.assert_array_equal(
        pruned(kernel, "weight/output", 0.5), [[0, 0], [0, 0], [3, 70], [4, 80]]
    )
    np.testing.assert_array_equal(pruned(kernel, "weight/output", 0.25)[0], [0, 0])
    np.testing.assert_array_equal(pruned(kernel, "weight/output", 0.24), kernel)
    assert not pruned(kernel, "weight/output", 1.0).any()
    # Ties go by position.
    np.testing.assert_array_equal(pruned(np.ones((4, 2)), "weight/output", 0.5)[:, 0], [0, 0, 1, 1])


@given(KERNELS, st.floats(0, 1), st.sampled_from(["weight/output", "2x1/output"]))
def test_scope_output_is_exact_for_every_unit(kernel, k, method):
    kernel = np.abs(kernel) + 1
    kept = ranking_of(kernel, method).kept(
        SCOPES.get("output")({"layer": ranking_of(kernel, method)}, k)["layer"]
    )
    gone = (~kept).sum(axis=0)
    assert (gone == num_pruned(k, kept.shape[0])).all()


def test_scope_output_goes_with_weights_only():
    with pytest.raises(UsageError, match="cannot prune whole units"):
        methods.parse("unit/output")


def test_erk_redistributes_what_a_pattern_does_not_allow():
    """2:4 allows half of every layer; the narrow one would keep more, and its share goes there."""
    generator = np.random.default_rng(0)
    hidden = {"wide": generator.normal(size=(40, 40)), "narrow": generator.normal(size=(40, 4))}
    after = pruned_all(hidden, "2:4/erk", 0.5)
    assert sum(np.count_nonzero(after[name]) for name in hidden) == 1760 // 2
    after = pruned_all(hidden, "2:4/erk", 0.3)
    assert sum(np.count_nonzero(after[name]) for name in hidden) == 1760 - 528


def test_below_its_pattern_groups_keep_more_than_n():
    kernel = np.arange(1.0, 17).reshape(8, 2)
    kept = (pruned(kernel, "2:4", 0.25) != 0).reshape(2, 4, 2).sum(axis=1)
    assert kept.max() > 2
    kept = (pruned(kernel, "2:4", 0.5) != 0).reshape(2, 4, 2).sum(axis=1)
    assert (kept == 2).all()


def test_biases_go_with_whole_units_only():
    weights = Weights.of_chain({"layer": KERNEL, "output": KERNEL.T}, {"layer": np.ones(3)})
    masks = {"layer": np.array([[True, False, False], [False, False, True]])}
    np.testing.assert_array_equal(weights.masked(masks).biases["layer"], [1, 1, 1])
    np.testing.assert_array_equal(weights.masked(masks, by_unit=True).biases["layer"], [1, 0, 1])


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize(
    ("returned", "came"),
    [
        (KERNEL * np.nan, "is not finite in 6 of 6 places"),
        (np.where(KERNEL == 5, np.inf, 1), "is not finite in 1 of 6 places"),
        (KERNEL, "is negative in 2 of 6 places"),
        (-1 - abs(KERNEL), "is negative in 6 of 6 places"),
        (np.ones(3), r"is of shape \(3,\)"),
        (1.0, r"is of shape \(\)"),
        (None, "is of the type NoneType"),
        ("abc", "is of the type str"),
        ([[1, 2], [3]], "is of the type list"),
        (KERNEL.astype(str), "is of the type <U"),
        (KERNEL.astype(object), "is of the type object"),
        (KERNEL.astype(complex), "is of the type complex"),
    ],
)
def test_scores_that_are_none_are_refused(returned, came):
    register_criterion("broken")(lambda layer: returned)  # noqa: ARG005
    needed = r"must return finite, non-negative scores of shape \(2, 3\) for the layer layer"
    with pytest.raises(RunError, match=f"{needed}, but the result {came}"):
        pruned(KERNEL, "weight/broken", 0.5)


@pytest.mark.usefixtures("registries")
def test_scores_that_add_up_are_summed_over_what_is_removed_together():
    """Sums of columns are 4, 6 and 5, norms √10, √20 and 5; sums of blocks 5, 0, 5 and 5."""
    register_criterion("sums")(additive(lambda layer: abs(layer.kernel)))
    register_criterion("norms")(lambda layer: abs(layer.kernel))
    gone = {name: ~pruned(KERNEL, f"unit/{name}", 0.67).any(axis=0) for name in ("sums", "norms")}
    np.testing.assert_array_equal(gone["sums"], [True, False, True])
    np.testing.assert_array_equal(gone["norms"], [True, True, False])
    np.testing.assert_allclose(ranking_of(KERNEL, "1x2/sums").scores ** 2, [[5, 0], [5, 5]])
    # Single weights are not summed with anything.
    np.testing.assert_array_equal(ranking_of(KERNEL, "weight/sums").scores, abs(KERNEL))


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("dtype", [bool, int, np.uint8, np.float16, np.float64])
def test_scores_of_any_real_type_will_do(dtype):
    register_criterion("coarse")(lambda layer: (abs(layer.kernel) > 2).astype(dtype))
    np.testing.assert_array_equal(
        pruned(KERNEL, "weight/coarse", 0.5), np.where(abs(KERNEL) > 2, KERNEL, 0)
    )
