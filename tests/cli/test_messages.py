"""Settings in messages become flags."""

import pytest
from network_pruning.cli.messages import with_flags


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`seed` must lie between 0 and 1, not 2.", "--seed must lie between 0 and 1, not 2."),
        ("`l1_reg=0.1` instead of 0.0", "--l1_reg=0.1 instead of 0.0"),
        ("`dataset=a b.npz`, `model=`", "--dataset=a b.npz, --model="),
        # Of other commands, too: a message may advise to run one.
        ("`search=random`, `bits`, `top` or `show`", "--search=random, --bits, --top or --show"),
        # What is no setting stays, and so does what is in no backticks.
        (
            "`layer`, `images` and `fit(x)`; seed, l1_reg",
            "`layer`, `images` and `fit(x)`; seed, l1_reg",
        ),
    ],
)
def test_settings_in_backticks_become_flags(text, expected):
    assert with_flags(text) == expected


def test_errors_are_texts():
    assert with_flags(ValueError("`seed`: no")) == "--seed: no"
