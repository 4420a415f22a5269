import math

import pandas as pd
import pytest
from network_pruning.visualization import console


def metrics(*rows):
    """A table of tuples: method, k, sparsity, accuracy, compression ratio."""
    columns = ["method", "k", "sparsity", "test_accuracy", "compression_ratio"]
    table = pd.DataFrame(rows, columns=columns)
    table["granularity"] = table["method"].str.split("/").str[0]
    return table.assign(criterion="magnitude", test_loss=0.25)


PLAIN = (
    ("weight", 0.0, 0.0, 0.98, 1.0),
    ("weight", 0.9, 0.9, 0.9567, 9.94),
    ("unit", 0.0, 0.0, 0.98, 1.0),
    ("unit", 0.9, 0.8999, 0.25, 9.96),
)


def test_the_plain_table_to_the_character():
    assert console.results_table(metrics(*PLAIN), "toy, seed=0").splitlines() == [
        "",
        "Test accuracy (%), compression ratio, test loss:",
        "toy, seed=0",
        "",
        "sparsity           weight                    unit",
        "     0 %   98.00    1.0×   0.2500   98.00    1.0×   0.2500",
        "    90 %   95.67*   9.9×   0.2500   25.00     10×   0.2500",
        "* best at this sparsity",
    ]


@pytest.mark.parametrize("count", [3, 5, 10])
def test_every_method_is_shown_at_every_sparsity_in_80_columns(count):
    names = [f"unit_in_out/magnitude_small/global/gradual/weight_rewind{n}" for n in range(count)]
    k_vals = (0.0, 1 / 3, 0.9999)
    rows = [
        (name, k, k, (n + 0.1 * at) / 100, 1193.0)
        for n, name in enumerate(names)
        for at, k in enumerate(k_vals)
    ]
    shown = console.results_table(metrics(*rows))
    assert max(map(len, shown.splitlines())) <= 80
    for number, name in enumerate(names):
        assert f"[{number + 1}] {name}" in shown
        for at in range(3):
            assert f" {number + 0.1 * at:.2f}" in shown
    # The best of each row, whichever of the tables it stands in.
    assert shown.count("*") == 3 + 1
    assert f"{count - 1}.20*" in shown


def test_less_than_asked_is_marked_and_never_the_best():
    rows = [
        ("2:4", 0.9, 0.5, 0.97, 2.0),
        ("weight", 0.9, 0.9, 0.95, 10.0),
        ("unit", 0.9, 0.895, 0.20, 10.0),
    ]
    shown = console.results_table(metrics(*rows))
    assert "97.00<   2.0×" in shown
    assert "95.00*    10×" in shown
    assert "20.00     10×" in shown
    reached = "removes at most 50.00 %: its pattern allows no more"
    assert shown.splitlines()[-2:] == ["< fewer weights removed than requested", f"2:4 {reached}"]
    rows += [("2:4", 1.0, 0.5, 0.97, 2.0), ("2:4", 0.5, 0.5, 0.97, 2.0)]
    rows.append(("unit/magnitude_small/global", 0.9, 0.5, 0.97, 2.0))
    assert console.results_table(metrics(*rows)).splitlines()[-2:] == [
        "< fewer weights removed than requested: units and blocks are removed whole",
        f"[1] {reached}",
    ]
    shown = console.results_table(metrics(*rows[1:3], rows[-1])).splitlines()[-1]
    assert shown == "< fewer weights removed than requested: units and blocks are removed whole"


def test_nobody_is_best_of_one():
    assert "*" not in console.results_table(metrics(*PLAIN[:2]))


def test_a_summary_gives_means_with_their_intervals():
    names = ("weight", "weight/obd/global/gradual/finetune", "2:4", "unit/random")
    values = {0.0: (0.98, 0.975, 1.0), 0.9: (0.5, 0.0, 0.995), 0.99: (0.1, math.nan, math.nan)}
    columns = ["method", "granularity", "k", "sparsity_mean", "seeds"]
    columns += [f"test_accuracy_{what}" for what in ("mean", "low", "high")]
    rows = [
        (name, name.split("/")[0], k, 0.5 if name == "2:4" else k, 3, *values[k])
        for name in names
        for k in values
    ]
    summary = pd.DataFrame(rows, columns=columns)
    summary["compression_ratio_mean"] = summary["k"].map({0.0: 1, 0.9: 12.4, 0.99: math.inf})
    summary.loc[summary.index[4], "test_accuracy_mean"] = 0.9
    shown = console.summary_table(summary, "shift=1").splitlines()
    heading = "Test accuracy (%), mean of 3 seeds (95 % interval), compression ratio:"
    assert shown[1:3] == [heading, "shift=1"]
    assert "    90 %   50.00 (0.00–99.50)      12×   90.00*(0.00–99.50)      12×" in shown
    assert "     0 %   98.00 (97.50–100.00)   1.0×   98.00 (97.50–100.00)   1.0×" in shown
    assert "    90 %   50.00<(0.00–99.50)      12×   50.00 (0.00–99.50)      12×" in shown
    assert "    99 %   10.00                     —   10.00                     —" in shown
    assert " [2] weight/obd/global/gradual/finetune" in shown
    assert shown[-3:] == [
        "* best at this sparsity",
        "< fewer weights removed than requested",
        "[3] removes at most 50.00 %: its pattern allows no more",
    ]
    assert max(map(len, shown)) <= 80


def test_no_colours_whatever_the_terminal(monkeypatch):
    plain = console.results_table(metrics(*PLAIN))
    for name, value in (("FORCE_COLOR", "1"), ("COLUMNS", "40"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    assert console.results_table(metrics(*PLAIN)) == plain
    assert "\x1b" not in plain


LONG = "weight/magnitude_small/global/gradual/weight_rewind"


def shown_report(method):
    """What the terminal needs of a report with a network of a method."""
    texts = {"recipe": "0123", "method": method, "test_accuracy": "97.00 %", "k": "99.9 %"}
    texts |= {"sparsity": "99.90 %", "compression_ratio": "1,000×", "valid_accuracy": "96.00 %"}
    table = {"columns": list(texts), "rows": [[{"text": text} for text in texts.values()]]}
    return {
        **{"id": "toy", "sentences": ["A sentence."], "rule": "", "caveats": [(True, "Good.")]},
        **{"table": table, "notes": ["< a note"], "command": "python"},
    }


@pytest.mark.parametrize("width", [48, 60, 80, 160])
def test_a_row_of_the_terminal_is_as_wide_as_it_and_begins_with_what_matters(width):
    lines = console.experiment(shown_report(LONG), width).splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("method"))
    heading, row, note = lines[place : place + 3]
    assert max(map(len, lines)) <= width
    assert heading.split("  ")[0] == "method"
    assert heading.index(" k") < heading.index("sparsity") < heading.index("test acc.")
    assert "99.9 %" in row
    assert "97.00 %" in row
    assert ("…" in row) == (width < 160)
    assert ("1,000×" in row) == (width >= 60)
    assert note == "< a note"


def test_of_two_seeds_no_interval_is_named():
    rows = [("weight", "weight", 0.5, 2, 0.5, 0.9, math.nan, math.nan, 2.0)]
    columns = ["method", "granularity", "k", "seeds", "sparsity_mean", "test_accuracy_mean"]
    columns += ["test_accuracy_low", "test_accuracy_high", "compression_ratio_mean"]
    shown = console.summary_table(pd.DataFrame(rows, columns=columns))
    assert "mean of 2 seeds, compression ratio:" in shown
