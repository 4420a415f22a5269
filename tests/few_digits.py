"""A data set for the tests, as a plugin: a few of the real digits, and all those of the test set.

Testing a network on 58,000 images that are held out takes longer than training it on 2,000.
"""

from dataclasses import replace

from network_pruning import register_dataset, register_model
from network_pruning.data.registry import get_loader
from network_pruning.models.architectures import Architecture

TRAIN = 2000


@register_model("tiny")
def tiny():
    """Two hidden layers that cost next to nothing."""
    return Architecture((60, 30), use_bias=True)


@register_dataset("few_digits")
def few_digits(data_dir, num_valid):
    """Digits, 2,000 of them, and as many more to validate with as asked for."""
    digits = get_loader("digits")(data_dir, num_valid)
    return replace(digits, train=digits.train[:TRAIN])


@register_dataset("few_fashion")
def few_fashion(data_dir, num_valid):
    """As many of the pieces of clothing."""
    fashion = get_loader("fashion")(data_dir, num_valid)
    return replace(fashion, train=fashion.train[:TRAIN])
