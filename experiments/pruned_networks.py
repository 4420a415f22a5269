"""Pruned networks: made by a method, or taken from where an earlier run has kept them."""

from functools import cached_property

from ..models import checkpoints
from ..models import model as models
from ..models.training import train
from ..models.weights import Weights, read_weights
from ..pruning.masks import make_masks, rank
from ..pruning.retraining import Retrainer
from ..pruning.statistics import Statistics
from ..utils import RunError, progress
from .recipes import recipe


class PrunedNetworks:
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

    def is_kept(self, recipe):
        """Whether an earlier run has trained and kept the network."""
        return recipe.trains and self.paths.network(recipe).exists()

    def pruned(self, recipe):
        """The `Weights` of the network of a `Recipe`.

        At `k` = 0 that is the dense network itself, the unpruned control.

        Raises:
            RunError: if one that was kept cannot be read.
        """
        if recipe.k == 0:
            return self.dense
        if not recipe.trains:
            return self._at_once(recipe.method, recipe.k)
        return self._read(recipe) if self.is_kept(recipe) else self._trained(recipe)

    def _at_once(self, method, k):
        if method not in self.rankings:
            self.rankings[method] = rank(
                method,
                self.dense.kernels,
                Statistics.on_sample(self.dense, self.dataset.train, self.config.seed),
                self.config.seed,
            )
        return self.dense.masked(make_masks(method, self.rankings[method], k))

    def _trained(self, wanted):
        """Trained from the sparsity before, which has been done already, and kept."""
        method, k = wanted.method, wanted.k
        previous, start = 0.0, self.dense
        if wanted.earlier_k:
            previous = wanted.earlier_k[-1]
            start = self._read(recipe(self.config, method, previous, wanted.checkpoint))
        steps = self._retrainer.num_steps(method, previous, k)
        with progress(total=steps, unit="step", desc=f"{method.name} {k}") as bar:
            weights = self._retrainer(method, start, previous, k, bar.update)
        weights.put_into(self._model)
        checkpoints.save(self._model, self.paths.network(wanted))
        return weights

    def _read(self, wanted):
        path = self.paths.network(wanted)
        try:
            weights = read_weights(path)
            weights.put_into(self._model)
        except (RunError, KeyError, ValueError) as error:
            raise RunError(
                f"{path} is damaged; remove it, and the same command makes it again."
            ) from error
        return weights

    @cached_property
    def _model(self):
        return models.build_for(self.config)

    @cached_property
    def _retrainer(self):
        return Retrainer(self.dense, self.dataset, self.config, lambda: self._early)

    @cached_property
    def _early(self):
        """The dense network after `--rewind_epoch` epochs, trained again: the seed fixes it."""
        model = models.build_for(self.config)
        train(
            model, self.dataset, self.config, _ignore, _ignore, last_epoch=self.config.rewind_epoch
        )
        return Weights.of(model)


def _ignore(_):
    pass
