"""Which kind of network an experiment is about: dense layers as arrays, or any Keras model."""

from ..models.architectures import is_dense


def networks_of(config, dataset):
    """The `DenseNetworks` or `KerasNetworks` of an experiment.

    Args:
        config: the `ExperimentConfig`.
        dataset: the `Dataset`.

    Raises:
        UsageError: if the model cannot be had, or does not fit the data.
    """
    if is_dense(config.model):
        from ..pruning.dense_networks import DenseNetworks

        return DenseNetworks(config, dataset)
    # TensorFlow, quietly and whatever backend is set; a rerun of dense networks does without it.
    from ..models import backend  # noqa: F401 - before anything else imports Keras
    from ..pruning.keras_networks import KerasNetworks

    return KerasNetworks(config, dataset)
