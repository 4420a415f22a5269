"""Shared fixtures: the package under a fixed name, the command line, one finished experiment."""

import contextlib
import fcntl
import gc
import os
import runpy
import shutil
import sys
import tempfile
from pathlib import Path

import commands
import hypothesis
import pytest
from commands import ROOT, command_in, run_command

# Machines may be busy: how long an example takes says nothing here.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

# Beside each other, tests would only wait for threads of each other's.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

# `make test BACKEND=jax` tests the library on another backend of Keras.
BACKEND = os.environ.get("KERAS_BACKEND") or "tensorflow"
# Optimizing what is compiled takes longer than running it, which most tests do once.
XLA_FLAGS = "--xla_backend_optimization_level=0"
if BACKEND == "jax":
    XLA_FLAGS += " --xla_llvm_disable_expensive_passes=true"
os.environ.setdefault("XLA_FLAGS", XLA_FLAGS)

# Keras may import JAX, which would choose a level that shows more in all commands started here.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# The checkout becomes `network_pruning`, whatever its folder is called.
runpy.run_path(str(ROOT / "__main__.py"))["load_package"]()

# Raises where one of these is first imported, by the program or by a library.
HOOK = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras", "jax", "torch", "ray"):
            raise RuntimeError(f"{name} was imported")

sys.meta_path.insert(0, Refuse())
"""

# Names the folder that all processes of one run of the tests share.
SHARED = "NETWORK_PRUNING_TESTS"

# Real data, few examples, so that the suite stays fast; commands find the plugin beside this file.
SMALL_DATA = ("--dataset=few_digits", "--plugins=few_digits", "--num_valid=1000")
SMALL = ("--epochs=2", *SMALL_DATA, "--k_vals=0.0,0.5,0.9,1.0")
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH")))
)


@pytest.fixture(scope="session")
def root():
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def cli():
    """The command line: `cli("--epochs=2", …)` returns the finished process; see `commands`."""
    return run_command


def pytest_configure(config):
    """The process that starts the others makes a folder that all of them share."""
    if SHARED not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="network-pruning-tests-")
        os.environ[SHARED] = folder.name
        config.add_cleanup(folder.cleanup)
    # A step of training is compiled by the first process that needs it, not by hundreds: that takes
    # longer than what most of them train.
    compiled = Path(os.environ[SHARED]) / "compiled"
    compiled.mkdir(exist_ok=True)
    flag = f"--tf_xla_persistent_cache_directory={compiled}"
    os.environ.setdefault("TF_XLA_FLAGS", flag)
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(compiled))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


def pytest_sessionstart():
    """On a GPU products are of numbers with 10 bits after the point otherwise."""
    if BACKEND == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "highest")
    if BACKEND == "torch":
        import torch

        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = False


def pytest_ignore_collect(collection_path):
    """On another backend than TensorFlow, which the commands need, only tests of the library are
    imported: files marked `backends` as a whole."""
    if BACKEND == "tensorflow" or not collection_path.is_file():
        return None
    return "\npytestmark = pytest.mark.backends\n" not in collection_path.read_text() or None


@pytest.fixture(scope="module", autouse=True)
def _no_garbage_is_collected():
    """Looking through all that TensorFlow keeps takes a tenth of the time; and where it collects
    garbage itself, it does not look at what other files have left."""
    gc.disable()
    gc.freeze()


def pytest_collection_modifyitems(items):
    """Those of whole commands come first, because the last ones must be short: two processes run
    them beside each other, and each takes over some of what the other has left."""
    items.sort(key=lambda item: item.path.parent.name != "tests")


@contextlib.contextmanager
def locked(path):
    with Path(path).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """What is random does not depend on the tests before; where the runner's backend is loaded,
    TensorFlow refuses random operations without a seed."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture(scope="session")
def shared():
    """What all processes of one run of the tests share: `shared(name, make)` returns a folder, into
    which the first who needs it has made something by `make(folder)`. Read only."""

    def shared(name, make):
        folder = Path(os.environ[SHARED]) / name
        with locked(f"{folder}.lock"):
            if not folder.with_suffix(".made").exists():
                make(folder)
                folder.with_suffix(".made").touch()
        return folder

    return shared


@pytest.fixture(scope="session")
def finished(shared):
    """The output folder of one small, finished experiment called `small`. Read only; see `copy`."""
    return shared("finished", lambda folder: command_in(folder, *SMALL, "--experiment_id=small"))


@pytest.fixture
def copy(finished, tmp_path):
    """An output folder of one's own with the finished experiment in it."""
    shutil.copytree(finished / "small", tmp_path / "small")
    return tmp_path


@pytest.fixture(scope="session")
def small_data():
    """The flags of the small experiment's data."""
    return SMALL_DATA


@pytest.fixture
def small(tmp_path):
    """The flags of the small experiment, written to a folder of this test."""
    return (*SMALL, f"--output_dir={tmp_path}", "--experiment_id=small")


@pytest.fixture
def without_xla(monkeypatch):
    """Networks of dense layers are trained without XLA, which compiles each for longer than its few
    steps take."""
    from network_pruning.training.dense_networks import DenseNetworks

    monkeypatch.setattr(DenseNetworks, "compiled", False)


@pytest.fixture
def registries(monkeypatch):
    """Whatever the test registers is forgotten after it."""
    from network_pruning.data import registry as data_registry
    from network_pruning.models import architectures
    from network_pruning.pruning import methods

    data_registry.names()  # imports the built-in loaders, which stay
    axes = methods.AXES.values()
    for registry in (data_registry.LOADERS, architectures.ARCHITECTURES, *axes):
        monkeypatch.setattr(registry, "_values", dict(registry._values))


@pytest.fixture(scope="session")
def digits():
    """The real digits, all but 2,000 held out."""
    from network_pruning.data import registry

    return registry.get_loader("digits")(os.environ.get("NETWORK_PRUNING_DATA"), 58_000)


@pytest.fixture
def without_tensorflow(monkeypatch):
    """Commands of this test cannot import TensorFlow, Keras or Ray."""
    monkeypatch.setattr(commands, "hook", HOOK)
