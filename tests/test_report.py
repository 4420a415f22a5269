"""The command `report`, and the pages that runs write, without a browser."""

import json
import re
import shlex
import shutil
from html.parser import HTMLParser
from urllib.parse import unquote

import pandas as pd
import pytest
from network_pruning.experiments.paths import ArtifactPaths
from network_pruning.pages import experiment_page
from sweep_folders import write_sweep


@pytest.fixture
def report(cli, copy):
    """Runs the command: `report("--list")`."""
    return lambda *flags: cli("report", f"--output_dir={copy}", *flags)


class Page(HTMLParser):
    """What a page refers to, and its data."""

    def __init__(self, path):
        super().__init__()
        self.addresses, self.data, self._in_data = [], "", False
        self.feed(path.read_text(encoding="utf-8"))
        self.data = json.loads(self.data)

    def handle_starttag(self, _tag, attributes):
        found = dict(attributes)
        self._in_data = found.get("id") == "figures"
        self.addresses += [found[key] for key in ("href", "src", "data-src") if key in found]

    def handle_data(self, data):
        if self._in_data:
            self.data += data

    def handle_endtag(self, _tag):
        self._in_data = False


def test_a_run_leaves_pages_that_hold_together(finished):
    for page in (finished / "small" / "report.html", finished / "index.html"):
        for address in Page(page).addresses:
            if not address.startswith(("#", "data:")):
                assert (page.parent / unquote(address)).exists(), address


def test_the_page_has_the_numbers_of_the_tables(finished):
    data = Page(finished / "small" / "report.html").data
    rows = pd.read_csv(finished / "small" / "metrics.csv")
    for curve in data["curves"]:
        own = rows[rows["method"] == curve["method"]]
        assert curve["k"] == list(own["k"])
        assert curve["accuracy"] == pytest.approx(list(own["test_accuracy"]), rel=1e-5)
        for look in data["diagnostics"][curve["method"]]:
            accuracy = own.set_index("k")["test_accuracy"][look["k"]]
            counts = look["confusion"]
            right = sum(counts[number][number] for number in range(10))
            assert right / sum(map(sum, counts)) == pytest.approx(accuracy, abs=1e-6)
            if curve["method"] == "weight":
                gone = sum(look["sizes"]) - sum(look["kept"])
                sparsity = own.set_index("k")["sparsity"][look["k"]]
                assert gone / sum(look["sizes"]) == pytest.approx(sparsity, abs=1e-9)


@pytest.mark.usefixtures("without_tensorflow")
def test_pages_are_made_again_without_tensorflow(report, copy):
    before = (copy / "small" / "report.html").read_bytes()
    (copy / "small" / "report.html").unlink()
    done = report()
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["Wrote", "1", "report", "and", str(copy / "index.html")]
    assert (copy / "small" / "report.html").read_bytes() == before
    assert (copy / "assets").is_dir()


def test_an_old_experiment_gets_a_page_that_says_what_is_missing(report, copy):
    shutil.rmtree(copy / "small" / "page_data")
    richer = (copy / "small" / "report.html").read_bytes()
    assert "Kept: " in " ".join(report().stdout.split())
    assert (copy / "small" / "report.html").read_bytes() == richer
    (copy / "small" / "report.html").unlink()
    assert report().returncode == 0
    page = (copy / "small" / "report.html").read_text()
    assert "page_data/ is missing" in page
    assert not Page(copy / "small" / "report.html").data["diagnostics"]


def test_some_networks_without_it_are_named(copy):
    paths = ArtifactPaths(copy / "small")
    rows = pd.read_csv(paths.metrics)
    paths.diagnostics(
        rows[(rows["method"] == "unit") & (rows["k"] == 0.9)]["recipe"].item()
    ).unlink()
    data = experiment_page.report_of(paths)
    assert data["missing"] == ["No diagnostics of unit at 90 %."]
    assert len(data["diagnostics"]["unit"]) == 3


def test_broken_experiments_are_named_and_the_rest_is_made(report, copy):
    (copy / "broken").mkdir()
    (copy / "broken" / "config.json").write_text("{")
    (copy / "begun").mkdir()
    shutil.copy(copy / "small" / "config.json", copy / "begun")
    done = report()
    said = " ".join(done.stdout.split())
    assert "No page for broken: " in said
    assert "No page yet for begun, which has no tested networks." in said
    assert "Wrote 1 report and " in said
    assert done.returncode == 1
    assert done.stderr == "network-pruning: 1 page could not be written.\n"
    shutil.rmtree(copy / "broken")
    assert report().returncode == 0  # what has not come to its end is no failure


def test_what_was_changed_by_hand_costs_its_own_page_only(report, copy):
    shutil.copytree(copy / "small", copy / "other")
    (copy / "other" / "exports").mkdir()
    sizes = {"raw_bytes": 9, "npk_bytes": 3}
    record = {"before": sizes, "after": sizes, "chosen": {"network": "x", "bits": 2}}
    record |= {"latency": {}, "recommended": "NumPy", "files": {}}
    (copy / "other" / "exports" / "export.json").write_text(json.dumps(record))
    shutil.copytree(copy / "small", copy / "third")
    rows = pd.read_csv(copy / "third" / "metrics.csv")
    rows.loc[rows["k"] == 0, "test_accuracy"] = None
    rows.to_csv(copy / "third" / "metrics.csv", index=False)
    done = report()
    assert done.returncode == 1
    assert "No page for other: the folder's contents cannot be shown" in " ".join(
        done.stdout.split()
    )
    index = (copy / "index.html").read_text()
    assert "broken: its table has no test accuracy of the dense network" in index
    assert "small/report.html" in index


def test_pages_need_no_plugin(report, copy):
    """What is not in the table's columns is not asked of a method's name."""
    path = copy / "small" / "metrics.csv"
    path.write_text(path.read_text().replace(",unit,unit,", ",unit/of_a_plugin,unit,"))
    (copy / "small" / "report.html").unlink()
    done = report()
    assert (done.returncode, done.stderr) == (0, "")
    data = Page(copy / "small" / "report.html").data
    assert data["diagnostics"]["unit/of_a_plugin"][0]["by_unit"]
    done = report("--show=small")
    assert (done.returncode, done.stderr) == (0, "")
    assert "unit/of_a_plugin" in done.stdout


def test_rows_are_in_the_order_of_methods_and_sparsities(copy):
    path = copy / "small" / "metrics.csv"
    rows = pd.read_csv(path)
    expected = list(zip(rows["method"], rows["k"], strict=True))
    rows.sample(frac=1, random_state=0).to_csv(path, index=False)
    table = experiment_page.report_of(ArtifactPaths(copy / "small"))["table"]
    assert [(row[0]["value"], row[1]["value"]) for row in table["rows"]] == expected
    assert table["columns"][:4] == ["method", "k", "sparsity", "test_accuracy"]


def test_fewer_weights_removed_than_asked_are_marked_and_drawn_where_they_are(copy):
    path = copy / "small" / "metrics.csv"
    rows = pd.read_csv(path)
    rows.loc[(rows["method"] == "unit") & (rows["k"] == 0.9), "sparsity"] = 0.5
    rows.to_csv(path, index=False)
    data = experiment_page.report_of(ArtifactPaths(copy / "small"))
    (unit,) = (curve for curve in data["curves"] if curve["method"] == "unit")
    assert unit["sparsity"] == [0, 0.5, 0.5, 1]
    assert unit["missed"] == [0, 0, 1, 0]
    texts = {(row[0]["text"], row[1]["text"]): row[2]["text"] for row in data["table"]["rows"]}
    assert texts["unit", "90 %"] == "50.00 % <"
    assert texts["weight", "90 %"] == "90.00 %"
    assert data["notes"] == [
        "< fewer weights removed than requested: units and blocks are removed whole"
    ]


def test_the_control_and_the_untouched_baseline_are_both_shown(copy):
    """A row `baseline`, and for each method that trains a control as its `k` = 0."""
    path = copy / "small" / "metrics.csv"
    rows = pd.read_csv(path)
    untouched = rows[rows["k"] == 0].iloc[:1].assign(method="baseline", recipe="b")
    is_unit = rows["method"] == "unit"
    rows.loc[is_unit, ["method", "recovery", "rounds"]] = "unit/finetune", "finetune", 1
    rows.loc[is_unit & (rows["k"] == 0), "test_accuracy"] = 0.99
    pd.concat([rows, untouched]).to_csv(path, index=False)
    data = experiment_page.report_of(ArtifactPaths(copy / "small"))
    methods = ["weight", "unit/finetune", "weight/random", "unit/random"]
    assert [curve["method"] for curve in data["curves"]] == methods
    assert data["curves"][1]["accuracy"][0] == 0.99
    assert data["baseline"]["accuracy"] == pytest.approx(
        untouched["test_accuracy"].item(), rel=1e-5
    )
    assert data["has_controls"]
    assert data["table"]["rows"][0][0]["text"] == "baseline"
    assert "baseline" not in data["diagnostics"]


@pytest.mark.usefixtures("without_tensorflow")
def test_pages_of_sweeps_are_made_again(report, copy):
    paths, _ = write_sweep(copy, {"l1_reg": [0.0, 0.1]}, [0.5, 0.6])
    (copy / "sweeps" / "broken").mkdir()
    (copy / "sweeps" / "broken" / "sweep.json").write_text("{")
    done = report()
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert "Wrote 4 reports and " in said
    assert "No page for broken: " in said
    page = Page(paths.report)
    text = paths.report.read_text(encoding="utf-8")
    assert "50.10 %" in text
    assert "40.10 %" in text
    for address in page.addresses:
        if not address.startswith(("#", "data:")):
            assert (paths.root / unquote(address)).exists(), address


def test_in_the_terminal(report, copy):
    (copy / "index.html").unlink(missing_ok=True)
    lines = report("--list").stdout.splitlines()
    rows = pd.read_csv(copy / "small" / "metrics.csv")
    dense = f"{100 * rows['test_accuracy'][0]:.2f} %"
    assert lines[0].split() == "experiment state dense at 90 % at 99 % file, bytes".split()
    assert lines[1].startswith("small")
    assert dense in lines[1]
    shown = report("--show=small").stdout
    assert shown.startswith("small\n")
    assert re.search(
        r"^method +k +sparsity +test acc\. +ratio +valid acc\. +speed-up$", shown, re.M
    )
    assert re.search(r"^weight +50 % +50\.00 % +[0-9.]+ % +2\.0× ", shown, re.M)
    assert "--experiment_id=small" in shown.splitlines()[-1]
    assert "\x1b" not in shown
    assert not (copy / "index.html").exists()


@pytest.mark.parametrize(
    ("flags", "status", "said"),
    [
        (("--show=nothing",), 1, "There is no experiment"),
        (("--show=../x",), 2, "--show '../x' is not a plain folder name"),
        (("--list", "--show=small"), 2, "Give one of --list, --show, and --tensorboard or"),
        (("--output_dir=/does/not/exist",), 2, "there is no folder /does/not/exist"),
        (("nonsense",), 2, "'nonsense' is not a flag"),
    ],
)
def test_bad_usage_ends_in_a_sentence(report, flags, status, said):
    done = report(*flags)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_what_cannot_be_understood_is_not_shown(report, copy):
    (copy / "small" / "config.json").write_text('{"settings": {}, "checkpoint_sha256": "x"}')
    done = report("--show=small")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1


def test_the_command_of_a_page_makes_the_same_again(finished, cli, tmp_path):
    """With the data and the plugin of the tests, as the settings say: the same seed gives the same
    bytes."""
    command = shlex.split(
        experiment_page.command(
            json.loads((finished / "small" / "config.json").read_text())["settings"],
            ArtifactPaths(finished / "small"),
        )
    )
    assert command[:3] == ["python", "-m", "network-pruning.train"]
    done = cli(*command[3:], f"--output_dir={tmp_path}", "--noforce_train")
    assert done.returncode == 0, done.stderr
    for name in ("results.csv", "metrics.csv", "report.html"):
        ours, theirs = (
            (folder / "small" / name).read_text().splitlines() for folder in (tmp_path, finished)
        )
        assert len(ours) == len(theirs)
    for name in ("results.csv", "history.csv"):
        ours, theirs = tmp_path / "small" / name, finished / "small" / name
        assert ours.read_bytes() == theirs.read_bytes()


def test_the_published_curve_is_found_where_there_is_one():
    settings = {
        **{"dataset": "digits", "epochs": 20, "learning_rate": 0.001, "l1_reg": 0.0},
        **{"l2_reg": 0.0, "batch_size": 128, "model": "mlp", "num_valid": 10_000},
    }
    found = experiment_page.published_curves(settings)
    assert found["weight"]["k"][0] == 0
    assert found["weight"]["accuracy"][0] == 0.977
    assert found["unit"]["accuracy"][2] == 0.9331
    assert experiment_page.published_curves({**settings, "epochs": 2}) is None
    assert experiment_page.published_curves({**settings, "model": "lenet_5"}) is None
    assert experiment_page.published_curves({**settings, "dataset": "../../etc"}) is None


def test_tensorboard_is_written_on_request(cli, copy, small):
    done = cli(*small, "--tensorboard")
    assert done.returncode == 0, done.stderr
    runs = {path.parent.name for path in (copy / "small" / "tensorboard").glob("*/*tfevents*")}
    methods = {"weight", "unit", "weight-random", "unit-random"}
    assert runs == methods | {"training", "figures", "summary"}
