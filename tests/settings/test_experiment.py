import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_pruning.settings.experiment import DEFAULT_K_VALS, ExperimentConfig
from network_pruning.utils import UsageError


def test_defaults():
    config = ExperimentConfig()
    assert config.k_vals == DEFAULT_K_VALS
    assert (config.batch_size, config.epochs, config.learning_rate) == (128, 20, 0.001)
    assert (config.num_valid, config.keep_best, config.force_train) == (10_000, True, False)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"epochs": 0}, "`epochs=0` prunes a saved model as it is, but `model=mlp` is not one"),
        ({"epochs": -1}, "`epochs` must be at least 1"),
        ({"batch_size": 0}, "`batch_size` must be at least 1"),
        ({"learning_rate": 0.0}, "`learning_rate` must be greater than 0"),
        ({"learning_rate": float("nan")}, "`learning_rate` must be greater than 0"),
        ({"learning_rate": float("inf")}, "`learning_rate` must be greater than 0"),
        ({"l1_reg": -0.1}, "`l1_reg` must be at least 0"),
        ({"l2_reg": float("inf")}, "`l2_reg` must be at least 0 and finite"),
        ({"num_valid": 60_000}, "`num_valid` must lie between 0 and 59999"),
        ({"num_valid": -1}, "`num_valid` must lie between 0 and 59999"),
        ({"seed": -1}, "`seed` must lie between"),
        ({"seed": 2**32}, "`seed` must lie between"),
        ({"k_vals": ()}, "`k_vals` is empty"),
        ({"k_vals": (25.0,)}, "did you mean 0.25?"),
        ({"k_vals": (99.9,)}, "did you mean 0.999?"),
        ({"k_vals": (-0.1,)}, "-0.1 is not a fraction"),
        ({"k_vals": (float("nan"),)}, "nan is not a fraction"),
        ({"output_dir": " "}, "`output_dir` is empty"),
    ],
)
def test_bad_settings_are_named(settings, sentence):
    with pytest.raises(UsageError) as caught:
        ExperimentConfig(**settings)
    assert sentence in str(caught.value)


def test_k_vals_are_sorted_and_distinct():
    assert ExperimentConfig(k_vals=(0.9, 0.0, 0.9, -0.0, 1)).k_vals == (0.0, 0.9, 1.0)


@given(st.lists(st.floats(0, 1), min_size=1))
def test_every_list_of_fractions_is_accepted(k_vals):
    accepted = ExperimentConfig(k_vals=tuple(k_vals)).k_vals
    assert set(accepted) == set(k_vals)
    assert list(accepted) == sorted(accepted)


def test_the_config_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ExperimentConfig().epochs = 3
