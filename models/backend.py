"""Imports TensorFlow and Keras once, quietly, with the settings every run shares.

Everything that needs them says `from .backend import keras, tf`.
"""

import logging
import os
import warnings

from ..utils import quiet_stderr

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

with quiet_stderr():
    import keras
    import tensorflow as tf

# A model with one input takes it with or without its name.
warnings.filterwarnings("ignore", message="(The structure of|When providing) `inputs`")

# Keras warns that HDF5 is an old format, which is what the checkpoint is meant to be.
logging.getLogger("absl").setLevel(logging.ERROR)

# The same seed must give the same weights; on CPUs this costs nothing measurable.
tf.config.experimental.enable_op_determinism()


def device_names() -> list[str]:
    """What TensorFlow computes on, such as `/device:CPU:0`."""
    # The first look at the devices is where missing or unfit drivers are complained about.
    with quiet_stderr():
        return [device.name for device in tf.config.list_logical_devices()]


__all__ = ["device_names", "keras", "tf"]
