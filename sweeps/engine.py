"""Runs trials on Ray: on this machine alone, or on a cluster."""

import contextlib
import dataclasses
import os
import queue
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..settings.files import PACKAGE_DIR
from ..utils import RunError, UsageError, echo, pluralize, quiet_stderr, write_text
from . import tune_search
from .paths import SweepPaths
from .ray_connection import connected, last_line

# How often a trial is restarted after its machine or process died.
TRIES = 5
# How long trials may wait for resources before that is reported.
WAITING_S = 60
# Trials that share a GPU must not allocate all of its memory.
SHARED_GPU = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}


@dataclass(frozen=True)
class Job:
    """The trials to run, and their resources.

    Attributes:
        request: sent to every trial, see `trial.run`.
        place: the folder of the sweep, on a file system that all machines share.
        output_dir: the folder of the experiments.
        cpus, gpus: resources of a trial; None for all cores of a machine, and for one GPU if there
            are any.
        address: of Ray.
        trials: the values of the varied settings of each trial; None for a search.
        search: a `tune_search.TuneSearch`, or None.
        every_epoch: whether trials report every epoch.
    """

    request: dict
    place: Path
    output_dir: Path
    cpus: int | None
    gpus: float | None
    address: str
    trials: list | None
    search: object = None
    every_epoch: bool = True


def run(job: Job, on_event: Callable[[dict[str, Any]], object]) -> None:
    """Runs all trials of a job, in parallel as far as resources allow.

    Args:
        job: the `Job`.
        on_event: called with every event, a dictionary with the `values` of a trial and its state;
            from another thread, one at a time.

    Raises:
        UsageError: if no machine has the resources for a trial.
        RunError: if a machine cannot run trials.
    """
    import ray

    with connected(job.address) as logs:
        from . import deduplicating_search, worker

        for module in (worker, deduplicating_search):
            ray.cloudpickle.register_pickle_by_value(module)
        rooms = [
            (node["Resources"].get("CPU", 0), node["Resources"].get("GPU", 0))
            for node in worker.alive_nodes()
        ]
        job = _with_needs(job, rooms)
        _check_room(job, rooms)
        _check_machines(job, worker, logs)
        Path(job.place).mkdir(parents=True, exist_ok=True)
        with _events(job, on_event) as post:
            _fit(_tuner(job, worker, post))
    shutil.rmtree(SweepPaths(job.place).engine, ignore_errors=True)


def _fit(tuner):
    """Runs the trials; errors of Ray become a RunError."""
    import ray

    ended = None
    with quiet_stderr():
        try:
            tuner.fit()
        except (
            KeyboardInterrupt,
            ray.exceptions.RayError,
            ray.tune.TuneError,
            ConnectionError,
        ) as error:
            ended = error
    if isinstance(ended, KeyboardInterrupt):
        raise ended
    if ended is not None:
        raise RunError(
            f"Ray failed ({type(ended).__name__}: {last_line(ended)}); once that is fixed, run the "
            "same command again to continue."
        ) from ended


def _with_needs(job, rooms):
    """The job with numbers for the resources that depend on the machines."""
    cpus, gpus = max(rooms, key=lambda room: (min(room[1], 1), room[0]))
    return dataclasses.replace(
        job,
        cpus=max(1, int(cpus)) if job.cpus is None else job.cpus,
        gpus=min(gpus, 1) if job.gpus is None else job.gpus,
    )


def _check_room(job, rooms):
    """Makes sure that some machine has the resources for a trial, which would wait for ever."""
    if any(cpus >= job.cpus and gpus >= job.gpus for cpus, gpus in rooms):
        return
    cpus, gpus = (max(numbers) for numbers in zip(*rooms, strict=True))
    sentence = (
        f"No machine has room for a trial with {pluralize(job.cpus, 'core')} and {job.gpus:g} "
        f"GPUs: the largest has {cpus:g} and {gpus:g}"
    )
    if job.address == "local":
        raise UsageError(f"{sentence}; give a smaller --cpus_per_trial or --gpus_per_trial.")
    echo(f"Note: {sentence}. The trials wait until one joins.")


def _check_machines(job, worker, logs):
    """Makes sure that all machines start workers, share the output folder, and have this program.

    Args:
        job: the `Job`.
        worker: the module `worker`.
        logs: the folder of Ray's logs, of the same name on each machine.
    """
    marker, content = Path(job.output_dir) / f".shared-{secrets.token_hex(4)}", secrets.token_hex(8)
    write_text(marker, content)
    try:
        wrong = worker.check_nodes(str(marker), content, str(PACKAGE_DIR), __version__)
    finally:
        marker.unlink(missing_ok=True)
    if not wrong:
        return
    name, what = next(iter(wrong.items()))
    more = f" ({pluralize(len(wrong), 'machine')} in all)" if len(wrong) > 1 else ""
    if what == worker.NOT_STARTED:
        log = logs / "raylet.err"
        raise RunError(
            f"Ray {what} on the machine {name}{more}{_last_output(log)}; its log there is {log}."
        )
    raise RunError(
        f"The machine {name} {what}{more}; all must share --output_dir={job.output_dir} and "
        "have the same network-pruning, see docs/cluster.md."
    )


def _last_output(log):
    """The last line of the shell or Python in one of Ray's logs, in brackets; "" if there is none,
    or the log is on another machine."""
    with contextlib.suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        # Ray's own lines begin with their time.
        if found := [line for line in lines if line.strip() and not line.startswith("[")]:
            return f" ({last_line(found[-1])})"
    return ""


@contextlib.contextmanager
def _events(job, on_event):
    """A function that takes events while trials run; a thread passes them on."""
    if job.address.startswith("ray://"):
        # Then trials are scheduled on the cluster, which sends the events.
        from ray.util.queue import Empty, Queue

        events = Queue(actor_options={"num_cpus": 0})
    else:
        from queue import Empty

        events = _LocalQueue()
    ended, failures = threading.Event(), []
    waiting = _Waiting(job)

    def hand_on():
        while True:
            try:
                event = events.get(timeout=0.5)
            except Empty:
                if ended.is_set():
                    return
                waiting.report_if_due()
                continue
            except Exception:  # the connection to the trials is lost
                return
            waiting.end()
            try:
                on_event(event)
            except Exception as error:  # raised below, after the trials have ended
                failures.append(error)

    thread = threading.Thread(target=hand_on, daemon=True)
    thread.start()
    try:
        yield events.put
    finally:
        ended.set()
        thread.join(60)
    if failures:
        raise failures[0]


class _Waiting:
    """Reports what the trials wait for, once, if none has begun after `WAITING_S`."""

    def __init__(self, job):
        self.job, self._until = job, time.monotonic() + WAITING_S

    def report_if_due(self):
        """Reports it if the time has passed."""
        if self._until is None or time.monotonic() < self._until:
            return
        import ray

        self.end()
        free = {}
        with contextlib.suppress(Exception):  # the connection may fail in any way
            free = ray.available_resources()
        job = self.job
        echo(
            f"No trial has begun yet: each needs {pluralize(job.cpus, 'core')} and {job.gpus:g} "
            f"GPUs of one machine; all machines have {free.get('CPU', 0):g} and "
            f"{free.get('GPU', 0):g} free. They begin when there is room."
        )

    def end(self):
        """A trial has begun: there is nothing to report."""
        self._until = None


class _LocalQueue(queue.Queue):
    """A queue of this process, which is empty after pickling: Tune pickles its arguments."""

    def __reduce__(self):
        return _LocalQueue, ()


def _tuner(job, worker, post):
    """The `ray.tune.Tuner` of a job."""
    from ray import tune

    shared = SHARED_GPU if job.gpus % 1 else {}
    known = ("PYTHONPATH", "NETWORK_PRUNING_DATA", "NETWORK_PRUNING_DEBUG", "TF_CPP_MIN_LOG_LEVEL")
    common = {
        "program": str(PACKAGE_DIR),
        "folder": str(Path.cwd()),
        "environment": {**{n: os.environ[n] for n in known if n in os.environ}, **shared},
        "request": {
            **job.request,
            "place": str(job.place),
            "output_dir": str(job.output_dir),
        },
        "every_epoch": job.every_epoch,
    }
    about = {"reuse_actors": True, "trial_dirname_creator": worker.trial_id}
    if job.search is not None:
        about |= tune_search.options(job.search)
    return tune.Tuner(
        tune.with_resources(worker.Trial, {"cpu": job.cpus, "gpu": job.gpus}),
        param_space={**common, "values": tune.grid_search(job.trials) if job.trials else {}},
        tune_config=tune.TuneConfig(**about),
        run_config=tune.RunConfig(
            name=time.strftime("%Y%m%d-%H%M%S"),
            storage_path=str(SweepPaths(job.place).engine),
            callbacks=[worker.Events(post)],
            failure_config=tune.FailureConfig(max_failures=TRIES),
            verbose=0,
        ),
    )
