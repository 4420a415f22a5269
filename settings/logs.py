"""Where the numbers of experiments are written to besides their folders."""

from typing import Any

LOGS = ("tensorboard", "mlflow")
LOG_TO = (
    "Also log to these, separated by commas: tensorboard, mlflow (the server that "
    "MLFLOW_TRACKING_URI names, or a file in `output_dir`)."
)


def logs_of(config: Any) -> list[str]:
    """The logs that a group of settings asks for, by `log_to` or by `tensorboard`, the older and
    shorter way."""
    asked = {*config.log_to, *(["tensorboard"] if config.tensorboard else [])}
    return [name for name in LOGS if name in asked]
