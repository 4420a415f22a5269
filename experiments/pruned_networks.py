"""Pruned networks: made by a method, or taken from where an earlier run has kept them."""

from functools import cached_property

from ..models import checkpoints
from ..utils import RunError, progress
from .recipes import recipe


class PrunedNetworks:
    """The networks of one experiment, by method and sparsity.

    Args:
        config: the `ExperimentConfig`.
        networks: of the kind that the experiment is about.
        dense: the weights of the dense network.
        rankings: those already made, by `Method`.
        paths: where networks that were trained are kept.
    """

    def __init__(self, config, networks, dense, rankings, paths):
        self.config, self.networks, self.dense, self.paths = config, networks, dense, paths
        self.rankings = dict(rankings)

    def is_kept(self, recipe):
        """Whether an earlier run has trained and kept the network."""
        return recipe.trains and self.paths.network(recipe).exists()

    def pruned(self, recipe):
        """The weights of the network of a `Recipe`.

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
            self.rankings[method] = self.networks.rank(method, self.dense)
        return self.networks.pruned(method, self.dense, self.rankings[method], k)

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
        # By Keras' first name: its number would tell what else this process has made.
        checkpoints.save(self._model, self.paths.network(wanted), "adam")
        return weights

    def _read(self, wanted):
        path = self.paths.network(wanted)
        try:
            weights = self.networks.read(path)
            weights.put_into(self._model)
        except (RunError, KeyError, ValueError) as error:
            raise RunError(
                f"{path} is damaged; remove it, and the same command makes it again."
            ) from error
        return weights

    @cached_property
    def _model(self):
        return self.networks.new_model()

    @cached_property
    def _retrainer(self):
        return self.networks.retrainer(self.dense, lambda: self._early)

    @cached_property
    def _early(self):
        """The dense network after `--rewind_epoch` epochs, trained again: the seed fixes it."""
        model = self.networks.new_model()
        self.networks.train(model, _ignore, _ignore, last_epoch=self.config.rewind_epoch)
        return self.networks.weights_of(model)


def _ignore(_):
    pass
