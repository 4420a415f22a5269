"""Registered functions by name, from which `dataset`, `model` and `methods` choose."""

import inspect
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..utils import UsageError
from .experiment import experiment_settings

# All registries: a method names values of several axes, which must not clash.
REGISTRIES = []


@dataclass(frozen=True)
class Entry:
    """A registered function, the module that registered it, the pattern of its name, the settings
    that it reads (None for any), and whether it takes tensors of Keras' backend."""

    function: Callable
    module: str
    pattern: re.Pattern | None = None
    settings: tuple[str, ...] | None = None
    tensors: bool = False


def named(axis: str, text: str) -> str:
    """A value's name in messages: criterion 'mine' of p; the package's own without a module."""
    found = next((registry.entry(text) for registry in REGISTRIES if registry.axis == axis), None)
    place = f" of {found.module}" if found and not is_own(found.module) else ""
    return f"{axis} {text!r}{place}"


def is_own(module: str) -> bool:
    """Whether a module belongs to this package, by its name."""
    return module.partition(".")[0] == __package__.partition(".")[0]


class Registry:
    """The values of one axis, such as the criteria.

    Args:
        axis: what a value is called in messages.
        setting: the setting that chooses a value; names are unique among all axes of one setting.
        takes: names of the arguments that every function is called with; None where that differs.
        also: what else messages list as valid.
    """

    def __init__(
        self,
        axis: str,
        setting: str = "methods",
        takes: Sequence[str] | None = None,
        also: Sequence[str] = (),
    ) -> None:
        self.axis, self.setting, self.takes, self.also = axis, setting, takes, also
        self._values = {}
        REGISTRIES.append(self)

    def register(
        self,
        name: str,
        pattern: str | None = None,
        settings: tuple[str, ...] | None = None,
        tensors: bool = False,
    ) -> Callable[[Callable], Callable]:
        """Registers the decorated function as `name`.

        Args:
            name: what `methods`, `model` and the like call it.
            pattern: a regular expression whose groups are whole numbers; every text that matches
                is a value then, and the function is called with these numbers: `2:4` becomes
                `n_of_m(2, 4)`.
            settings: names of the settings that it reads of the config it is given; None for all.
            tensors: whether it takes tensors of Keras' backend as well as NumPy arrays.

        Raises:
            UsageError: if the name is taken or cannot be typed as a value, if the function cannot
                be called as those of this axis are, or if there is no such setting.
        """
        module = sys._getframe(1).f_globals.get("__name__", "?")
        if not isinstance(name, str) or not re.fullmatch(r"[^\s/,]+", name):
            raise UsageError(
                f"{module} registers a {self.axis} as {name!r}; give it a name in quotes, without "
                "spaces, slashes and commas."
            )
        if settings is not None:
            settings = self._checked_settings(name, module, settings)

        def decorate(function):
            compiled = re.compile(pattern) if pattern else None
            if compiled and not compiled.groups:
                raise UsageError(
                    f"{module} registers the {self.axis} {name!r} with the pattern {pattern!r}; "
                    "give it groups for whole numbers, such as (\\d+)."
                )
            entry = Entry(function, module, compiled, settings, tensors)
            self._check_free(name, entry)
            self._check_call(name, entry)
            self._values[name] = entry
            return function

        return decorate

    def names(self) -> list[str]:
        """The registered names, in the order of registration."""
        return list(self._values)

    def entries(self) -> dict[str, Entry]:
        """The registered `Entry`s by name."""
        return dict(self._values)

    def entry(self, text: str) -> Entry | None:
        """The `Entry` of the value `text`; None if there is none."""
        exact = self._values.get(text)
        if exact and not exact.pattern:
            return exact
        return next((e for e in self._values.values() if _numbers(e, text) is not None), None)

    def settings(self, text: str) -> tuple[str, ...] | None:
        """The settings that the value `text` was registered with; None where it may read any."""
        return self.entry(text).settings

    def takes_tensors(self, text: str) -> bool:
        """Whether the value `text` takes tensors of Keras' backend as well as NumPy arrays."""
        return self.entry(text).tensors

    def function(self, text: str) -> Callable:
        """The function registered for `text`; for a pattern, not called with its numbers."""
        return self.entry(text).function

    def knows(self, text: str) -> bool:
        """Whether `text` is a value of this axis."""
        return self.entry(text) is not None

    def get(self, text: str) -> Callable:
        """The function registered as `text`; for a pattern, the result of calling it with the
        numbers.

        Raises:
            UsageError: if there is none; the message lists the valid names.
        """
        entry = self.entry(text)
        if entry is None:
            valid = ", ".join((*self._values, *self.also))
            raise UsageError(f"`{self.setting}`: {text!r} is not known; choose one of: {valid}.")
        return entry.function(*_numbers(entry, text)) if entry.pattern else entry.function

    def _checked_settings(self, name, module, settings):
        known = experiment_settings()
        if not isinstance(settings, (tuple, list)) or not set(map(str, settings)) <= set(known):
            raise UsageError(
                f"{module} registers the {self.axis} {name!r} with settings={settings!r}; give a "
                f"tuple of names of: {', '.join(known)}."
            )
        return tuple(settings)

    def _check_free(self, name, new):
        for registry in REGISTRIES:
            old = registry._values.get(name) or registry.entry(name)
            # A module that is imported twice may register the same function twice.
            is_again = registry is self and old and old.function is new.function
            if registry.setting == self.setting and old and not is_again:
                raise UsageError(
                    f"`{self.setting}`: {name!r} would be both the {registry.axis} of {old.module} "
                    f"and the {self.axis} of {new.module}; give the plugin's another name."
                )

    def _check_call(self, name, entry):
        # A pattern's function is called with its numbers; it makes the function that is meant.
        if self.takes is None or entry.pattern:
            return
        try:
            inspect.signature(entry.function).bind(*self.takes)
        except TypeError as error:
            raise UsageError(
                f"The {self.axis} {name!r} of {entry.module} cannot be called with "
                f"({', '.join(self.takes)}), as every {self.axis} is: {error}."
            ) from error
        except ValueError:
            pass  # compiled code has no signature; the call itself will fail if it is wrong


def _numbers(entry, text):
    """The whole numbers that a pattern finds in a text; None if it does not match."""
    match = entry.pattern and entry.pattern.fullmatch(text)
    if not match or not all(group and group.isdecimal() for group in match.groups()):
        return None
    return [int(group) for group in match.groups()]
