import numpy as np
import pytest
from network_pruning.models import model as models
from network_pruning.models.architectures import Architecture, architecture_of, register_model
from network_pruning.utils import UsageError

pytestmark = pytest.mark.usefixtures("registries")


@pytest.mark.parametrize(
    ("returned", "came"),
    [
        (None, "its function returned None"),
        ((300, 100), r"its function returned \(300, 100\)"),
        (Architecture((), True), r"hidden_units is \(\)"),
        (Architecture(300, True), "hidden_units is 300"),
        (Architecture([300], True), r"hidden_units is \[300\]"),
        (Architecture((300, 0), True), r"hidden_units is \(300, 0\), not whole numbers above 0"),
        (Architecture((300, -5), True), ".*not whole numbers above 0"),
        (Architecture((300, 2.5), True), ".*not whole numbers above 0"),
        (Architecture((True,), True), ".*not whole numbers above 0"),
        (Architecture(("many",), True), ".*not whole numbers above 0"),
        (Architecture((300,), "yes"), "use_bias is 'yes'"),
    ],
)
def test_what_describes_no_network_is_refused(returned, came):
    register_model("odd")(lambda: returned)
    with pytest.raises(UsageError, match=f"'odd' .*cannot be built: {came}.*an Architecture is"):
        models.build(name="odd")


def test_units_may_be_computed():
    register_model("computed")(lambda: Architecture((np.int64(3),), use_bias=False))
    assert architecture_of("computed").hidden_units == (3,)


def test_an_unknown_one_lists_the_valid_ones():
    with pytest.raises(UsageError, match="`model`: 'vgg' is not known; choose one of: mlp, len"):
        architecture_of("vgg")
