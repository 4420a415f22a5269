# %% [markdown]
# # The experiment with a model and data of your own
#
# A model that Keras has saved, and data in an `.npz` file, through the command line.

# %%
import subprocess
import sys
from pathlib import Path

import keras
import network_pruning as npr
import numpy as np
from keras import layers
from network_pruning.data.registry import load

keras.utils.set_random_seed(0)
digits = load("digits", data_dir=None, num_valid=10_000).shaped((28, 28))
train, test = digits.train[:2000], digits.test[:1000]
arrays = {"x_train": train.pixels, "y_train": train.labels}
np.savez("my_data.npz", **arrays, x_test=test.pixels, y_test=test.labels)

# %%
convolution = layers.Conv2D(8, 5, strides=2, activation="relu")
dense = layers.Dense(32, activation="relu")
output = layers.Dense(10, activation="softmax")
model = keras.Sequential([keras.Input((28, 28, 1)), convolution, layers.Flatten(), dense, output])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(train.images[..., None], train.labels, epochs=5, verbose=0)
model.save("my_model.keras")

# %% [markdown]
# Where the package is installed, this is `network-pruning --model=my_model.keras …`. `--epochs=0`
# prunes the model as it is.

# %%
program = [sys.executable, Path(npr.__file__).parent]
files = ["--model=my_model.keras", "--dataset=my_data.npz", "--output_dir=results"]
subprocess.run([*program, *files, "--epochs=0", "--k_vals=0,0.5,0.9"], check=True)
print(*sorted(Path("results").glob("*/*.csv")), sep="\n")
