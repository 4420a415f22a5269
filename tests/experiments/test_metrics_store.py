import pandas as pd
from network_pruning.experiments.metrics_store import MetricsStore
from network_pruning.visualization import csv

ROW = {"dataset": "digits", "method": "weight", "k": 0.5, "recipe": "r1", "checkpoint": "c"}


def test_what_was_added_is_there_the_next_time(tmp_path):
    MetricsStore(tmp_path / "metrics.csv").add(ROW)
    store = MetricsStore(tmp_path / "metrics.csv")
    assert "r1" in store
    assert "r2" not in store
    assert store["r1"] == ROW


def test_a_table_of_an_earlier_version_is_kept_and_made_anew(tmp_path, capsys):
    """It does not tell the settings, so that its rows may be of any."""
    path, kept = tmp_path / "metrics.csv", tmp_path / "metrics-of-earlier-version.csv"
    earlier = "method,k,recipe,checkpoint,test_accuracy\nweight,0.5,r1,c,0.9\n"
    path.write_text(earlier)
    store = MetricsStore(path)
    assert "r1" not in store
    assert not path.exists()
    assert kept.read_text() == earlier
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("metrics.csv is of an earlier version: it is kept as metrics-of-earlier")
    store.add(ROW)
    assert csv.read_metrics(path)["recipe"].to_list() == ["r1"]
    assert kept.read_text() == earlier


def test_rows_without_the_settings_of_the_training_count_and_stay(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("dataset,method,k,recipe,checkpoint,mine\ndigits,weight,0.5,r1,c,007\n")
    store = MetricsStore(path)
    assert "r1" in store
    settings = {"epochs": 20, "learning_rate": 0.001, "keep_best": True}
    store.add({**ROW, "recipe": "r2", **settings})
    assert path.read_text() == (
        "dataset,method,k,recipe,checkpoint,mine,epochs,learning_rate,keep_best\n"
        "digits,weight,0.5,r1,c,007,,,\n"
        "digits,weight,0.5,r2,c,,20,0.001,True\n"
    )
    table = MetricsStore(path).rows(["r2", "r1"])
    assert table["epochs"].to_list() == [20, pd.NA]
    assert table["keep_best"].to_list() == [True, pd.NA]
