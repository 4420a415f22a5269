"""The figures of sweeps, of few and many settings and trials."""

import numpy as np
import pandas as pd
import pytest
from network_pruning.visualization import figures, sweep_graph
from sweep_folders import grid


def categories(trials, varied):
    return pd.DataFrame(
        {
            name: pd.Categorical([str(trial[name]) for trial in trials], list(map(str, values)))
            for name, values in varied.items()
        }
    )


def drawn_settings(varied, trials=None, explained=0.25):
    trials = grid(**varied) if trials is None else trials
    objectives = pd.Series(np.linspace(0.5, 0.9, len(trials)))
    shares = dict.fromkeys(varied, explained)
    levels = categories(trials, varied)
    return sweep_graph.settings_figure(objectives, levels, shares, "valid_accuracy@0.99", "a sweep")


def drawn_curves(values):
    trials = [{"setting": value, "k": k} for value in values for k in (0.0, 0.9, 0.99)]
    rows = pd.DataFrame(trials).assign(test_accuracy=np.linspace(0.5, 0.9, len(trials)))
    return sweep_graph.curves_figure(rows, categories(trials, {"setting": values})["setting"], "a")


def panels(figure):
    return [axes for axes in figure.axes if axes.axison]


@pytest.mark.parametrize("number", range(1, 7))
def test_a_panel_for_each_setting(tmp_path, number):
    figure = drawn_settings({f"setting_{n}": [0, 1] for n in range(number)})
    assert len(panels(figure)) == number
    assert panels(figure)[0].get_title() == "setting_0, importance 25 %"
    figures.save_png(figure, tmp_path / "a.png")


def test_means_are_those_of_every_level_in_per_cent():
    varied = {"l1_reg": [0.0, 0.1], "seed": [0, 1, 2]}
    left, _ = panels(drawn_settings(varied, explained=float("nan")))
    (line,) = left.lines
    assert left.get_title() == "l1_reg"
    assert list(line.get_ydata()) == pytest.approx([58, 82])  # of 50, 58, 66 and 74, 82, 90
    (dots,) = left.collections
    assert [round(x) for x, _ in dots.get_offsets()] == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("number", [1, 3, 8])
def test_a_line_for_each_level(tmp_path, number):
    (axes,) = (figure := drawn_curves(list(range(number)))).axes
    assert len(axes.lines) == number
    assert figure.legends[0].get_title().get_text().startswith("setting: mean of the trials")
    figures.save_png(figure, tmp_path / "a.png")


def test_the_band_is_from_the_least_to_the_most():
    rows = pd.DataFrame({"k": [0.0, 0.0, 0.9, 0.9], "test_accuracy": [0.9, 0.7, 0.6, 0.2]})
    (axes,) = sweep_graph.curves_figure(rows, None, "a sweep").axes
    assert list(axes.lines[0].get_ydata()) == pytest.approx([80, 40])
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((20, 90))


def test_curves_are_drawn_at_the_mean_sparsity_that_was_reached():
    rows = pd.DataFrame({"k": [0.0, 0.0, 0.9, 0.9], "test_accuracy": 0.9})
    rows["sparsity"] = [0.0, 0.0, 0.4, 0.6]
    (axes,) = sweep_graph.curves_figure(rows, None, "a sweep").axes
    assert list(axes.lines[0].get_xdata()) == pytest.approx([0, 0.30103])


@pytest.mark.filterwarnings("error:constrained_layout")
def test_long_and_odd_names_leave_room(tmp_path):
    names = ["weight/" + "/".join(["magnitude"] * 9), "$\\frac{", "<b>" * 30, "x", "y"]
    varied = {"methods": names, "a_setting_with_a_very_long_name_indeed": names}
    for number, figure in enumerate((drawn_settings(varied), drawn_curves(names))):
        figures.save_png(figure, tmp_path / f"{number}.png")
