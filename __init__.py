"""Train a very large neural network, then make it very small.

Plugins register values of their own with the functions below; see "Extend it" in the README.
"""

import importlib

__version__ = "0.1.0"

# Found when they are asked for, so that importing the package costs nothing.
_REGISTER = {
    "register_criterion": ".pruning.criteria",
    "register_granularity": ".pruning.granularities",
    "register_scope": ".pruning.scopes",
    "register_schedule": ".pruning.schedules",
    "register_recovery": ".pruning.recoveries",
    "register_model": ".models.architectures",
    "register_dataset": ".data.registry",
}


def __getattr__(name):
    if name not in _REGISTER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_REGISTER[name], __name__)
    return module.register if name == "register_dataset" else getattr(module, name)
