"""A machine with nothing but what the library declares, and a backend."""

import sys

# By the names that they are imported by. Keras brings absl, rich and h5py, JAX scipy.
RUNNERS = (
    *("tensorflow", "pandas", "matplotlib", "PIL", "tqdm", "pooch", "requests"),
    *("filelock", "jinja2", "plotly", "platformdirs", "ray", "optuna", "tensorboard"),
    "tensorboardX",
)


class Refuse:
    """An import hook: the packages of the runner are not there."""

    def find_spec(self, name, path=None, target=None):  # noqa: ARG002
        if name.partition(".")[0] in RUNNERS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def refuse():
    """From now on they cannot be imported."""
    sys.meta_path.insert(0, Refuse())
