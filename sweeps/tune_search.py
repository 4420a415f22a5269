"""A search by Ray Tune and Optuna: its space, its known trials, early stopping."""

from dataclasses import dataclass
from typing import Any

from ..settings.distributions import DIGITS, Distribution


@dataclass(frozen=True)
class TuneSearch:
    """A search.

    Attributes:
        varied: tuples of values, or `Distribution`, by setting.
        kind: random or optuna.
        seed: of the random draws.
        goal: max or min of the objective.
        finished: pairs of values and objectives of trials that are done; None instead of the
            objective if they were stopped early.
        unfinished: values of trials that were begun.
        number: how many trials are still to be run, including unfinished ones.
        epochs: of a complete training, if unpromising trials are stopped early; else None.
    """

    varied: dict
    kind: str
    seed: int
    goal: str
    finished: list
    unfinished: list
    number: int
    epochs: int | None


def _space(search):
    """The search space, as Tune's domains by setting."""
    from ray import tune

    kinds = {
        "uniform": tune.uniform,
        "loguniform": tune.loguniform,
        # Tune excludes the upper bound.
        "randint": lambda low, high: tune.randint(low, high + 1),
        "lograndint": lambda low, high: tune.lograndint(low, high + 1),
    }
    return {
        name: (
            kinds[values.kind](values.low, values.high)
            if isinstance(values, Distribution)
            else tune.choice(list(values))
        )
        for name, values in search.varied.items()
    }


def options(search: TuneSearch) -> dict[str, Any]:
    """The arguments of Tune's `TuneConfig` for a search."""
    from ray import tune

    found = {"num_samples": search.number, "search_alg": searcher_of(search)}
    if search.epochs is not None:
        found["scheduler"] = tune.schedulers.ASHAScheduler(
            time_attr="epoch",
            metric="objective",
            mode=search.goal,
            grace_period=max(1, search.epochs // 9),
            reduction_factor=3,
            max_t=search.epochs + 1,
        )
    return found


def searcher_of(search: TuneSearch) -> Any:
    """Optuna's searcher, which knows earlier trials and repeats none."""
    import optuna

    from .deduplicating_search import DeduplicatingOptunaSearch

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    samplers = {"random": optuna.samplers.RandomSampler, "optuna": optuna.samplers.TPESampler}
    drawn = {n: known for n, known in search.varied.items() if isinstance(known, Distribution)}
    searcher = DeduplicatingOptunaSearch(
        {"values": _space(search)},
        digits={name: 0 if known.is_whole else DIGITS for name, known in drawn.items()},
        metric="objective",
        mode=search.goal,
        points_to_evaluate=[_flat(values) for values in search.unfinished],
        # Another seed after a restart, so that the same values are not drawn again.
        sampler=samplers[search.kind](seed=search.seed + len(search.finished)),
    )
    for values, objective in search.finished:
        searcher.add_evaluated_point(_flat(values), objective, pruned=objective is None)
        searcher.is_new(values)
    return searcher


def _flat(values):
    """The values with Optuna's names."""
    return {f"values/{name}": value for name, value in values.items()}
