"""The pages in a real browser: Chromium, driven by Playwright."""

import json
import os
import shutil
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from network_pruning.experiments import network_diagnostics
from network_pruning.experiments.paths import ArtifactPaths
from network_pruning.pages import experiment_page, index_page, sweep_results
from network_pruning.sweeps.paths import write_record
from sweep_folders import write_sweep

EVIL = '"><img src=x onerror="window.hacked=1"><script>window.hacked=1<'  # no slash: it is a name
# Width and whether it is dark.
LOOKS = ((390, True), (1440, False))


def chromium():
    """Where the system's Chromium is; None for none."""
    return (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if not chromium():
        pytest.skip("there is no Chromium on this machine (on Debian: apt install chromium)")
    with playwright.sync_playwright() as driver:
        # Tests may be run by root, for whom Chromium's sandbox does not work.
        started = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visit(browser):
    """Opens a page: `visit(path, width=1440, dark=False)`; whatever goes wrong in it fails."""
    pages, wrong = [], []

    def opened(path, width=1440, dark=False, fragment="", height=900):
        page = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
        )
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("request", lambda r: wrong.append(r.url) if r.url.startswith("http") else None)
        page.goto(Path(path).as_uri() + fragment)
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.context.close()
    assert not wrong


@pytest.fixture(scope="module")
def folder(finished, tmp_path_factory):
    """A folder with the real small experiment, a variation, and names that mean mischief."""
    root = tmp_path_factory.mktemp("pages")
    shutil.copytree(finished / "small", root / "small")
    shutil.copytree(finished / "small", root / "other")
    change_settings(root / "other", l1_reg=0.001, learning_rate=0.01)
    shutil.copytree(finished / "small", root / EVIL)
    rename_classes(root / EVIL, [EVIL] * 10)
    (root / "broken").mkdir()
    (root / "broken" / "config.json").write_text("{")
    (root / "begun").mkdir()
    shutil.copy(root / "small" / "config.json", root / "begun")
    for name in ("small", "other", EVIL):
        experiment_page.write_report(ArtifactPaths(root / name))
    index_page.write_index(root)
    return root


def change_settings(experiment, **settings):
    record = json.loads((experiment / "config.json").read_text())
    record["settings"] |= settings
    (experiment / "config.json").write_text(json.dumps(record))


def rename_classes(experiment, names):
    file = experiment / "page_data" / "labels.npz"
    labels, _ = network_diagnostics.read_labels(file)
    np.savez(file, labels=labels, names=np.array(names))


def wait_for_figures(page):
    page.wait_for_selector("#accuracy .main-svg", timeout=30_000)


def screenshot(page, root, name):
    """Keeps a picture of the whole page for people to look at."""
    place = root / ".screenshots"
    place.mkdir(exist_ok=True)
    page.screenshot(path=place / f"{name}.png", full_page=True)


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_a_report_is_whole_and_fits(visit, folder, root, width, dark):
    page = visit(folder / "small" / "report.html", width, dark)
    wait_for_figures(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("accuracy", "loss", "distributions", "training-loss", "training-accuracy"):
        page.wait_for_selector(f"#{name} .main-svg")
    assert page.locator("#numbers tbody tr").count() == 16  # four methods at four sparsities
    assert page.locator("#command").inner_text().startswith("python -m network-pruning.train")
    assert not serious_findings(page)
    screenshot(page, root, f"report-{width}-{'dark' if dark else 'light'}")


def test_the_slider_moves_everything_together(visit, folder):
    page = visit(folder / "small" / "report.html")
    wait_for_figures(page)
    assert page.locator("#k-text").inner_text() == "50 %"  # begins where something is pruned
    seen = []
    for place in range(4):
        page.evaluate(
            "n => { const k = document.getElementById('k'); k.value = n;"
            " k.dispatchEvent(new Event('input')); }",
            place,
        )
        seen.append(
            (
                page.locator("#k-text").inner_text(),
                page.locator("#diagnostics-text").inner_text(),
                page.locator("#confusion").inner_text(),
                page.evaluate("document.getElementById('first').toDataURL()"),
                page.locator("#changed-text").inner_text(),
                page.locator("#distributions .annotation-text").first.text_content(),
            )
        )
    assert [row[0] for row in seen] == ["0 %", "50 %", "90 %", "100 %"]
    assert seen[1][1].startswith("1,192,000 of 2,384,000 hidden weights removed, test accuracy ")
    assert seen[0][4] == "No prediction differs from those of the dense network."
    assert "392,000 of 784,000 removed" in seen[1][5]
    for column in range(6):
        assert len({row[column] for row in seen}) >= 3, seen
    before = page.locator("#diagnostics-text").inner_text()
    page.select_option("#method", "unit")
    assert "units removed" in page.locator("#diagnostics-text").inner_text() != before


def test_distributions_have_a_legend_axes_and_a_colour_bar(visit, folder):
    page = visit(folder / "small" / "report.html")
    page.wait_for_selector("#distributions .main-svg", timeout=30_000)
    shown = page.evaluate("document.getElementById('distributions').layout")
    assert shown["xaxis2"]["title"]["text"] == "weight"
    assert shown["yaxis2"]["title"]["text"] == "weights per bin"
    assert page.locator(".swatch").count() == 2
    largest = float(page.locator("#first-most").inner_text())
    assert page.locator(".colorbar").inner_text().split() == ["0", f"{largest:g}"]
    page.select_option("#method", "unit")
    shown = page.evaluate("document.getElementById('distributions').layout")
    assert shown["xaxis"]["title"]["text"] == "L2 norm of a unit's incoming weights"
    # The outline is the dense network's, in the bins of each network.
    traces = page.evaluate("document.getElementById('distributions').data.map(t => t.y)")
    kept, outline = (sum(filter(None, values)) for values in traces[:2])
    assert (kept, outline) == (500, 1000)


def test_networks_are_drawn_at_the_sparsity_that_they_reached(visit, folder, tmp_path):
    place = tmp_path / "small"
    shutil.copytree(folder / "small", place)
    shutil.copytree(folder / "assets", tmp_path / "assets")
    rows = pd.read_csv(place / "metrics.csv")
    rows.loc[(rows["method"] == "unit") & (rows["k"] == 0.9), "sparsity"] = 0.5
    rows.to_csv(place / "metrics.csv", index=False)
    experiment_page.write_report(ArtifactPaths(place))
    page = visit(place / "report.html")
    wait_for_figures(page)
    figure = page.evaluate(
        "(({data, layout}) => ({data, axis: layout.xaxis}))(document.getElementById('accuracy'))"
    )
    unit, baseline = (
        next(trace for trace in figure["data"] if trace["name"] == name)
        for name in ("unit", "baseline")
    )
    assert unit["x"][:3] == pytest.approx([0, 0.30103, 0.30103])
    assert unit["marker"]["symbol"][1:3] == ["square", "square-open"]
    dense = 100 * rows["test_accuracy"][0]
    assert baseline["y"] == pytest.approx([dense, dense], rel=1e-5)
    assert figure["axis"]["title"]["text"] == "sparsity of the hidden weights"
    assert figure["axis"]["ticktext"] == ["0 %", "50 %", "75 %", "90 %", "100 %"]
    assert page.locator("#numbers td", has_text="50.00 % <").count() == 1
    assert page.locator(".note", has_text="< fewer weights removed than requested").count() == 2
    page.select_option("#method", "unit")
    page.evaluate(
        "() => { const k = document.getElementById('k'); k.value = 2;"
        " k.dispatchEvent(new Event('input')); }"
    )
    assert page.locator("#k-text").inner_text() == "target 90 %, reached 50.00 %"


def test_tools_of_figures_appear_where_one_points_and_never_on_narrow_screens(visit, folder):
    page = visit(folder / "small" / "report.html", 1280)
    wait_for_figures(page)
    opacity = "getComputedStyle(document.querySelector('#accuracy .modebar-group')).opacity"
    page.mouse.move(2, 2)
    page.wait_for_function(f"() => {opacity} === '0'")
    page.hover("#accuracy .nsewdrag")
    page.wait_for_function(f"() => {opacity} === '1'")
    # What matters in the table is on the screen.
    head = page.locator("#numbers th", has_text="test accuracy").bounding_box()
    assert head["x"] + head["width"] < 1280
    assert page.evaluate("document.getElementById('training-loss').layout.xaxis.dtick") == 1
    narrow = visit(folder / "small" / "report.html", 390)
    wait_for_figures(narrow)
    narrow.hover("#accuracy .nsewdrag")
    assert narrow.locator(".modebar-btn").count() == 0


def test_it_can_be_used_without_a_mouse(visit, folder):
    page = visit(folder / "small" / "report.html")
    wait_for_figures(page)
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.name"))
        if reached[-1] == "k":
            break
    assert reached[-1] == "k"
    assert "method" in reached
    page.keyboard.press("ArrowRight")
    assert page.locator("#k-text").inner_text() == "90 %"


def test_across_other_axes_and_near_the_best(visit, folder):
    page = visit(folder / "small" / "report.html")
    wait_for_figures(page)
    for across, title in (("ratio", "compression ratio"), ("k", "sparsity of the hidden weights")):
        page.check(f"input[value={across}]")
        page.wait_for_function(
            "title => document.querySelector('#accuracy .xtitle').textContent === title", arg=title
        )
    whole = page.locator("#accuracy .ytick").all_text_contents()
    page.check("#near")
    page.wait_for_function(
        "n => [...document.querySelectorAll('#accuracy .ytick')].map(t => t.textContent).join()"
        " !== n",
        arg=",".join(whole),
    )


def test_tables_are_sorted_and_copied(visit, folder):
    page = visit(folder / "small" / "report.html")
    head = page.locator("#numbers th", has_text="test accuracy")
    for expected in ("ascending", "descending"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == expected
    column = page.locator("#numbers th").all_inner_texts().index("test accuracy")
    shown = page.evaluate(
        "c => [...document.querySelectorAll('#numbers tbody tr')]"
        ".map(r => Number(r.cells[c].dataset.value))",
        column,
    )
    assert shown == sorted(shown, reverse=True)
    page.click("button[data-copy=csv]")
    copied = page.evaluate("navigator.clipboard.readText()")
    lines = copied.splitlines()
    assert lines[0].startswith("method,k,sparsity")
    assert [float(line.split(",")[column]) for line in lines[1:]] == shown
    page.click("button[data-copy=markdown]")
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert copied[1].startswith("| --- | ---: |")
    assert len(copied) == 2 + len(shown)


def test_experiments_are_filtered_sorted_and_compared_in_the_address(visit, folder, root):
    page = visit(folder / "index.html")
    names = "[...document.querySelectorAll('.card:not([hidden]) h2')].map(h => h.textContent)"
    assert set(page.evaluate(names)) == {"small", "other", "broken", "begun", EVIL}
    page.fill("#search", "learning_rate=0.01")
    assert page.evaluate(names) == ["other"]
    assert page.locator("#shown").inner_text() == "1 of 5 shown"
    page.reload()
    assert page.evaluate(names) == ["other"]
    page.click("#clear")
    page.select_option("#sort", "name")
    assert page.evaluate(names)[1:] == ["begun", "broken", "other", "small"]
    page.select_option("#state", "finished")
    page.reload()
    assert page.evaluate(names)[1:] == ["other", "small"]
    for name in ("other", "small"):
        page.check(f".choose[value={name}]")
    page.wait_for_selector("#comparison .main-svg")
    rows = page.evaluate("[...document.querySelectorAll('#differences tr')].map(r => r.innerText)")
    assert rows[0].split("\t") == ["setting or result", "A: other", "B: small"]
    # What differs comes first.
    assert {row.split("\t")[0] for row in rows[1:3]} == {"--l1_reg", "--learning_rate"}
    page.reload()
    page.wait_for_selector("#comparison .main-svg")
    screenshot(page, root, "index-compared")
    page.click("#compare button[data-copy=csv]")
    assert page.evaluate("navigator.clipboard.readText()").startswith(
        "setting or result,A: other,B: small\n"
    )


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_the_index_fits_and_tells_of_all_states(visit, folder, root, width, dark):
    page = visit(folder / "index.html", width, dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    text = page.locator("#cards").inner_text()
    assert "broken: " in text
    assert "unfinished: Run its command again to continue." in text
    screenshot(page, root, f"index-{width}")


def test_names_do_nothing(visit, folder):
    for page in (visit(folder / EVIL / "report.html"), visit(folder / "index.html")):
        page.wait_for_timeout(500)
        assert page.evaluate("window.hacked") is None
        assert page.locator("img[src=x]").count() == 0
    page = visit(folder / EVIL / "report.html")
    wait_for_figures(page)
    assert page.locator("h1").inner_text() == EVIL
    assert page.locator("#confusion th").nth(1).get_attribute("title") == EVIL


def test_nothing_from_elsewhere_is_loaded(browser, folder):
    page = browser.new_page()
    page.goto((folder / "small" / "report.html").as_uri())
    refused = page.evaluate(
        """() => new Promise(resolve => {
            document.addEventListener('securitypolicyviolation', e => resolve(e.blockedURI));
            const picture = new Image();
            picture.src = 'http://127.0.0.1:9/x.png';
            document.body.append(picture);
            setTimeout(() => resolve('loaded'), 5000);
        })"""
    )
    assert refused.startswith("http://127.0.0.1:9")
    page.context.close()


def test_without_assets_there_are_pictures_instead(browser, folder, tmp_path):
    shutil.copytree(folder / "small", tmp_path / "small")
    page = browser.new_page()
    page.goto((tmp_path / "small" / "report.html").as_uri())
    page.wait_for_selector("#no-plotly")
    assert page.locator(".instead:visible").count() >= 2
    assert page.locator("#confusion td").count() == 100
    page.context.close()


def test_the_page_in_the_repository_is_whole_without_assets(browser, root, tmp_path):
    kept = tmp_path / "kept"
    shutil.copytree(root / "references" / "digits-20-lr=0.001-l1=0.0-l2=0.0", kept)
    page = browser.new_page()
    page.goto((kept / "report.html").as_uri())
    page.wait_for_selector("#no-plotly")
    shown = page.locator("img.instead:not([hidden])")  # those far down are loaded lazily
    names = {shown.nth(number).get_attribute("src") for number in range(shown.count())}
    assert names == {
        *("pruned_loss_accuracy.png", "method_comparison.png", "loss_accuracy.png"),
        *("pruned_weights.gif", "pruned_units.gif"),
    }
    assert all((kept / name).is_file() for name in names)
    links = page.evaluate("[...document.links].map(link => link.getAttribute('href'))")
    assert all((kept / unquote(link)).is_file() for link in links if not link.startswith("#"))
    page.context.close()


@pytest.mark.parametrize(("width", "dark"), LOOKS[:1])
def test_axe_finds_nothing_serious_in_a_comparison(visit, folder, width, dark):
    page = visit(folder / "index.html", width, dark, "#compare=small&compare=other")
    page.wait_for_selector(".main-svg", timeout=30_000)
    assert not serious_findings(page)


def serious_findings(page):
    """What axe has to say against a page."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    return [
        (v["id"], [node["html"][:200] for node in v["nodes"]])
        for v in axe.run(page).response["violations"]
        if v["impact"] in ("serious", "critical")
    ]


def test_two_hundred_experiments_are_shown_and_made_once(browser, folder, tmp_path, monkeypatch):
    small = folder / "small"
    for number in range(200):
        place = tmp_path / f"experiment-{number:03}"
        place.mkdir()
        for name in ("config.json", "metrics.csv"):
            shutil.copy(small / name, place)
        change_settings(place, seed=0, l2_reg=number / 1000)
    index_page.write_index(tmp_path)
    monkeypatch.delattr(index_page, "_made")  # would be called for a card that is not remembered
    index_page.write_index(tmp_path)
    assert (tmp_path / "index.html").stat().st_size < 200 * 4000
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto((tmp_path / "index.html").as_uri(), wait_until="load")
    assert page.locator(".card").count() == 200
    page.context.close()


def test_a_report_is_small(folder):
    assert (folder / "small" / "report.html").stat().st_size < 1_500_000


@pytest.mark.parametrize("seeds", [2, 3])
def test_several_seeds(visit, folder, tmp_path, root, seeds):
    """A page of means with bands or points, from a summary and its seeds' records."""
    paths = ArtifactPaths(tmp_path / "several")
    single = paths.replicates / "several-seed=0"
    shutil.copytree(folder / "small", single)
    rows = pd.read_csv(single / "metrics.csv")
    measured = ("sparsity", "compression_ratio", "speedup", "valid_accuracy", "test_accuracy")
    summary = rows[["method", "granularity", "criterion", "schedule", "recovery", "k"]].copy()
    summary["seeds"] = seeds
    for name in (*measured, "test_cross_entropy"):
        summary[f"{name}_mean"] = rows[name]
        # Also as earlier versions wrote it, with an interval of two seeds.
        summary[f"{name}_sd"], summary[f"{name}_low"] = 0.01, rows[name] - 0.01
        summary[f"{name}_high"] = rows[name] + 0.01
    summary.to_csv(paths.summary, index=False)
    experiment_page.write_report(paths)
    experiment_page.write_report(ArtifactPaths(single))
    index_page.write_index(tmp_path)
    page = visit(paths.report)
    wait_for_figures(page)
    screenshot(page, root, f"seeds-{seeds}")
    head = page.locator("#numbers thead").inner_text()
    assert ("test accuracy low" in head) == (seeds == 3)
    assert (page.locator("#accuracy .fills path").count() > 0) == (seeds == 3)
    traces = page.evaluate("document.getElementById('accuracy').data.map(t => t.mode)")
    # Two seeds of each of four methods.
    assert traces.count("markers") == (8 if seeds == 2 else 0)
    trust = page.locator(".trust").inner_text()
    assert f"{seeds} seeds: the dense network's mean test accuracy" in trust
    assert ("95 % interval" in trust) == (seeds == 3)
    for part in ("test examples, the", "chosen on 1,000 validation", "random pruning"):
        assert part.lower() in trust.lower()
    assert page.locator("a", has_text="several-seed=0").count() == 1
    page = visit(single / "report.html")
    assert "One of several seeds" in page.locator(".trust").inner_text()
    assert "One seed:" not in page.locator(".trust").inner_text()


def test_a_network_at_chance_is_not_praised(folder, tmp_path):
    place = tmp_path / "small"
    shutil.copytree(folder / "small", place)
    rows = pd.read_csv(place / "metrics.csv")
    rows[["test_accuracy", "valid_accuracy"]] = 0.1
    rows.to_csv(place / "metrics.csv", index=False)
    experiment_page.write_report(ArtifactPaths(place))
    text = (place / "report.html").read_text()
    assert 'class="headline"' not in text
    first = text.split('class="trust"')[1].split("</li>")[0]
    assert "no better than always predicting the most frequent class" in first


SWEEPS = ("one", "two", "three", EVIL)


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    """A folder with sweeps of one, two and more settings, and one whose names mean mischief."""
    root = tmp_path_factory.mktemp("sweeps")
    two = {"l1_reg": [0.0, 0.001], "seed": [0, 1, 2], "dataset": ["digits", "fashion"]}
    rates = [10 ** (-number / 4) for number in range(12)]
    drawn = [
        {"learning_rate": rate, "batch_size": 32 << number % 2, "l2_reg": rate / 3}
        for number, rate in enumerate(rates)
    ]
    random = {"learning_rate": "loguniform(0.001, 1)", "batch_size": [32, 64]}
    random |= {"l2_reg": "loguniform(0.0001, 1)"}
    evil = {EVIL: [EVIL, "plain", 1], "model": [EVIL, "mlp"]}
    accuracies = [0.9 - number / 100 for number in range(10)]
    cases = {
        "one": ({"l1_reg": [0.0, 0.1, 0.2]}, [0.9, 0.8, "waiting"], None),
        "two": (two, [*accuracies, "failed", "stopped"], None),
        "three": (random, [*accuracies, 0.5, "stopped"], drawn),
        EVIL: (evil, [0.9, 0.8, 0.7, 0.6, 0.5, "failed"], None),
    }
    for name, (varied, states, trials) in cases.items():
        # Trials of all sweeps lie side by side, under names of their own.
        paths, record = write_sweep(
            root, varied, states, trials, sweep_id=name, command=f"python {name}", prefix=name
        )
        for trial in record["trials"]:
            if trial["state"] == "stopped":
                trial["objective"] = 0.6
            if trial["state"] == "failed":
                trial["note"] = EVIL
                paths.log(trial["experiment_id"]).parent.mkdir()
                paths.log(trial["experiment_id"]).write_text("what it said")
        write_record(paths, record)
        sweep_results.write_results(paths, record)
    index_page.write_index(root)
    return root


def wait_for_sweep(page):
    for name in ("trials", "curves"):
        page.wait_for_selector(f"#{name} .main-svg", timeout=30_000)


@pytest.mark.parametrize(
    ("name", "width", "dark"), [(name, *LOOKS[n % 2]) for n, name in enumerate(SWEEPS)]
)
def test_a_sweep_is_whole_and_fits(visit, sweeps, root, name, width, dark):
    page = visit(sweeps / "sweeps" / name / "report.html", width, dark)
    wait_for_sweep(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").inner_text() == name
    record = json.loads((sweeps / "sweeps" / name / "sweep.json").read_text())
    assert page.locator("#numbers tbody tr").count() == len(record["trials"])
    assert page.locator("#command").inner_text() == f"python {name}"
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0
    assert not serious_findings(page)
    if name != EVIL:
        screenshot(page, root, f"sweep-{name}-{width}")


def test_links_of_a_sweep_lead_somewhere(visit, sweeps):
    page = visit(sweeps / "sweeps" / EVIL / "report.html")
    addresses = page.evaluate(
        "[...document.querySelectorAll('main a')].map(a => decodeURIComponent(a.pathname))"
    )
    assert len(addresses) == 5 + 1 + 5  # finished experiments, a log, files
    assert all(Path(address).is_file() for address in addresses)
    assert page.locator(".failures li").inner_text().startswith(f"{EVIL}-5: {EVIL}")


def test_the_curves_of_a_sweep_are_chosen(visit, sweeps):
    page = visit(sweeps / "sweeps" / "two" / "report.html")
    wait_for_sweep(page)
    names = "[...document.querySelectorAll('#curves .legendtext')].map(t => t.textContent)"

    def told(expected):
        page.wait_for_function(f"expected => {names}.join('|') === expected", arg=expected)

    page.select_option("#colour", label="seed")
    told("seed: 0 (4)|seed: 1 (4)|seed: 2 (2)")
    page.select_option(".only[data-setting=dataset]", label="fashion")
    told("seed: 0 (2)|seed: 1 (2)|seed: 2 (1)")
    before = page.locator("#curves .js-line").first.get_attribute("d")
    page.select_option("#method", "unit")
    page.wait_for_function(
        "before => document.querySelector('#curves .js-line').getAttribute('d') !== before",
        arg=before,
    )


def test_numbers_that_were_searched_are_dots_on_a_logarithmic_axis(visit, sweeps):
    page = visit(sweeps / "sweeps" / "three" / "report.html")
    wait_for_sweep(page)
    figure = "document.getElementById('trials')"
    titles = [page.evaluate(f"{figure}.layout.{axis}.title.text") for axis in ("xaxis", "xaxis3")]
    assert titles == ["batch_size", "learning_rate"]
    kinds = [page.evaluate(f"{figure}.layout.{axis}.type") for axis in ("xaxis", "xaxis3")]
    assert kinds == ["category", "log"]
    # Of the twelve trials eleven have finished.
    assert page.evaluate(f"{figure}._fullData.map(trace => trace._length)") == [11, 11, 11]


def test_of_seeds_there_is_no_best_one(visit, sweeps):
    page = visit(sweeps / "sweeps" / "two" / "report.html")
    row = page.locator(".bars tbody tr", has_text="seed").locator("td").all_inner_texts()
    assert row[-2:] == ["–", "–"]
    assert "nan" not in page.locator("main").inner_text().split()


def test_the_trials_of_a_sweep_are_sorted(visit, sweeps):
    page = visit(sweeps / "sweeps" / "three" / "report.html")
    states = page.locator("#numbers td:nth-child(2)").all_inner_texts()
    assert states == ["finished"] * 11 + ["stopped"]
    page.click("button[data-copy=csv]")
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert lines[0].startswith("experiment,state,")
    assert lines[1].startswith("three-0,finished,")
    page.locator("#numbers th", has_text="l2 reg").locator("button").click()
    assert page.locator("#numbers td:nth-child(1)").first.inner_text() == "three-11"


def test_a_sweep_without_assets_has_pictures_instead(browser, sweeps, tmp_path):
    shutil.copytree(sweeps / "sweeps" / "two", tmp_path / "sweeps" / "two")
    page = browser.new_page()
    page.goto((tmp_path / "sweeps" / "two" / "report.html").as_uri())
    page.wait_for_selector("#no-plotly")
    assert page.locator(".instead:visible").count() == 2
    page.context.close()


@pytest.mark.parametrize(("width", "dark"), LOOKS[:1])
def test_the_index_tells_of_sweeps(visit, sweeps, width, dark):
    page = visit(sweeps / "index.html", width, dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    listed = page.locator(".sweeps li").all_inner_texts()
    assert len(listed) == 4
    assert page.locator(".sweeps a").count() == 4
    assert any("10 finished, 1 stopped early as unpromising, 1 failed; best: " in t for t in listed)
    assert page.evaluate("window.hacked") is None
