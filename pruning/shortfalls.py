"""What a method does not do as it was asked to, in the same words for a model and for a table."""

from collections.abc import Sequence

from ..utils import CLEARLY_LESS, percent


def is_missed(granularity: str, sparsity: float, k: float) -> bool:
    """Whether a pattern such as 2:4 allows less than the sparsity `k` that was asked for."""
    return ":" in granularity and sparsity < k - CLEARLY_LESS


def of_pattern(method: str, k_vals: Sequence[float], most: float) -> str:
    """That a method's pattern allows a sparsity of `most`, where `k_vals` were asked for."""
    return (
        f"{method} was asked for {_listed(k_vals)} but removes at most {100 * most:.2f} % of the "
        "hidden weights: its pattern allows no more."
    )


def of_layers(method: str, layers: Sequence[str], k: float, nothing_left: bool = False) -> str:
    """That a method removes all of some layers at sparsity `k`, and, if so, that nothing is left on
    any path from the inputs to the outputs."""
    whole = "the whole layer" if len(layers) == 1 else "whole layers:"
    then = ": the network answers the same to all examples" if nothing_left else ""
    return f"{method} removes {whole} {', '.join(layers)} at {percent(k)}{then}."


def _listed(k_vals):
    """ "90 %", "90 % and 100 %", "50 %, 90 % and 100 %"."""
    *others, last = map(percent, sorted(k_vals))
    return f"{', '.join(others)} and {last}" if others else last
