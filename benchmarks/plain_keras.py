"""What one would write without this project: `fit`, then a loop over `k`, in plain Keras.

Honestly plain: the calls that Keras' and matplotlib's own guides show, nothing slowed down. It is
what `run.py` compares with: `plain_keras.py STAGES FOLDER [EPOCHS]`, where STAGES is `train`,
`prune` or `train+prune`. Prints the seconds of each epoch and of the pruning as one JSON object.
"""

import json
import sys
import time
from pathlib import Path

K_VALS = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99, 0.995, 0.999)


def load(data_dir):
    import numpy as np

    def read(name, offset):
        return np.fromfile(Path(data_dir, "digits", name), np.uint8, offset=offset)

    x = read("train-images-idx3-ubyte", 16).reshape(-1, 784).astype("float32") / 255
    y = read("train-labels-idx1-ubyte", 8)
    x_test = read("t10k-images-idx3-ubyte", 16).reshape(-1, 784).astype("float32") / 255
    y_test = read("t10k-labels-idx1-ubyte", 8)
    return (x[10000:], y[10000:]), (x[:10000], y[:10000]), (x_test, y_test)


def build():
    import keras

    return keras.Sequential(
        [
            keras.Input((784,)),
            *(
                keras.layers.Dense(
                    n,
                    activation="relu",
                    use_bias=False,
                    kernel_regularizer=keras.regularizers.L1L2(0.0, 0.0),
                )
                for n in (1000, 1000, 500, 200)
            ),
            keras.layers.Dense(10, activation="softmax", use_bias=False),
        ]
    )


def compile_model(model):
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])


def train(data, folder, epochs):
    import keras

    begun, seconds = [], []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: begun.append(time.perf_counter()),
        on_epoch_end=lambda *_: seconds.append(time.perf_counter() - begun[-1]),
    )
    model = build()
    compile_model(model)
    keep = keras.callbacks.ModelCheckpoint(folder / "best.keras", save_best_only=True)
    train_split, valid_split, _ = data
    model.fit(
        *train_split,
        batch_size=128,
        epochs=epochs,
        validation_data=valid_split,
        callbacks=[clock, keep],
        verbose=2,
    )
    return seconds


def pruned(weights, k, kind):
    import numpy as np

    weights = [w.copy() for w in weights]
    for w in weights[:-1]:
        scores = np.abs(w) if kind == "weights" else np.linalg.norm(w, axis=0)
        gone = np.argsort(scores, axis=None)[: int(k * scores.size)]
        if kind == "weights":
            w.ravel()[gone] = 0
        else:
            w[:, gone] = 0
    return weights


def histograms(weights, title, path, kind):
    import matplotlib.pyplot as plt
    import numpy as np

    figure, axes = plt.subplots(2, 2, figsize=(9, 6.4))
    for number, (ax, w) in enumerate(zip(axes.flat, weights[:-1], strict=True), start=1):
        values = w.ravel() if kind == "weights" else np.linalg.norm(w, axis=0)
        ax.hist(values[values != 0], bins=300)
        ax.set_title(f"hidden {number}")
    figure.suptitle(title)
    figure.savefig(path)
    plt.close(figure)


def prune(data, folder):
    import csv

    import keras
    import matplotlib.pyplot as plt
    from PIL import Image

    begun = time.perf_counter()
    model = keras.models.load_model(folder / "best.keras")
    rows = {}
    for kind in ("weights", "units"):
        pictures = []
        for k in K_VALS:
            clone = keras.models.clone_model(model)
            clone.set_weights(pruned(model.get_weights(), k, kind))
            compile_model(clone)
            loss, accuracy = clone.evaluate(*data[2], verbose=0)
            rows.setdefault(k, []).extend([loss, accuracy])
            pictures.append(folder / f"{kind}_{k}.png")
            histograms(clone.get_weights(), f"{kind} at {k:.1%}", pictures[-1], kind)
        first, *rest = [Image.open(picture) for picture in pictures]
        first.save(folder / f"{kind}.gif", save_all=True, append_images=rest, duration=1000, loop=0)
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.8))
    for column, ax in zip((1, 0), axes, strict=True):
        ax.plot(list(rows), [row[column] for row in rows.values()], label="weights")
        ax.plot(list(rows), [row[column + 2] for row in rows.values()], label="units")
        ax.legend()
    figure.savefig(folder / "curves.png")
    with (folder / "results.csv").open("w", newline="") as file:
        csv.writer(file).writerows([k, *row] for k, row in rows.items())
    return time.perf_counter() - begun


def main():
    import matplotlib

    matplotlib.use("Agg")
    stages, folder, data_dir = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    epochs = int(sys.argv[4]) if len(sys.argv) > 4 else 20
    data = load(data_dir)
    measured = {}
    if "train" in stages:
        measured["epochs"] = train(data, folder, epochs)
    if "prune" in stages:
        import matplotlib.pyplot  # imports are not counted, here as elsewhere

        measured["prune"] = prune(data, folder)
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
