"""Pruned networks: made by a method, or taken from where an earlier run has kept them."""

from functools import cached_property

from .models import checkpoints, pruning
from .models import model as models
from .models.retraining import Retrainer
from .models.statistics import Statistics
from .models.training import train
from .models.weights import Weights
from .utils import RunError, progress


class Networks:
    """The networks of one experiment, by method and sparsity.

    Args:
        config: the `ExperimentConfig`.
        dataset: the `Dataset`.
        dense: the `Weights` of the dense network.
        rankings: those already made, by `Method`.
        paths: where networks that were trained are kept.
    """

    def __init__(self, config, dataset, dense, rankings, paths):
        self.config, self.dataset, self.dense, self.paths = config, dataset, dense, paths
        self.rankings = dict(rankings)

    def pruned(self, method, k):
        """The `Weights` of the network that `method` makes of the dense one at sparsity `k`.

        At `k` = 0 that is the dense network itself, the unpruned control.
        """
        if k == 0:
            return self.dense
        return self._trained(method, k) if method.trains else self._at_once(method, k)

    def _at_once(self, method, k):
        if method not in self.rankings:
            self.rankings[method] = pruning.rank(
                method,
                self.dense.kernels,
                Statistics.on_sample(self.dense, self.dataset.train, self.config.seed),
                self.config.seed,
            )
        return self.dense.masked(pruning.make_masks(method, self.rankings[method], k))

    def _trained(self, method, k):
        """Trained from the sparsity before, which has been done already, and kept."""
        smaller = [earlier for earlier in self.config.k_vals if 0 < earlier < k]
        previous = smaller[-1] if smaller else 0.0
        start = self._kept(method, previous) if smaller else self.dense
        steps = self._retrainer.num_steps(method, previous, k)
        with progress(total=steps, unit="step", desc=f"{method.name} {k}") as bar:
            weights = self._retrainer(method, start, previous, k, bar.update)
        weights.put_into(self._model)
        checkpoints.save(self._model, self.paths.network(method.name, k))
        return weights

    def _kept(self, method, k):
        path = self.paths.network(method.name, k)
        try:
            checkpoints.load_weights(self._model, path)
        except RunError as error:
            raise RunError(
                f"{path} is damaged; remove it, and the same command makes it again."
            ) from error
        return Weights.of(self._model)

    @cached_property
    def _model(self):
        return models.build(*self._build_settings)

    @property
    def _build_settings(self):
        config = self.config
        return config.learning_rate, config.l1_reg, config.l2_reg, config.seed, config.model

    @cached_property
    def _retrainer(self):
        return Retrainer(self.dense, self.dataset, self.config, lambda: self._early)

    @cached_property
    def _early(self):
        """The dense network after `--rewind_epoch` epochs, trained again: the seed fixes it."""
        model = models.build(*self._build_settings)
        train(
            model, self.dataset, self.config, _ignore, _ignore, last_epoch=self.config.rewind_epoch
        )
        return Weights.of(model)


def _ignore(_):
    pass
