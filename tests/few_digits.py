"""Data sets for the tests, as a plugin: a few of the real images.

Testing all networks on thousands of images takes longer than training them on 2,000.
"""

from dataclasses import replace

from network_pruning import register_dataset, register_model
from network_pruning.data.registry import get_loader
from network_pruning.models.architectures import Architecture

TRAIN, TEST = 2000, 1000


@register_model("tiny")
def tiny():
    """Two hidden layers that cost next to nothing."""
    return Architecture((60, 30), use_bias=True)


@register_dataset("few_digits")
def few_digits(data_dir, num_valid):
    """Digits: 2,000 of them, half as many to test with, and those to validate with as asked for."""
    return few(get_loader("digits")(data_dir, num_valid))


@register_dataset("few_fashion")
def few_fashion(data_dir, num_valid):
    """As many of the pieces of clothing."""
    return few(get_loader("fashion")(data_dir, num_valid))


def few(dataset):
    """The first examples of a data set."""
    return replace(dataset, train=dataset.train[:TRAIN], test=dataset.test[:TEST])
