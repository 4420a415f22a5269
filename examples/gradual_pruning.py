"""Prune nine of ten weights while your own `fit` trains.

python examples/gradual_pruning.py
"""

import keras
import network_pruning as npr
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(1024, 20)).astype("float32")
y = x[:, :4].argmax(axis=1)

model = keras.Sequential(
    [
        keras.Input((20,)),
        layers.Dense(64, activation="relu"),
        layers.Dense(32, activation="relu"),
        layers.Dense(4, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
pruning = npr.Pruning(0.9, "weight/gradual", begin=0.2, end=0.7, every=10)
history = model.fit(x, y, epochs=10, verbose=0, callbacks=[pruning])

for epoch, sparsity in enumerate(history.history["sparsity"], start=1):
    print(f"epoch {epoch:2}: {100 * sparsity:.1f} % of the weights are gone")
print(npr.measure(model))
model.save("pruned.keras")  # an ordinary model: plain Keras loads it
