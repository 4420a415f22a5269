"""Optuna's searcher for Ray Tune, without duplicates.

Ray may send it by value to a cluster that cannot import this file: like `worker`, it imports
nothing of the package.
"""

from collections.abc import Mapping
from typing import Any

from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

# After so many duplicates in a row the search ends.
DRAWS = 200


class DeduplicatingOptunaSearch(OptunaSearch):
    """Optuna's searcher, which draws again if it has drawn the same experiment before.

    Args:
        digits: the significant digits of drawn numbers by setting, 0 for whole numbers.
    """

    def __init__(self, *arguments: Any, digits: Mapping[str, int], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._digits, self._seen = digits, set()

    def is_new(self, values: Mapping[str, Any]) -> bool:
        """Whether these settings have not been drawn before; they count as drawn from now on."""
        kept = []
        for name, value in values.items():
            digits = self._digits.get(name)
            kept.append((name, value if digits in (None, 0) else float(f"{value:.{digits}g}")))
        kept = tuple(sorted(kept))
        known = kept in self._seen
        self._seen.add(kept)
        return not known

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Takes a trial's objective after an epoch, if it is known."""
        if result.get(self.metric) is not None:
            super().on_trial_result(trial_id, result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Takes the objective of a finished trial; trials that were stopped early or failed have
        none."""
        is_finished = result is not None and result.get("state") == "finished"
        super().on_trial_complete(trial_id, result if is_finished else None, error)

    def suggest(self, trial_id: str) -> Any:
        """Settings that have not been drawn before; ends the search if there seem to be none."""
        from optuna.trial import TrialState

        for _ in range(DRAWS):
            drawn: Any = super().suggest(trial_id)
            if self.is_new(drawn["values"]):
                return drawn
            study: Any = self._ot_study
            study.tell(self._ot_trials.pop(trial_id), state=TrialState.FAIL)
        return Searcher.FINISHED
