"""Prune the filters of your own model, fine-tune what is left, and really remove what is gone.

python examples/prune_finetune_shrink.py
"""

import keras
import network_pruning as npr
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(512, 16, 16, 1)).astype("float32")
y = (x[:, :8].mean(axis=(1, 2, 3)) > x[:, 8:].mean(axis=(1, 2, 3))).astype("int32")

model = keras.Sequential(
    [
        keras.Input((16, 16, 1)),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Conv2D(32, 3, strides=2, activation="relu"),
        layers.Flatten(),
        layers.Dense(2, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=5, verbose=0)

pruned = npr.prune(model, 0.5, "unit")
pruned.fit(x, y, epochs=3, verbose=0, callbacks=[npr.KeepPruned()])
small = npr.shrink(pruned)

print(npr.measure(pruned))
print(f"{model.count_params():,} parameters became {small.count_params():,}")
answers = [some.predict(x, verbose=0) for some in (pruned, small)]
print(f"largest difference: {np.abs(answers[0] - answers[1]).max():.1e}")
