"""One trial of a sweep, as the workers of `sweep` start it: an experiment in a process of its own.

`cli.trial` starts it. People use `train`, which gives the same bytes.
"""

import dataclasses
import os
import platform
import sys
import time
from pathlib import Path

from ..experiments import folder, plugins, runner
from ..experiments.paths import ArtifactPaths
from ..settings.experiment import experiment_config
from ..settings.export import ExportConfig
from ..settings.sweep import sweep_config
from ..sweeps.paths import SweepPaths
from ..utils import echo, limit_threads, write_text

# How long to wait for somebody else's run in the same folder.
PATIENCE_S = 60


class UnfitError(Exception):
    """This machine cannot run trials; another one may."""


class LockedElsewhereError(Exception):
    """The experiment's lock names a process on another machine, which only that one knows of."""

    def __init__(self, text, is_ours):
        self.text, self.is_ours = text, is_ours


def run(request, tell, publish, check):
    """Runs a trial.

    Args:
        request: a dictionary with `sweep`, as `SweepConfig.to_dict` makes it, and `values` of the
            varied settings; or `experiments`, the settings of several by seed, of which `values`
            names one. Also `output_dir`, where the experiments belong, `place`, the folder of the
            sweep, and `broken`, the text of a lock whose process is known to be gone, or "" not to
            look at locks of other machines again.
        tell: takes what is to be told, a dictionary.
        publish: makes the pages, see `runner.run`.
        check: makes sure, of a config, that they can be made.

    Raises:
        RunError, UsageError: if the experiment cannot be done.
        LockedElsewhereError: if only another machine can say whether somebody is at work.
    """
    sweep = sweep_config(request["sweep"]) if "sweep" in request else None
    config = config_of(request, sweep)
    limit_threads(config.threads)  # before NumPy is imported
    plugins.load(config.plugins)
    config = runner.checked(config)
    place = SweepPaths(Path(request["place"]))
    if not place.root.is_dir():
        raise UnfitError(
            f"{place.root} is not there on {platform.node()}; all machines must see the folder of "
            "the results."
        )
    _write_to(place.log(config.experiment_id))
    tell({"experiment_id": config.experiment_id})
    holder = place.holder(config.experiment_id)
    noted = take_over(locks_of(config), holder, request.get("broken"))

    from ..sweeps import objectives

    if sweep is None:
        runner.run(config, publish)
    else:
        check(config)
        runner.experiment(config, publish, objectives.watch(sweep, config, tell))
        if sweep.export:
            _export(config, sweep.max_accuracy_drop, publish)
        reached = objectives.reached(sweep, config)
        known = {} if reached is None else {"objective": reached}
        tell({"epoch": config.epochs, "is_last": True, **known})
    noted.release()


def config_of(request, sweep):
    """The `ExperimentConfig` of what is asked for; `sweep` is None where that is one of seeds."""
    values = request["values"]
    if not sweep:
        config = experiment_config(request["experiments"][str(values["seed"])])
    else:
        config = sweep.trial(values)
    if str(Path(config.output_dir).expanduser().resolve()) == request["output_dir"]:
        return config
    # Another home or folder to stand in than where the sweep was started.
    if sweep:
        return sweep.trial(values, request["output_dir"])
    return dataclasses.replace(config, output_dir=request["output_dir"])


def locks_of(config):
    """The locks that the run of an experiment will hold, of all its seeds."""
    paths = ArtifactPaths.of(config)
    seeds = paths.seeds().values() if config.replicates > 1 else ()
    return [paths.lock, *(single.lock for single in seeds)]


def take_over(locks, holder, broken):
    """Waits until nobody works on the experiment, and notes in `holder` who does now.

    A lock of a process that died on this machine is taken over later, as by any run; one of a
    process on another machine only if it is `broken`.

    Returns:
        A lock on `holder`. Its text is that of the run's own lock, by which the next attempt knows
        that one as ours.
    """
    import filelock

    earlier, until = _read(holder), time.monotonic() + PATIENCE_S
    holder.unlink(missing_ok=True)
    noted = filelock.SoftFileLock(holder)
    noted.acquire()
    own_host = _read(holder).splitlines()[1]
    for lock in locks:
        while text := _read(lock):
            pid, host = [*text.splitlines(), "", ""][:2]
            if host != own_host:
                if broken == "":
                    break
                if text != broken:
                    noted.release()
                    write_text(holder, earlier or "")
                    raise LockedElsewhereError(text, is_ours=text == earlier)
                lock.unlink(missing_ok=True)
            elif not folder.is_alive(pid) or time.monotonic() > until:
                break  # the run takes it over, or says whose it is
            time.sleep(0.5)
    return noted


def _read(path):
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def _write_to(log):
    """From here on, what is said stands in a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(descriptor, stream.fileno())
    echo(f"--- {time.strftime('%Y-%m-%d %H:%M:%S %z')}, process {os.getpid()}")


def _export(config, max_accuracy_drop, publish):
    from ..experiments.exports import export

    _, paths = export(
        ExportConfig(
            experiment_id=config.experiment_id,
            output_dir=config.output_dir,
            max_accuracy_drop=max_accuracy_drop,
        )
    )
    publish(config, paths)
