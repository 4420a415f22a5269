"""Runs trials on Ray: on this machine alone, or on a cluster."""

import contextlib
import dataclasses
import os
import queue
import secrets
import shutil
import signal
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..config import PACKAGE_DIR, UsageError
from ..utils import RunError, counted, quiet_stderr, say, write_text
from . import searching
from .sweep_paths import SweepPaths

INSTALL = "Sweeps need Ray: pip install 'network-pruning[sweep]' (or 'ray[tune,client]' optuna)."
# How often a trial whose machine or process died begins again.
TRIES = 5
# How long a machine may take to answer at all.
ANSWER_S = 10
# A share of a GPU is no use to who takes all its memory.
SHARED_GPU = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
# Quiet, nothing sent home, no files but those of the trials.
RAY_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # An interrupt is ours to deal with: Tune would wait for trials.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
}
_TOKEN = Path("~/.ray/auth_token").expanduser()
# Of Ray's memory for objects: trials send numbers only.
OBJECT_BYTES = 100 * 2**20


@dataclass(frozen=True)
class Job:
    """What the engine runs.

    Attributes:
        request: what every trial is told, see `trial.run`.
        place: the folder of the sweep, on a file system that all machines share.
        output_dir: where the experiments are.
        cpus, gpus: what a trial needs; None for all cores of a machine, and for one GPU where
            there are some.
        address: where Ray is.
        trials: the values of the varied settings of each trial; None where they are searched.
        search: a `searching.Search`, or None.
        every_epoch: whether trials tell of each.
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


def check_installed(search=None, address="local"):
    """Makes sure that there is what trials are run by, before any work.

    Args:
        search: whether, or by what, values are searched.
        address: where Ray is.

    Raises:
        RunError: if it is not installed.
    """
    from importlib.util import find_spec

    os.environ.update({name: os.environ.get(name, value) for name, value in RAY_SETTINGS.items()})
    if address.startswith("ray://") and _TOKEN.is_file():
        # Ray's client, unlike the rest of it, does not look for the token by itself.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    needed = ("ray", *(("optuna",) if search else ()))
    if any(find_spec(name) is None for name in needed):
        raise RunError(INSTALL)
    try:
        import ray.tune  # noqa: F401 - whether all of it is there
    except ImportError as error:
        raise RunError(f"{INSTALL} ({error})") from error


@contextlib.contextmanager
def connected(address):
    """Ray at an address, while the block lasts.

    Raises:
        RunError: if there is none.
    """
    import ray

    about = {"logging_level": "ERROR", "log_to_driver": False}
    if address == "local":
        about |= {
            "address": "local",
            "num_cpus": cores(),
            "include_dashboard": False,
            "object_store_memory": OBJECT_BYTES,
        }
    else:
        about["address"] = address
    terminate = signal.getsignal(signal.SIGTERM)
    failure = _no_answer(address)
    with quiet_stderr():
        try:
            if failure is None:
                ray.init(**about)
        except Exception as error:  # whatever Ray raises, and gRPC behind it
            failure = error
    if failure is not None:
        where = "on this machine" if address == "local" else f"at --ray_address={address}"
        raise RunError(
            f"Ray cannot be reached {where} ({type(failure).__name__}: {_last_line(failure)}); "
            "docs/cluster.md says how to start it."
        ) from failure
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, terminate)  # Ray has put one of its own there
    try:
        yield
    finally:
        with quiet_stderr(), contextlib.suppress(Exception):
            ray.shutdown()


def _no_answer(address):
    """Why nothing can be reached at an address; None if something can. Ray itself would try for
    minutes."""
    if address in ("local", "auto"):
        return None
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER_S):
            return None
    except (OSError, ValueError, OverflowError) as error:
        return error


def cores():
    """How many processor cores this process may use."""
    number = os.cpu_count() or 1
    with contextlib.suppress(AttributeError):  # not on every system
        number = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, ValueError):  # a container's share, if it has one
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="utf-8").split()
        number = min(number, max(1, int(quota) // int(period)))
    return number


def run(job, on_event):
    """Runs all trials of a job, beside each other as far as there is room for them.

    Args:
        job: the `Job`.
        on_event: called with every event, a dictionary with `values` of a trial and what became of
            it; from another thread, one at a time.

    Raises:
        UsageError: if a trial fits nowhere.
        RunError: if a machine is not fit for trials.
    """
    import ray

    with connected(job.address):
        from . import worker

        ray.cloudpickle.register_pickle_by_value(worker)
        rooms = [
            (node["Resources"].get("CPU", 0), node["Resources"].get("GPU", 0))
            for node in worker.alive_nodes()
        ]
        job = _with_needs(job, rooms)
        _check_room(job, rooms)
        _check_machines(job, worker)
        Path(job.place).mkdir(parents=True, exist_ok=True)
        with _events(job, on_event) as post:
            _fit(_tuner(job, worker, post))
    shutil.rmtree(SweepPaths(job.place).engine, ignore_errors=True)


def _fit(tuner):
    """Runs the trials; of an interrupt nothing is said here."""
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
            f"Ray cannot go on ({type(ended).__name__}: {_last_line(ended)}); the same command "
            "does, once what it says is mended."
        ) from ended


def _with_needs(job, rooms):
    """The job with numbers for what a trial needs, where that is left to the machines."""
    cpus, gpus = max(rooms, key=lambda room: (min(room[1], 1), room[0]))
    return dataclasses.replace(
        job,
        cpus=max(1, int(cpus)) if job.cpus is None else job.cpus,
        gpus=min(gpus, 1) if job.gpus is None else job.gpus,
    )


def _check_room(job, rooms):
    """A trial that fits nowhere would wait for ever."""
    if any(cpus >= job.cpus and gpus >= job.gpus for cpus, gpus in rooms):
        return
    cpus, gpus = (max(numbers) for numbers in zip(*rooms, strict=True))
    sentence = (
        f"No machine has room for a trial with {counted(job.cpus, 'core')} and {job.gpus:g} GPUs: "
        f"the largest has {cpus:g} and {gpus:g}"
    )
    if job.address == "local":
        raise UsageError(f"{sentence}; give a smaller --cpus_per_trial or --gpus_per_trial.")
    say(f"Note: {sentence}. The trials wait until one joins.")


def _check_machines(job, worker):
    """All machines must see the folder of the results, and have this program."""
    marker, content = Path(job.output_dir) / f".shared-{secrets.token_hex(4)}", secrets.token_hex(8)
    write_text(marker, content)
    try:
        wrong = worker.look_at_all(str(marker), content, str(PACKAGE_DIR), __version__)
    finally:
        marker.unlink(missing_ok=True)
    if wrong:
        name, what = next(iter(wrong.items()))
        more = f" ({counted(len(wrong), 'machine')} in all)" if len(wrong) > 1 else ""
        raise RunError(
            f"The machine {name} {what}{more}; all must share --output_dir={job.output_dir} and "
            "have the same network-pruning, see docs/cluster.md."
        )


@contextlib.contextmanager
def _events(job, on_event):
    """What events are posted to while trials run; a thread takes them out and hands them on."""
    if job.address.startswith("ray://"):
        # Trials are scheduled on the cluster then, and events come from there.
        from ray.util.queue import Empty, Queue

        events = Queue(actor_options={"num_cpus": 0})
    else:
        from queue import Empty

        events = _LocalQueue()
    ended, failures = threading.Event(), []

    def hand_on():
        while True:
            try:
                event = events.get(timeout=0.5)
            except Empty:
                if ended.is_set():
                    return
                continue
            except Exception:  # the connection is gone, and with it the trials
                return
            try:
                on_event(event)
            except Exception as error:  # raised below, once the trials have ended
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


class _LocalQueue(queue.Queue):
    """A queue of this process; Tune writes down what it is given, of which this is nothing."""

    def __reduce__(self):
        return _LocalQueue, ()


def _tuner(job, worker, post):
    """The `ray.tune.Tuner` of a job."""
    from ray import tune

    shared = SHARED_GPU if job.gpus % 1 else {}
    known = ("PYTHONPATH", "NETWORK_PRUNING_DATA", "TF_CPP_MIN_LOG_LEVEL")
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
        about |= searching.options(job.search)
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


def _last_line(error):
    """What an exception says; of a traceback in it the end."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip()[:200] if lines else "no reason given"
