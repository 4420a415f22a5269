"""What a pruned network depends on, and nothing else: by it what has been done is remembered."""

import hashlib
import json
from dataclasses import dataclass, fields

from ..config import ExperimentConfig, retraining_settings
from ..pruning.methods import AXES, Method, parse, recovery_of, schedule_rounds, settings_of
from . import plugins


@dataclass(frozen=True)
class Recipe:
    """Everything that the network of a method at a sparsity is made from.

    Attributes:
        method: the `Method`.
        k: the sparsity.
        checkpoint: SHA-256 of the dense network's checkpoint.
        seed: of all that is random.
        earlier_k: the sparsities that the network goes through, for schedules that go on from the
            sparsity before.
        settings: those that the method uses, by name.
        plugins: digests of the plugins' code that it uses, by value of an axis.
    """

    method: Method
    k: float
    checkpoint: str
    seed: int
    earlier_k: tuple[float, ...]
    settings: dict
    plugins: dict

    @property
    def trains(self):
        """Whether the network is trained, and thus kept as a file."""
        return self.method.trains and self.k > 0

    @property
    def digest(self):
        """Twelve digits that stand for all of it."""
        depends = [self.method.name, *(getattr(self, f.name) for f in fields(self)[1:])]
        return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:12]

    def columns(self):
        """The same as cells of `metrics.csv`, those of other methods' settings empty."""
        every = dict.fromkeys(retraining_settings())
        return {
            "k": self.k,
            "earlier_k": " ".join(map(repr, self.earlier_k)) or None,
            **every,
            **self.settings,
            "plugins": " ".join(f"{value}@{code}" for value, code in self.plugins.items()) or None,
        }


def recipe(config, method, k, checkpoint):
    """The `Recipe` of the network that `method` makes at sparsity `k` under these settings."""
    earlier_k, names = _way(config, method, k) if method.trains and k > 0 else ((), [])
    return Recipe(
        method,
        k,
        checkpoint,
        config.seed,
        earlier_k,
        {name: getattr(config, name) for name in names},
        {
            getattr(method, axis): plugins.source_digest(function)
            for axis, registry in AXES.items()
            if plugins.is_plugin(function := registry.function(getattr(method, axis)))
        },
    )


def _way(config, method, k):
    """The sparsities that a network goes through on its way to `k`, and the settings it uses."""
    earlier = tuple(value for value in config.k_vals if 0 < value < k)
    rounds = schedule_rounds(method, earlier[-1] if earlier else 0.0, k, config)
    used = set(settings_of(method))
    # Those that training reads whether or not a plugin has declared them.
    if any(part.ramp for part in rounds):
        used.add("prune_epochs")
    if recovery_of(method, config).rewinds:
        used.add("rewind_epoch")
    names = [name for name in retraining_settings() if name in used]
    # A schedule that begins anew does not depend on the sparsities before.
    return () if rounds[0].from_dense else earlier, names


def settings_text(config, methods):
    """The settings that these methods use, as text; empty if none trains."""
    used = _used(methods)
    values = {name: getattr(config, name) for name in retraining_settings() if name in used}
    return ", ".join(f"{name}={value}" for name, value in values.items() if value is not None)


def unused_settings(config):
    """The settings that were changed from their defaults and that no method uses, as flags."""
    used = _used(map(parse, config.methods))
    defaults = {f.name: f.default for f in fields(ExperimentConfig)}
    return [
        f"--{name}"
        for name in retraining_settings()
        if name not in used and getattr(config, name) != defaults[name]
    ]


def _used(methods):
    return {name for method in methods if method.trains for name in settings_of(method)}
