"""The command line with models and data of the user's own, on real digits."""

import dataclasses
import json
import re
import shutil
import signal

import keras
import network_pruning as npr
import numpy as np
import pandas as pd
import pytest
from commands import command_in, experiment_in
from fault_run import fault_run
from keras import layers
from network_pruning import register_model
from network_pruning.data.data_loaders.loader_utils import Dataset, Split
from network_pruning.experiments import network_factory
from network_pruning.models import model as models
from network_pruning.models.weights import Weights
from network_pruning.pruning.methods import Method
from network_pruning.settings.experiment import ExperimentConfig
from network_pruning.training.keras_networks import KerasNetworks
from network_pruning.training.model_evaluation import ModelEvaluator
from network_pruning.utils import RunError, UsageError
from PIL import Image

TRAIN, TEST = 900, 300
QUICK = ("--epochs=1", "--k_vals=0,0.5", "--prune_epochs=1", "--finetune_epochs=1")
EVERYTHING = (
    "--methods=weight/obd/global/gradual/finetune,unit/gradient,unit_in_out,2:4/activation/output,"
    "4x4/lamp/erk,unit/gradual/lr_rewind",
    *("--prune_fraction=0.6", "--shift=1", "--distillation=0.5", "--l2_reg=0.0001"),
)


def residual_network():
    """With a residual connection, normalization, dropout and a depthwise convolution."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((28, 28, 1))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(inputs)
    x = a = layers.ReLU()(layers.BatchNormalization(momentum=0.5)(x))
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.Conv2D(8, 1, activation="relu", name="project")(x)
    x = layers.Add()([a, x])
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(16, 3, strides=2, name="conv")(x))
    x = layers.Dropout(0.1)(layers.Dense(24, activation="relu", name="dense")(x))
    return keras.Model(inputs, layers.Dense(10, name="logits")(x), name="mine")


@pytest.fixture(scope="module")
def arrays(digits):
    images, labels = digits.valid.pixels.reshape(-1, 28, 28), digits.valid.labels
    return {
        "x_train": images[:TRAIN],
        "y_train": labels[:TRAIN],
        "x_test": images[-TEST:],
        "y_test": labels[-TEST:],
    }


@pytest.fixture(scope="module")
def own(shared, arrays):
    """A folder with a model and data."""

    def make(folder):
        folder.mkdir()
        residual_network().save(folder / "my model.keras")
        np.savez(folder / "few.npz", **arrays)

    return shared("own", make)


@pytest.fixture(scope="module")
def files(own):
    return f"--model={own / 'my model.keras'}", f"--dataset={own / 'few.npz'}"


@pytest.fixture(scope="module")
def done(shared, files):
    """One run with methods of all kinds: its folder and what it said. Read only."""
    output = shared("results", lambda folder: command_in(folder, *files, *QUICK, *EVERYTHING))
    return experiment_in(output), (output / "stdout.txt").read_text()


@pytest.fixture
def mine(done, tmp_path):
    """A copy of its folder."""
    shutil.copytree(done[0], tmp_path / "results" / done[0].name)
    return tmp_path / "results" / done[0].name


def test_names_and_digests_come_from_the_files(done, own):
    from network_pruning.utils import file_sha256

    folder, said = done
    model, data = (file_sha256(own / name) for name in ("my model.keras", "few.npz"))
    assert folder.name == f"few-{data[:8]}-1-lr=0.001-l1=0.0-l2=0.0001-my_model-{model[:8]}"
    record = json.loads((folder / "config.json").read_text())
    assert (record["dataset_sha256"], record["model_sha256"]) == (data, model)
    assert record["settings"]["num_valid"] == TRAIN // 6
    assert "few.npz: examples are uint8 of shape (28, 28), scaled by 1/255." in said
    rows = pd.read_csv(folder / "metrics.csv")
    assert set(rows["dataset"]) == {"few.npz"}
    assert set(rows["model"]) == {"my model.keras"}


def test_every_file_is_there(done):
    folder, said = done
    for name in ("history.csv", "results.csv", "metrics.csv", "loss_accuracy.png"):
        assert (folder / name).is_file()
    for k in (0.0, 0.5):
        assert (folder / f"pruned_weights_l1_k={k}.png").is_file()
        assert (folder / f"pruned_units_l2_k={k}.png").is_file()
    assert Image.open(folder / "pruned_units.gif").n_frames == 2
    assert "Traceback" not in said


def test_the_tables_are_what_plain_keras_finds(done, arrays):
    """Networks that were trained are files that plain Keras loads and evaluates."""
    folder, _ = done
    rows = pd.read_csv(folder / "metrics.csv")
    trained = rows[(rows["schedule"] + rows["recovery"] != "oneshotnone") & (rows["k"] > 0)]
    assert len(trained) == 2
    x = arrays["x_test"][..., None] / np.float32(255)
    for row in trained.itertuples():
        method = row.method.replace("/", "-").replace(":", "of")
        path = folder / "networks" / method / f"weights_k={row.k}-{row.recipe}.hdf5"
        model = keras.models.load_model(path, compile=False)
        answers = model.predict(x, verbose=0)
        accuracy = (answers.argmax(axis=1) == arrays["y_test"]).mean()
        assert accuracy == pytest.approx(row.test_accuracy, abs=1 / TEST)
        loss = keras.losses.sparse_categorical_crossentropy(arrays["y_test"], answers, True)
        assert float(np.mean(loss)) == pytest.approx(row.test_cross_entropy, rel=1e-3)
        hidden = [layer.kernel for layer in model.layers if hasattr(layer, "kernel")][:-1]
        zeros = sum(int((np.array(kernel) == 0).sum()) for kernel in hidden)
        size = sum(int(np.prod(kernel.shape)) for kernel in hidden)
        assert zeros / size == pytest.approx(row.sparsity, abs=1e-9)
        if row.granularity == "weight":
            assert row.k - 0.01 < row.sparsity <= row.k


def test_the_rows_say_what_is_left(done):
    folder, _ = done
    rows = pd.read_csv(folder / "metrics.csv")
    whole = rows[rows["k"] == 0].iloc[0]
    assert whole["speedup"] == 1
    assert whole["compression_ratio"] == pytest.approx(1, rel=0.01)  # some biases are zero
    assert whole["multiply_adds"] > 10_000
    names = [name for name in rows if name.startswith("sparsity_")]
    assert names == [f"sparsity_{n}" for n in ("stem", "depthwise", "project", "conv", "dense")]
    half = rows[(rows["method"] == "unit") & (rows["k"] == 0.5)].iloc[0]
    assert half["speedup"] > 2
    assert (rows["test_loss"] > rows["test_cross_entropy"]).all()  # the penalty is in it


def test_the_same_files_elsewhere_are_the_same_experiment(cli, mine, own, tmp_path):
    """Nothing is made anew."""
    for name in ("my model.keras", "few.npz"):
        (tmp_path / name).write_bytes((own / name).read_bytes())
    here = f"--model={tmp_path / 'my model.keras'}", f"--dataset={tmp_path / 'few.npz'}"
    tell = ("config.json", "report.html")  # where the files are
    before = {f: f.read_bytes() for f in mine.rglob("*.*") if f.name not in tell}
    process = cli(*here, *QUICK, *EVERYTHING, f"--output_dir={mine.parent}")
    assert process.returncode == 0, process.stderr
    assert "Not trained again" in process.stdout
    assert "all tested before" in process.stdout
    assert {file: file.read_bytes() for file in before} == before


def test_other_files_of_the_same_names_are_not(cli, arrays, mine, files, tmp_path):
    np.savez(tmp_path / "few.npz", **arrays | {"y_test": arrays["y_test"][::-1]})
    flags = (files[0], f"--dataset={tmp_path / 'few.npz'}", *QUICK, *EVERYTHING)
    process = cli(*flags, f"--output_dir={mine.parent}", f"--experiment_id={mine.name}")
    assert process.returncode == 1
    assert "another version of the data set" in process.stderr


def test_a_trained_model_is_pruned_as_it_is(cli, own, arrays, tmp_path):
    """Without an epoch, the unpruned control answers as the file does; .h5 files are read too."""
    model = residual_network()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = arrays["x_train"][..., None] / 255
    model.fit(x, arrays["y_train"], epochs=4, verbose=0)
    model.save(tmp_path / "trained.h5")
    test = arrays["x_test"][..., None] / 255
    expected = (model.predict(test, verbose=0).argmax(axis=1) == arrays["y_test"]).mean()
    flags = (f"--model={tmp_path / 'trained.h5'}", f"--dataset={own / 'few.npz'}")
    process = cli(*flags, "--epochs=0", "--k_vals=0,0.5", f"--output_dir={tmp_path / 'results'}")
    assert process.returncode == 0, process.stderr
    assert "uses the model as it is" in process.stdout
    folder = experiment_in(tmp_path / "results")
    rows = pd.read_csv(folder / "metrics.csv")
    assert rows["test_accuracy"][0] == pytest.approx(expected, abs=1 / TEST)
    assert not (folder / "loss_accuracy.png").exists()
    kept = keras.models.load_model(folder / "checkpoints" / "weights.best.hdf5", compile=False)
    for ours, theirs in zip(kept.weights, model.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_killed_while_networks_are_retrained_the_same_command_ends_the_same(files, tmp_path):
    flags = (*files, "--epochs=1", "--k_vals=0.8", "--prune_epochs=1", "--finetune_epochs=1")
    flags += ("--methods=weight/gradual/finetune", "--shift=1", "--experiment_id=x")
    whole = fault_run("none", *flags, f"--output_dir={tmp_path / 'whole'}")
    assert whole.returncode == 0, whole.stderr
    point = int(0.7 * whole.events)
    output = f"--output_dir={tmp_path / 'killed'}"
    assert fault_run(f"kill:{point}", *flags, output).returncode == -signal.SIGKILL
    resumed = fault_run("none", *flags, output)
    assert resumed.returncode == 0, resumed.stderr
    for name in ("results.csv", "history.csv"):
        expected = (tmp_path / "whole" / "x" / name).read_bytes()
        assert (tmp_path / "killed" / "x" / name).read_bytes() == expected, name
    networks = sorted((tmp_path / "killed" / "x" / "networks").rglob("*.hdf5"))
    assert networks
    for network in networks:
        same = tmp_path / "whole" / network.relative_to(tmp_path / "killed")
        first, second = (keras.models.load_model(p, compile=False) for p in (network, same))
        for ours, theirs in zip(first.weights, second.weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_dense_networks_fit_data_of_any_shape(cli, tmp_path):
    """The reference network for other numbers of inputs and classes; floats as they are."""
    generator = np.random.default_rng(0)
    labels = generator.integers(4, size=700)
    x = (generator.normal(size=(700, 3, 5)) + labels[:, None, None]).astype(np.float32)
    one_hot = np.eye(4)[labels]
    np.savez(
        tmp_path / "blobs.npz",
        x_train=x[:600],
        y_train=one_hot[:600],
        x_test=x[600:],
        y_test=one_hot[600:],
    )
    process = cli(
        f"--dataset={tmp_path / 'blobs.npz'}",
        *("--model=lenet_300_100", "--epochs=3", "--batch_size=16", "--k_vals=0,0.5"),
        *("--methods=weight/gradual/finetune", "--prune_epochs=1", "--finetune_epochs=1"),
        f"--output_dir={tmp_path}",
    )
    assert process.returncode == 0, process.stderr
    assert "float32 of shape (3, 5), used as they are" in process.stdout
    (metrics,) = tmp_path.rglob("metrics.csv")
    rows = pd.read_csv(metrics)
    assert rows["test_accuracy"][0] > 0.7
    assert rows["multiply_adds"].max() == 15 * 300 + 300 * 100 + 100 * 4


def test_lenet_5_is_registered(cli, tmp_path, small_data):
    process = cli(
        *small_data, "--model=lenet_5", "--epochs=1", "--k_vals=0", f"--output_dir={tmp_path}"
    )
    assert process.returncode == 0, process.stderr
    assert "431,080" in process.stdout
    folder = experiment_in(tmp_path)
    assert folder.name == "few_digits-1-lr=0.001-l1=0.0-l2=0.0-lenet_5-num_valid=1000"
    rows = pd.read_csv(folder / "metrics.csv")
    assert rows["multiply_adds"].max() == 20 * 25 * 24**2 + 50 * 500 * 8**2 + 800 * 500 + 5000
    assert rows["test_accuracy"][0] > 0.7


@pytest.mark.usefixtures("registries")
def test_plugins_may_register_any_keras_model(digits):
    @register_model("wide")
    def wide():
        return lambda shape, classes: keras.Sequential(
            [
                keras.Input(shape),
                layers.Dense(12, activation="relu"),
                layers.Dense(classes, activation="softmax"),
            ]
        )

    networks = network_factory.networks_of(ExperimentConfig(model="wide"), digits)
    model = networks.new_model()
    assert model.count_params() == 785 * 12 + 13 * 10
    rankings = networks.rank(Method("unit"), networks.weights_of(model))
    assert [len(ranking.order) for ranking in rankings.values()] == [12]

    @register_model("broken")
    def broken():
        return lambda _shape, _classes: "nothing"

    with pytest.raises(RunError, match=r"The model 'broken' .* is a str, not a Keras model"):
        network_factory.networks_of(ExperimentConfig(model="broken"), digits)


class Scaled(layers.Layer):
    def call(self, x):
        return 2 * x


PLUGIN = """
import keras

@keras.saving.register_keras_serializable("test")
class Scaled(keras.layers.Layer):
    def call(self, x):
        return 2 * x
"""


def test_models_with_code_of_their_own_need_a_plugin(cli, own, tmp_path):
    (tmp_path / "scaling.py").write_text(PLUGIN)
    registered = keras.saving.register_keras_serializable("test")(Scaled)
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            layers.Flatten(),
            registered(),
            layers.Dense(8, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.save(tmp_path / "scaled.keras")
    flags = (f"--model={tmp_path / 'scaled.keras'}", f"--dataset={own / 'few.npz'}", "--epochs=0")
    flags += ("--k_vals=0.5", f"--output_dir={tmp_path / 'results'}")
    process = cli(*flags)
    assert process.returncode == 2
    assert "needs code that is not available" in process.stderr
    assert "--plugins" in process.stderr
    assert not (tmp_path / "results").exists()
    process = cli(*flags, "--plugins=scaling", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    # A plugin that brings nothing of the model is no reason to train anew; its own one is.
    (tmp_path / "other.py").write_text("import network_pruning")
    process = cli(*flags, "--plugins=scaling,other", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    (tmp_path / "scaling.py").write_text(PLUGIN.replace("2 * x", "3 * x"))
    process = cli(*flags, "--plugins=scaling", cwd=tmp_path)
    assert process.returncode == 1
    assert "another version of the plugin of --model" in process.stderr


def wrong_models():
    """Models that cannot be used, each with what is said of it."""
    inputs = keras.Input((28, 28))
    flat = layers.Dense(10, activation="softmax")(layers.Flatten()(inputs))
    wide = layers.Dense(3, activation="softmax")(layers.Flatten()(inputs))
    squared = layers.Lambda(lambda x: x * x)(inputs)
    yield keras.Model([inputs, keras.Input((3,))], flat), "takes 2 arrays"
    yield keras.Model(inputs, [flat, wide]), "outputs 2 arrays"
    yield keras.Model(inputs, wide), "has 3 outputs, but the data has 10 classes"
    yield keras.Model(inputs, layers.Dense(10)(inputs)), "a probability or logit for each class"
    larger = keras.Input((32, 32, 3))
    large = layers.Dense(10)(layers.Flatten()(larger))
    yield keras.Model(larger, large), "examples are of shape (28, 28)"
    yield keras.Model(inputs, layers.Dense(10)(layers.Flatten()(squared))), "Lambda"
    yield keras.Model(inputs, flat), "has nothing that can be pruned"
    hidden = layers.Dense(4, activation="relu")(layers.Flatten()(inputs))
    each = layers.Dense(10, activation="sigmoid")(hidden)
    yield keras.Model(inputs, each), "outputs a sigmoid for each class"
    one = layers.Dense(1, activation="sigmoid")(hidden)
    yield keras.Model(inputs, one), "outputs a single number"
    yield keras.Model(inputs, {"a": layers.Dense(10)(hidden)}), "outputs a dict"
    open_sizes = keras.Input((None, None, 1))
    large = layers.Conv2D(10, 40)(layers.Conv2D(4, 3)(open_sizes))
    large = layers.GlobalAveragePooling2D()(large)
    yield keras.Model(open_sizes, large), "cannot process examples of shape (28, 28, 1)"


@pytest.mark.parametrize("number", range(11))
def test_models_that_cannot_be_used(digits, tmp_path, number):
    model, sentence = list(wrong_models())[number]
    model.save(tmp_path / "wrong.keras")
    config = ExperimentConfig(model=str(tmp_path / "wrong.keras"), epochs=0)
    with pytest.raises(UsageError, match=re.escape(sentence)) as error:
        KerasNetworks(config, digits.shaped((28, 28)))
    assert "\n" not in str(error.value)


def test_images_too_small_for_lenet_5():
    with pytest.raises(UsageError, match="lenet_5 needs images of 16×16 pixels or more, not 8×8"):
        models.build(name="lenet_5", shape=(64,))


@pytest.mark.parametrize(
    ("shape", "kind", "takes", "are_images"),
    [
        ((784,), np.uint8, (784,), True),
        ((28, 28), np.uint8, (784,), True),
        ((28, 28), np.float32, (28, 28, 1), True),
        ((8, 8, 3), np.float32, (192,), True),
        ((20, 6), np.float32, (20, 6), False),  # a series
        ((13,), np.float32, (13,), False),
        ((13,), np.uint8, (13,), False),
    ],
)
def test_only_images_are_moved(tmp_path, shape, kind, takes, are_images):
    split = Split(np.zeros((4, *shape), kind), np.zeros(4, np.int32))
    data = Dataset("mine.npz", "0", split, None, split, 2)
    model = keras.Sequential(
        [keras.Input(takes), layers.Flatten(), layers.Dense(3), layers.Dense(2)]
    )
    model.save(tmp_path / "mine.keras")
    files = {"model": str(tmp_path / "mine.keras"), "dataset": "mine.npz", "experiment_id": "a"}
    config = ExperimentConfig(**files, num_valid=0, shift=1, methods=("weight/finetune",))
    if are_images:
        network_factory.networks_of(config, data)
    else:
        with pytest.raises(UsageError, match=r"--shift=1 shifts images, .* give --shift=0"):
            network_factory.networks_of(config, data)
    # Methods that do not train move nothing.
    network_factory.networks_of(dataclasses.replace(config, methods=("weight/lamp",)), data)


def transformer():
    """A small one, with a causal mask, behind which no unit can be removed; as saved untrained."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((28, 28))
    x = layers.Dense(8, name="embedding")(inputs)
    attended = layers.Attention(name="attention")([x, x], use_causal_mask=True)
    x = layers.LayerNormalization()(layers.Add()([x, attended]))
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)), name="seer")


def test_a_model_without_units_is_pruned_by_weight(cli, own, tmp_path):
    transformer().save(tmp_path / "seer.keras")
    flags = (f"--model={tmp_path / 'seer.keras'}", f"--dataset={own / 'few.npz'}", "--epochs=0")
    flags += ("--k_vals=0,0.5", "--replicates=2", f"--output_dir={tmp_path / 'results'}")
    process = cli(*flags)
    assert process.returncode == 0, process.stderr
    said = " ".join(process.stdout.split())
    assert "Not pruned by unit: 'seer' has no units that could be removed" in said
    assert "All seeds begin with the same trained model" in said
    assert "no better than chance" in said
    (replicates,) = (tmp_path / "results").glob("*/replicates")
    folder = replicates.parent
    single = next((folder / "replicates").glob("*-seed=1"))
    results = pd.read_csv(single / "results.csv")
    assert results["Test Accuracy (Unit)"].isna().all()
    assert results["Test Accuracy (Weight)"].notna().all()
    assert not list(single.glob("*unit*"))
    assert not (single / "loss_accuracy.png").exists()
    summary = pd.read_csv(folder / "replicates" / "summary.csv")
    assert set(summary["method"]) == {"weight", "weight/random"}
    assert set(summary["seeds"]) == {2}
    assert summary["speedup_mean"].notna().all()
    # Whoever asks for units by name is told, and nothing is written.
    process = cli(*flags[:3], "--methods=unit/random", f"--output_dir={tmp_path / 'none'}")
    assert process.returncode == 2
    assert "prune single weights" in process.stderr
    assert not (tmp_path / "none").exists()


def test_sizes_left_open_are_those_of_the_examples(digits, tmp_path):
    inputs = keras.Input((None, None, 1))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Dense(10)(x))
    assert npr.measure(model).multiply_adds is None
    assert npr.measure(model, (28, 28, 1)).multiply_adds == 26 * 26 * 4 * 9 + 40
    model.save(tmp_path / "open.keras")
    config = ExperimentConfig(model=str(tmp_path / "open.keras"), epochs=0)
    networks = KerasNetworks(config, digits.shaped((28, 28)))
    assert networks.measure(networks.initial)["multiply_adds"] == 26 * 26 * 4 * 9 + 40


def test_what_is_said_of_models_of_which_one_cannot_be_sure(digits, tmp_path):
    inputs = keras.Input((28, 28, 1))
    x = layers.Conv2D(4, 3, name="conv")(layers.Rescaling(1 / 255)(inputs))
    keras.Model(inputs, layers.Dense(12)(layers.Flatten()(x))).save(tmp_path / "scaling.keras")
    config = ExperimentConfig(model=str(tmp_path / "scaling.keras"), epochs=0)
    classes, logits, scaling = KerasNetworks(config, digits).notes()
    assert "has 12 outputs, but the data has only 10 classes; predictions above class 9" in classes
    assert "used as logits" in logits
    assert "the model scales its inputs itself" in scaling


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing.keras", "there is no file"),
        ("text.keras", "is not a model that keras.Model.save has written"),
        ("folder.keras", "there is no file"),
        ("only.weights.h5", "is not a model that keras.Model.save has written"),
    ],
)
def test_files_that_are_no_models(tmp_path, name, sentence):
    (tmp_path / "text.keras").write_text("nothing")
    (tmp_path / "folder.keras").mkdir()
    residual_network().save_weights(tmp_path / "only.weights.h5")
    with pytest.raises(UsageError, match=sentence):
        models.load(str(tmp_path / name))


@pytest.mark.parametrize(
    ("model", "sentence"),
    [("missing.keras", "No such file"), ("only.weights.h5", "is not a model that keras.Model")],
)
def test_commands_end_in_one_sentence(cli, own, tmp_path, model, sentence):
    residual_network().save_weights(tmp_path / "only.weights.h5")
    process = cli(
        *(f"--model={tmp_path / model}", f"--dataset={own / 'few.npz'}", "--epochs=0"),
        *("--k_vals=0.5", f"--output_dir={tmp_path / 'results'}"),
    )
    assert process.returncode == 2
    assert sentence in process.stderr
    assert len(process.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "results").exists()


def test_examples_are_not_scrambled():
    """Shapes with as many numbers are not the same: channels first are not channels last."""
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2)])
    assert models.example_shape(model, (192,)) == (8, 8, 3)
    assert models.example_shape(model, (3, 8, 8)) is None
    grey = keras.Sequential([keras.Input((4, 6, 1)), layers.Flatten(), layers.Dense(2)])
    assert models.example_shape(grey, (4, 6)) == (4, 6, 1)
    assert models.example_shape(grey, (6, 4)) is None


def test_copies_of_normalizations_compute_with_their_statistics():
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng(0).normal(50, 9, size=(99, 4)))
    model = keras.Sequential(
        [keras.Input((4,)), normalization, layers.Dense(5, activation="relu"), layers.Dense(2)]
    )
    x = np.full((1, 4), 60, np.float32)
    expected = np.array(model(x))
    for copy in (npr.prune(model, 0.0), npr.shrink(model), models.copy_of_model(model)):
        np.testing.assert_allclose(copy(x), expected, rtol=1e-5)
    weights = Weights.of(model)
    other = keras.models.clone_model(model)
    weights.put_into(other)
    np.testing.assert_allclose(other(x), expected, rtol=1e-5)


def test_regularizers_of_activities_count(digits):
    """The loss is what Keras' own evaluation finds."""
    model = keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(8, "relu", activity_regularizer="l2", kernel_regularizer="l2"),
            layers.Dense(10, "softmax"),
        ]
    )
    models.compile_model(model, 0.001)
    part = digits.train[:256]
    metrics = ModelEvaluator(model, None)(part)
    expected, accuracy = model.evaluate(part.images, part.labels, batch_size=128, verbose=0)
    assert metrics.loss == pytest.approx(expected, rel=1e-5)
    assert metrics.accuracy == pytest.approx(accuracy)
