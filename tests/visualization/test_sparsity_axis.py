import pytest
from network_pruning.visualization.sparsity_axis import sparsity_ticks


@pytest.mark.parametrize(
    ("sparsities", "ticks"),
    [
        ([0.0, 0.5, 0.995], [0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995]),
        ([0.0, 0.9925], [0, 0.5, 0.75, 0.9, 0.95, 0.9925]),  # 99 % would be too near
        ([0.0, 0.9, 0.98998], [0, 0.5, 0.75, 0.9, 0.95, 0.99]),  # whole items: nearly 99 %
        ([0.0, 0.495], [0, 0.495]),  # of 2:4, whatever was asked for
        ([0.3, 0.35], [0.3, 0.35]),
        ([0.0, 0.9, 1.0], [0, 0.5, 0.75, 0.9, 1]),
        ([0.0], [0]),
        ([1.0], [1]),
    ],
)
def test_the_last_sparsity_has_a_label(sparsities, ticks):
    assert sparsity_ticks(sparsities) == ticks
