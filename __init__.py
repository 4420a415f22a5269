"""Train a very large neural network, then make it very small.

The library, for any Keras 3 model on any backend (docs/library.md):

    import network_pruning as npr

    pruned = npr.prune(model, 0.9)                           # 90 % of the weights set to zero
    model.fit(x, y, callbacks=[npr.Pruning(0.9)])            # or pruned gradually during training
    pruned.fit(x, y, callbacks=[npr.KeepPruned()])           # fine-tuned; pruned weights stay zero
    print(npr.measure(pruned))                               # sparsity, size, multiply-adds
    small = npr.shrink(npr.prune(model, 0.5, "unit"))        # an ordinary, smaller model
    npr.save(pruned, "model.npk", bits=4)                    # quantized, hundreds of times smaller
    npr.compress(model, x, bytes=20_000).save("model.npk")   # or all of it, for a limit
    model = npr.load("model.npk")

Plugins register methods, models and data with the other functions: "Extend it", docs/methods.md.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .compression.compress import compress
    from .compression.npk import load, save
    from .data.data_loaders.loader_utils import Dataset, Split
    from .data.registry import register as register_dataset
    from .graph.shrink import shrink
    from .models.architectures import Architecture, register_model
    from .pruning.criteria import register_criterion
    from .pruning.granularities import register_granularity
    from .pruning.model_measures import measure
    from .pruning.recoveries import register_recovery
    from .pruning.schedules import register_schedule
    from .pruning.scopes import register_scope
    from .pruning.units import dependency_groups, remove
    from .reconstruction.prune import prune
    from .reconstruction.reconstruct import reconstruct
    from .training.callbacks import KeepPruned, Pruning
    from .training.masks import Masks
    from .utils import RunError, UsageError

__version__ = "0.2.0"

__all__ = [
    "Architecture",
    "Dataset",
    "KeepPruned",
    "Masks",
    "Pruning",
    "RunError",
    "Split",
    "UsageError",
    "compress",
    "dependency_groups",
    "load",
    "measure",
    "prune",
    "reconstruct",
    "register_criterion",
    "register_dataset",
    "register_granularity",
    "register_model",
    "register_recovery",
    "register_schedule",
    "register_scope",
    "remove",
    "save",
    "shrink",
]

# Imported when first used, so that importing the package is fast.
_PLACES = {
    "prune": ".reconstruction.prune",
    "reconstruct": ".reconstruction.reconstruct",
    "Pruning": ".training.callbacks",
    "KeepPruned": ".training.callbacks",
    "Masks": ".training.masks",
    "measure": ".pruning.model_measures",
    "dependency_groups": ".pruning.units",
    "remove": ".pruning.units",
    "shrink": ".graph.shrink",
    "compress": ".compression.compress",
    "save": ".compression.npk",
    "load": ".compression.npk",
    "register_criterion": ".pruning.criteria",
    "register_granularity": ".pruning.granularities",
    "register_scope": ".pruning.scopes",
    "register_schedule": ".pruning.schedules",
    "register_recovery": ".pruning.recoveries",
    "register_model": ".models.architectures",
    "Architecture": ".models.architectures",
    "register_dataset": ".data.registry",
    "Dataset": ".data.data_loaders.loader_utils",
    "Split": ".data.data_loaders.loader_utils",
    "RunError": ".utils",
    "UsageError": ".utils",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_PLACES[name], __name__)
    return module.register if name == "register_dataset" else getattr(module, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
