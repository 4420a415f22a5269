"""What to ask of a small file, as data."""

from dataclasses import dataclass

from ..utils import UsageError
from .fields import Settings, at_least, from_to_below, one_of, setting


@dataclass(frozen=True)
class PredictConfig(Settings):
    """What to ask of a small file, validated when made.

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
        "Share of the width that is left free on each side of what an image shows, as in MNIST; 0 "
        "for Fashion-MNIST. Images of just the model's size are not cut out.",
        bounds=from_to_below(0, 0.5),
    )
    plugins: tuple[str, ...] = setting(
        (), "Python modules of yours that register layers in the model, separated by commas."
    )
    invert: str = setting(
        "auto",
        "Whether to turn light and dark round: yes, no, or auto, where the border is light and the "
        "model takes grey images.",
        bounds=one_of("auto", "yes", "no"),
    )

    def __post_init__(self) -> None:
        if not self.images:
            raise UsageError(
                "Give an .npk file and one or more images: "
                "python -m network-pruning.predict model.npk image.png"
            )
        super().__post_init__()
