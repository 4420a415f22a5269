# %% [markdown]
# # Prune while your own `fit` trains
#
# The callback `Pruning` raises the sparsity along a cubic while the network trains; the last epochs
# are fine-tuning. The data are a part of MNIST digits.

# %%
import keras
import network_pruning as npr
from keras import layers
from network_pruning.data.registry import load

keras.utils.set_random_seed(0)
digits = load("digits", data_dir=None, num_valid=10_000)
train, test = digits.train[:2000], digits.test[:2000]

# %%
model = keras.Sequential(
    [
        keras.Input((784,)),
        layers.Dense(100, activation="relu"),
        layers.Dense(50, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
pruning = npr.Pruning(0.9, "weight/gradual", begin=0.2, end=0.7, every=10)
options = {"batch_size": 100, "epochs": 10, "verbose": 0, "callbacks": [pruning]}
history = model.fit(train.images, train.labels, **options)

# %% [markdown]
# Epochs end with `logs["sparsity"]`, the share of the prunable weights that are zero.

# %%
logs = history.history
for epoch, values in enumerate(zip(logs["sparsity"], logs["accuracy"], strict=True), start=1):
    print("epoch {:2}: sparsity {:.1%}, training accuracy {:.1%}".format(epoch, *values))
print(f"test accuracy: {model.evaluate(test.images, test.labels, verbose=0)[1]:.1%}")
print(npr.measure(model))

# %% [markdown]
# It is an ordinary model, which plain Keras loads. The `.npk` file holds the kept weights only, on
# 16 levels.

# %%
model.save("pruned.keras")
print(f"pruned.npk: {npr.save(model, 'pruned.npk', bits=4):,} bytes")
