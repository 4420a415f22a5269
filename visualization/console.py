"""What is shown on the screen at the end."""

from .graph import percent


def results_table(k_vals, weight, unit):
    """The results as an aligned table of text.

    Args:
        k_vals: sparsities as fractions.
        weight: metrics of weight pruning with `loss` and `accuracy`, one for each sparsity.
        unit: the same for unit pruning.
    """
    lines = [
        "             test accuracy          test loss",
        "sparsity     weight     unit     weight     unit",
    ]
    for k, w, u in zip(k_vals, weight, unit, strict=True):
        cells = f"{100 * w.accuracy:8.2f} %{100 * u.accuracy:7.2f} %{w.loss:10.4f}{u.loss:9.4f}"
        lines.append(f"{percent(k):>8} {cells}")
    return "\n".join(["", *lines, ""])
