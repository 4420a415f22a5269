"""The code on the machines of a Ray cluster: an actor that starts a trial in a process of its own,
and a check that a machine can run trials.

Ray sends this file by value to machines that cannot import it: it imports nothing of the package,
and starts the installed program there, or the checkout on the shared file system.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

# How long a trial's process may take to end after SIGTERM.
GRACE_S = 10
# Exit statuses of a trial's process: terminated, and of a machine that cannot run trials.
TERMINATED, UNFIT = 143, 75
# How long a machine may take to start a worker that answers, and what is wrong otherwise.
START_S = 60
NOT_STARTED = "has started no worker that answers within a minute"
# The environment of Tune's workers for trials.
AS_TRIALS = {"env_vars": {"PL_DISABLE_FORK": "1"}}


class Trial(tune.Trainable):
    """One trial: its process reports every epoch, and ends with this actor.

    A trial that fails gives the reason in its last result. Only a process that is ended from
    outside, and a machine that cannot run trials, raise, so that Ray tries again elsewhere.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Starts the process.

        Args:
            config: a dictionary with `program` (see `command_of`), `folder`, `environment`,
                `request` (see `trial.run`), `values` of the varied settings, and `every_epoch`,
                whether each epoch is a result.
        """
        self.process: Any = None
        self.config, self.known = config, {"started": time.time()}
        self._begin()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Starts the next trial in the same actor."""
        self.cleanup()
        self.setup(new_config)
        return True

    def _begin(self):
        config = self.config
        request = {**config["request"], "values": config["values"]}
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 - for as long as the process runs
        gpus = {} if ray.get_gpu_ids() else {"CUDA_VISIBLE_DEVICES": "-1"}
        self.process = subprocess.Popen(
            command_of(config["program"]),
            cwd=config["folder"] if Path(config["folder"]).is_dir() else None,
            env={**os.environ, **config["environment"], **gpus},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            text=True,
            errors="replace",
        )
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def step(self) -> dict[str, Any]:
        """Waits for the next report of the process.

        Returns:
            Everything reported so far, as a dictionary; with `done` at the end.
        """
        for line in self.process.stdout:
            news = json.loads(line)
            self.known |= news
            # The last epoch is no result of its own: the trial must not be stopped then.
            if "epoch" in news and "is_last" not in news and self.config["every_epoch"]:
                return self._result("running")
        status = self.process.wait()
        if status == 0:
            return self._result("finished", done=True)
        sentence = self._sentence(status)
        if status < 0 or status in (TERMINATED, UNFIT):
            raise RuntimeError(sentence)
        return self._result("failed", done=True, note=sentence)

    def _result(self, state, **more):
        seconds = time.time() - self.known["started"]
        about = {"state": state, "seconds": seconds, "node": socket.gethostname()}
        return {"epoch": 0, **self.known, **about, **more}

    def _sentence(self, status):
        """The reason why the process has ended, in one line."""
        self.stderr.seek(0)
        output = self.stderr.read().decode(errors="replace")
        log = Path(
            self.config["request"]["place"], "logs", f"{self.known.get('experiment_id')}.txt"
        )
        if log.is_file():
            output = log.read_text(encoding="utf-8", errors="replace")
        lines = output.strip().splitlines() or [""]
        if status < 0:
            return (
                f"The process was ended by {signal.Signals(-status).name}; if there was not enough "
                "memory, run fewer trials at once with a larger --cpus_per_trial"
            )
        return lines[-1].removeprefix("network-pruning: ") or f"It ended with status {status}."

    def cleanup(self) -> None:
        """Ends the process; its last finished epoch is kept."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: a trial continues from the experiment's folder."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing."""


def command_of(program: str) -> list[str]:
    """The command that starts a trial on this machine.

    Args:
        program: the package's folder where the sweep was started; used if it exists here as well,
            such as a checkout on the shared file system. Otherwise the installed package is used.
    """
    if (Path(program) / "cli/trial.py").is_file():
        return [sys.executable, program, "trial"]
    return [sys.executable, "-c", "from network_pruning.cli.trial import cli; cli()"]


def alive_nodes() -> list[dict[str, Any]]:
    """Ray's records of the machines that are alive."""
    return [node for node in ray.nodes() if node["Alive"]]


def _on(node, **options):
    """A remote function that calls another function on one machine."""
    strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    remote = ray.remote(num_cpus=0, max_retries=0)(_call)
    return remote.options(scheduling_strategy=strategy, **options)


def _call(function, *arguments):
    return function(*arguments)


def check_node(marker: str, content: str, program: str, version: str) -> str | None:
    """Whether trials can run on this machine.

    Args:
        marker: the path of a file that the sweep has written to the output folder.
        content: of that file.
        program: as for `command_of`.
        version: of the package where the sweep was started.

    Returns:
        None, or the fault, as the end of a sentence.
    """
    try:
        if Path(marker).read_text(encoding="utf-8") != content:
            raise OSError
        own = Path(f"{marker}-{socket.gethostname()}-{secrets.token_hex(4)}")
        own.write_text(content, encoding="utf-8")
        own.unlink()
    except OSError:
        return "cannot read and write the output folder"
    done = subprocess.run(
        [*command_of(program)[:-1], _ASK_VERSION]
        if command_of(program)[1] == "-c"
        else [*command_of(program)[:-1], "train", "--version"],
        capture_output=True,
        text=True,
    )
    found = done.stdout.split()[-1:] or ["none"]
    return None if found == [version] else f"has network-pruning {found[0]}, not {version}"


_ASK_VERSION = "import network_pruning; print(network_pruning.__version__)"


def check_nodes(marker: str, content: str, program: str, version: str) -> dict[str, str]:
    """The faults of machines of the cluster, by name; machines without a fault are left out."""
    arguments = marker, content, program, version
    pending = [
        (
            node["NodeManagerHostname"],
            _on(node, runtime_env=AS_TRIALS).remote(check_node, *arguments),
        )
        for node in alive_nodes()
    ]
    found, until = {}, time.monotonic() + START_S
    for name, answer in pending:
        try:
            wrong = ray.get(answer, timeout=max(0.1, until - time.monotonic()))
        except ray.exceptions.GetTimeoutError:
            wrong = NOT_STARTED
        except Exception as error:  # another machine may raise anything
            wrong = f"did not answer ({type(error).__name__})"
        if wrong:
            found[name] = wrong
    return found


def trial_id(trial: Any) -> str:
    """The name of a trial's folder."""
    return trial.trial_id


class Events(tune.Callback):
    """Reports events of trials.

    Args:
        post: takes an event, a dictionary; pickled and called where the trials are scheduled.
    """

    def __init__(self, post: Callable[[dict[str, Any]], object]) -> None:
        self.post = post

    def on_trial_start(self, trial: Any, **_: Any) -> None:
        """A trial begins or is restarted."""
        self._tell(trial, {"state": "running"})

    def on_trial_result(self, trial: Any, result: dict[str, Any], **_: Any) -> None:
        """A trial reports an epoch; its end is reported below."""
        if not result.get("done"):
            self._tell(trial, result)

    def on_trial_complete(self, trial: Any, **_: Any) -> None:
        """A trial has ended, or was stopped early."""
        state = trial.last_result.get("state", "failed")
        state = "stopped" if state == "running" else state
        self._tell(trial, {**trial.last_result, "state": state})

    def on_trial_recover(self, trial: Any, **_: Any) -> None:
        """The machine or process of a trial has died; it continues elsewhere."""
        self._tell(trial, {"state": "waiting", "lost": True})

    def on_trial_error(self, trial: Any, **_: Any) -> None:
        """A trial was lost too often."""
        lines = str(trial.get_error()).strip().splitlines() or ["no reason given"]
        note = f"It failed repeatedly: {lines[-1].strip()[:300]}."
        self._tell(trial, {"state": "failed", "note": note})

    def _tell(self, trial, what):
        names = ("state", "epoch", "objective", "seconds", "node", "note", "experiment_id", "lost")
        event = {name: what[name] for name in names if name in what}
        self.post({"trial": trial.trial_id, "values": trial.config["values"], **event})
