"""Both kinds of networks have all that the runner asks for, and take it in the same way."""

import inspect

import pytest
from network_pruning.models import backend  # noqa: F401 - before anything else imports Keras
from network_pruning.training.dense_networks import DenseNetworks
from network_pruning.training.keras_networks import KerasNetworks
from network_pruning.training.networks import Networks

ASKED_FOR = sorted(Networks.__abstractmethods__)


@pytest.mark.parametrize("kind", [DenseNetworks, KerasNetworks])
def test_all_of_the_protocol_is_there(kind):
    assert Networks in kind.__mro__
    assert not inspect.isabstract(kind)
    for name in ASKED_FOR:
        expected, found = (
            [
                (parameter.name.lstrip("_"), parameter.default)
                for parameter in inspect.signature(getattr(each, name)).parameters.values()
            ]
            for each in (Networks, kind)
        )
        assert found == expected, name
