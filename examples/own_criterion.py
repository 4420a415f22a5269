# %% [markdown]
# # A criterion of your own
#
# A criterion is a function from a layer to scores: the higher the score, the longer a weight is
# kept. This one scores a weight by its size times the spread of its unit's weights.

# %%
import keras
import network_pruning as npr
import numpy as np
from keras import layers


@npr.register_criterion("spread")
def spread(layer):
    """|w| times the standard deviation of the unit's incoming weights."""
    return np.abs(layer.kernel) * layer.kernel.std(axis=0)


# %% [markdown]
# By magnitude, the default, the largest weights are kept, whichever unit they belong to. By
# `spread`, units whose weights vary little lose theirs first.

# %%
keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((8,)), layers.Dense(16), layers.Dense(1)])
for method in ("weight", "spread"):
    kernel = npr.prune(model, 0.75, method).get_weights()[0]
    print(f"{method:6}  weights kept in each unit:", (kernel != 0).sum(axis=0))
