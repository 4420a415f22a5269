"""The objective of a sweep: a column of metrics.csv at a sparsity, or the bytes of a file."""

from collections.abc import Iterable

from ..utils import UsageError

# Columns of metrics.csv that may be optimized, and in which direction; none of the test set.
GOALS = {
    "valid_accuracy": "max",
    "valid_cross_entropy": "min",
    "compression_ratio": "max",
    "speedup": "max",
    "nonzero": "min",
    "living": "min",
    "multiply_adds": "min",
}
# Those that the summary of several seeds has, too.
GOALS_OF_SEEDS = ("valid_accuracy", "compression_ratio", "speedup")
EXPORT_BYTES = "export_bytes"


def default_objective(k_vals: Iterable[float]) -> str:
    """The accuracy at the sparsity at which most people would compare: the largest up to 0.9."""
    return f"valid_accuracy@{max((k for k in k_vals if k <= 0.9), default=min(k_vals))}"


def parsed(objective: str) -> tuple[str, float | None]:
    """The column and the sparsity of an objective; no sparsity for that of files."""
    column, _, k = objective.partition("@")
    return column, float(k) if k else None


def check_objective(
    objective: str, k_vals: Iterable[float], several_seeds: bool, has_validation: bool
) -> None:
    """Makes sure that every experiment of a sweep has the objective.

    Args:
        objective: the text.
        k_vals: the sparsities of the experiments.
        several_seeds: whether each experiment is one of several seeds.
        has_validation: whether all hold out validation examples.

    Raises:
        UsageError: if they do not.
    """
    if objective == EXPORT_BYTES:
        if several_seeds:
            raise UsageError(
                "`objective=export_bytes` needs experiments of one seed; leave out `replicates`."
            )
        return
    column, _, text = objective.partition("@")
    _check_column(column)
    try:
        k = float(text)
    except ValueError:
        raise UsageError(f"`objective`: give a sparsity as well, as in {column}@0.99.") from None
    if k not in (0.0, *k_vals):
        raise UsageError(f"`objective`: {k:g} is not among `k_vals`; add it there.")
    if several_seeds and column not in GOALS_OF_SEEDS:
        raise UsageError(
            f"`objective`: with `replicates` choose one of {', '.join(GOALS_OF_SEEDS)}, not "
            f"{column}."
        )
    if column.startswith("valid") and not has_validation:
        raise UsageError(
            f"`objective`: without validation examples (`num_valid=0`) there is no {column}."
        )


def _check_column(column: str) -> None:
    if column.startswith("test_"):
        raise UsageError(
            f"`objective`: {column} would choose by the test set, which is for reporting only; "
            "choose by valid_accuracy, for example."
        )
    if column not in GOALS:
        choice = ", ".join((*GOALS, EXPORT_BYTES))
        raise UsageError(
            f"`objective`: {column!r} is not known; choose one of {choice}, as in "
            "valid_accuracy@0.99."
        )
