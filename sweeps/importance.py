"""The importance of varied settings, by Optuna, and the best value of each."""

import functools
import html
import warnings
from importlib import util
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..settings.objective import parsed
from .levels import is_drawn, levels_of, value_text
from .tables import IDENTITY, OBJECTIVE, SEED, deciding_column, finished_trials

if TYPE_CHECKING:
    import optuna


COLUMNS = (
    *("of", "k", "column", "setting", "values", "explained", "by_chance"),
    *("best", "best_mean", "trials"),
)
# The best trials, by which settings are compared: a tenth, at least so many, at most half.
TOP_SHARE, TOP_TRIALS, MOST_SHARE = 0.1, 5, 0.5
# How often results are shuffled to estimate importance by chance.
SHUFFLES = 20

# Plotly reads the names in Optuna's figures as HTML.
plain = functools.partial(html.escape, quote=False)


def is_available() -> bool:
    """Whether Optuna is installed, which computes the importance."""
    return util.find_spec("optuna") is not None


def study_of(record: dict[str, Any]) -> "optuna.Study":
    """The finished trials of a sweep as a study of Optuna, without objectives; each trial names its
    experiment in `user_attrs`. Names of settings and values are `plain`."""
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    trials = finished_trials(record)
    columns: dict[str, list[Any]] = {}
    distributions: dict[str, Any] = {}
    for setting, among in record["varied"].items():
        values: list[Any] = [trial["settings"].get(setting) for trial in trials]
        if is_drawn(among):
            is_log = "log" in among and min(values) > 0
            distribution = FloatDistribution(min(values), max(values), log=is_log)
        else:
            values = [plain(value_text(value)) for value in values]
            every = dict.fromkeys((*(plain(value_text(value)) for value in among), *values))
            distribution = CategoricalDistribution([value for value in every if value in values])
        columns[plain(setting)], distributions[plain(setting)] = values, distribution
    study = optuna.create_study()
    study.add_trials(
        optuna.trial.create_trial(
            value=0.0,
            params=dict(zip(columns, values, strict=True)),
            distributions=distributions,
            user_attrs={"experiment_id": trial["experiment_id"]},
        )
        for trial, *values in zip(trials, *columns.values(), strict=True)
    )
    return study


def importance(record: dict[str, Any], table: pd.DataFrame) -> pd.DataFrame:
    """The importance of each varied setting, as a table.

    `explained` is the importance by PED-ANOVA (Watanabe et al., "PED-ANOVA: Efficiently Quantifying
    Hyperparameter Importance in Arbitrary Subspaces", 2023): how much the distribution of values
    among the best trials differs from that among all, as a share of the sum over all settings.
    `by_chance` is the mean importance if results are shuffled.

    Args:
        record: of the sweep.
        table: its `summary`.

    Returns:
        Rows for the objective, then for every method and sparsity. `explained` is missing if
        nothing differs, fewer than two settings vary, or Optuna is not installed. Random pruning
        and seeds have no best value.
    """
    levels = levels_of(record)
    shares = _Shares(record) if is_available() and finished_trials(record) else None
    column, k = parsed(record["objective"])
    sign = -1 if record["goal"] == "min" else 1
    about = {"of": OBJECTIVE, "k": k, "column": column}
    found = _rows(about, objectives_of(record), levels, shares, sign)
    for (method, criterion, k), rows in table.groupby(list(IDENTITY), sort=False):
        column = deciding_column(rows)
        values = rows.set_index("experiment_id")[column].astype(float).dropna()
        about = {"of": method, "k": float(k), "column": column}
        found += _rows(about, values, levels, shares, 0 if criterion == "random" else 1)
    return pd.DataFrame(found, columns=list(COLUMNS)).astype({"values": "Int64", "trials": "Int64"})


def objectives_of(record: dict[str, Any]) -> pd.Series:
    """The objective of every finished trial that has one, by the name of its experiment."""
    found = {trial["experiment_id"]: trial.get("objective") for trial in finished_trials(record)}
    return pd.Series(found, dtype=float).dropna()


def _rows(about, values, levels, shares, sign):
    """The rows of `importance` of one column.

    Args:
        about: the first cells of the rows.
        values: of the trials, by the names of their experiments.
        levels: of all trials, as `levels_of` returns them.
        shares: the `_Shares`, or None.
        sign: 1 if more is better, -1 if less is, 0 if there is no best value.
    """
    levels = levels.loc[values.index]
    explained, by_chance = {}, {}
    if shares is not None and values.nunique() > 1 and (levels.nunique() > 1).sum() > 1:
        explained = shares.of(values if sign >= 0 else -values)
        by_chance = shares.by_chance(values)
    found = []
    for setting, own in levels.items():
        means = values.groupby(own, observed=True).mean()
        # There is no best seed, only a lucky one.
        best = (sign * means).idxmax() if sign and setting != SEED and len(means) else None
        found.append(
            {
                **about,
                "setting": setting,
                "values": len(means),
                "explained": explained.get(plain(setting)),
                "by_chance": by_chance.get(plain(setting)),
                "best": best,
                "best_mean": None if best is None else means[best],
                "trials": len(values),
            }
        )
    return found


class _Shares:
    """The importance of a sweep's settings for any numbers of its finished trials."""

    def __init__(self, record):
        self._study, self._known = study_of(record), {}

    def of(self, values):
        """Shares of settings that sum to one; more is better.

        Args:
            values: of trials, by the names of their experiments.
        """
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        losses = (-values).to_dict()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that less is better, as intended
            return get_param_importances(
                self._study,
                evaluator=PedAnovaImportanceEvaluator(target_quantile=_top_share(values)),
                target=lambda trial: losses.get(trial.user_attrs["experiment_id"], np.nan),
            )

    def by_chance(self, values):
        """The mean of these shares if results are shuffled among the trials."""
        names = tuple(values.index)
        if names not in self._known:
            random = np.random.default_rng(0)
            shuffled = (random.permutation(len(names)).astype(float) for _ in range(SHUFFLES))
            found = [self.of(pd.Series(numbers, index=names)) for numbers in shuffled]
            self._known[names] = pd.DataFrame(found).mean().to_dict()
        return self._known[names]


def _top_share(values):
    """The share of the best trials, without the worst ones. Equal trials are not separated."""
    number = len(values) * min(MOST_SHARE, max(TOP_SHARE, TOP_TRIALS / len(values)))
    least = values.sort_values(ascending=False).iloc[int(np.ceil(number)) - 1]
    chosen = values > values.min() if least == values.min() else values >= least
    return chosen.mean() - 1e-9  # Optuna rounds up


def by_importance(record: dict[str, Any], shares: pd.DataFrame) -> list[str]:
    """The varied settings, the most important for the objective first, seeds last.

    Args:
        record: of the sweep.
        shares: the table of `importance`.
    """
    explained = shares[shares["of"] == OBJECTIVE].set_index("setting")["explained"].astype(float)

    def rank(setting):
        return setting == SEED, -np.nan_to_num(explained.get(setting, np.nan), nan=-1.0)

    return sorted(record["varied"], key=rank)
