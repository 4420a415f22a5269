"""Functions by name: what `--dataset`, `--model`, `--methods` and plugins choose from."""

import functools
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..utils import UsageError
from .experiment import experiment_settings

# All that have been made: a method names values of several axes, which must not be confused.
REGISTRIES = []


@dataclass(frozen=True)
class Entry:
    """A registered function, the module that has registered it, the pattern of its name, and the
    settings that it reads (None for any)."""

    function: Callable
    module: str
    pattern: re.Pattern | None = None
    settings: tuple[str, ...] | None = None


def named(axis, text):
    """What messages about a returned value call its function: criterion 'mine' (p.py, line 4, f).

    Ours go without file, line and function.
    """
    for registry in REGISTRIES:
        if registry.axis == axis and registry.knows(text):
            return f"{axis} {text!r}{_place(definition(registry.function(text)))}"
    return f"{axis} {text!r}"


def _place(function):
    if is_own(function.__module__ or "builtins"):
        return ""
    try:
        line = inspect.getsourcelines(function)[1]
        file = Path(inspect.getsourcefile(function)).name
    except (OSError, TypeError):  # compiled code does not tell
        return ""
    return f" ({file}, line {line}, {function.__name__})"


def is_own(module):
    """Whether a module is one of this package, by its name."""
    return module.partition(".")[0] == __package__.partition(".")[0]


def definition(function):
    """The function or class with the source: behind partials, wrappers and callable objects."""
    if isinstance(function, functools.partial):
        return definition(function.func)
    function = inspect.unwrap(function)
    has_source = hasattr(function, "__code__") or inspect.isclass(function)
    return function if has_source else type(function)


class Registry:
    """The values of one axis, such as the criteria.

    Args:
        axis: what a value is called in messages.
        flag: what chooses among the values; a name means one thing among all axes of a flag.
        takes: names of the arguments that every function is called with; None where that differs.
    """

    def __init__(self, axis, flag="--methods", takes=None, also=()):
        self.axis, self.flag, self.takes, self.also = axis, flag, takes, also
        self._values = {}
        self.latest = None  # the name that was asked for last
        REGISTRIES.append(self)

    def register(self, name, pattern=None, settings=None):
        """Registers the decorated function as `name`.

        Args:
            name: what `--methods`, `--model` and the like call it.
            pattern: a regular expression whose groups are whole numbers; the name then stands for
                every text that matches, and the function is called with these numbers: `2:4`
                becomes `n_of_m(2, 4)`.
            settings: names of the settings that it reads of the config it is given; None for all.

        Raises:
            UsageError: if the name is taken or cannot be typed as a value, or if the function
                cannot be called as those of this axis are, or if pattern or settings are none.
        """
        module = sys._getframe(1).f_globals.get("__name__", "?")
        if not isinstance(name, str) or not re.fullmatch(r"[^\s/,]+", name):
            raise UsageError(
                f"{module} registers a {self.axis} as {name!r}; give it a name in quotes, without "
                "spaces, slashes and commas."
            )

        compiled = self._compiled(name, module, pattern)
        declared = self._declared(name, module, settings)

        def decorate(function):
            entry = Entry(function, module, compiled, declared)
            self._check_free(name, entry)
            self._check_pattern_free(name, entry)
            self._check_call(name, entry)
            self._values[name] = entry
            return function

        return decorate

    def names(self):
        """The registered names, in the order of registration."""
        return list(self._values)

    def entries(self):
        """The registered `Entry`s by name."""
        return dict(self._values)

    def settings(self, text):
        """The settings that the value `text` was registered with; None where it may read any."""
        return self._find(text)[1].settings

    def function(self, text):
        """What was registered for `text`, as it was written: not called, for a pattern."""
        return self._find(text)[1].function

    def knows(self, text):
        """Whether `text` is a value of this axis."""
        return self._find(text) is not None

    def get(self, text):
        """The function registered as `text`; for a pattern, what it makes of the numbers.

        Raises:
            UsageError: if there is none; the message lists the valid names.
        """
        found = self._find(text)
        if found is None:
            valid = ", ".join((*self._values, *self.also))
            raise UsageError(f"{self.flag}: {text!r} is not known; choose one of: {valid}.")
        self.latest, entry, match = found
        if not match:
            return entry.function
        try:
            numbers = [int(group) for group in match.groups()]
        except (TypeError, ValueError):
            raise UsageError(
                f"{self.flag}: the pattern of {self.latest!r}, {entry.pattern.pattern!r}, finds "
                f"{match.groups()} in {text!r}; its groups must be whole numbers."
            ) from None
        return entry.function(*numbers)

    def _compiled(self, name, module, pattern):
        try:
            return re.compile(pattern) if pattern else None
        except (re.error, TypeError) as error:
            raise UsageError(
                f"{module} registers the {self.axis} {name!r} with a pattern that is no regular "
                f"expression ({error})."
            ) from error

    def _declared(self, name, module, settings):
        if settings is None:
            return None
        known = experiment_settings()
        if not isinstance(settings, (tuple, list)) or not set(map(str, settings)) <= set(known):
            raise UsageError(
                f"{module} registers the {self.axis} {name!r} with settings={settings!r}; give a "
                f"tuple of names of: {', '.join(known)}."
            )
        return tuple(settings)

    def _find(self, text):
        for name, entry in self._values.items():
            match = entry.pattern.fullmatch(text) if entry.pattern else None
            if match or (entry.pattern is None and name == text):
                return name, entry, match
        return None

    def _check_free(self, name, new):
        for registry in REGISTRIES:
            old = registry._meaning(name) if registry.flag == self.flag else None
            # A module that is imported twice may register the same function twice.
            if old and not (registry is self and old.function is new.function):
                raise UsageError(
                    f"{self.flag}: {name!r} would be both the {registry.axis} of {old.module} and "
                    f"the {self.axis} of {new.module}; give the plugin's another name."
                )

    def _check_pattern_free(self, name, new):
        if new.pattern is None:
            return
        for registry in REGISTRIES:
            for other in registry.names() if registry.flag == self.flag else ():
                if other != name and new.pattern.fullmatch(other):
                    raise UsageError(
                        f"{self.flag}: the pattern of {name!r} of {new.module} takes the name of "
                        f"the {registry.axis} {other!r}; give one that does not match it."
                    )

    def _meaning(self, name):
        """The `Entry` of this name, or whose pattern matches it; None if it is free."""
        found = self._find(name)
        return self._values.get(name) or (found and found[1])

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
            pass  # compiled code does not tell; the call will
