"""The values of every axis of a method, as text: what `methods=help` shows."""

import inspect
import textwrap

from .methods import AXES, Method

COLUMNS = 80
INDENT = 20


def catalogue() -> str:
    """Every value of every axis with the first paragraph of its docstring, defaults marked."""
    example = "weight/lamp/global/gradual/finetune"
    heading = f"A method names at most one value of each axis, as in `methods={example}`."
    return "\n".join([textwrap.fill(heading, COLUMNS), *map(_axis, AXES)])


def _axis(axis):
    default = getattr(Method(), axis)
    values = (
        _value(name, entry.function, name == default)
        for name, entry in AXES[axis].entries().items()
    )
    return "\n".join(["", f"{axis}:", *values])


def _value(name, value, is_default):
    text = textwrap.wrap(
        f"{'(default) ' if is_default else ''}{_first_paragraph(value)}", COLUMNS - INDENT
    )
    label = f"  {name}  "
    if len(label) > INDENT:  # a long name has a line of its own
        text, label = ["", *text], label.rstrip()
    return f"\n{' ' * INDENT}".join([label.ljust(INDENT) + text[0], *text[1:]]).rstrip()


def _first_paragraph(value):
    # Not `inspect.getdoc`, which inherits docstrings: that of a base class would be wrong here.
    text = inspect.cleandoc(value.__doc__ or "No description.")
    return " ".join(text.split("\n\n")[0].split())
