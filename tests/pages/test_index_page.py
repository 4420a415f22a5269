"""The page over all experiments, whatever their state, and whoever writes at the same time."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
from network_pruning.experiments import folder as experiment_folder
from network_pruning.experiments.paths import ArtifactPaths
from network_pruning.pages import experiment_page, index_page
from network_pruning.utils import RunError
from sweep_folders import write_sweep

WRITE = """
import runpy, sys
runpy.run_path(sys.argv[1])["load_package"]()
from network_pruning.pages import index_page
index_page.write_index(sys.argv[2])
"""

METHODS = ["weight", "unit", "weight/random", "unit/random"]


@pytest.fixture
def folder(copy):
    """The small experiment, finished, and its folder."""
    return copy


def cards(folder):
    return {card["name"]: card for card in index_page.entries_of(folder)}


def test_the_card_of_a_finished_experiment(folder):
    card = cards(folder)["small"]
    rows = pd.read_csv(folder / "small" / "metrics.csv")
    assert card["state"] == "finished"
    assert card["href"] == "small/report.html"
    assert (card["dataset"], card["model"]) == ("few_digits", "mlp")
    assert card["dense"] == rows["test_accuracy"][0]
    at_90 = rows[rows["k"] == 0.9]
    best = at_90.loc[at_90["valid_accuracy"].idxmax()]
    assert card["best"]["0.9"] == {
        "accuracy": best["test_accuracy"],
        "method": best["method"],
        "control": None,  # of a method that does not train
    }
    assert card["best"]["0.99"] is None
    assert card["settings"]["--epochs"] == "2"
    assert [curve["method"] for curve in card["curves"]] == METHODS


def test_of_methods_that_removed_much_less_none_is_the_best(folder):
    path = folder / "small" / "metrics.csv"
    rows = pd.read_csv(path)
    rows.loc[(rows["method"] == "unit") & (rows["k"] == 0.9), ["sparsity", "valid_accuracy"]] = (
        0.5,
        1,
    )
    rows.to_csv(path, index=False)
    assert cards(folder)["small"]["best"]["0.9"]["method"] == "weight"


@pytest.mark.parametrize(
    ("file", "content", "state"),
    [
        ("config.json", "{", "broken"),
        ("config.json", '{"settings": {}}', "broken"),
        ("metrics.csv", "nonsense\n1\n", "broken"),
        ("metrics.csv", None, "unfinished"),
    ],
)
def test_what_is_broken_or_unfinished_is_listed_and_breaks_nothing(folder, file, content, state):
    shutil.copytree(folder / "small", folder / "other")
    if content is None:
        (folder / "other" / file).unlink()
    else:
        (folder / "other" / file).write_text(content)
    (folder / "no experiment").mkdir()
    index_page.write_index(folder)
    found = cards(folder)
    assert {name: card["state"] for name, card in found.items()} == {
        "small": "finished",
        "other": state,
    }
    assert "small/report.html" in (folder / "index.html").read_text()


def test_a_running_experiment_is_told_by_its_lock(folder):
    lock = folder / "small" / ".lock"
    lock.write_text(f"{os.getppid()}\n{platform.node()}\n")
    assert cards(folder)["small"]["state"] == "running"
    lock.write_text(f"{2**22 + 1}\n{platform.node()}\n")  # a process that is no more
    assert cards(folder)["small"]["state"] == "finished"


def test_a_trial_that_was_stopped_early_is_not_unfinished(folder):
    write_sweep(folder, {"l1_reg": [0.0, 0.1]}, ["stopped", "stopped"], sweep_id="rates")
    for name in ("trial-0", "begun"):
        (folder / name).mkdir()
        shutil.copy(folder / "small" / "config.json", folder / name)
    found = cards(folder)
    assert found["trial-0"]["state"] == "stopped"
    assert found["trial-0"]["note"] == "Stopped early as unpromising by the sweep rates."
    assert found["begun"]["state"] == "unfinished"


def test_cards_are_kept_until_their_files_change(folder, monkeypatch):
    index_page.write_index(folder)
    made = []
    original = index_page._made
    monkeypatch.setattr(index_page, "_made", lambda paths: made.append(paths) or original(paths))
    index_page.write_index(folder)
    assert not made
    with (folder / "small" / "metrics.csv").open("a") as file:
        file.write("")
    record = json.loads((folder / "small" / "config.json").read_text())
    record["settings"]["l1_reg"] = 0.5
    (folder / "small" / "config.json").write_text(json.dumps(record))
    index_page.write_index(folder)
    assert len(made) == 1
    assert cards(folder)["small"]["settings"]["--l1_reg"] == "0.5"
    (folder / index_page.CACHE).write_text("[]")
    assert cards(folder)["small"]["state"] == "finished"


def test_of_two_that_end_at_once_the_index_has_both(folder, root):
    for number in range(6):
        shutil.copytree(folder / "small", folder / f"e{number}")
    shutil.rmtree(folder / "small")
    command = [sys.executable, "-c", WRITE, str(root / "__main__.py"), str(folder)]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: subprocess.run(command, check=False).returncode, range(4)))
    assert done == [0, 0, 0, 0]
    text = (folder / "index.html").read_text()
    assert set(re.findall(r'href="(e\d)/report.html"', text)) == {f"e{n}" for n in range(6)}
    assert not list(folder.glob(".network-pruning-*"))


def test_a_failure_is_a_warning(folder, capsys, monkeypatch):
    def fail(*_):
        raise RunError("no room.")

    monkeypatch.setattr(index_page, "write_text", fail)
    index_page.try_to_write_index(folder)
    monkeypatch.setattr(experiment_page, "write_text", fail)
    experiment_page.try_to_write_report(ArtifactPaths(folder / "small"))
    assert " ".join(capsys.readouterr().out.split()).count("Warning: ") == 2


def test_a_run_of_one_seed_in_the_folder_of_several_finds_their_page(tmp_path):
    paths = ArtifactPaths(tmp_path / "x")
    paths.replicates.mkdir(parents=True)
    paths.report.write_text("of several seeds")
    experiment_folder.tidy(paths)
    (paths.root / "notes.txt").write_text("somebody's")
    with pytest.raises(RunError, match=r"no config\.json"):
        experiment_folder.tidy(paths)


def test_the_smallest_file_of_all_seeds(folder):
    paths = ArtifactPaths(folder / "small")
    for seed, size in enumerate((700, 500)):
        exports = paths.replicates / f"small-seed={seed}" / "exports"
        exports.mkdir(parents=True)
        (exports / "export.json").write_text(json.dumps({"after": {"npk_bytes": size}}))
    assert cards(folder)["small"]["bytes"] == 500
