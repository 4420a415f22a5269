"""One prediction as data: the model file and the images."""

from dataclasses import dataclass

from ..utils import UsageError
from .fields import Settings, at_least, from_to_below, one_of, setting


@dataclass(frozen=True)
class PredictConfig(Settings):
    """Settings of a prediction, validated when made.

    Raises:
        UsageError: if something is missing or out of range.
    """

    model: str
    images: tuple[str, ...]
    classes: tuple[str, ...] = setting(
        (), "Names of the classes, in their order, separated by commas. (default: their numbers)"
    )
    top: int = setting(3, "How many classes to show for each image.", bounds=at_least(1))
    margin: float = setting(
        4 / 28,
        "Empty margin on each side of what an image shows, as a share of the width: that of MNIST "
        "by default; 0 for Fashion-MNIST. Images that have the model's size already are not "
        "cropped.",
        bounds=from_to_below(0, 0.5),
    )
    plugins: tuple[str, ...] = setting(
        (), "Your own Python modules that register layers of the model, separated by commas."
    )
    invert: str = setting(
        "auto",
        "Whether to invert brightness: yes, no, or auto, which inverts images with a light border "
        "if the model takes greyscale images.",
        bounds=one_of("auto", "yes", "no"),
    )

    def __post_init__(self) -> None:
        if not self.images:
            raise UsageError(
                "Give an .npk file and one or more images: "
                "python -m network-pruning.predict model.npk image.png"
            )
        super().__post_init__()
