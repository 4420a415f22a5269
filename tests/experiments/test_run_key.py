import dataclasses

import pytest
from network_pruning.experiments import run_key
from network_pruning.pruning import methods
from network_pruning.pruning.schedules import SCHEDULES, register_schedule
from network_pruning.settings.experiment import ExperimentConfig


def digest(text, k, **settings):
    config = ExperimentConfig(**{"k_vals": (0.5, 0.9), **settings})
    return run_key.network_key(config, methods.parse(text), k, "checkpoint").digest


@pytest.mark.parametrize(
    ("text", "k", "known"),
    [
        ("weight", 0.9, "011006b0dd30"),
        ("weight/gradual/finetune", 0.9, "09a1286a492b"),
        ("unit/finetune", 0.0, "e4f8f335f640"),
    ],
)
def test_networks_of_earlier_versions_are_found(text, k, known):
    assert digest(text, k) == known


GRADUAL, FINETUNE = "weight/gradual/finetune", "weight/finetune"


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (GRADUAL, {"k_vals": (0.0, 0.5, 0.9)}),
        (GRADUAL, {"k_vals": (0.5, 0.9, 0.95)}),
        (GRADUAL, {"rewind_epoch": 3}),
        (GRADUAL, {"prune_fraction": 0.5}),
        ("weight/gradual", {"finetune_epochs": 9}),
        (FINETUNE, {"k_vals": (0.1, 0.9)}),
        (FINETUNE, {"prune_epochs": 9}),
        ("weight/lr_rewind", {"finetune_learning_rate": 0.1}),
        ("weight", {"shift": 1, "distillation": 0.5, "finetune_epochs": 9}),
        (GRADUAL, {"methods": ("unit",), "plugins": ("nothing",), "output_dir": "elsewhere"}),
    ],
)
def test_what_does_not_matter(text, settings):
    assert digest(text, 0.9, **settings) == digest(text, 0.9)


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (GRADUAL, {"k_vals": (0.4, 0.5, 0.9)}),
        (GRADUAL, {"k_vals": (0.9,)}),
        (GRADUAL, {"prune_epochs": 9}),
        (GRADUAL, {"finetune_epochs": 9}),
        (GRADUAL, {"finetune_learning_rate": 0.1}),
        (GRADUAL, {"distillation": 0.1}),
        (GRADUAL, {"shift": 1}),
        (GRADUAL, {"seed": 1}),
        ("weight/iterative", {"prune_fraction": 0.5}),
        ("weight/weight_rewind", {"rewind_epoch": 1}),
        ("weight/reconstruct", {"calibration_examples": 500}),
        ("weight/distill", {"seed": 1}),
        ("weight/budget", {"calibration_examples": 500}),
    ],
)
def test_what_matters(text, settings):
    assert digest(text, 0.9, **settings) != digest(text, 0.9)


def test_method_sparsity_and_checkpoint_matter():
    config = ExperimentConfig()
    digests = {
        run_key.network_key(config, methods.parse(text), k, checkpoint).digest
        for text in ("weight", "unit", "weight/random")
        for k in (0.5, 0.9)
        for checkpoint in ("one", "other")
    }
    assert len(digests) == 12


def test_a_row_tells_the_settings_that_made_it():
    config = ExperimentConfig(k_vals=(0.5, 0.7, 0.9), prune_epochs=3, shift=2, rewind_epoch=1)
    made = run_key.network_key(config, methods.parse(GRADUAL), 0.9, "c").columns()
    assert made == {
        "k": 0.9,
        "earlier_k": "0.5 0.7",
        "rounds": 3,
        "prune_epochs": 3,
        "prune_fraction": None,
        "finetune_epochs": 6,
        "finetune_learning_rate": None,
        "rewind_epoch": None,
        "distillation": 0.0,
        "shift": 2,
        "calibration_examples": None,
        "plugins": None,
    }


def test_settings_as_text_and_those_without_use():
    texts = ("weight", "unit/lr_rewind")
    config = ExperimentConfig(shift=1, prune_epochs=8, rewind_epoch=2, methods=texts)
    chosen = list(map(methods.parse, texts))
    assert run_key.settings_text(config, chosen) == "finetune_epochs=6, distillation=0.0, shift=1"
    assert run_key.unused_settings(config) == ["--prune_epochs", "--rewind_epoch"]
    assert run_key.settings_text(config, chosen[:1]) == ""
    config = dataclasses.replace(config, methods=texts[:1])
    assert "--shift" in run_key.unused_settings(config)


@pytest.mark.usefixtures("registries")
def test_a_schedule_sees_what_it_declares_and_depends_on_it():
    @register_schedule("declared", settings=("shift",))
    def declared(_previous, k, config):
        assert not hasattr(config, "prune_epochs")
        return SCHEDULES.get("oneshot")(0, k, config)

    @register_schedule("open")
    def undeclared(_previous, k, config):
        assert config.prune_epochs
        return SCHEDULES.get("oneshot")(0, k, config)

    assert digest("weight/declared", 0.9, prune_epochs=9) == digest("weight/declared", 0.9)
    assert digest("weight/open", 0.9, prune_epochs=9) != digest("weight/open", 0.9)


def test_every_retraining_setting_is_used_by_some_method():
    text = ("weight/gradual/finetune", "weight/iterative/weight_rewind", "weight/reconstruct")
    used = {name for method in map(methods.parse, text) for name in methods.settings_of(method)}
    assert used == set(run_key.retraining_settings())
    assert used < {f.name for f in dataclasses.fields(ExperimentConfig)}


def key(text, k, **settings):
    config = ExperimentConfig(**{"k_vals": (0.5, 0.9), **settings})
    return run_key.network_key(config, methods.parse(text), k, "checkpoint")


@pytest.mark.parametrize(
    ("text", "k", "rounds"),
    [
        ("weight", 0.9, 0),
        ("weight", 0.0, 0),
        (FINETUNE, 0.9, 1),
        (GRADUAL, 0.5, 1),
        (GRADUAL, 0.9, 2),
        (GRADUAL, 0.0, 1),
        ("weight/iterative/finetune", 0.5, 4),  # 80 %, 64 %, 51.2 % and 50 % remain
        ("weight/iterative/finetune", 0.0, 1),
    ],
)
def test_how_many_rounds_of_training_a_network_has_had(text, k, rounds):
    assert key(text, k).rounds == rounds


def test_methods_that_train_alike_share_a_control():
    one, other = key(GRADUAL, 0.0), key("unit/obd/global/gradual/finetune", 0.0)
    assert one.is_control
    assert one.digest != other.digest  # rows of their own
    assert one.training == other.training
    assert one.training != key(FINETUNE, 0.0).training
    assert one.training != key(GRADUAL, 0.0, finetune_epochs=9).training
    assert not key("weight", 0.0).is_control


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ({"k_vals": (0.1, 0.9)}, True),
        ({"prune_epochs": 9}, False),
        ({"shift": 1}, False),
        ({"control_rounds": 2}, False),
    ],
)
def test_what_a_control_depends_on(settings, same):
    assert (key(GRADUAL, 0.0, **settings).digest == key(GRADUAL, 0.0).digest) == same


def test_the_rounds_of_a_control_are_no_matter_of_other_networks():
    assert key(GRADUAL, 0.9, control_rounds=2) == key(GRADUAL, 0.9)
