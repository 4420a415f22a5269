"""Functions by name: what `--methods`, `--model` and plugins choose from."""

import re

from ..config import UsageError


class Registry:
    """The values of one axis, such as the criteria.

    Args:
        axis: what the values are called in messages.
    """

    def __init__(self, axis):
        self.axis = axis
        self._values = {}

    def register(self, name, pattern=None):
        """Registers the decorated function as `name`.

        With a `pattern`, a regular expression, the name stands for every text that matches, and
        the function is called with the numbers in it: `2:4` becomes `n_of_m(2, 4)`.
        """

        def decorate(function):
            self._values[name] = (re.compile(pattern) if pattern else None, function)
            return function

        return decorate

    def names(self):
        """The registered names, in the order of registration."""
        return list(self._values)

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
        function, match = found
        return function(*map(int, match.groups())) if match else function

    def _find(self, text):
        for name, (pattern, function) in self._values.items():
            match = pattern.fullmatch(text) if pattern else None
            if match or (pattern is None and name == text):
                return function, match
        return None
