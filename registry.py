"""Functions by name: what `--dataset`, `--model`, `--methods` and plugins choose from."""

import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

from .config import UsageError

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


class Registry:
    """The values of one axis, such as the criteria.

    Args:
        axis: what a value is called in messages.
        flag: what chooses among the values; a name means one thing among all axes of a flag.
        takes: names of the arguments that every function is called with; None where that differs.
    """

    def __init__(self, axis, flag="--methods", takes=None):
        self.axis, self.flag, self.takes = axis, flag, takes
        self._values = {}
        self.latest = None  # the name that was asked for last
        REGISTRIES.append(self)

    def register(self, name, pattern=None, settings=None):
        """Registers the decorated function as `name`.

        Args:
            name: what `--methods`, `--model` and the like call it.
            pattern: a regular expression; the name then stands for every text that matches, and
                the function is called with the numbers in it: `2:4` becomes `n_of_m(2, 4)`.
            settings: names of the settings that it reads of the config it is given; None for all.

        Raises:
            UsageError: if the name is taken or cannot be typed as a value, or if the function
                cannot be called as those of this axis are.
        """
        module = sys._getframe(1).f_globals.get("__name__", "?")
        if not isinstance(name, str) or not re.fullmatch(r"[^\s/,]+", name):
            raise UsageError(
                f"{module} registers a {self.axis} as {name!r}; give it a name in quotes, without "
                "spaces, slashes and commas."
            )

        def decorate(function):
            compiled = re.compile(pattern) if pattern else None
            entry = Entry(function, module, compiled, settings)
            self._check_free(name, entry)
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
            valid = ", ".join(self._values)
            raise UsageError(f"{text!r} is not a {self.axis}; choose one of: {valid}.")
        self.latest, entry, match = found
        return entry.function(*map(int, match.groups())) if match else entry.function

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

    def _meaning(self, name):
        """The `Entry` of this name, or whose pattern matches it; None if it is free."""
        found = self._find(name)
        return self._values.get(name) or (found and found[1])

    def _check_call(self, name, entry):
        if self.takes is None:
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
