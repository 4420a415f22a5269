"""Network keys: everything that a network depends on, by which its results are stored."""

import dataclasses
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from ..pruning.methods import (
    AXES,
    BASELINE,
    Method,
    control_round,
    parse,
    recovery_of,
    schedule_rounds,
    settings_of,
)
from ..settings.experiment import ExperimentConfig, retraining_settings
from ..utils import fingerprint
from . import plugins


@dataclass(frozen=True)
class NetworkKey:
    """Everything that the network of a method at a sparsity depends on.

    Attributes:
        method: the `Method`.
        k: the sparsity.
        checkpoint: SHA-256 of the dense network's checkpoint.
        seed: of random choices.
        earlier_k: the sparsities that the network passes through, for schedules that continue from
            the previous sparsity.
        settings: those that the method uses, by name.
        plugins: digests of the plugins' code that it uses, by value of an axis.
        rounds: the number of rounds of retraining; 0 for none.
    """

    method: Method
    k: float
    checkpoint: str
    seed: int
    earlier_k: tuple[float, ...]
    settings: dict
    plugins: dict
    rounds: int

    @property
    def trains(self) -> bool:
        """Whether the network is retrained."""
        return self.method.trains

    @property
    def is_stored(self) -> bool:
        """Whether the network is kept in a file: a pruned one of a method that takes long, or a
        control."""
        return self.trains or (self.method.is_stored and self.k > 0)

    @property
    def is_control(self) -> bool:
        """Whether it is a control: the dense network with the retraining of a method."""
        return self.trains and self.k == 0

    @property
    def training(self) -> "NetworkKey":
        """The key of a control's training: methods with the same retraining share one control."""
        schedule, recovery = self.method.schedule, self.method.recovery
        own = {value: code for value, code in self.plugins.items() if value in (schedule, recovery)}
        method = Method(schedule=schedule, recovery=recovery)
        return dataclasses.replace(self, method=method, plugins=own)

    @property
    def digest(self) -> str:
        """A fingerprint of twelve digits."""
        # The rounds of other networks follow from the rest.
        names = [f.name for f in fields(self)[1:] if self.is_control or f.name != "rounds"]
        depends = [self.method.name, *(getattr(self, name) for name in names)]
        return fingerprint(depends, 12)

    def columns(self) -> dict[str, Any]:
        """The key as cells of `metrics.csv`, with empty cells for settings of other methods."""
        every = dict.fromkeys(retraining_settings())
        return {
            "k": self.k,
            "earlier_k": " ".join(map(repr, self.earlier_k)) or None,
            "rounds": self.rounds,
            **every,
            **self.settings,
            "plugins": " ".join(f"{value}@{code}" for value, code in self.plugins.items()) or None,
        }


def network_key(config: ExperimentConfig, method: Method, k: float, checkpoint: str) -> NetworkKey:
    """The `NetworkKey` of the network that `method` makes at sparsity `k` under these settings.

    At `k` = 0 that is the control of a method that retrains, else the dense network itself.
    """
    earlier_k, names, rounds = _way(config, method, k)
    return NetworkKey(
        method,
        k,
        checkpoint,
        config.seed,
        earlier_k,
        {name: getattr(config, name) for name in names},
        {
            getattr(method, axis): plugins.source_digest(function)
            for axis, registry in AXES.items()
            if registry.knows(getattr(method, axis))
            and plugins.is_plugin(function := registry.function(getattr(method, axis)))
        },
        rounds,
    )


def baseline(config: ExperimentConfig, checkpoint: str) -> NetworkKey:
    """The `NetworkKey` of the untouched dense network."""
    return network_key(config, BASELINE, 0.0, checkpoint)


def _way(config, method, k):
    """The sparsities that a network passes through on the way to `k`, the settings that it uses,
    and the number of rounds of retraining."""
    if not method.trains:
        return (), settings_of(method) if k else [], 0
    earlier = tuple(value for value in config.k_vals if 0 < value < k)
    steps = [
        schedule_rounds(method, previous, following, config)
        for previous, following in itertools.pairwise((0.0, *earlier, k))
    ]
    rounds = steps[-1] if k else [control_round(method, config)]
    used = set(settings_of(method))
    # Settings that training reads even if a plugin has not declared them.
    if any(part.ramp for part in rounds):
        used.add("prune_epochs")
    if recovery_of(method, config).rewinds:
        used.add("rewind_epoch")
    names = [name for name in retraining_settings() if name in used]
    if not k:
        return (), names, config.control_rounds
    # A schedule that begins with the dense network does not depend on earlier sparsities.
    if rounds[0].from_dense:
        return (), names, len(rounds)
    return earlier, names, sum(map(len, steps))


def settings_text(config: ExperimentConfig, methods: Iterable[Method]) -> str:
    """The settings that these methods use, as text; empty if none retrains."""
    used = _used(methods)
    values = {name: getattr(config, name) for name in retraining_settings() if name in used}
    return ", ".join(f"{name}={value}" for name, value in values.items() if value is not None)


def unused_settings(config: ExperimentConfig) -> list[str]:
    """The settings that are not at their defaults but that no method uses, as flags."""
    used = _used(map(parse, config.methods))
    defaults = {f.name: f.default for f in fields(ExperimentConfig)}
    return [
        f"--{name}"
        for name in retraining_settings()
        if name not in used and getattr(config, name) != defaults[name]
    ]


def _used(methods):
    return {name for method in methods for name in settings_of(method)}
