"""Means over several seeds, with confidence intervals."""

from typing import Any

import pandas as pd

# For two seeds the interval of Student's t is useless: nine times as wide as their difference.
FEWEST_SEEDS = 3
# The ranges of quantities.
BOUNDS = {
    "test_accuracy": (0, 1),
    "test_cross_entropy": (0, None),
    "valid_accuracy": (0, 1),
    "sparsity": (0, 1),
    "effective_sparsity": (0, 1),
    "compression_ratio": (1, None),
    "speedup": (1, None),
}


def mean_and_interval(values: Any, bounds: tuple[float | None, float | None]) -> pd.DataFrame:
    """Columns `mean`, `sd`, `low` and `high` of grouped values: mean, sample standard deviation and
    the limits of the 95 % interval of Student's t, clipped to the bounds. They are missing if a
    value is; the limits also if there are fewer than three values.
    """
    from scipy.stats import t

    count, size = values.count(), values.size()
    mean, sd = values.mean().where(count == size), values.std().where(count == size)
    half = t.ppf(0.975, (size - 1).clip(lower=1)) * sd / size**0.5
    half = half.where(size >= FEWEST_SEEDS)
    low, high = ((mean + sign * half).clip(*bounds) for sign in (-1, 1))
    return pd.DataFrame({"mean": mean, "sd": sd, "low": low, "high": high})
