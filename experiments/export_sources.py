"""The `Source` of an export: the networks of an experiment, or the user's own model."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..data import registry
from ..settings.fields import DEFAULT_NUM_VALID
from ..settings.files import called_by_content, is_file
from ..utils import file_sha256
from .export_networks import Network, Source, check_validation, random_shift
from .finished_networks import FinishedExperiment, check_exists
from .network_factory import check_images
from .paths import ArtifactPaths

if TYPE_CHECKING:
    from ..settings.export import ExportConfig


def source_of(config: "ExportConfig", paths: ArtifactPaths) -> Source:
    """The `Source` of an `ExportConfig`.

    Raises:
        UsageError: if no network matches the settings.
        RunError: if the experiment is not there, not finished, or damaged.
    """
    return _of_model(config) if config.model else FinishedExperiment(config, paths).source()


def _of_model(config):
    """The `Source` of `--model` and `--dataset`."""
    from ..data.files import default_num_valid
    from ..models import model as models
    from ..pruning.model_measures import size_of
    from ..training.model_evaluation import ModelEvaluator

    registry.check(config.dataset)
    num_valid = config.num_valid
    if num_valid is None and is_file(config.dataset):
        num_valid = default_num_valid(config.dataset)
    elif num_valid is None:
        num_valid = DEFAULT_NUM_VALID
    dataset = registry.load(config.dataset, config.data_dir, num_valid)
    check_validation(dataset)
    learning_rate = config.finetune_learning_rate or 0.001
    model = models.build(
        learning_rate, name=config.model, shape=dataset.shape, num_classes=dataset.num_classes
    )
    taken = dataset.shaped(models.example_shape(model, dataset.shape))
    network = Network(
        name=Path(config.model).name,
        living=size_of(model, taken.shape).living,
        valid_accuracy=ModelEvaluator(model, None)(taken.valid).accuracy,
        trained=True,
        model=lambda: models.clone(model),
    )
    if config.shift:
        check_images(config, dataset, taken)
    return Source(
        name=Path(config.model).name,
        dataset=taken,
        dense=network,
        networks=[network],
        batch_size=128,
        learning_rate=learning_rate,
        augmentation=random_shift(taken, max(dataset.shape, taken.shape, key=len), config.shift),
        compiled=False,
        depends={
            "model_sha256": file_sha256(Path(config.model).expanduser()),
            "dataset_sha256": dataset.digest,
        },
    )


def paths_of(config: "ExportConfig") -> ArtifactPaths:
    """The paths of an export: in the experiment, or in a folder named after the model and the first
    digits of its file's digest.

    Raises:
        UsageError: if the model's file cannot be read, or there is no such experiment.
    """
    if config.experiment_id:
        paths = ArtifactPaths.of(config).or_seed()
        check_exists(paths)
        return paths
    name = called_by_content("model", config.model)  # type: ignore[arg-type]
    return ArtifactPaths(Path(config.output_dir).expanduser() / name)
