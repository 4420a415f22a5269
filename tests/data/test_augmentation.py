import numpy as np
from network_pruning.data.augmentation import RandomShift


def test_images_are_moved_by_every_shift_and_black_comes_in():
    image = np.arange(1, 10, dtype=np.uint8)  # 1 2 3 / 4 5 6 / 7 8 9
    images = np.tile(image, (200, 1))
    moved = RandomShift(images, (3, 3, 1), 1)(np.random.default_rng(0))
    found = {tuple(pixels) for pixels in moved}
    assert len(found) == 9
    assert tuple(image) in found
    assert (0, 1, 2, 0, 4, 5, 0, 7, 8) in found
    assert (4, 5, 6, 7, 8, 9, 0, 0, 0) in found
    assert moved.dtype == np.uint8
    # Of what is looked at only: the same moves.
    some = RandomShift(images, (3, 3, 1), 1, np.array([0, 4, 8]))(np.random.default_rng(0))
    np.testing.assert_array_equal(some, moved[:, [0, 4, 8]])


def test_images_of_several_channels_move_as_a_whole():
    """All channels together; what moves in is the least number of those that are no bytes."""
    generator = np.random.default_rng(5)
    images = generator.normal(size=(50, 4, 5, 3)).astype(np.float32)
    moved = RandomShift(images, (4, 5, 3), 2)(np.random.default_rng(0)).reshape(images.shape)
    down, right = np.random.default_rng(0).integers(5, size=(2, 50))
    framed = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=images.min())
    for number in range(50):
        first, left = down[number], right[number]
        expected = framed[number, first : first + 4, left : left + 5]
        np.testing.assert_array_equal(moved[number], expected)
