"""Train a very large neural network, then make it very small."""

__version__ = "0.1.0"
