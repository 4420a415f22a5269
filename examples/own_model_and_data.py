"""A model that Keras has saved, and data in an .npz file, through the command line.

python examples/own_model_and_data.py
"""

import subprocess
import sys
from pathlib import Path

import keras
import network_pruning as npr
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).integers(256, size=(900, 12, 12), dtype="uint8")
y = (x[:, :6].mean(axis=(1, 2)) > x[:, 6:].mean(axis=(1, 2))).astype("uint8")
np.savez("my_data.npz", x_train=x[:600], y_train=y[:600], x_test=x[600:], y_test=y[600:])

convolution = layers.Conv2D(8, 3, activation="relu")
dense = layers.Dense(32, activation="relu")
output = layers.Dense(2, activation="softmax")
model = keras.Sequential([keras.Input((12, 12, 1)), convolution, layers.Flatten(), dense, output])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x[:600, ..., None] / 255, y[:600], epochs=10, verbose=0)
model.save("my_model.keras")

# Where the package is installed: network-pruning --model=my_model.keras …
program = [sys.executable, Path(npr.__file__).parent]
files = ["--model=my_model.keras", "--dataset=my_data.npz", "--output_dir=results"]
subprocess.run([*program, *files, "--epochs=0", "--k_vals=0,0.5,0.9"], check=True)
print(*sorted(Path("results").glob("*/*.csv")), sep="\n")
