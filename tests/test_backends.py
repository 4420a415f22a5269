"""The library on the other backends of Keras: its tests again, in a process of their own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SHARED

TESTS = Path(__file__).parent
FILES = sorted(
    str(file)
    for file in TESTS.rglob("test_*.py")
    if "pytest.mark.backends\n" in file.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_library_on_another_backend(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed; the development group in pyproject.toml has it")
    # Most of the time on JAX goes into optimizing what is run once.
    quickly = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    environment = {**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": quickly}
    # One process, none of xdist's, which does not wait for those that wait for this test to end.
    for name in ("PYTEST_XDIST_WORKER", SHARED):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", *FILES],
        cwd=TESTS.parent,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


def test_there_are_such_tests():
    assert len(FILES) >= 4
