"""What TensorBoard reads of an experiment, by TensorBoard's own reader."""

import errno
import io
import json
import os
import sys

import numpy as np
import pytest
from conftest import HOOK
from network_pruning.experiments.paths import ArtifactPaths
from network_pruning.pages import events
from network_pruning.pages.tensorboard import write_tensorboard
from network_pruning.settings.experiment import ExperimentConfig
from network_pruning.utils import RunError
from network_pruning.visualization import csv
from PIL import Image

# Extras, which `make floors` does without.
accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
api_pb2 = pytest.importorskip("tensorboard.plugins.hparams.api_pb2")
metadata = pytest.importorskip("tensorboard.plugins.hparams.metadata")
RecordWriter = pytest.importorskip("tensorboardX.record_writer").RecordWriter
STORE_EVERYTHING_SIZE_GUIDANCE = accumulator.STORE_EVERYTHING_SIZE_GUIDANCE
EventAccumulator = accumulator.EventAccumulator

METRICS = """\
dataset,seed,checkpoint,method,granularity,criterion,recovery,finetune_epochs,k,sparsity,\
compression_ratio,speedup,valid_accuracy,test_accuracy,test_loss,recipe
digits,3,abc,weight,weight,magnitude,none,,0.0,0.0,1.0,1.0,0.98,0.97,0.1,r0
digits,3,abc,weight,weight,magnitude,none,,0.9,0.9,10.0,8.0,0.95,0.94,0.25,r1
digits,3,abc,weight,weight,magnitude,none,,1.0,1.0,inf,inf,0.11,0.12,2.5,r2
digits,3,abc,2:4/magnitude/layer,2:4,magnitude,finetune,6,0.9,0.5,2.0,1.0,0.975,0.965,,r3
digits,3,abc,unit/random,unit,random,none,,0.9,0.8986,9.5,9.0,0.75,0.955,1.5,r4
digits,3,another,weight,weight,magnitude,none,,0.9,0.9,10.0,8.0,0.5,0.5,0.5,r5
"""
HISTORY = """\
epoch,loss,accuracy,val_loss,val_accuracy
1,0.5,0.75,0.625,0.5
2,0.25,0.875,,
"""
# When the table of networks was written.
TIME = 1_700_000_000


@pytest.fixture
def paths(tmp_path):
    """A finished experiment, made up."""
    paths = ArtifactPaths(tmp_path / "made-up")
    paths.page_data.mkdir(parents=True)
    config = ExperimentConfig(
        epochs=2, l1_reg=0.5, seed=3, model="/some/where/net.keras", experiment_id="made-up"
    )
    record = {"checkpoint_sha256": "abc", "settings": config.to_dict()}
    paths.config.write_text(json.dumps(record))
    paths.history.write_text(HISTORY)
    paths.metrics.write_text(METRICS)
    os.utime(paths.metrics, (TIME, TIME))
    look(paths.diagnostics("r1"), ["hidden_1", "empty"], [[0, 2, 0, 0, 0, 1, 4, 0], [0] * 8])
    look(paths.diagnostics("r4"), ["hidden_1"], [[5] * 8])
    Image.new("RGB", (3, 2), "red").save(paths.method_comparison)
    return paths


def look(path, layers, counts):
    """Writes distributions between -2 and 2, and nothing else."""
    numbers = np.arange(len(layers))
    np.savez(
        path,
        **{"answers": numbers, "layers": np.array(layers), "sizes": numbers, "changed": numbers},
        **{"low": numbers * 0.0 - 2, "high": numbers * 0.0 + 2, "counts": np.array(counts)},
    )


def read(paths, run):
    """What TensorBoard knows of a run."""
    return EventAccumulator(
        str(paths.root / "tensorboard" / run), STORE_EVERYTHING_SIZE_GUIDANCE
    ).Reload()


def scalars(paths, run):
    """Pairs of step and number, rounded to what a float of 32 bits holds, by tag."""
    reader = read(paths, run)
    return {
        tag: [(event.step, float(f"{event.value:.6g}")) for event in reader.Scalars(tag)]
        for tag in reader.Tags()["scalars"]
    }


def written(paths):
    """The bytes of every event file, by the path in the folder for TensorBoard."""
    place = paths.root / "tensorboard"
    return {
        str(file.relative_to(place)): file.read_bytes()
        for file in place.rglob("*")
        if file.is_file()
    }


def files_of(*runs):
    return {f"{run}/{events.FILE_NAME}" for run in runs}


ALL = files_of("training", "figures", "summary", "weight", "2of4-magnitude-layer", "unit-random")


def test_training_goes_by_epochs_and_leaves_out_what_is_missing(paths):
    assert write_tensorboard(paths) == paths.root / "tensorboard"
    assert scalars(paths, "training") == {
        "loss": [(1, 0.5), (2, 0.25)],
        "accuracy": [(1, 0.75), (2, 0.875)],
        "val_loss": [(1, 0.625)],
        "val_accuracy": [(1, 0.5)],
    }


def test_a_method_goes_by_sparsities_and_leaves_out_what_is_infinite(paths):
    write_tensorboard(paths)
    assert scalars(paths, "weight") == {
        "test_accuracy": [(0, 0.97), (9000, 0.94), (10000, 0.12)],
        "valid_accuracy": [(0, 0.98), (9000, 0.95), (10000, 0.11)],
        "test_loss": [(0, 0.1), (9000, 0.25), (10000, 2.5)],
        "compression_ratio": [(0, 1.0), (9000, 10.0)],
        "speedup": [(0, 1.0), (9000, 8.0)],
        "sparsity": [(0, 0.0), (9000, 0.9), (10000, 1.0)],
    }
    assert {event.wall_time for event in read(paths, "weight").Scalars("speedup")} == {TIME}


def test_every_method_begins_at_the_dense_network(paths):
    write_tensorboard(paths)
    assert scalars(paths, "unit-random")["test_accuracy"] == [(0, 0.97), (9000, 0.955)]
    assert scalars(paths, "2of4-magnitude-layer")["test_loss"] == [(0, 0.1)]


def test_a_distribution_without_its_empty_buckets(paths):
    write_tensorboard(paths)
    reader = read(paths, "weight")
    assert reader.Tags()["histograms"] == ["weights/hidden_1"]
    (event,) = reader.Histograms("weights/hidden_1")
    found = event.histogram_value
    assert event.step == 9000
    # From -1.5 to -1; nothing from there to 0.5; from 0.5 to 1; from 1 to 1.5.
    assert (found.min, found.max, found.num) == (-1.5, 1.5, 7)
    assert list(found.bucket_limit) == [-1, 0.5, 1, 1.5]
    assert list(found.bucket) == [2, 0, 1, 4]
    assert found.sum == 2 * -1.25 + 0.75 + 4 * 1.25
    assert found.sum_squares == 2 * 1.25**2 + 0.75**2 + 4 * 1.25**2


def test_of_units_the_norms_are_shown_and_say_so(paths):
    write_tensorboard(paths)
    (event,) = read(paths, "unit-random").Histograms("unit_norms/hidden_1")
    assert list(event.histogram_value.bucket) == [5] * 8


def test_without_page_data_there_are_no_distributions(paths):
    for file in paths.page_data.iterdir():
        file.unlink()
    write_tensorboard(paths)
    assert set(written(paths)) == ALL
    for run in ("weight", "unit-random"):
        assert read(paths, run).Tags()["histograms"] == []
        assert "test_accuracy" in scalars(paths, run)


def test_the_figures_that_are_there_are_shown_as_they_are(paths):
    write_tensorboard(paths)
    reader = read(paths, "figures")
    assert reader.Tags()["images"] == ["method_comparison"]
    (event,) = reader.Images("method_comparison")
    with Image.open(io.BytesIO(event.encoded_image_string)) as shown:
        assert (shown.size, shown.getcolors()) == ((3, 2), [(6, (255, 0, 0))])


def test_hparams_compares_experiments_by_the_settings_that_were_used(paths):
    write_tensorboard(paths)
    content = read(paths, "summary").PluginTagToContent("hparams")
    start = metadata.parse_session_start_info_plugin_data(content[metadata.SESSION_START_INFO_TAG])
    end = metadata.parse_session_end_info_plugin_data(content[metadata.SESSION_END_INFO_TAG])
    assert {name: getattr(v, v.WhichOneof("kind")) for name, v in start.hparams.items()} == {
        "dataset": "digits",
        "model": "net.keras",
        "batch_size": 128,
        "epochs": 2,
        "learning_rate": 0.001,
        "l1_reg": 0.5,
        "l2_reg": 0,
        "num_valid": 10_000,
        "keep_best": True,
        "seed": 3,
        "finetune_epochs": 6,
    }
    assert start.hparams["keep_best"].WhichOneof("kind") == "bool_value"
    assert end.status == api_pb2.STATUS_SUCCESS


def test_hparams_tells_the_best_of_those_that_removed_as_much_as_asked(paths):
    write_tensorboard(paths)
    # 2:4 validates better but removes half; unit/random tests better but validates worse.
    assert scalars(paths, "summary") == {
        "test_accuracy_dense": [(0, 0.97)],
        "test_accuracy_k=0.9": [(0, 0.94)],
    }


def test_where_nothing_was_held_out_the_best_is_the_best_on_test_examples(paths):
    rows = csv.read_metrics(paths.metrics)
    csv.write_metrics(paths.metrics, rows.assign(valid_accuracy=None))
    write_tensorboard(paths)
    assert "valid_accuracy" not in scalars(paths, "weight")
    assert scalars(paths, "summary")["test_accuracy_k=0.9"] == [(0, 0.955)]


def test_writing_again_gives_the_same_bytes_in_the_same_places(paths):
    write_tensorboard(paths)
    before = written(paths)
    assert set(before) == ALL
    write_tensorboard(paths)
    again = written(paths)
    assert set(again) == set(before)
    assert {name for name in ALL if again[name] != before[name]} <= files_of("summary")
    assert sorted(p.name for p in (paths.root / "tensorboard").iterdir()) == sorted(
        name.split("/")[0] for name in ALL
    )


def test_what_is_no_longer_there_goes_and_what_is_of_others_stays(paths):
    place = paths.root / "tensorboard"
    write_tensorboard(paths)
    (place / "unit-random" / "notes.txt").write_text("mine")
    (place / "figures" / "events.out.tfevents.1.mine").write_bytes(b"mine")
    (place / events.UNFINISHED).mkdir()
    (place / events.UNFINISHED / "weight").write_bytes(b"half of it")  # of a run that was killed
    paths.metrics.write_text("".join(METRICS.splitlines(keepends=True)[:4]))
    paths.method_comparison.unlink()
    write_tensorboard(paths)
    others = {"unit-random/notes.txt", "figures/events.out.tfevents.1.mine"}
    assert set(written(paths)) == files_of("training", "summary", "weight") | others
    assert not (place / "2of4-magnitude-layer").exists()
    assert not (place / events.UNFINISHED).exists()


def test_all_that_was_written_can_be_removed(paths):
    write_tensorboard(paths)
    events.remove_events(paths.root / "tensorboard")
    assert not (paths.root / "tensorboard").exists()
    events.remove_events(paths.root / "tensorboard")


@pytest.mark.parametrize("is_first", [True, False])
def test_a_full_disk_leaves_the_old_files_and_nothing_else(paths, monkeypatch, is_first):
    if not is_first:
        write_tensorboard(paths)
    before = written(paths)
    calls = []

    def fill_up(writer):
        calls.append(writer)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RecordWriter, "flush", fill_up)
    paths.metrics.write_text(METRICS.replace("0.94", "0.93"))
    with pytest.raises(RunError, match=r"cannot be written to \(No space left on device\)"):
        write_tensorboard(paths)
    assert written(paths) == before
    assert (paths.root / "tensorboard").exists() == (not is_first)


def test_where_something_is_in_the_way_it_is_said(paths):
    (paths.root / "tensorboard").mkdir()
    (paths.root / "tensorboard" / "weight").write_text("mine")
    with pytest.raises(RunError, match="tensorboard cannot be written to"):
        write_tensorboard(paths)
    assert set(written(paths)) == {"weight"}


@pytest.mark.parametrize("missing", ["config", "metrics"])
def test_an_unfinished_experiment_is_refused(paths, missing):
    getattr(paths, missing).unlink()
    with pytest.raises(RunError, match="has no tested networks yet"):
        write_tensorboard(paths)


def test_without_tensorboardx_it_is_said_how_to_get_it(paths, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(RunError) as raised:
        write_tensorboard(paths)
    assert str(raised.value) == (
        "--tensorboard needs the package tensorboardX: pip install "
        "'./network-pruning[tensorboard]' from the folder above the checkout."
    )
    assert not (paths.root / "tensorboard").exists()


def test_it_needs_no_tensorflow_or_pytorch_and_another_process_writes_the_same(cli, paths, root):
    code = f"""{HOOK}
import pathlib, runpy
runpy.run_path({str(root / "__main__.py")!r})["load_package"]()
from network_pruning.experiments import paths
from network_pruning.pages import tensorboard
tensorboard.write_tensorboard(paths.ArtifactPaths(pathlib.Path({str(paths.root)!r})))
"""
    done = cli(command=(sys.executable, "-c", code))
    assert (done.returncode, done.stderr) == (0, "")
    found = written(paths)
    assert set(found) == ALL
    write_tensorboard(paths)
    again = written(paths)
    assert {name for name in ALL if again[name] != found[name]} <= files_of("summary")
