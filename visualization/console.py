"""What is shown on the screen at the end."""

from .graph import percent


def results_table(k_vals, weight, unit):
    """The results as an aligned table of text.

    Args:
        k_vals: sparsities as fractions.
        weight: rows of weight pruning with `test_accuracy` and `test_loss`, one for each sparsity.
        unit: the same for unit pruning.
    """
    lines = [
        "             test accuracy          test loss",
        "sparsity     weight     unit     weight     unit",
    ]
    for k, w, u in zip(k_vals, weight, unit, strict=True):
        accuracies = f"{100 * w['test_accuracy']:8.2f} %{100 * u['test_accuracy']:7.2f} %"
        cells = f"{accuracies}{w['test_loss']:10.4f}{u['test_loss']:9.4f}"
        lines.append(f"{percent(k):>8} {cells}")
    return "\n".join(["", *lines, ""])
