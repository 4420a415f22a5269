"""The networks' shapes: one registered function per architecture, for `--model`."""

from dataclasses import dataclass

from .registry import Registry

ARCHITECTURES = Registry("model")
register_model = ARCHITECTURES.register

MLP_UNITS = (1000, 1000, 500, 200)


@dataclass(frozen=True)
class Architecture:
    """Units of the hidden layers, from the first, and whether layers have biases."""

    hidden_units: tuple[int, ...]
    use_bias: bool


@register_model("mlp")
def mlp():
    """The reference network, 784-1000-1000-500-200-10 without biases: 2,386,000 weights."""
    return Architecture(MLP_UNITS, use_bias=False)


@register_model("lenet_300_100")
def lenet_300_100():
    """The network of the pruning literature, 784-300-100-10 with biases: 266,610 weights and
    biases (LeCun et al., 1998)."""
    return Architecture((300, 100), use_bias=True)
