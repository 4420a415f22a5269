"""Classifies images by a model in an .npk file, without TensorFlow.

python -m network-pruning.predict model.npk image.png another.jpg
"""

if __name__ == "__main__" and __package__ != "network_pruning":
    # As in train.py: the program runs under one name; this does not return.
    from .__main__ import run

    run("predict")

import sys
from functools import partial

from .cli import launch
from .cli.flags import define_flags, predict_config_from_flags
from .settings.predict import PredictConfig
from .utils import RunError, UsageError, echo, pluralize


def main(config: PredictConfig) -> None:
    """Prints the most likely classes of every image."""
    from .data.pictures import prepared

    if config.plugins:
        _load_plugins(config)
    answer, shape = _model(config.model)
    taken, failed = _image_shape(config.model, shape), 0
    for path in config.images:
        try:
            image, done = prepared(path, taken, config.margin, config.invert)
        except RunError as error:
            launch.fail(error, launch.FAILED)  # the others may be read
            failed += 1
            continue
        probabilities = answer(image.reshape(1, *shape))[0]
        print(
            f"{path}: {_described(probabilities, config)}", flush=True
        )  # in one line, for scripts
        if done:
            echo(f"  ({'; '.join(done)})")
    if failed and len(config.images) > 1:
        raise RunError(f"{failed} of {pluralize(len(config.images), 'image')} could not be read.")
    if failed:
        sys.exit(launch.FAILED)


def _load_plugins(config):
    """Loads the user's modules that define layers of the model."""
    from .models import backend  # noqa: F401, I001 - before anything else imports Keras
    from .experiments import plugins

    plugins.load(config.plugins)


def _model(path):
    """A function from examples to class probabilities, and the shape of an example.

    Raises:
        RunError: if the file cannot be read, or is not a classifier of images.
    """
    import numpy as np

    from .compression import npk_file, npk_reader

    try:
        config, arrays = npk_file.read(path)
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror or error}).") from error
    except ValueError as error:
        raise RunError(str(error)) from error
    try:
        shape = tuple(config["config"]["layers"][0]["config"]["batch_shape"][1:])
        answer = partial(npk_reader.run, config, arrays)
        answer(np.zeros((1, *shape), np.float32))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, StopIteration):
        answer, shape = _keras_model(path)
    given = np.shape(answer(np.zeros((1, *shape), np.float32)))
    if len(given) != 2 or given[1] < 2:
        raise RunError(
            f"{path} has outputs of shape {given}, but one number for each of two or more classes "
            "is needed."
        )
    return answer, shape


def _keras_model(path):
    """The function and the shape as `_model`, by Keras, for models that NumPy alone cannot run."""
    echo(f"{path} has layers that NumPy alone cannot run: Keras is started.")
    from .models import backend  # noqa: F401, I001 - before anything else imports Keras
    from .compression import npk

    try:
        model = npk.load(path)
        taken, outputs = model.input_shape, model.outputs
    except (ValueError, AttributeError) as error:
        raise RunError(f"{error}{_plugins_hint(error)}") from error
    if len(outputs) != 1 or not all(isinstance(size, int) for size in taken[1:]):
        raise RunError(f"{path} is not a classifier of images of one size.")
    return lambda x: model.predict(x, verbose=0), tuple(taken[1:])


def _plugins_hint(error):
    is_of_layers = "register_keras_serializable" in str(error)
    return " Name the module that registers it with --plugins." if is_of_layers else ""


def _image_shape(path, shape):
    """The shape (height, width, channels) of images for examples of this shape."""
    from .models.architectures import image_shape

    try:
        found = image_shape(shape)
    except UsageError:
        found = (0, 0, 0)
    if found[2] not in (1, 3):
        raise RunError(f"{path} takes examples of shape {shape}, which are not images.")
    return found


def _described(answers, config):
    """ "7 (99.12 %), 1 (0.31 %)": the likeliest classes first."""
    import numpy as np

    if not (np.isfinite(answers).all() and answers.min() >= 0 and abs(answers.sum() - 1) < 1e-2):
        powers = np.exp(answers - answers.max())  # the outputs are logits
        answers = powers / powers.sum()
    if config.classes and len(config.classes) != len(answers):
        raise UsageError(
            f"--classes: {pluralize(len(config.classes), 'name')}, but {config.model} has "
            f"{len(answers)} classes."
        )
    names = config.classes or [str(number) for number in range(len(answers))]
    likeliest = np.argsort(-answers, kind="stable")[: config.top]
    return ", ".join(f"{names[n]} ({100 * answers[n]:.2f} %)" for n in likeliest)


def cli() -> None:
    """The command `network-pruning predict`."""
    launch.launch(
        __doc__,
        partial(define_flags, kind=PredictConfig),
        predict_config_from_flags,
        main,
        takes_names=True,
    )


if __name__ == "__main__":
    cli()
