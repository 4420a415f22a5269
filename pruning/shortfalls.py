"""Warnings where a method misses the requested sparsity, the same for models and tables."""

from collections.abc import Sequence

from ..utils import CLEARLY_LESS, percent


def is_missed(granularity: str, sparsity: float, k: float) -> bool:
    """Whether a pattern such as 2:4 allows less than the requested sparsity `k`."""
    return ":" in granularity and sparsity < k - CLEARLY_LESS


def of_pattern(method: str, k_vals: Sequence[float], most: float) -> str:
    """A warning that a method's pattern allows a sparsity of `most` only, not these `k_vals`."""
    return (
        f"{method} cannot reach {_listed(k_vals)}: its pattern removes at most {100 * most:.2f} % "
        "of the hidden weights."
    )


def of_layers(method: str, layers: Sequence[str], k: float, nothing_left: bool = False) -> str:
    """A warning that a method removes all weights of some layers at sparsity `k`.

    Args:
        method: its name.
        layers: the names of the layers.
        k: the sparsity.
        nothing_left: whether no path from the inputs to the outputs remains.
    """
    whole = "the whole layer" if len(layers) == 1 else "whole layers:"
    then = ": the network has the same output for every example" if nothing_left else ""
    return f"{method} removes {whole} {', '.join(layers)} at {percent(k)}{then}."


def _listed(k_vals):
    """ "90 %", "90 % and 100 %", "50 %, 90 % and 100 %"."""
    *others, last = map(percent, sorted(k_vals))
    return f"{', '.join(others)} and {last}" if others else last
