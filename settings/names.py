"""The default name of an experiment, and the name under which an existing one is found."""

import itertools
from typing import Any

from ..utils import fingerprint
from .fields import DEFAULT_NUM_VALID, flagged, marked
from .files import called_by_content, is_file
from .stored import differences, stored_settings

# What every default name has in it; longer names of folders are cut.
IN_NAME = ("dataset", "epochs", "learning_rate", "l1_reg", "l2_reg", "model")
MOST_BYTES = 200


def default_experiment_id(config: Any, more: str = "") -> str:
    """`digits-20-lr=0.001-l1=0.0-l2=0.0` and the like, and `-<setting>=<value>` of other training
    settings that are not at their defaults.

    Files are called by their names and the first digits of their contents' digests.

    Args:
        config: the `ExperimentConfig`; of several seeds, the first one does not matter.
        more: a suffix.

    Raises:
        UsageError: if a file cannot be read.
    """
    return _name(_base_name(config), _changed(config), more)


def known_experiment_id(config: Any, more: str = "") -> str:
    """The default name of an experiment, or another name under which it is in `output_dir`.

    Earlier versions of `train` named none of the other training settings, and `sweep` all that it
    varied, even at their defaults. Where an experiment with other settings has the default name,
    the settings that differ are named as well.

    Args:
        config, more: as for `default_experiment_id`.
    """
    base, values, changed = _base_name(config), _values_in_name(config), _changed(config)
    sets = [s for n in range(len(values) + 1) for s in itertools.combinations(values.items(), n)]
    for named in sorted(map(dict, sets), key=lambda named: named != changed):
        stored = stored_settings(config, _name(base, named, more))
        # The settings of a damaged record are unknown; the run reports that of the default name.
        if _is_same(config, stored) if stored else named == changed and stored is not None:
            return _name(base, named, more)
    stored = stored_settings(config, _name(base, changed, more)) or values
    differing = {n: v for n, v in values.items() if n in changed or stored.get(n, v) != v}
    return _name(base, differing, more)


def settings_in_name(config: Any) -> list[str]:
    """The training settings that the default name has where they are not at their defaults.

    Several seeds are one experiment, whatever the first one is.
    """
    left_out = (*IN_NAME, *(("seed",) if config.replicates > 1 else ()))
    return [name for name in marked(config, "trains") if name not in left_out]


def cut_name(base: str, extra: str) -> str:
    """A name and its suffix; where that would be too long, a digest of the suffix instead."""
    name = f"{base}{extra}"
    if len(name.encode()) <= MOST_BYTES:
        return name
    return f"{base}-{fingerprint(extra, 12)}"


def _is_same(config, stored):
    return not differences(config, stored) and config.seed == stored.get("seed", config.seed)


def _base_name(config):
    name = (
        f"{_called(config, 'dataset')}-{config.epochs}-lr={config.learning_rate}"
        f"-l1={config.l1_reg}-l2={config.l2_reg}"
    )
    return name if config.model == "mlp" else f"{name}-{_called(config, 'model')}"


def _called(config, setting):
    value = getattr(config, setting)
    return called_by_content(setting, value) if is_file(value) else value


def _values_in_name(config):
    return {name: getattr(config, name) for name in settings_in_name(config)}


def _changed(config):
    """The values of the default name that are not at their defaults."""
    defaults = {f.name: f.default for f in flagged(config)}
    if not is_file(config.dataset):
        defaults["num_valid"] = DEFAULT_NUM_VALID
    values = _values_in_name(config).items()
    return {name: value for name, value in values if value != defaults[name]}


def _name(base, values, more):
    return cut_name(base, "".join(f"-{name}={value}" for name, value in values.items()) + more)
