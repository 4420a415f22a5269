"""Optuna's searcher for Ray Tune, which draws nothing twice.

Ray may send it to a cluster that cannot import this file, by value: like `worker`, it imports
nothing of the package.
"""

from collections.abc import Mapping
from typing import Any

from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

# How often something new is drawn, before there seems to be nothing new.
DRAWS = 200


class DeduplicatingOptunaSearch(OptunaSearch):
    """Optuna's searcher, which draws again where the same experiment would come out.

    Args:
        digits: how many are kept of the settings that are numbers drawn, 0 for whole ones.
    """

    def __init__(self, *arguments: Any, digits: Mapping[str, int], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._digits, self._seen = digits, set()

    def is_new(self, values: Mapping[str, Any]) -> bool:
        """Whether an experiment with these settings is the first of its kind; now it is known."""
        kept = []
        for name, value in values.items():
            digits = self._digits.get(name)
            kept.append((name, value if digits in (None, 0) else float(f"{value:.{digits}g}")))
        kept = tuple(sorted(kept))
        known = kept in self._seen
        self._seen.add(kept)
        return not known

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """What a trial would reach after an epoch, if it is known."""
        if result.get(self.metric) is not None:
            super().on_trial_result(trial_id, result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """What a trial has reached; of those that were ended early or failed it is not the
        objective."""
        is_finished = result is not None and result.get("state") == "finished"
        super().on_trial_complete(trial_id, result if is_finished else None, error)

    def suggest(self, trial_id: str) -> Any:
        """Settings that were not drawn before; the end of the search where there seem to be no
        others."""
        from optuna.trial import TrialState

        for _ in range(DRAWS):
            drawn: Any = super().suggest(trial_id)
            if self.is_new(drawn["values"]):
                return drawn
            study: Any = self._ot_study
            study.tell(self._ot_trials.pop(trial_id), state=TrialState.FAIL)
        return Searcher.FINISHED
