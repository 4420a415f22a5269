import subprocess
import sys

import numpy as np
import pytest
from network_pruning.models import pruning
from network_pruning.models.methods import Method
from network_pruning.visualization import gifs, graph
from PIL import Image

K_VALS = (0.0, 0.5, 0.9, 1.0)


def rank(kernels):
    """The rankings of weights of hidden layers; the output layer is left out."""
    output = {"output": np.ones((list(kernels.values())[-1].shape[1], 2))}
    return pruning.rank(Method("weight"), {**kernels, **output})


@pytest.fixture(scope="module")
def frames():
    kernels = {
        f"hidden_{number}": np.random.default_rng(number).normal(size=(30, 20)).astype(np.float32)
        for number in (1, 2, 3, 4)
    }
    drawn = graph.histogram_frames("weight", kernels, rank(kernels), K_VALS, "toy")
    return drawn, gifs.in_few_colors(drawn)


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.9, "90 %"), (0.995, "99.5 %"), (0.29, "29 %"), (0, "0 %")]
)
def test_percent(fraction, text):
    assert graph.percent(fraction) == text


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
        for number in range(gif.n_frames):
            gif.seek(number)
            assert gif.info["duration"] == 1000
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]


def test_a_gif_of_one_frame(frames, tmp_path):
    gifs.save_gif(frames[1][:1], tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 1


def metrics(*losses):
    return [{"test_loss": loss, "test_accuracy": 1 - loss / 3} for loss in losses]


@pytest.mark.parametrize("k_vals", [(0.0,), (1.0,), (0.5, 1.0), (0.5, 0.55), (0.0, 0.9, 0.999, 1)])
def test_pruned_curves_are_drawn_for_any_sparsities(tmp_path, k_vals):
    losses = metrics(*range(len(k_vals)))
    figure = graph.pruned_loss_accuracy(k_vals, losses, losses, "toy")
    graph.save_png(figure, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        assert image.size == (1100, 480)
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels
    assert all(label.endswith(" %") for label in labels)


def test_epochs_count_from_one_and_the_kept_one_is_named():
    history = [
        {"epoch": e, "loss": 1 / e, "accuracy": 0.5, "val_loss": None, "val_accuracy": None}
        for e in (1.0, 2.0, 3.0)
    ]
    figure = graph.loss_accuracy(history, 3, "toy")
    line = figure.axes[0].lines[0]
    assert list(line.get_xdata()) == [1, 2, 3]
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["training", "kept: epoch 3"]


def test_pictures_do_not_need_tensorflow(root):
    code = (
        "import runpy, sys; runpy.run_path(sys.argv[1])['load_package']();"
        "import network_pruning.visualization.graph, network_pruning.visualization.gifs;"
        "sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(root / "__main__.py")], check=True)


def test_histograms_are_counted_once_per_layer_for_all_sparsities(monkeypatch):
    counted = []
    original = graph.layer_histogram
    monkeypatch.setattr(graph, "layer_histogram", lambda *a: counted.append(a[0]) or original(*a))
    kernels = {"one": np.eye(4), "two": np.ones((4, 3))}
    k_vals = tuple(np.linspace(0, 1, 48))
    frames = graph.histogram_frames("weight", kernels, rank(kernels), k_vals, "toy")
    assert len(gifs.in_few_colors(frames)) == 48
    assert counted == ["one", "two"]


def rows(method, criterion="magnitude", band=False):
    """Three sparsities of one method."""
    return [
        {
            "method": method,
            "criterion": criterion,
            "k": k,
            "compression_ratio": ratio,
            "test_accuracy": accuracy,
            **({"test_accuracy_low": accuracy - 0.1, "test_accuracy_high": 0.99} if band else {}),
        }
        for k, ratio, accuracy in ((0.0, 1, 0.98), (0.9, 10, 0.9), (0.99, 90, 0.5))
    ]


@pytest.mark.parametrize("band", [False, True])
def test_methods_are_compared_over_the_compression_ratio(band):
    points = rows("weight", band=band) + rows("unit") + rows("weight/random", "random")
    figure = graph.method_comparison(points, "toy")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["weight", "unit", "weight/random"]
    for axes in figure.axes:
        assert axes.get_xscale() == "log"
        lines = [line for line in axes.lines if line.get_label() in labels]
        assert [list(line.get_xdata()) for line in lines] == [[1, 10, 90]] * 3
        assert lines[2].get_linestyle() == ":"  # the floor
        assert len(axes.collections) == band
    assert figure.axes[0].get_ylim() == (0, 102)
    assert figure.axes[1].get_ylim() == pytest.approx((93, 98.5))
