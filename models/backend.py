"""Imports TensorFlow and Keras once, quietly, with the settings that all runs share.

Import both from here: `from .backend import keras, tf`.
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

# A model with one input accepts it with or without its name.
warnings.filterwarnings("ignore", message="(The structure of|When providing) `inputs`")

# Keras warns that HDF5 is a legacy format; the checkpoint is HDF5 on purpose.
logging.getLogger("absl").setLevel(logging.ERROR)

# The same seed must give the same weights; on CPUs this costs nothing measurable.
tf.config.experimental.enable_op_determinism()


def device_names() -> list[str]:
    """The devices that TensorFlow uses, such as `/device:CPU:0`."""
    # TensorFlow logs missing or unsuitable drivers when devices are first listed.
    with quiet_stderr():
        return [device.name for device in tf.config.list_logical_devices()]


__all__ = ["device_names", "keras", "tf"]
