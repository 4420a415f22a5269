# %% [markdown]
# # Prune without training
#
# A trained model and 2,000 inputs without labels: 70 % of the units are removed, and the others
# make up for them. The data are a part of MNIST digits.

# %%
import keras
import network_pruning as npr
from keras import layers
from network_pruning.data.registry import load

keras.utils.set_random_seed(0)
digits = load("digits", data_dir=None, num_valid=10_000)
train, test = digits.train[:5000], digits.test[:2000]
hidden = [layers.Dense(units, activation="relu") for units in (200, 100)]
output = layers.Dense(10, activation="softmax")
model = keras.Sequential([keras.Input((784,)), *hidden, output])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train.images, train.labels, batch_size=100, epochs=5, verbose=0)

# %% [markdown]
# `reconstruct` re-fits the weights that are kept, layer by layer. `shrink` removes the units.

# %%
plain = npr.prune(model, 0.7, "unit")
pruned = npr.prune(model, 0.7, "unit_in_out/activation/reconstruct", data=train.images[:2000])
small = npr.shrink(pruned)
small.save("small.keras")

# %%
for name, each in (("dense", model), ("plain", plain), ("reconstructed", small)):
    accuracy = each.evaluate(test.images, test.labels, verbose=0)[1]
    print(f"{name}: {each.count_params():,} parameters, {100 * accuracy:.1f} % test accuracy")
