"""The figures of sweeps, of few and many settings and trials."""

import numpy as np
import pandas as pd
import pytest
from network_pruning.sweeps.levels import levels_of
from network_pruning.visualization import figures, sweep_graph
from sweep_folders import grid

NAN = float("nan")


def levels_over(trials, varied):
    return {name: levels_of([t[name] for t in trials], among) for name, among in varied.items()}


def drawn_settings(varied, states=None, trials=None):
    trials = grid(**varied) if trials is None else trials
    objective = np.linspace(0.5, 0.9, len(trials))
    table = pd.DataFrame({"objective": objective, "state": states or ["finished"] * len(trials)})
    shares = dict.fromkeys(varied, 0.25)
    levels = levels_over(trials, varied)
    return sweep_graph.settings_figure(table, levels, shares, "valid_accuracy@0.99", "a sweep")


def drawn_curves(varied):
    trials, k_vals = grid(**varied), (0.0, 0.9, 0.99)
    rows = pd.DataFrame([{**trial, "k": k} for trial in trials for k in k_vals])
    rows["test_accuracy"] = np.linspace(0.5, 0.9, len(rows))
    levels = {name: levels_of(rows[name].tolist(), among) for name, among in varied.items()}
    return sweep_graph.curves_figure(rows, levels, "a sweep")


def panels(figure):
    return [axes for axes in figure.axes if axes.axison]


@pytest.mark.parametrize("number", range(1, 7))
def test_a_panel_for_each_setting(tmp_path, number):
    varied = {f"setting_{n}": [0, 1] for n in range(number)}
    figure = drawn_settings(varied)
    assert len(panels(figure)) == number
    assert panels(figure)[0].get_title() == "setting_0, explains 25 %"
    assert (panels(figure)[0].get_legend() is None) == (number == 1)
    if number > 1:  # each by the most important other one
        titles = [axes.get_legend().get_title().get_text() for axes in panels(figure)]
        assert titles == ["colour: setting_1", *["colour: setting_0"] * (number - 1)]
    figures.save_png(figure, tmp_path / "a.png")


def test_means_are_those_of_finished_trials_only():
    figure = drawn_settings({"l1_reg": [0.0, 0.1, 0.2]}, ["finished", "stopped", "finished"])
    (axes,) = panels(figure)
    (line,) = axes.lines
    assert list(line.get_xdata()) == [0, 2]
    assert list(line.get_ydata()) == pytest.approx([50, 90])
    hollow = [
        dots
        for dots in axes.collections
        if len(dots.get_offsets()) and not len(dots.get_facecolors())
    ]
    assert [dots.get_offsets().tolist() for dots in hollow] == [[[1, pytest.approx(70)]]]
    assert any("stopped early" in text.get_text() for text in figure.texts)


def test_drawn_numbers_lie_on_an_axis():
    trials = [{"learning_rate": 10.0**-n, "dropout": n / 10} for n in range(8)]
    varied = {"learning_rate": "loguniform(1e-7, 1)", "dropout": "uniform(0, 1)"}
    left, right = panels(drawn_settings(varied, trials=trials))
    assert (left.get_xscale(), right.get_xscale()) == ("log", "linear")
    assert {x for dots in left.collections for x, _ in dots.get_offsets()} == {
        10.0**-n for n in range(8)
    }


@pytest.mark.parametrize(
    ("sizes", "shape", "lines"),
    [((), (1, 1), 1), ((3,), (1, 1), 3), ((2, 3), (1, 2), 3), ((2, 3, 2), (3, 2), 2)],
)
def test_curves_are_parted_by_up_to_three_settings(tmp_path, sizes, shape, lines):
    varied = {f"setting_{n}": list(range(size)) for n, size in enumerate(sizes)}
    figure = drawn_curves(varied)
    assert len(figure.axes) == shape[0] * shape[1]
    assert all(len(axes.lines) == lines for axes in figure.axes)
    assert bool(figure.legends) == bool(sizes)
    figures.save_png(figure, tmp_path / "a.png")


def test_the_band_is_from_the_least_to_the_most():
    rows = pd.DataFrame({"k": [0.0, 0.0, 0.9, 0.9], "test_accuracy": [0.9, 0.7, 0.6, 0.2]})
    (axes,) = sweep_graph.curves_figure(rows, {}, "a sweep").axes
    assert list(axes.lines[0].get_ydata()) == pytest.approx([80, 40])
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((20, 90))


def test_curves_are_drawn_at_the_mean_sparsity_that_was_reached():
    rows = pd.DataFrame({"k": [0.0, 0.0, 0.9, 0.9], "test_accuracy": 0.9})
    rows["sparsity"] = [0.0, 0.0, 0.4, 0.6]
    (axes,) = sweep_graph.curves_figure(rows, {}, "a sweep").axes
    assert list(axes.lines[0].get_xdata()) == pytest.approx([0, 0.30103])


def test_settings_that_would_leave_holes_have_no_rows_of_their_own():
    rows = pd.DataFrame({"k": 0.9, "test_accuracy": np.linspace(0.5, 0.9, 8)}, index=range(8))
    levels = {name: levels_of(list(range(8)), list(range(8))) for name in ("a", "b")}
    assert len(sweep_graph.curves_figure(rows, levels, "a sweep").axes) == 1


@pytest.mark.filterwarnings("error:constrained_layout")
def test_long_and_odd_names_leave_room(tmp_path):
    names = ["weight/" + "/".join(["magnitude"] * 9), "$\\frac{", "<b>" * 30, "x", "y"]
    varied = {"methods": names, "a_setting_with_a_very_long_name_indeed": names}
    for number, figure in enumerate((drawn_settings(varied), drawn_curves(varied))):
        figures.save_png(figure, tmp_path / f"{number}.png")
    values = {"s": NAN}
    table = pd.DataFrame({"objective": [0.5], "state": ["finished"]})
    figure = sweep_graph.settings_figure(table, {"s": levels_of([1], [1])}, values, "x", "$" * 300)
    assert panels(figure)[0].get_title() == "s"
