"""The scripts in `examples/` run, on any backend."""

import os
import subprocess
import sys

import keras
import pytest
from commands import ROOT

pytestmark = pytest.mark.backends
EXAMPLES = sorted(ROOT.glob("examples/*.py"))
# The checkout as the package `network_pruning`, as if it were installed.
RUN = (
    "import runpy, sys; runpy.run_path(sys.argv[1])['load_package'](); runpy.run_path(sys.argv[2])"
)


# The command line runs on TensorFlow only.
COMMAND_LINE = "own_model_and_data"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.stem)
def test_examples_run(example, tmp_path):
    if example.stem == COMMAND_LINE and keras.backend.backend() != "tensorflow":
        pytest.skip("the command line runs on TensorFlow, whatever the backend")
    done = subprocess.run(
        [sys.executable, "-c", RUN, ROOT / "__main__.py", example],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": keras.backend.backend()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 2


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.stem)
def test_examples_are_short(example):
    assert len(example.read_text(encoding="utf-8").splitlines()) < 40


def test_there_are_examples():
    assert len(EXAMPLES) >= 3
