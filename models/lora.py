"""LoRA adapters within layers such as attention, whose configs do not tell of them."""

from typing import Any

import keras


def enable_as_in(original: keras.Layer, copy: keras.Layer) -> None:
    """Gives the layers within a copy the adapters that those of the original have, without their
    values.

    Args:
        original: a layer or model, built.
        copy: one that was made from its config, built.
    """
    pairs: Any = zip(original._flatten_layers(), copy._flatten_layers(), strict=False)
    for own, new in pairs:
        if type(new) is type(own) and _is_adapted(own) and not _is_adapted(new):
            new.enable_lora(own.lora_rank, own.lora_alpha)


def has_adapters(model: keras.Model) -> bool:
    """Whether a layer, however nested, has one."""
    return any(map(_is_adapted, model._flatten_layers()))


def _is_adapted(layer):
    return getattr(layer, "lora_enabled", False)
