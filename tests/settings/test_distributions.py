"""What a search draws values from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_pruning.settings.distributions import Distribution, distribution
from network_pruning.utils import UsageError


@given(low=st.floats(1e-6, 1e3), factor=st.floats(1.001, 1e3), share=st.floats(0, 1))
def test_rounding_keeps_four_digits(low, factor, share):
    value = low + share * (low * factor - low)
    rounded = Distribution("uniform", low, low * factor).rounded(value)
    assert abs(rounded - value) <= 5.1e-4 * value


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("uniform(0, 1)", float, Distribution("uniform", 0.0, 1.0)),
        ("lograndint(1,8)", int | None, Distribution("lograndint", 1, 8)),
        ("uniform(0,1)", int, "`x` is not drawn from uniform; take one of randint, lograndint."),
        ("randint(0,1)", bool, "`x` is not drawn from randint; take values separated by commas."),
        ("randint(1,2.5)", int, "`x`: the bounds of randint(1,2.5) are not both numbers"),
        (
            "uniform(1,inf)",
            float,
            "`x`: the first bound of uniform(1,inf) must be below the second.",
        ),
        ("loguniform(0,1)", float, "`x`: the bounds of loguniform(0,1) must be above 0."),
    ],
)
def test_a_distribution_is_one_that_the_setting_can_have(text, kind, expected):
    if isinstance(expected, Distribution):
        assert distribution("x", text, kind) == expected
        return
    with pytest.raises(UsageError) as caught:
        distribution("x", text, kind)
    assert str(caught.value).startswith(expected)
