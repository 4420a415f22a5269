"""Pictures of any size and colour as examples."""

import numpy as np
import pytest
from network_pruning.data import pictures
from network_pruning.data.pictures import prepared
from network_pruning.utils import RunError
from PIL import Image

GREY, COLOUR = (28, 28, 1), (28, 28, 3)


def digit():
    """A bright bar, taller than wide, in the middle of 28×28 black pixels."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 10:18] = 200
    return pixels


def saved(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def test_one_of_just_that_size_is_taken_as_it_is(tmp_path):
    image, done = prepared(saved(tmp_path / "a.png", digit()), GREY, 0.1)
    np.testing.assert_array_equal(image[..., 0], digit() / np.float32(255))
    assert image.dtype == np.float32
    assert done == []


def test_dark_on_light_is_turned_round(tmp_path):
    image, done = prepared(saved(tmp_path / "a.png", 255 - digit()), GREY, 0.1)
    np.testing.assert_allclose(image[..., 0], digit() / 255, atol=1e-6)
    assert done == ["dark on light: inverted"]


def test_one_may_say_whether_to_turn_it_round(tmp_path):
    light = saved(tmp_path / "a.png", 255 - digit())
    image, done = prepared(light, GREY, 0.1, "no")
    np.testing.assert_allclose(image[..., 0], 1 - digit() / 255, atol=1e-6)
    assert done == []
    image, done = prepared(saved(tmp_path / "b.png", digit()), GREY, 0.1, "yes")
    np.testing.assert_allclose(image[..., 0], 1 - digit() / 255, atol=1e-6)
    assert done == ["inverted"]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16", "LA", "CMYK"])
def test_large_ones_in_any_mode_are_cut_out_and_made_small(tmp_path, mode):
    ink = 255 - np.pad(
        np.kron(digit() // 200 * 255, np.ones((7, 7), np.uint8)), ((5, 300), (150, 9))
    )
    picture = Image.fromarray(ink)
    if mode == "I;16":
        picture = Image.fromarray(ink.astype(np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    file = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    picture.save(file)
    image, done = prepared(file, GREY, 4 / 28)
    # The bar is 20 pixels tall again, 8 wide, and in the middle.
    np.testing.assert_array_equal(image[..., 0] > 0.5, digit() > 0)
    assert "dark on light: inverted" in done
    assert f"resized from {picture.width}×{picture.height} to 28×28 pixels" in done


def test_the_centre_of_mass_comes_to_the_middle_as_in_mnist(tmp_path):
    pixels = np.zeros((60, 60), np.uint8)
    pixels[10:50, 10:14] = 255  # a thin stem
    pixels[40:50, 10:30] = 255  # and a heavy foot
    image, _ = prepared(saved(tmp_path / "a.png", pixels), GREY, 4 / 28)
    image = image[..., 0]
    for axis in (0, 1):
        centre = (np.arange(28) + 0.5) @ image.sum(axis=1 - axis) / image.sum()
        assert abs(centre - 14) <= 0.6


def test_colours_stay_for_a_model_that_sees_them(tmp_path):
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[10:30, 10:30] = (250, 20, 20)
    image, _ = prepared(saved(tmp_path / "a.png", pixels), COLOUR, 0)
    assert image.shape == COLOUR
    assert image[14, 14, 0] > 0.9 > 0.1 > image[14, 14, 1]


def test_one_that_shows_nothing_is_no_reason_to_fail(tmp_path):
    image, _ = prepared(saved(tmp_path / "a.png", np.full((9, 90), 255, np.uint8)), GREY, 0.1)
    assert np.isfinite(image).all()
    assert image.shape == GREY


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"a.png cannot be read \(No such file or directory\)"),
        (b"", "is not an image of a known format, such as PNG"),
        (b"GIF89a\1", "is not an image of a known format|cannot be read"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(RunError, match=message):
        prepared(tmp_path / "a.png", GREY, 0.1)


def test_a_damaged_one_is_a_sentence(tmp_path):
    file = saved(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (99, 99), np.uint8))
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(RunError, match="cannot be read"):
        prepared(file, GREY, 0.1)


def test_one_that_is_too_large_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 100)
    with pytest.raises(RunError, match="has more than 100 pixels; make it smaller"):
        prepared(saved(tmp_path / "a.png", digit()), GREY, 0.1)
