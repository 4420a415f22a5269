"""Pruned networks: made by a method, or read from the files of an earlier run."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ..training import checkpoints
from ..utils import RunError
from .progress import progress
from .run_key import network_key

if TYPE_CHECKING:
    from ..models.weights import Weights
    from ..pruning.methods import Method
    from ..pruning.ranking import Ranking
    from ..settings.experiment import ExperimentConfig
    from ..training.networks import Networks
    from .paths import ArtifactPaths
    from .run_key import NetworkKey


class PrunedNetworks:
    """The networks of one experiment, by method and sparsity.

    Args:
        config: the `ExperimentConfig`.
        networks: the `Networks` of the experiment.
        dense: the weights of the dense network.
        rankings: those already made, by `Method`.
        paths: of the networks that were trained.
        controls: the `NetworkKey`s of the run's controls; methods with the same retraining share
            one network.
    """

    def __init__(
        self,
        config: "ExperimentConfig",
        networks: "Networks",
        dense: "Weights",
        rankings: "Mapping[Method, Mapping[str, Ranking]]",
        paths: "ArtifactPaths",
        controls: "Sequence[NetworkKey]",
    ) -> None:
        self.config, self.networks, self.dense, self.paths = config, networks, dense, paths
        self.rankings, self.controls = dict(rankings), controls

    def is_kept(self, key: "NetworkKey") -> bool:
        """Whether the network is in a file of an earlier run."""
        return key.is_stored and self.paths.network(key).exists()

    def pruned(self, key: "NetworkKey") -> "Weights":
        """The weights of the network of a `NetworkKey`.

        At `k` = 0 that is the dense network itself, or the control of a method that retrains.

        Raises:
            RunError: if a stored one cannot be read.
        """
        if key.is_stored:
            return self._read(key) if self.is_kept(key) else self._made(key)
        return self._at_once(key.method, key.k) if key.k else self.dense

    def _at_once(self, method, k):
        if method not in self.rankings:
            self.rankings[method] = self.networks.rank(method, self.dense)
        return self.networks.pruned(method, self.dense, self.rankings[method], k)

    def _made(self, key):
        """A network that takes long to make, and is stored in a file."""
        if key.is_control:
            weights = self._control(key)
        else:
            weights = self._trained(key) if key.trains else self._calibrated(key)
        weights.put_into(self._model)
        # Keras' first name: later ones depend on what else this process has made.
        checkpoints.save(self._model, self.paths.network(key), "adam")
        return weights

    def _trained(self, key):
        """A pruned network, trained from that of the previous sparsity, which exists already."""
        method, k = key.method, key.k
        previous, start = 0.0, self.dense
        if key.earlier_k:
            previous = key.earlier_k[-1]
            start = self._read(network_key(self.config, method, previous, key.checkpoint))
        with self._progress(key, previous) as bar:
            return self._retrainer(method, start, previous, k, bar.update)

    def _calibrated(self, key):
        """A pruned network that calibration data without labels has repaired."""
        from ..reconstruction.prune import prune

        self.dense.put_into(self._model)
        seed, inputs = self.config.seed, self._calibration_inputs
        model = prune(self._model, key.k, key.method.name, data=inputs, seed=seed)
        return self.networks.weights_of(model)

    @cached_property
    def _calibration_inputs(self):
        from ..pruning.statistics import sample

        train = self.networks.dataset.train
        return sample(train, self.config.seed, self.config.calibration_examples).images

    def _control(self, key):
        """A control: that of another method with the same retraining, or trained from the control
        with one round less."""
        for other in self.controls:
            if other.training == key.training and self.is_kept(other):
                return self._read(other)
        before, start = dataclasses.replace(key, rounds=key.rounds - 1), self.dense
        if before.rounds:
            start = self.pruned(before)
        with self._progress(key, 0.0) as bar:
            method = key.training.method
            return self._retrainer.control(method, start, key.rounds, bar.update)

    def _progress(self, key, previous):
        name = f"{key.method.name} {key.k or 'control'}"
        steps = self._retrainer.num_steps(key.method, previous, key.k)
        return progress(total=steps, unit="step", desc=name)

    def _read(self, key):
        path = self.paths.network(key)
        try:
            weights = self.networks.read(path)
            weights.put_into(self._model)
        except (RunError, KeyError, ValueError) as error:
            raise RunError(
                f"{path} is damaged; remove it and run the same command to make it again."
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
        """The dense network after `--rewind_epoch` epochs, reproduced by training with its seed."""
        model = self.networks.new_model()
        self.networks.train(model, _ignore, _ignore, last_epoch=self.config.rewind_epoch)
        return self.networks.weights_of(model)


def _ignore(_):
    pass
