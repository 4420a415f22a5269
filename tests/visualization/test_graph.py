import itertools
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from network_pruning.pruning import masks
from network_pruning.pruning.methods import Method
from network_pruning.utils import percent
from network_pruning.visualization import figures, gifs, graph, histogram_frames
from PIL import Image

K_VALS = (0.0, 0.5, 0.9, 1.0)


def rank(kernels):
    """The rankings of weights of hidden layers; the output layer is left out."""
    output = {"output": np.ones((list(kernels.values())[-1].shape[1], 2))}
    return masks.rank(Method("weight"), {**kernels, **output})


@pytest.fixture(scope="module")
def frames():
    kernels = {
        f"hidden_{number}": np.random.default_rng(number).normal(size=(30, 20)).astype(np.float32)
        for number in (1, 2, 3, 4)
    }
    drawn = histogram_frames.frames_of("weight", kernels, rank(kernels), K_VALS, "toy")
    return drawn, gifs.in_few_colors(drawn)


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.9, "90 %"), (0.995, "99.5 %"), (0.29, "29 %"), (0, "0 %")]
)
def test_percent(fraction, text):
    assert percent(fraction) == text


def test_axes_stay_while_bars_go(frames):
    drawn, images = frames
    limits = [(axes.get_xlim(), axes.get_ylim()) for axes in drawn.panels]
    drawn.draw(3)
    assert [(axes.get_xlim(), axes.get_ylim()) for axes in drawn.panels] == limits
    blue = [
        (np.asarray(image.convert("RGB")) == (0x00, 0x72, 0xB2)).all(axis=-1).sum()
        for image in images
    ]
    assert blue[0] > blue[1] > blue[2] > blue[3] == 0
    assert len({image.size for image in images}) == 1


def test_frames_are_of_white_of_greys_and_of_one_colour(frames):
    blue = np.array((0x00, 0x72, 0xB2))
    for image in frames[1]:
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
        for _, color in image.convert("RGB").getcolors():
            share = (255 - np.array(color)) / (255 - blue)
            assert len(set(color)) == 1 or np.ptp(share) < 0.02, color


def test_counts_have_plain_labels_and_marks_that_are_one_artist():
    norms = {"hidden_1": np.random.default_rng(0).normal(size=(3000, 1))}
    drawn = histogram_frames.frames_of("unit", norms, rank(norms), K_VALS, "toy")
    (axes,) = drawn.panels
    assert [text.get_text() for text in axes.get_yticklabels()][1:4] == ["10⁰", "10¹", "10²"]
    assert not axes.yaxis.get_minor_ticks()
    (marks,) = axes.lines
    assert list(marks.get_ydata())[:10] == [*range(2, 10), 20, 30]
    assert marks.get_ydata()[-1] <= axes.get_ylim()[1]


@pytest.mark.parametrize("units", [1, 5, 30, 300])
def test_no_label_is_clipped_where_there_is_one_layer_of_few_units(units):
    norms = {"hidden_1": np.random.default_rng(0).normal(size=(units, 1))}
    drawn = histogram_frames.frames_of("unit", norms, rank(norms), K_VALS, "toy")
    (axes,) = drawn.panels
    label = axes.yaxis.label.get_window_extent()
    assert label.x0 >= 0
    assert len([text for text in axes.get_yticklabels() if text.get_text()]) >= 2


def test_panels_and_title_say_how_much_is_gone(frames):
    drawn, _ = frames
    drawn.draw(2)
    assert drawn.panels[0].get_title() == "hidden_1: 540 of 600 removed"
    assert "90 % sparsity" in drawn.figure.get_suptitle()


def test_a_gif_has_a_frame_for_every_k_a_second_each_for_ever(frames, tmp_path):
    _, images = frames
    gifs.save_gif(images, tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == len(K_VALS)
        assert gif.info["loop"] == 0
        assert gif.size == images[0].size
        for number, image in enumerate(images):
            gif.seek(number)
            assert gif.info["duration"] == 1000
            np.testing.assert_array_equal(gif.convert("RGB"), image.convert("RGB"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]


def test_a_gif_has_one_palette_and_is_small(frames, tmp_path):
    _, images = frames
    gifs.save_gif(images, tmp_path / "ours.gif")
    images[0].save(tmp_path / "pillow.gif", save_all=True, append_images=images[1:])
    # After the first frame's descriptor no other says that a colour table follows it.
    content = (tmp_path / "ours.gif").read_bytes()
    control = b"\x21\xf9\x04"
    descriptors = [part[5:15] for part in content.split(control)[1:]]
    assert len(descriptors) == len(K_VALS)
    assert all(d[0] == 0x2C and not d[9] & 0x80 for d in descriptors)
    assert len(content) <= 1.1 * (tmp_path / "pillow.gif").stat().st_size


def test_a_gif_of_one_frame(frames, tmp_path):
    gifs.save_gif(frames[1][:1], tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 1


def metrics(k_vals, losses):
    losses = np.asarray(losses)
    return pd.DataFrame({"k": k_vals, "test_loss": losses, "test_accuracy": 1 - losses / 3})


@pytest.mark.parametrize("k_vals", [(0.0,), (1.0,), (0.5, 1.0), (0.5, 0.55), (0.0, 0.9, 0.999, 1)])
def test_pruned_curves_are_drawn_for_any_sparsities(tmp_path, k_vals):
    rows = metrics(k_vals, range(len(k_vals)))
    figure = graph.pruned_loss_accuracy(rows, rows, "toy")
    figures.save_png(figure, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        assert image.size == (1100, 480)
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels
    assert all(label.endswith(" %") for label in labels)


def test_networks_are_drawn_at_the_sparsity_that_they_reached():
    rows = metrics((0.0, 0.9, 0.99), (0, 1, 2))
    figure = graph.pruned_loss_accuracy(rows, rows.assign(sparsity=[0, 0.5, 0.5]), "toy")
    asked, reached = (list(line.get_xdata()) for line in figure.axes[0].lines)
    assert asked == pytest.approx([0, 1, 2])
    assert reached == pytest.approx([0, 0.30103, 0.30103])
    assert figure.axes[0].get_xlabel().startswith("sparsity of the hidden weights")
    assert figure.axes[0].get_xticklabels()[-1].get_text() == "99 %"


def test_epochs_count_from_one_and_the_kept_one_is_named():
    history = pd.DataFrame({"epoch": [1.0, 2.0, 3.0], "loss": 1.0, "accuracy": 0.5})
    history[["val_loss", "val_accuracy"]] = np.nan
    figure = graph.loss_accuracy(history, 3, "toy")
    line = figure.axes[0].lines[0]
    assert list(line.get_xdata()) == [1, 2, 3]
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["training", "kept weights: epoch 3"]


def test_pictures_do_not_need_tensorflow(root):
    code = (
        "import runpy, sys; runpy.run_path(sys.argv[1])['load_package']();"
        "import network_pruning.visualization.graph, network_pruning.visualization.gifs;"
        "sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(root / "__main__.py")], check=True)


def test_histograms_are_counted_once_per_layer_for_all_sparsities(monkeypatch):
    counted = []
    original = histogram_frames.layer_histogram
    monkeypatch.setattr(
        histogram_frames, "layer_histogram", lambda *a: counted.append(a[0]) or original(*a)
    )
    kernels = {"one": np.eye(4), "two": np.ones((4, 3))}
    k_vals = tuple(np.linspace(0, 1, 48))
    frames = histogram_frames.frames_of("weight", kernels, rank(kernels), k_vals, "toy")
    assert len(gifs.in_few_colors(frames)) == 48
    assert counted == ["one", "two"]


BASELINE = "baseline: untouched dense network"


def rows(method, criterion="magnitude", band=False, k_vals=(0.0, 0.9, 0.99)):
    """Sparsities of one method."""
    ratios = {0.0: 1, 0.9: 10, 0.99: 90}
    table = pd.DataFrame({"k": k_vals, "method": method, "criterion": criterion})
    table["compression_ratio"] = table["k"].map(lambda k: ratios.get(k, 1 / (1.01 - k)))
    table["test_accuracy"] = table["k"].map({0.0: 0.98, 0.9: 0.9, 0.99: 0.5}).fillna(0.7)
    if band:
        table = table.assign(test_accuracy_low=table["test_accuracy"] - 0.1, test_accuracy_high=1)
    return table


def compared(*tables, title="toy", settings=""):
    return graph.method_comparison(pd.concat(tables), title, settings)


def lines_of(axes):
    return [line for line in axes.lines if not line.get_label().startswith("baseline")]


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("band", [False, True])
def test_methods_are_compared_over_the_compression_ratio(band):
    random = rows("weight/random", "random")
    figure = compared(rows("weight", band=band), rows("unit"), random)
    assert legend_of(figure) == ["weight", "unit", "weight/random", BASELINE]
    for axes in figure.axes:
        assert axes.get_xscale() == "log"
        assert axes.get_xlabel() == "compression ratio (all / effective parameters)"
        assert [list(line.get_xdata()) for line in lines_of(axes)] == [[1, 10, 90]] * 3
        assert lines_of(axes)[2].get_linestyle() == ":"  # the floor
        assert len(axes.collections) == band
    assert figure.axes[0].get_ylim() == (0, 102)
    assert figure.axes[1].get_ylim() == pytest.approx((93, 98.5))


def test_the_baseline_is_a_line_and_methods_that_train_begin_at_their_control():
    trained = rows("weight/finetune").assign(recovery="finetune", schedule="oneshot")
    trained.loc[trained["k"] == 0, "test_accuracy"] = 0.99
    plain = rows("weight", k_vals=(0.9, 0.99)).assign(recovery="none", schedule="oneshot")
    untouched = rows("baseline", k_vals=(0.0,)).assign(recovery="none", schedule="oneshot")
    figure = compared(trained, plain, untouched)
    assert legend_of(figure) == ["weight/finetune", "weight", BASELINE]
    first, second, line = (list(line.get_ydata()) for line in figure.axes[0].lines)
    assert (first[0], second[0], line[0]) == pytest.approx((99, 98, 98))


def test_two_seeds_are_points_without_a_band():
    means = rows("weight").assign(seeds=2, test_accuracy_sd=0.01 * 2**0.5)
    means = means.assign(test_accuracy_low=np.nan, test_accuracy_high=np.nan)
    axes = compared(means).axes[0]
    assert not axes.collections
    mean, *seeds = (list(line.get_ydata()) for line in lines_of(axes))
    assert [values[0] for values in (mean, *seeds)] == pytest.approx([98, 97, 99])


LONG_NAMES = [
    f"unit_in_out/magnitude_small/global/gradual/weight_rewind{number}" for number in range(10)
]


def test_no_two_of_ten_methods_look_alike():
    floors = [rows(f"{name}/random", "random") for name in ("weight", "unit", "4x4")]
    figure = compared(*map(rows, LONG_NAMES), *floors)
    lines = lines_of(figure.axes[0])
    looks = [(line.get_color(), line.get_marker(), line._unscaled_dash_pattern) for line in lines]
    assert len(looks) == 13
    for methods in (looks[:10], looks[10:]):
        for attribute in zip(*methods, strict=True):
            assert len(set(map(str, attribute))) == len(methods)
    assert {color for color, *_ in looks[:10]}.isdisjoint(color for color, *_ in looks[10:])


def test_floors_can_be_told_apart():
    """Three of them, which is what most runs have: by tone, and by markers that can be seen."""
    figure = compared(*(rows(f"{name}/random", "random") for name in ("weight", "unit", "4x4")))
    lines = lines_of(figure.axes[0])
    tones = [to_rgb(line.get_color())[0] for line in lines]
    assert all(abs(one - two) > 0.25 for one, two in itertools.combinations(tones, 2))
    assert all(line.get_marker() in Line2D.filled_markers for line in lines)
    assert all(line.get_markersize() > 5 for line in lines)


def assert_inside(figure, artist):
    box = artist.get_window_extent()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.bbox.width
    assert box.y1 <= figure.bbox.height


def test_the_legend_shortens_what_is_too_long():
    name = f"weight/{'W' * 163}"
    figure = compared(rows("weight"), rows(name))
    figure.canvas.draw()
    assert legend_of(figure) == ["weight", "weight/…", BASELINE]
    assert_inside(figure, figure.legends[0])
    figure = compared(rows(f"{'W' * 170}/lamp"), rows("W" * 170))
    figure.canvas.draw()
    assert_inside(figure, figure.legends[0])


LONG_TITLES = ["x" * 110, "an id with spaces " * 11, "W" * 200]


def drawn_with(title):
    """Every figure that has the experiment's name in its title, drawn."""
    history = pd.DataFrame({"epoch": [1.0, 2.0], "loss": 1.0, "accuracy": 0.5})
    history[["val_loss", "val_accuracy"]] = np.nan
    table = metrics((0.0, 0.9), (0, 1))
    kernels = {"hidden_1": np.ones((3, 2)), "hidden_2": np.ones((2, 2))}
    frames = histogram_frames.frames_of("weight", kernels, rank(kernels), K_VALS, title)
    frames.draw(2)
    figures = [
        graph.loss_accuracy(history, 1, title),
        graph.pruned_loss_accuracy(table, table, title),
        compared(rows("weight"), title=title, settings="shift=1"),
    ]
    for figure in figures:
        figure.canvas.draw()
    return [*figures, frames.figure]


@pytest.mark.parametrize("title", LONG_TITLES)
def test_long_names_of_experiments_are_not_cut(title):
    for figure, ordinary in zip(drawn_with(title), drawn_with("toy"), strict=True):
        heading = figure._suptitle
        assert "".join(title.split()) in "".join(heading.get_text().split())
        assert_inside(figure, heading)
        # What is below moves down, and is as large as ever.
        assert heading.get_window_extent().y0 > figure.axes[0].title.get_window_extent().y1
        now, before = (f.axes[0].get_window_extent().height for f in (figure, ordinary))
        assert now == pytest.approx(before, rel=0.05)


@pytest.mark.parametrize("loss", [1.2e-5, 0.5, 123_456.0, 3e9])
def test_panels_have_room_for_their_labels(loss):
    table = metrics((0.0, 0.9), (loss, 2 * loss))
    history = pd.DataFrame({"epoch": [1.0, 2.0], "loss": [loss, 2 * loss], "accuracy": 0.5})
    history[["val_loss", "val_accuracy"]] = np.nan
    for figure in (
        graph.loss_accuracy(history, 1, "toy"),
        graph.pruned_loss_accuracy(table, table, "toy"),
    ):
        figure.canvas.draw()
        left, right = figure.axes
        assert_inside(figure, left.yaxis.label)
        assert right.yaxis.label.get_window_extent().x0 > left.bbox.x1
        top = figure.legends[0].get_texts()[0].get_window_extent().y1
        assert left.xaxis.label.get_window_extent().y0 > top


def test_small_print_is_below_a_long_title():
    figure = compared(rows("weight"), title="W" * 200, settings="shift=1")
    figure.canvas.draw()
    (small,) = (text for text in figure.texts if text is not figure._suptitle)
    lines = figure._suptitle.get_text().rstrip("\n").count("\n") + 1
    box = figure._suptitle.get_window_extent()
    last = box.y1 - lines * (box.height / (lines + 1))
    assert figure.axes[0].title.get_window_extent().y1 < small.get_window_extent().y0
    assert small.get_window_extent().y1 < last + 3


def test_the_legend_stays_in_the_picture(tmp_path):
    figure = compared(*map(rows, LONG_NAMES), settings="prune_epochs=8, finetune_epochs=12")
    figures.save_png(figure, tmp_path / "a.png")
    assert legend_of(figure) == [*LONG_NAMES, BASELINE]
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.bbox.width
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == 1100
        assert image.height > 480
    # The panels are as large as ever; only the legend has grown.
    assert figure.axes[0].get_window_extent().height > 250


def test_every_line_begins_at_the_unpruned_network():
    figure = compared(rows("weight"), rows("unit", k_vals=(0.99, 0.9)))
    for line in lines_of(figure.axes[0]):
        assert list(line.get_xdata()) == [1, 10, 90]
        assert list(line.get_ydata()) == [98, 90, 50]


def test_a_method_that_trains_begins_at_its_control_and_both_lines_are_drawn():
    trained = rows("weight/gradual").assign(rounds=1)
    trained["test_accuracy"] += 0.01
    figure = compared(rows("baseline", k_vals=(0.0,)).assign(rounds=0), trained)
    line, baseline, control = figure.axes[0].lines
    assert line.get_ydata()[0] == pytest.approx(99)
    assert (baseline.get_ydata()[0], control.get_ydata()[0]) == pytest.approx((98, 99))
    assert legend_of(figure)[1:] == [BASELINE, "control: dense network, same further training"]


def test_settings_are_in_small_print_under_the_title():
    figure = compared(rows("weight"), settings="prune_epochs=8, shift=1")
    (small,) = (text for text in figure.texts if text is not figure._suptitle)
    assert small.get_text() == "prune_epochs=8, shift=1"
    figure.draw_without_rendering()
    title, panel = figure._suptitle, figure.axes[0].title
    assert small.get_fontsize() < title.get_fontsize()
    assert small.get_window_extent().y0 > panel.get_window_extent().y1
    assert title.get_window_extent().y0 <= small.get_window_extent().y0  # its room is reserved


MANY = tuple(np.arange(121) / 121)


def test_where_nothing_lives_there_is_no_ratio_and_labels_keep_apart():
    table = rows("weight", k_vals=(0.0, 0.5, 0.9, 1.0))
    table.loc[table["k"] == 1, "compression_ratio"] = np.inf
    (line,) = lines_of(compared(table).axes[0])
    assert len(line.get_xdata()) == 3
    table.loc[table["k"] == 1, "compression_ratio"] = 200_000
    assert_labels_keep_apart(compared(table))


def test_small_ratios_have_labels_too():
    table = rows("weight").assign(compression_ratio=[1, 1.2, 1.45])
    figure = compared(table)
    assert_labels_keep_apart(figure)
    low, high = figure.axes[0].get_xlim()
    assert sum(low <= tick <= high for tick in figure.axes[0].get_xticks()) >= 3


@pytest.mark.parametrize("ratio", [30, 120, 299, 300, 350, 800, 1000, 4999, 10**6])
def test_labels_of_the_ratios_keep_apart(ratio):
    table = rows("weight")
    table.loc[table["k"] == 0.99, "compression_ratio"] = ratio
    assert_labels_keep_apart(compared(table))


def assert_labels_keep_apart(figure):
    figure.canvas.draw()
    for axes in figure.axes:
        limits = axes.get_window_extent()
        shown = [label.get_window_extent() for label in axes.get_xticklabels()]
        boxes = [box for box in shown if limits.x0 <= (box.x0 + box.x1) / 2 <= limits.x1]
        assert boxes
        # By half a digit: what touches reads as one number.
        assert all(one.x1 + 4 < two.x0 for one, two in itertools.pairwise(boxes))


def test_many_sparsities_are_lines_not_bands_of_markers():
    figure = compared(rows("weight", k_vals=MANY), rows("unit", k_vals=MANY))
    every = [line.get_markevery() for line in lines_of(figure.axes[0])]
    assert all(0.05 <= distance <= 0.2 for _, distance in every)  # of the panel's diagonal
    assert every[0] != every[1]  # so that markers of neighbours do not cover each other
    many = metrics(MANY, np.linspace(0, 2, 121))
    figure = graph.pruned_loss_accuracy(many, many, "toy")
    assert all(line.get_markevery() is not None for line in figure.axes[0].lines)
    assert compared(rows("weight")).axes[0].lines[0].get_markevery() is None


def test_groups_are_called_by_all_of_their_layers():
    kernels = {"stem": np.eye(4), "dense": np.ones((4, 3))}
    labels = {"stem": "stem + project"}
    frames = histogram_frames.frames_of("unit", kernels, rank(kernels), K_VALS, "toy", labels)
    titles = [axes.get_title() for axes in frames.panels[:2]]
    assert [title.split(":")[0] for title in titles] == ["stem + project", "dense"]


def test_many_layers_are_shown_in_small():
    """54 layers, as of a large convolutional network: one figure of a screen's width."""
    generator = np.random.default_rng(0)
    kernels = {
        f"conv{number}_block_with_a_long_name_{number}": generator.normal(size=(20, 30))
        for number in range(54)
    }
    frames = histogram_frames.frames_of("weight", kernels, rank(kernels), (0.0, 0.9), "large")
    width, height = frames.draw(1).size
    assert (width, height) == (1500, 60 + 150 * 9)
    titles = [axes.get_title() for axes in frames.panels[:54]]
    assert titles[7] == "conv7_block…long_name_7: −90 %"
    assert len(set(titles)) == 54
    renderer = frames.canvas.get_renderer()
    boxes = [axes.title.get_window_extent(renderer) for axes in frames.panels[:54]]
    for start in range(0, 54, 6):
        for left, right in itertools.pairwise(boxes[start : start + 6]):
            assert left.x1 < right.x0  # titles do not run into each other
