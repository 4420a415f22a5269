"""Models that `keras.distribution` divides among devices, which Keras does on JAX."""

import os
import subprocess
import sys

import keras
import pytest
from commands import ROOT

pytestmark = pytest.mark.backends


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="Keras distributes on JAX only")
@pytest.mark.parametrize("kind", ["data", "model"])
def test_variables_stay_where_they_are(kind, tmp_path):
    """On eight devices, which are one processor: JAX must be told before it starts."""
    program = ROOT / "tests" / "eight_devices.py"
    done = subprocess.run(
        [sys.executable, program, kind, tmp_path / "model.npk"],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
