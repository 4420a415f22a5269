"""The networks' shapes: one registered function per architecture, for `--model`."""

from dataclasses import dataclass
from numbers import Integral

from ..config import UsageError
from ..registry import Registry, named

ARCHITECTURES = Registry("model", flag="--model", takes=())
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


def architecture_of(name):
    """The `Architecture` registered as `name`.

    Raises:
        UsageError: if there is none, or what its function returns describes no network.
    """
    architecture = ARCHITECTURES.get(name)()
    fault = _fault(architecture)
    if fault:
        raise UsageError(
            f"--model: the {named('model', name)} cannot be built: {fault}; an Architecture is "
            "needed with the units of one hidden layer or more, such as Architecture((300, 100), "
            "use_bias=True)."
        )
    return architecture


def _fault(architecture):
    """What is wrong with something that should be an `Architecture`; None if nothing is."""
    if not isinstance(architecture, Architecture):
        return f"its function returned {architecture!r}"
    units = architecture.hidden_units
    if not isinstance(units, tuple) or not units:
        return f"hidden_units is {units!r}"
    if not all(isinstance(n, Integral) and not isinstance(n, bool) and n > 0 for n in units):
        return f"hidden_units is {units!r}, not whole numbers above 0"
    if not isinstance(architecture.use_bias, bool):
        return f"use_bias is {architecture.use_bias!r}"
    return None
