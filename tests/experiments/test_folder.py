import json
from fnmatch import fnmatch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network_pruning.data import registry
from network_pruning.experiments import folder as experiment
from network_pruning.experiments.paths import ArtifactPaths
from network_pruning.settings.experiment import ExperimentConfig
from network_pruning.utils import RunError


class Data:
    digest = "d1"


def made(root, k_vals=(0.5,), **values):
    """An experiment's files, without real content."""
    paths = ArtifactPaths(root)
    (root / "checkpoints").mkdir(parents=True)
    config = ExperimentConfig(k_vals=k_vals, **values)
    record = {"settings": config.to_dict(), "dataset_sha256": "d1", "checkpoint_sha256": "c"}
    experiment.write_record(paths, record)
    paths.best_weights.write_text("weights")
    paths.results.write_text(f"results of seed {config.seed}")
    for k in config.k_vals:
        paths.histogram("weight", k).write_text("")
    return paths


@pytest.fixture
def paths(tmp_path):
    registry.names()  # imports the loaders, which a record may tell the code of
    return made(tmp_path / "x")


def test_a_finished_experiment_is_worked_on_in_place(paths):
    work, record = experiment.workplace(ExperimentConfig(), Data, paths)
    assert work == paths
    assert experiment.is_finished(record)


def test_other_settings_are_refused_and_force_makes_a_replacement(paths):
    with pytest.raises(RunError, match=r"`seed=1` instead of 0.*--force_train"):
        experiment.workplace(ExperimentConfig(seed=1), Data, paths)
    config = ExperimentConfig(seed=1, force_train=True)
    assert experiment.workplace(config, Data, paths) == (paths.retraining, None)


def test_another_version_of_the_data_is_refused(paths):
    class Other:
        digest = "d2"

    with pytest.raises(RunError, match="another version of the data set"):
        experiment.workplace(ExperimentConfig(), Other, paths)


def test_a_replacement_goes_on_only_with_the_same_settings(paths):
    made(paths.retraining.root, seed=1)
    forced = ExperimentConfig(seed=1, force_train=True)
    work, record = experiment.workplace(forced, Data, paths)
    assert work == paths.retraining
    assert record["settings"]["seed"] == 1
    other = ExperimentConfig(seed=2, force_train=True)
    assert experiment.workplace(other, Data, paths) == (paths.retraining, None)
    assert not paths.retraining.root.exists()
    assert paths.results.read_text() == "results of seed 0"


def test_a_replacement_takes_the_place_and_the_users_files_stay(paths):
    (paths.root / "notes.txt").write_text("mine")
    made(paths.retraining.root, k_vals=(0.9,), seed=1)
    experiment.replace(paths)
    assert paths.results.read_text() == "results of seed 1"
    assert json.loads(paths.config.read_text())["settings"]["seed"] == 1
    names = {path.name for path in paths.root.iterdir()}
    assert names == {
        "config.json",
        "checkpoints",
        "results.csv",
        "pruned_weights_l1_k=0.9.png",
        "notes.txt",
    }


def test_a_replacement_that_was_cut_short_is_finished(paths):
    made(paths.retraining.root, k_vals=(0.9,), seed=1)
    paths.retraining.root.rename(paths.retrained.root)
    paths.retrained.results.replace(paths.results)  # killed here
    experiment.tidy(paths)
    assert paths.results.read_text() == "results of seed 1"
    assert paths.histogram("weight", 0.9).exists()
    assert not paths.histogram("weight", 0.5).exists()
    assert not paths.retrained.root.exists()


def test_without_the_new_table_no_trained_network_is_removed(paths):
    network = paths.network_of("weight/finetune", 0.5, "recipe")
    network.parent.mkdir(parents=True)
    network.write_text("trained")
    made(paths.retraining.root, seed=1)
    experiment.replace(paths)
    assert paths.results.read_text() == "results of seed 1"
    assert network.read_text() == "trained"


def test_trained_networks_of_the_old_weights_go_and_those_of_the_new_stay(paths):
    """A control of several rounds has been made from others, which have no row."""
    new = made(paths.retraining.root, seed=1)
    table = "method,k,recipe,checkpoint\nweight/finetune,0.0,two-rounds,c\n"
    new.metrics.write_text(table)
    for place, digest in ((paths, "old"), (new, "one-round"), (new, "two-rounds")):
        network = place.network_of("weight/finetune", 0.0, digest)
        network.parent.mkdir(parents=True, exist_ok=True)
        network.write_text(digest)
    experiment.replace(paths)
    kept = {path.read_text() for path in paths.root.glob("networks/*/*")}
    assert kept == {"one-round", "two-rounds"}


def test_leftovers_of_a_killed_write_are_removed(paths):
    (paths.root / ".network-pruning-abc.png").write_text("")
    (paths.root / "checkpoints" / ".network-pruning-abc.hdf5").write_text("")
    experiment.tidy(paths)
    assert not list(paths.root.rglob(".network-pruning-*"))


def test_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("")
    with pytest.raises(RunError, match="is not an experiment of this program"):
        experiment.tidy(ArtifactPaths(tmp_path))


def test_what_is_left_of_taking_over_a_lock_makes_no_foreign_folder(tmp_path):
    (tmp_path / f".lock.break.123.{'0' * 32}").touch()
    (tmp_path / ".lock").touch()
    experiment.tidy(ArtifactPaths(tmp_path))


# Whatever bears such a name counts as made by this program.
OWN_NAMES = {
    "config.json",
    "history.csv",
    "results.csv",
    "metrics.csv",
    "report.html",
    "loss_accuracy.png",
    "method_comparison.png",
    "pruned_loss_accuracy.png",
    "pruned_weights.gif",
    "pruned_units.gif",
    "checkpoints",
}


def is_foreign(name):
    return name not in OWN_NAMES | {".", ".."} and not fnmatch(name, "pruned_*_k=*.png")


FOREIGN_NAMES = (
    st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1)
    .filter(is_foreign)
    .filter(lambda name: len(name.encode()) < 200)
)


@settings(max_examples=50)
@given(st.sets(FOREIGN_NAMES))
def test_only_own_files_are_ever_removed(tmp_path_factory, names):
    paths = made(tmp_path_factory.mktemp("e") / "x")
    for name in names:
        (paths.root / name).write_text("mine")
    paths.remove_files()
    left = {path.name for path in paths.root.iterdir()} if paths.root.exists() else set()
    assert left == names


@given(st.text(max_size=40), st.floats(0, 1))
def test_artifacts_stay_below_the_output_folder(name, k):
    try:
        config = ExperimentConfig(experiment_id=name, output_dir="/out")
    except ValueError:
        return
    paths = ArtifactPaths.of(config)
    assert str(paths.histogram("unit", k).parent) == f"/out/{name}"


def test_exports_go_with_the_weights_they_are_of_and_other_files_stay(tmp_path):
    paths = ArtifactPaths(tmp_path)
    paths.exports.mkdir()
    figures = "size_accuracy.png", "pareto.png", "README.md"
    for name in ("model.npk", "model.keras", "model.tflite", "export.json", *figures):
        (paths.exports / name).touch()
    (paths.exports / "mine.txt").touch()
    paths.remove_exports()
    assert [file.name for file in paths.exports.iterdir()] == ["mine.txt"]
    (paths.exports / "mine.txt").unlink()
    paths.remove_exports()
    assert not paths.exports.exists()
    paths.remove_exports()
