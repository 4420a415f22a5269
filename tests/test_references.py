"""The published runs agree with the original tables, and the pages show them as they are."""

import importlib.util
import json
import shutil
from urllib.parse import unquote

import pytest
from network_pruning.experiments.paths import ArtifactPaths
from network_pruning.pages import experiment_page, index_page
from PIL import Image

PLAIN = "digits-20-lr=0.001-l1=0.0-l2=0.0"


@pytest.fixture(scope="module")
def tables(root):
    spec = importlib.util.spec_from_file_location("tables", root / "references" / "tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_show_the_current_tables(tables):
    for (page, name), block in tables.BLOCKS.items():
        text = (tables.ROOT / page).read_text(encoding="utf-8")
        assert tables.between_marks(text, name)[1] == block()


def test_dense_networks_are_as_good_as_the_published_ones(tables):
    for experiment_id in tables.EXPERIMENTS:
        ours = tables.read_results(tables.REFERENCES / experiment_id / "results.csv")
        published = tables.read_results(tables.REFERENCES / "published" / f"{experiment_id}.csv")
        assert [row[0] for row in ours] == [row[0] for row in published]
        assert ours[0][1] == ours[0][2]
        assert ours[0][1] == pytest.approx(published[0][1], abs=0.025)
        # Weight pruning to a half costs nothing, in both.
        assert ours[2][1] == pytest.approx(ours[0][1], abs=0.005)


def test_references_are_complete_and_small(tables):
    for experiment_id in tables.EXPERIMENTS:
        folder = tables.REFERENCES / experiment_id
        for name in ("pruned_weights.gif", "pruned_units.gif"):
            with Image.open(folder / name) as gif:
                assert gif.n_frames == 12
        for name in ("loss_accuracy.png", "pruned_loss_accuracy.png"):
            with Image.open(folder / name) as image:
                image.verify()
        others = [path for path in folder.iterdir() if path.suffix != ".html"]
        assert all(path.stat().st_size < 200_000 for path in others)


def test_the_speed_page_shows_the_current_benchmark(root):
    text = (root / "docs" / "speed.md").read_text(encoding="utf-8")
    shown = text.split("<!-- speed: start -->\n")[1].split("<!-- speed: end -->\n")[0]
    assert shown == (root / "benchmarks" / "results.md").read_text(encoding="utf-8")


def test_sizes_of_files_are_told_as_mean_and_range_of_the_seeds(tables, root):
    rows = tables.pd.read_csv(tables.REFERENCES / "small.csv")
    page = " ".join((root / "docs" / "small.md").read_text(encoding="utf-8").split())
    for name in ("small-digits", "strong-fashion", "strong-lenet", "strong-lenet_5"):
        sizes = rows[rows["experiment"] == name]["npk_bytes"]
        for size in (sizes.mean(), sizes.min(), sizes.max()):
            assert f"{size:,.0f}" in page.split("<!-- small: start -->")[0]
    digits = rows[rows["experiment"] == "small-digits"]
    size, test, dense = (digits[name] for name in ("npk_bytes", "test", "dense_test"))
    first = " ".join((root / "README.md").read_text(encoding="utf-8").split("## ")[0].split())
    kilobytes = [f"{value / 1000:.1f}" for value in (size.mean(), size.min(), size.max())]
    assert "{} kB on average of three seeds ({} to {} kB)".format(*kilobytes) in first
    for values in (test, dense):
        shares = [f"{100 * value:.1f}" for value in (values.mean(), values.min(), values.max())]
        assert "{} % ({} to {} %)".format(*shares) in first.replace(
            "% of the test images right (", "% ("
        )


def test_pages_of_a_reference_and_of_the_strong_runs_are_made(tables, tmp_path):
    kept = tables.REFERENCES / PLAIN
    shutil.copytree(kept, tmp_path / PLAIN)
    for name in tables.STRONG:
        # Of these only the summary is kept; the settings of a seed are those of another run.
        seed = tmp_path / name / "replicates" / f"{name}-seed=0"
        seed.mkdir(parents=True)
        shutil.copy(kept / "config.json", seed)
        shutil.copy(tables.REFERENCES / name / "summary.csv", seed.parent)
    for name in (PLAIN, *tables.STRONG):
        paths = ArtifactPaths(tmp_path / name)
        experiment_page.write_report(paths)
        assert paths.report.stat().st_size < 1_500_000
    assert "3 seeds: " in (tmp_path / "strong-digits" / "report.html").read_text()
    text = index_page.write_index(tmp_path).read_text()
    assert all(f"{name}/report.html" in unquote(text) for name in tables.STRONG)
    assert {entry["state"] for entry in index_page.entries_of(tmp_path)} == {"finished"}


def test_the_kept_page_is_of_the_published_run_and_names_no_machine(tables):
    kept = tables.REFERENCES / PLAIN
    page = (kept / "report.html").read_text()
    results = tables.read_results(kept / "results.csv")
    metrics = tables.pd.read_csv(kept / "metrics.csv")
    for column, method in ((1, "weight"), (2, "unit")):
        rows = metrics[metrics["method"] == method].sort_values("k")
        assert rows["test_accuracy"].tolist() == pytest.approx([row[column] for row in results])
    assert '"diagnostics": {"weight"' in page
    settings = json.loads((kept / "config.json").read_text())["settings"]
    assert (settings["output_dir"], settings["data_dir"]) == ("results", None)
    assert str(tables.ROOT) not in page
    assert "/tmp/" not in page
