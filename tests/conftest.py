"""Shared fixtures: the package under a fixed name, the command line, one finished experiment."""

import os
import runpy
import shutil

import pytest
from commands import ROOT, run_command

# The checkout becomes `network_pruning`, whatever its folder is called.
runpy.run_path(str(ROOT / "__main__.py"))["load_package"]()

# Real data, few examples: all but 2,000 are held out. Kept small so that the suite stays fast.
SMALL = ("--epochs=2", "--num_valid=58000", "--k_vals=0.0,0.5,0.9,1.0")


@pytest.fixture(scope="session")
def root():
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def cli():
    """The command line: `cli("--epochs=2", …)` returns the finished process."""
    return run_command


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The output folder of one small, finished experiment called `small`. Read only; see `copy`."""
    output = tmp_path_factory.mktemp("finished")
    done = run_command(*SMALL, f"--output_dir={output}", "--experiment_id=small")
    assert done.returncode == 0, done.stderr
    (output / "stdout.txt").write_text(done.stdout)
    (output / "stderr.txt").write_text(done.stderr)
    return output


@pytest.fixture
def copy(finished, tmp_path):
    """An output folder of one's own with the finished experiment in it."""
    shutil.copytree(finished / "small", tmp_path / "small")
    return tmp_path


@pytest.fixture
def small(tmp_path):
    """The flags of the small experiment, written to a folder of this test."""
    return (*SMALL, f"--output_dir={tmp_path}", "--experiment_id=small")


@pytest.fixture(scope="session")
def digits():
    """The real digits with the split of the small experiment."""
    from network_pruning.data import registry

    return registry.get_loader("digits")(os.environ.get("NETWORK_PRUNING_DATA"), 58_000)
