# %% [markdown]
# # Prune, fine-tune, shrink
#
# Half of the filters and neurons of a network for MNIST digits are set to zero, the network is
# fine-tuned, and what was pruned is removed. A part of the data keeps it quick.

# %%
import keras
import network_pruning as npr
from keras import layers
from network_pruning.data.registry import load

keras.utils.set_random_seed(0)
digits = load("digits", data_dir=None, num_valid=10_000).shaped((28, 28, 1))
train, test = digits.train[:2000], digits.test[:2000]
x, y = train.images, train.labels

# %%
model = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Conv2D(16, 5, strides=2, activation="relu"),
        layers.Conv2D(32, 3, strides=2, activation="relu"),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=100, epochs=5, verbose=0)

# %% [markdown]
# `prune` returns a copy with zeros, `KeepPruned` keeps them while the copy is fine-tuned, and
# `shrink` returns an ordinary model without them.

# %%
pruned = npr.prune(model, 0.5, "unit")
pruned.fit(x, y, batch_size=100, epochs=3, verbose=0, callbacks=[npr.KeepPruned()])
small = npr.shrink(pruned)

# %%
print(npr.measure(small, baseline=model))
for name, some in (("dense", model), ("pruned", pruned), ("small", small)):
    accuracy = some.evaluate(test.images, test.labels, verbose=0)[1]
    print(f"{name}: {some.count_params():,} parameters, {100 * accuracy:.1f} % test accuracy")
