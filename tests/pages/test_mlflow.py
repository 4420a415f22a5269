"""What MLflow knows of an experiment, by MLflow's own client."""

import json
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from network_pruning.experiments.paths import ArtifactPaths
from network_pruning.pages import mlflow_runs, mlflow_store, publish
from network_pruning.settings.experiment import ExperimentConfig
from network_pruning.utils import RunError

# An extra, which `make floors` does without.
mlflow = pytest.importorskip("mlflow")

METRICS = """\
dataset,seed,checkpoint,method,granularity,criterion,recovery,finetune_epochs,k,sparsity,\
compression_ratio,speedup,valid_accuracy,test_accuracy,test_loss,recipe
digits,{seed},abc,weight,weight,magnitude,none,,0.0,0.0,1.0,1.0,0.98,0.97,0.1,r0
digits,{seed},abc,weight,weight,magnitude,none,,0.9,0.9,10.0,8.0,0.95,0.94,0.25,r1
digits,{seed},abc,weight,weight,magnitude,none,,1.0,1.0,inf,inf,0.11,0.12,2.5,r2
digits,{seed},abc,2:4/magnitude/layer,2:4,magnitude,finetune,6,0.9,0.5,2.0,1.0,0.975,0.965,,r3
"""
EXPORTED = {"npk_bytes": 900, "nonzero": 80, "multiply_adds": 70, "valid_accuracy": 0.9}
EXPORTED["test_accuracy"] = 0.8
SUMMARY = """\
method,granularity,criterion,k,seeds,sparsity_mean,valid_accuracy_mean,test_accuracy_mean
weight,weight,magnitude,0.0,2,0.0,0.98,0.97
weight,weight,magnitude,0.9,2,0.9,0.95,0.94
"""


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """MLflow's client and its runs by name: of an experiment that was logged twice, and of two
    seeds."""
    folder = tmp_path_factory.mktemp("results")
    single = written(ArtifactPaths(folder / "made-up"), 3)
    several = ArtifactPaths(folder / "several")
    seeds = [
        written(ArtifactPaths(several.replicates / f"several-seed={seed}"), seed) for seed in (0, 1)
    ]
    several.summary.write_text(SUMMARY)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        mlflow_runs.write_mlflow(single)
        (single.exports / "export.json").write_text(json.dumps({"after": EXPORTED}))
        for paths in (single, *seeds, several):
            publish.write_log("mlflow", paths)
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    group = client.get_experiment_by_name("network-pruning")
    runs = client.search_runs([group.experiment_id])
    assert len(runs) == 4  # the experiment has one, although it was logged twice
    return client, {run.info.run_name: run for run in runs}


def written(paths, seed):
    """A finished experiment, made up."""
    paths.exports.mkdir(parents=True)
    config = ExperimentConfig(epochs=2, seed=seed, experiment_id="made-up")
    record = {"checkpoint_sha256": "abc", "settings": config.to_dict()}
    record |= {"versions": {"keras": "3.15"}, "machine": "Linux", "devices": ["/device:CPU:0"]}
    paths.config.write_text(json.dumps(record))
    paths.history.write_text(
        "epoch,loss,accuracy,val_loss,val_accuracy\n1,0.5,0.75,0.6,0.5\n2,0.25,0.875,,\n"
    )
    paths.metrics.write_text(METRICS.format(seed=seed))
    paths.report.write_text("<p>page</p>")
    (paths.exports / "model.npk").write_bytes(b"small")
    (paths.root / "mine.txt").write_text("of the user")
    return paths


def history(client, run, name):
    points = client.get_metric_history(run.info.run_id, name)
    return sorted((point.step, point.value) for point in points)


def test_settings_numbers_and_files_are_those_of_the_experiment(logged):
    client, runs = logged
    run = runs["made-up"]
    assert run.info.status == "FINISHED"
    assert (run.data.params["epochs"], run.data.params["seed"]) == ("2", "3")
    assert history(client, run, "loss") == [(1, 0.5), (2, 0.25)]
    assert history(client, run, "val_loss") == [(1, 0.6)]  # the second is missing
    assert history(client, run, "weight/test_accuracy") == [(0, 0.97), (9000, 0.94), (10000, 0.12)]
    assert history(client, run, "weight/speedup") == [(0, 1), (9000, 8)]  # the third is infinite
    assert (9000, 0.965) in history(client, run, "2of4-magnitude-layer/test_accuracy")
    assert run.data.metrics["test_accuracy_dense"] == 0.97
    assert run.data.metrics["test_accuracy_k_0.9"] == 0.94  # the other has a sparsity of 0.5
    assert run.data.metrics["export/npk_bytes"] == 900
    assert run.data.params["k_vals"].startswith("0.0,0.25,")
    assert run.data.tags["version.keras"] == "3.15"


def test_tables_the_page_and_exported_files_are_kept_with_it(logged):
    client, runs = logged
    run = runs["made-up"].info.run_id
    names = {file.path for file in client.list_artifacts(run)}
    assert names == {"config.json", "history.csv", "metrics.csv", "report.html", "exports"}
    exported = {file.path for file in client.list_artifacts(run, "exports")}
    assert exported == {"exports/model.npk", "exports/export.json"}


def test_files_of_a_run_that_is_replaced_are_removed_and_one_that_is_the_same_is_kept(logged):
    client, runs = logged
    folder = Path(urlsplit(runs["made-up"].info.artifact_uri).path).parents[1]
    assert {place.name for place in folder.iterdir()} == {run.info.run_id for run in runs.values()}
    mlflow_runs.write_mlflow(ArtifactPaths(folder.parent / "made-up"))
    again = client.search_runs([runs["made-up"].info.experiment_id])
    assert {run.info.run_id for run in again} == {run.info.run_id for run in runs.values()}


def test_a_run_that_cannot_be_completed_leaves_the_earlier_one(logged, monkeypatch):
    client, runs = logged
    folder = Path(urlsplit(runs["made-up"].info.artifact_uri).path).parents[2]
    paths = ArtifactPaths(folder / "made-up")
    table = paths.history.read_text()
    paths.history.write_text(table + "3,0.2,0.9,,\n")

    def refuse(*_):
        raise OSError("no space left")

    monkeypatch.setattr(mlflow.MlflowClient, "log_artifact", refuse)
    with pytest.raises(RunError, match="cannot be written to: no space left"):
        mlflow_runs.write_mlflow(paths)
    paths.history.write_text(table)
    group = runs["made-up"].info.experiment_id
    left = {run.info.run_id: run.info.status for run in client.search_runs([group])}
    assert left == {run.info.run_id: "FINISHED" for run in runs.values()}


def test_what_was_moved_is_said(logged, tmp_path):
    _, runs = logged
    folder = Path(urlsplit(runs["made-up"].info.artifact_uri).path).parents[2]
    shutil.copytree(folder, tmp_path / "moved")
    with pytest.raises(RunError, match=r"was written in another folder.* remove it, and mlflow_f"):
        mlflow_runs.write_mlflow(ArtifactPaths(tmp_path / "moved" / "made-up"))


def test_passwords_are_not_shown_and_names_are_those_that_mlflow_allows(monkeypatch):
    assert mlflow_store._shown("http://me:secret@host:5000/x") == "http://…@host:5000/x"
    assert mlflow_store._shown("sqlite:////some/where.db") == "sqlite:////some/where.db"
    assert mlflow_runs._allowed("weight-größe(2)/loss") == "weight-gr__e_2_/loss"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert mlflow_store._uri(Path("/a")) == "sqlite:////a/mlflow.db"


def test_an_unwritable_file_is_said_at_once(tmp_path):
    (tmp_path / "mlflow.db").mkdir()
    config = ExperimentConfig(experiment_id="x", log_to=("mlflow",), output_dir=str(tmp_path))
    with pytest.raises(RunError, match=r"mlflow\.db cannot be written to: .*Is a directory"):
        publish.check(config)


def test_a_log_that_cannot_be_written_does_not_end_a_run(monkeypatch, tmp_path, capsys):
    paths = written(ArtifactPaths(tmp_path / "made-up"), 3)

    def refuse(_):
        raise RunError("MLflow is away.")

    monkeypatch.setattr(mlflow_runs, "write_mlflow", refuse)
    publish.publish(ExperimentConfig(experiment_id="made-up", log_to=("mlflow",)), paths)
    said = " ".join(capsys.readouterr().out.split())
    assert "Not logged: MLflow is away. Then log it with python -m network-pruning.rep" in said


def test_seeds_are_child_runs_of_one_with_their_means(logged):
    client, runs = logged
    whole, seeds = runs["several"], [runs[f"several-seed={seed}"] for seed in (0, 1)]
    assert history(client, whole, "weight/test_accuracy") == [(0, 0.97), (9000, 0.94)]
    assert whole.data.params["seeds"] == "0,1"
    assert "seed" not in whole.data.params
    assert {run.data.tags["mlflow.parentRunId"] for run in seeds} == {whole.info.run_id}
    assert "mlflow.parentRunId" not in runs["made-up"].data.tags


def test_a_server_that_does_not_answer_is_named_before_the_work(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    config = ExperimentConfig(experiment_id="made-up", log_to=("mlflow",))
    with pytest.raises(RunError, match=r"127\.0\.0\.1:9 cannot be written to: nothing answers"):
        publish.check(config)


def test_the_package_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(RunError, match=r"--log_to=mlflow needs the package mlflow: pip install"):
        publish.check(ExperimentConfig(experiment_id="made-up", log_to=("mlflow",)))


def test_an_experiment_without_results_is_not_logged(tmp_path):
    with pytest.raises(RunError, match="no tested networks yet"):
        mlflow_runs.write_mlflow(ArtifactPaths(tmp_path / "nothing"))
