"""Who competes with whom? One registered function per scope.

A scope says how many items each layer loses: from the layers' `Ranking`s and the sparsity `k`, a
number for each layer. Which ones go, the ranking says.
"""

import numpy as np

from .ranking import num_pruned
from .registry import Registry

SCOPES = Registry("scope")
register_scope = SCOPES.register


@register_scope("layer")
def each_layer(rankings, k):
    """Every layer loses the share `k` of its items."""
    return {name: ranking.num_removed(k) for name, ranking in rankings.items()}


@register_scope("global")
def whole_network(rankings, k):
    """The least important items go, wherever they are; layers end up with different sparsities."""
    scores = np.concatenate([r.scores.ravel()[r.order] for r in rankings.values()])
    layer = np.repeat(np.arange(len(rankings)), [r.order.size for r in rankings.values()])
    goes = num_pruned(k, sum(ranking.size for ranking in rankings.values()))
    first = np.argsort(scores, kind="stable")[:goes]
    counts = np.bincount(layer[first], minlength=len(rankings))
    return dict(zip(rankings, map(int, counts), strict=True))


@register_scope("erk")
def erdos_renyi(rankings, k):
    """Density in proportion to (inputs + units) / (inputs · units): small layers stay denser
    (Erdős–Rényi; Evci et al., 2020, arXiv:1911.11134)."""
    wanted = {
        name: sum(ranking.shape) / np.prod(ranking.shape) for name, ranking in rankings.items()
    }
    sizes = {name: ranking.size for name, ranking in rankings.items()}
    total = sum(sizes.values())
    keep = total - num_pruned(k, total)
    # A layer whose share would exceed it is kept whole, and the others share what is left.
    whole = set()
    while True:
        rest = [name for name in rankings if name not in whole]
        left = keep - sum(sizes[name] for name in whole)
        scale = left / sum(wanted[name] * sizes[name] for name in rest) if rest else 0.0
        full = {name for name in rest if scale * wanted[name] > 1}
        if not full:
            break
        whole |= full
    exact = {
        name: sizes[name] if name in whole else scale * wanted[name] * sizes[name]
        for name in rankings
    }
    return _rounded(exact, sizes, keep)


def _rounded(exact, sizes, keep):
    """Whole numbers to remove, so that exactly `keep` items stay: largest remainders first."""
    kept = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: kept[name] - exact[name])
    for name in by_remainder[: keep - sum(kept.values())]:
        kept[name] += 1
    return {name: sizes[name] - kept[name] for name in exact}
