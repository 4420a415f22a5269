"""Names that plugins register: free, typed and callable, on every axis."""

import functools

import pytest
from network_pruning.data.registry import LOADERS, get_loader
from network_pruning.models.architectures import ARCHITECTURES
from network_pruning.pruning.methods import AXES
from network_pruning.settings.registry import Registry, named
from network_pruning.utils import UsageError

pytestmark = pytest.mark.usefixtures("registries")

TAKEN = {
    "granularity": "unit",
    "criterion": "magnitude",
    "scope": "global",
    "schedule": "gradual",
    "recovery": "finetune",
    "model": "mlp",
    "data set": "digits",
}
REGISTRIES = {**AXES, "model": ARCHITECTURES, "data set": LOADERS}


def anything(*_):
    pass


@pytest.mark.parametrize("axis", TAKEN)
def test_a_name_that_is_taken_is_refused(axis):
    registry, name = REGISTRIES[axis], TAKEN[axis]
    before = registry.get(name)
    with pytest.raises(UsageError) as caught:
        registry.register(name)(anything)
    assert f"{name!r} would be both the {axis} of network_pruning." in str(caught.value)
    assert f"and the {axis} of {__name__}; give" in str(caught.value)
    assert registry.get(name) is before


@pytest.mark.parametrize("name", ["global", "unit", "2:4", "N:M"])
def test_a_method_names_values_of_all_axes_so_that_none_may_mean_two(name):
    with pytest.raises(UsageError, match=f"`methods`: '{name}' would be both the"):
        AXES["criterion"].register(name)(anything)


def test_a_model_may_be_called_like_a_criterion():
    ARCHITECTURES.register("magnitude")(anything)
    assert ARCHITECTURES.get("magnitude") is anything


def test_the_same_function_may_be_registered_again():
    for _ in range(2):
        AXES["criterion"].register("again")(anything)
    with pytest.raises(UsageError, match="'again' would be both"):
        AXES["criterion"].register("again")(lambda *_: None)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a,b", anything, None, 3])
def test_a_name_that_cannot_be_typed_is_refused(name):
    with pytest.raises(UsageError, match=r"registers a criterion as .*; give it a name in quotes"):
        AXES["criterion"].register(name)


@pytest.mark.parametrize("function", [lambda: None, lambda layer, power: None, 3])  # noqa: ARG005
def test_a_function_that_cannot_be_called_is_refused(function):
    with pytest.raises(UsageError, match=r"'odd' of .* cannot be called with \(layer\), as every"):
        AXES["criterion"].register("odd")(function)
    assert not AXES["criterion"].knows("odd")


def test_all_that_can_be_called_will_do():
    class Object:
        def __call__(self, layer):
            return layer

    for number, function in enumerate((abs, functools.partial(pow, 2), anything, Object())):
        AXES["criterion"].register(f"c{number}")(function)
        assert AXES["criterion"].get(f"c{number}") is function


def test_messages_tell_which_plugin_a_value_is_of():
    AXES["criterion"].register("mine")(anything)
    assert named("criterion", "mine") == f"criterion 'mine' of {__name__}"
    assert named("criterion", "magnitude") == "criterion 'magnitude'"
    assert named("criterion", "nobody") == "criterion 'nobody'"


def test_numbers_of_a_pattern():
    registry = Registry("power", setting="powers")
    registry.register("P^Q", pattern=r"(\d+)\^(\d+)")(lambda p, q: p**q)
    assert registry.get("2^10") == 1024
    assert registry.names() == ["P^Q"]
    with pytest.raises(UsageError, match=r"`powers`: '2' is not known; choose one of: P\^Q"):
        registry.get("2")


def test_a_name_goes_before_a_pattern_that_matches_it():
    registry = Registry("root", setting="roots")
    registry.register("2")(abs)
    registry.register("N", pattern=r"(\d+)")(lambda n: n)
    assert registry.get("2") is abs
    assert registry.get("3") == 3


@pytest.mark.parametrize("text", ["p=x", "p="])
def test_groups_of_a_pattern_are_numbers(text):
    registry = Registry("power", setting=f"powers-{text}")
    registry.register("p=N", pattern=r"p=([a-z])?")(anything)
    with pytest.raises(
        UsageError, match=rf"`powers-{text}`: '{text}' is not known; choose one of: p=N"
    ):
        registry.get(text)


def test_a_pattern_without_groups_would_take_any_name():
    with pytest.raises(UsageError, match=r"with the pattern '\[a-z\]\+'; give it groups for whole"):
        AXES["criterion"].register("any", pattern="[a-z]+")(anything)


@pytest.mark.parametrize("settings", ["shift", ("shift", "shfit"), 3, (3,), {"shift": 1}])
def test_declared_settings_are_settings(settings):
    with pytest.raises(UsageError, match=r"with settings=.*; give a tuple of names of: dataset"):
        AXES["schedule"].register("odd", settings=settings)


def test_a_pattern_is_a_data_set_too():
    LOADERS.register("noise=N", pattern=r"noise=(\d+)")(lambda n: lambda _dir, _valid: n)
    assert get_loader("noise=3")(None, 0) == 3
