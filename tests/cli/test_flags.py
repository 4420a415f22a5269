"""Flags of settings: what is typed, and settings of it."""

import pytest
from absl import flags
from network_pruning.cli.flags import config_from_flags, define_flags


def parsed(*arguments):
    """The config of a command line, of flags that are defined for it alone."""
    values = flags.FlagValues()
    define_flags("test", values)
    values(["test", *arguments])
    return config_from_flags(values)


@pytest.mark.parametrize("end", ["", ",", " , ", " "])
def test_a_comma_at_the_end_is_forgiven(end):
    config = parsed(f"--methods=weight/obd, unit{end}", f"--k_vals=0.5{end}", f"--plugins=a{end}")
    assert config.methods == ("weight/obd", "unit")
    assert config.k_vals == (0.5,)
    assert config.plugins == ("a",)
