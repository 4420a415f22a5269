"""A criterion of your own: weights matter the more, the more their units stand out.

python examples/own_criterion.py
"""

import keras
import network_pruning as npr
import numpy as np
from keras import layers


@npr.register_criterion("outstanding")
def outstanding(layer):
    """|w| times the spread of its unit's weights."""
    return np.abs(layer.kernel) * layer.kernel.std(axis=0)


model = keras.Sequential([keras.Input((8,)), layers.Dense(16), layers.Dense(1)])
for method in ("weight", "outstanding"):
    kernel = npr.prune(model, 0.75, method).get_weights()[0]
    print(f"{method:11}", "  weights left in each unit:", (kernel != 0).sum(axis=0))
