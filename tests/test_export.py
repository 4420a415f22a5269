"""The commands `export` and `predict`, on real digits."""

import json
import random
import shutil
import time

import keras
import network_pruning as npr
import numpy as np
import pandas as pd
import pytest
from commands import run_command, start_command
from conftest import SMALL_DATA
from network_pruning.compression import npk_reader
from network_pruning.compression.format_runs import run_of
from PIL import Image

EXPERIMENT = (
    *("--model=tiny", "--epochs=3", "--methods=weight/finetune", "--k_vals=0,0.8,0.9"),
    *("--finetune_epochs=2", "--experiment_id=small", *SMALL_DATA),
)
QUICK = ("--experiment_id=small", "--finetune_epochs=2", "--max_accuracy_drop=0.01", "--bits=3,4")
# One candidate and no training: for tests of what becomes of the files.
CHEAP = (
    *("--experiment_id=small", "--formats=keras,npk", "--k=0.9", "--bits=4"),
    *("--finetune_epochs=0", "--max_accuracy_drop=0.2"),
)
# Latencies are measured for five seconds, to be exact. No test looks at how exact they are. Models
# are converted for other runtimes where their files are looked at.
ALL_RUNTIMES = """
from network_pruning.compression import runtimes
runtimes.latencies.__defaults__ = (0.01,)
"""
HURRIED = f"""{ALL_RUNTIMES}
for name in ("ONNX Runtime", "OpenVINO"):
    del runtimes.RUNTIMES[name]
"""
# Where no latency is looked at, starting most of the runtimes takes longer than all the rest.
ONE_RUNTIME = f"{HURRIED}runtimes.RUNTIMES = {{'NumPy': runtimes.RUNTIMES['NumPy']}}"


def export(*flags, **options):
    return run_command("export", *flags, **{"first": HURRIED, **options})


def export_cheaply(output):
    done = export(*CHEAP, f"--output_dir={output}", first=ONE_RUNTIME)
    assert done.returncode == 0, done.stderr


def predict(*flags, **options):
    return run_command("predict", *flags, **options)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """The output folder of a finished experiment without exports. Read only."""
    output = tmp_path_factory.mktemp("experiment")
    done = run_command(*EXPERIMENT, f"--output_dir={output}")
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="module")
def exported(experiment, tmp_path_factory):
    """The same with exports, and what was said. Read only."""
    output = tmp_path_factory.mktemp("exported") / "results"
    shutil.copytree(experiment, output)
    done = export(*QUICK, f"--output_dir={output}")
    assert done.returncode == 0, done.stderr
    return output / "small" / "exports", done


@pytest.fixture(scope="module")
def replaced(exported, tmp_path_factory):
    """The folder of an export with other settings in place of that one. Read only."""
    output = tmp_path_factory.mktemp("replaced") / "results"
    shutil.copytree(exported[0].parents[1], output)
    export_cheaply(output)
    return output / "small" / "exports"


@pytest.fixture
def own(exported, tmp_path):
    """A copy of that, to change: the output folder."""
    shutil.copytree(exported[0].parents[1], tmp_path / "results")
    return tmp_path / "results"


def few_digits(which):
    from few_digits import few_digits as load

    return getattr(load(None, 1000), which)


def test_the_files_are_there_and_hold_one_model(exported):
    folder, _ = exported
    record = json.loads((folder / "export.json").read_text())
    names = {"model.keras", "model.npk", "model.tflite", "size_accuracy.png", "pareto.png"}
    names.add("README.md")
    assert {file.name for file in folder.iterdir()} == {*names, "export.json"}
    for name, file in record["files"].items():
        assert (folder / name).stat().st_size == file["bytes"]
    test = few_digits("test")
    x = test.images.reshape(len(test), -1)
    config, arrays = npk_reader.read((folder / "model.npk").read_bytes())
    answers = npk_reader.run(config, arrays, x)
    model = keras.saving.load_model(folder / "model.keras")
    np.testing.assert_allclose(model.predict(x, verbose=0), answers, atol=1e-5)
    np.testing.assert_array_equal(npr.load(folder / "model.npk").get_weights()[0], arrays[0])
    lite = run_of({"tflite": (folder / "model.tflite").read_bytes()}, "litert")
    np.testing.assert_allclose(lite(x[:5]), answers[:5], atol=1e-5)
    accuracy = float((answers.argmax(axis=1) == test.labels).mean())
    assert record["after"]["test_accuracy"] == pytest.approx(accuracy, abs=1e-9)


def test_it_is_the_smallest_that_is_good_enough_by_validation(exported):
    record = json.loads((exported[0] / "export.json").read_text())
    least = record["before"]["valid_accuracy"] - 0.01
    chosen = record["chosen"]
    assert record["after"]["valid_accuracy"] >= least
    assert record["after"]["npk_bytes"] == chosen["bytes"]
    good = [c["bytes"] for c in record["candidates"] if c["valid_accuracy"] >= least]
    assert chosen["bytes"] <= min(good)
    parameters = 784 * 60 + 60 + 60 * 30 + 30 + 30 * 10 + 10
    assert record["before"]["raw_bytes"] == 4 * parameters
    assert chosen["bytes"] < 4 * parameters / 20
    assert record["recommended"] in record["latency"]["1"]["after"]
    assert record["latency"]["1"]["before"].keys() >= {"Keras predict", "LiteRT", "NumPy"}
    assert record["depends"]["checkpoint_sha256"]
    assert record["versions"]["keras"] == keras.__version__


def test_the_screen_tells_all_of_it_in_80_columns(exported):
    folder, done = exported
    record = json.loads((folder / "export.json").read_text())
    said = done.stdout
    for text in (".npk, bytes", f"{record['after']['npk_bytes']:,}", "multiply-adds", "Chosen: "):
        assert text in said
    assert f"{100 * record['after']['test_accuracy']:.2f}" in said
    assert max(map(len, said.replace(str(folder), "").splitlines())) <= 80
    assert done.stderr == ""
    image = Image.open(folder / "size_accuracy.png")
    assert image.width > 800


def test_a_second_time_nothing_is_made_again(own):
    folder = own / "small" / "exports"
    before = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    done = export(*QUICK, f"--output_dir={own}")
    assert done.returncode == 0, done.stderr
    assert "exported with the same settings already" in done.stdout
    assert ".npk, bytes" in done.stdout
    assert {file: file.stat().st_mtime_ns for file in folder.iterdir()} == before


@pytest.mark.parametrize("damage", ["cut", "record"])
def test_what_is_damaged_is_made_again(replaced, tmp_path, damage):
    output = tmp_path / "results"
    shutil.copytree(replaced.parents[1], output)
    folder = output / "small" / "exports"
    if damage == "cut":
        (folder / "model.npk").write_bytes(b"NPK1")
        (folder / "model.keras").unlink()
    else:
        (folder / "export.json").write_text("{")
    export_cheaply(output)
    assert (folder / "model.npk").read_bytes() == (replaced / "model.npk").read_bytes()
    assert (folder / "model.keras").exists()
    json.loads((folder / "export.json").read_text())


def test_files_of_other_formats_are_written_and_measured(own):
    flags = (*CHEAP, "--formats=npk,onnx,openvino,onnx_int8,litert_int8", f"--output_dir={own}")
    done = export(*flags, first=ALL_RUNTIMES)
    assert done.returncode == 0, done.stderr
    folder = own / "small" / "exports"
    record = json.loads((folder / "export.json").read_text())
    files = {suffix: (folder / f"model.{suffix}").read_bytes() for suffix in ("onnx", "xml", "bin")}
    assert record["after"]["onnx_bytes"] == len(files["onnx"])
    assert record["after"]["openvino_bytes"] == len(files["xml"]) + len(files["bin"])
    assert {"ONNX Runtime", "OpenVINO"} <= set(record["latency"]["1"]["after"])
    assert ".onnx, bytes" in done.stdout
    test = few_digits("test")
    x = test.images.reshape(len(test), -1)
    config, arrays = npk_reader.read((folder / "model.npk").read_bytes())
    expected = npk_reader.run(config, arrays, x)
    for name in ("onnx", "openvino"):
        np.testing.assert_allclose(run_of(files, name)(x), expected, atol=1e-5)
        assert record["formats"][name]["test_accuracy"] == record["after"]["test_accuracy"]
    for name, suffix in (("onnx_int8", "int8.onnx"), ("litert_int8", "int8.tflite")):
        int8 = {suffix: (folder / f"model.{suffix}").read_bytes()}
        accuracy = float((run_of(int8, name)(x).argmax(axis=1) == test.labels).mean())
        assert record["formats"][name]["test_accuracy"] == pytest.approx(accuracy, abs=1e-9)
        assert record["formats"][name]["bytes"] < 0.5 * len(files["onnx"])
        assert f"{record['formats'][name]['runtime']}: test accuracy (%)" in done.stdout


def test_the_model_card_tells_what_the_file_is(exported):
    folder, _ = exported
    record = json.loads((folder / "export.json").read_text())
    card = (folder / "README.md").read_text()
    assert card.startswith(f"# small: {record['after']['npk_bytes']:,} bytes\n")
    assert f"| model.tflite | {record['files']['model.tflite']['bytes']:,} |" in card
    code = card.partition("```python\n")[2].partition("```")[0]
    places = {"keras": keras, "network_pruning": npr, "x": few_digits("test").images[:3]}
    places["x"] = places["x"].reshape(3, -1)
    for name, block in zip(("keras", "npk"), code.split("\n\n"), strict=False):
        exec(block.replace("model.", f"{folder}/model.", 1), places)
        assert places["outputs"].shape == (3, 10), name
    accuracy = record["after"]
    pair = [f"{100 * accuracy[f'{split}_accuracy']:.2f}" for split in ("valid", "test")]
    assert f"| this file | {pair[0]} | {pair[1]} |" in card
    assert "| baseline: dense network |" in card
    assert "layer     shape" in card
    assert f"- Network: {record['chosen']['network']}; " in card


def test_other_settings_replace_the_files(exported, replaced):
    assert (exported[0] / "model.tflite").exists()
    assert {file.name for file in replaced.iterdir()} == {
        *("model.keras", "model.npk", "export.json", "size_accuracy.png", "pareto.png", "README.md")
    }
    record = json.loads((replaced / "export.json").read_text())
    assert record["chosen"]["network"].endswith("at 90 %")
    assert record["chosen"]["bits"] == 4
    kernels = [a for a in npk_reader.read((replaced / "model.npk").read_bytes())[1] if a.ndim == 2]
    for kernel in kernels:
        assert len(np.unique(np.abs(kernel[kernel != 0]))) <= 8


@pytest.mark.parametrize("sentence", ["Bits per weight", "Chosen: "])
def test_killed_at_any_time_it_ends_the_same(experiment, replaced, tmp_path, sentence):
    """Soon after it has said so: while it tries networks, and while it makes files."""
    output = tmp_path / "results"
    shutil.copytree(experiment, output)
    flags = (*CHEAP, f"--output_dir={output}")
    folder = output / "small" / "exports"
    with (tmp_path / "log").open("w") as log:
        process = start_command("export", *flags, first=ONE_RUNTIME, stdout=log, stderr=log)
        while sentence not in (tmp_path / "log").read_text():
            time.sleep(0.02)
        time.sleep(random.Random(sentence).uniform(0, 1))
        process.kill()
        process.wait()
    for file in folder.glob("model.npk"):
        assert file.read_bytes() == (replaced / "model.npk").read_bytes()
    export_cheaply(output)
    assert (folder / "model.npk").read_bytes() == (replaced / "model.npk").read_bytes()
    assert {f.name for f in folder.iterdir()} == {f.name for f in replaced.iterdir()}


def control_of(folder, valid_accuracy, test_accuracy):
    """Notes a control with these accuracies in the table of an experiment."""
    metrics = pd.read_csv(folder / "metrics.csv")
    is_trained = metrics["method"] == "weight/finetune"
    row = is_trained & (metrics["k"] == 0)
    metrics["rounds"] = is_trained.astype(int)
    accuracies = {"valid_accuracy": valid_accuracy, "test_accuracy": test_accuracy}
    metrics.loc[row, list(accuracies)] = accuracies.values()
    metrics.to_csv(folder / "metrics.csv", index=False)


def test_the_drop_may_be_against_the_control(own):
    record = json.loads((own / "small" / "exports" / "export.json").read_text())
    assert (record["reference"], record["baseline"]["name"]) == ("baseline", "dense network")
    reached = record["after"]["valid_accuracy"]
    control_of(own / "small", valid_accuracy=1, test_accuracy=0.99)
    flags = ("--experiment_id=small", f"--output_dir={own}", "--finetune_epochs=0")
    flags += ("--formats=npk", "--reference=control", "--bits=4")
    # The untouched network, which is as good as the baseline, is not among them.
    done = export(*flags, "--max_accuracy_drop=0.01", first=ONE_RUNTIME)
    assert done.returncode == 1
    assert "(control of weight/finetune: 100 %)" in " ".join(done.stderr.split())
    done = export(*flags, f"--max_accuracy_drop={1.1 - reached:.3f}", first=ONE_RUNTIME)
    assert done.returncode == 0, done.stderr
    record = json.loads((own / "small" / "exports" / "export.json").read_text())
    assert record["reference"] == "control"
    assert record["control"] == {
        "name": "control of weight/finetune",
        "valid_accuracy": 1,
        "test_accuracy": 0.99,
    }
    assert record["chosen"]["valid_accuracy"] >= reached - 0.1
    assert "below the control, the dense network" in " ".join(done.stdout.split())


BAD_FLAGS = [
    ((), "Give either --experiment_id, a finished experiment, or --model"),
    (("--experiment_id=a", "--model=b.keras"), "Give either --experiment_id"),
    (("--experiment_id=../a",), "not a plain folder name"),
    (("--experiment_id=a", "--dataset=digits"), "--dataset needs --model"),
    (("--experiment_id=a", "--num_valid=5"), "--num_valid needs --model"),
    (("--model=b.keras",), "--model needs --dataset"),
    (("--model=b.npk", "--dataset=digits"), "'b.npk' is not a file that ends in .keras"),
    (("--model=b.keras", "--dataset=digits", "--k=0.5"), "--k needs --experiment_id"),
    (("--experiment_id=a", "--k=90"), "did you mean 0.9?"),
    (("--experiment_id=a", "--max_accuracy_drop=5"), "did you mean 0.05?"),
    (("--experiment_id=a", "--formats=tf"), "onnx, onnx_int8, openvino, torch, not 'tf'"),
    (("--experiment_id=a", "--formats="), "onnx, onnx_int8, openvino, torch, not nothing"),
    (("--experiment_id=a", "--reference=dense"), "choose baseline or control, not 'dense'"),
    (
        ("--model=b.keras", "--dataset=digits", "--reference=control"),
        "--reference=control needs --experiment_id",
    ),
    (("--experiment_id=a", "--bits=1"), "choose from 2, 3, 4, 5, 6, not 1"),
    (("--experiment_id=a", "--bits=few"), "are not whole numbers such as 3,4"),
    (("--experiment_id=a", "--finetune_epochs=-1"), "--finetune_epochs must be at least 0"),
    (("--experiment_id=a", "--distillation=2"), "--distillation must lie between 0 and 1"),
    (("--experiment_id=a", "--shift=99"), "--shift must lie between 0 and 27"),
    (("--experiment_id=a",), "--experiment_id: there is no experiment"),
    (("--experiment_id=a", "x"), "'x' is not a flag"),
    (("--model=nowhere.keras", "--dataset=digits"), "nowhere.keras cannot be read"),
]


def test_limits_choose_the_most_accurate_network_that_keeps_them(own):
    limits = ("--max_bytes=0.03", "--max_multiply_adds=60_000", "--max_latency_ms=100")
    flags = ("--experiment_id=small", "--finetune_epochs=0", "--formats=npk", "--bits=3,4")
    done = export(*flags, *limits, f"--output_dir={own}", first=ONE_RUNTIME)
    assert done.returncode == 0, done.stderr
    record = json.loads((own / "small" / "exports" / "export.json").read_text())
    most = int(0.03 * record["before"]["raw_bytes"])
    assert record["limits"] == {"bytes": most, "multiply_adds": 60_000, "latency_ms": 100.0}
    assert f"Limits: {most:,} bytes, 60,000 multiply-adds, 100 ms." in done.stdout
    fitting = [
        row
        for row in record["candidates"]
        if row["bytes"] <= most and row["multiply_adds"] <= 60_000 and row["latency_ms"] <= 100
    ]
    best = max(row["valid_accuracy"] for row in fitting)
    assert record["chosen"]["valid_accuracy"] == best
    assert record["after"]["npk_bytes"] <= most


# Enough for a small model to learn something.
BRIEFLY = """
from network_pruning.compression import quantized_distillation
from network_pruning.reconstruction import distill
distill.STEPS, distill.EPOCHS, distill.LAST_EPOCHS = 2, 1, 2
distill.FEW = 100
quantized_distillation.EPOCHS = 4
from network_pruning.experiments import model_selection
model_selection.SPARSITIES = (0.9,)
"""


@pytest.mark.parametrize("limits", [("--max_bytes=6_000",), ()])
def test_what_was_not_trained_after_pruning_is_pruned_here(tmp_path, limits):
    flat = [keras.Input((28, 28, 1)), keras.layers.Flatten()]
    hidden = (keras.layers.Dense(units, activation="relu") for units in (60, 30))
    model = keras.Sequential([*flat, *hidden, keras.layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    (x, y), (x_test, y_test) = ((s.images, s.labels) for s in map(few_digits, ("train", "test")))
    x, x_test = (images.reshape(-1, 28, 28, 1) for images in (x, x_test))
    model.fit(x, y, epochs=3, verbose=0)
    model.save(tmp_path / "my.keras")
    np.savez(tmp_path / "my.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    done = export(
        *(f"--model={tmp_path / 'my.keras'}", f"--dataset={tmp_path / 'my.npz'}"),
        *(
            f"--output_dir={tmp_path / 'out'}",
            "--finetune_epochs=2",
            "--bits=3",
            "--formats=npk",
            *limits,
        ),
        *(() if limits else ("--max_accuracy_drop=0.05",)),
        first=f"{ONE_RUNTIME}{BRIEFLY}",
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(next(tmp_path.glob("out/*/exports/export.json")).read_text())
    assert record["chosen"]["network"].split("/")[-1].startswith("distill at ")
    assert record["after"]["nonzero"] < 0.2 * record["before"]["nonzero"]
    if limits:
        assert record["after"]["npk_bytes"] <= 6_000
        assert record["chosen"]["network"].startswith("compressed: ")


def test_bad_flags_end_in_one_sentence(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    def check(case):
        flags, message = case
        done = export(*flags, f"--output_dir={tmp_path}")
        assert done.returncode in (1, 2), (flags, done.stderr)
        assert message in done.stderr, (flags, done.stderr)
        assert "Traceback" not in done.stderr
        assert done.stdout == ""

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(check, BAD_FLAGS))
    assert list(tmp_path.iterdir()) == []


def broken(own, how):
    folder = own / "small"
    if how == "checkpoint":
        (folder / "checkpoints" / "weights.best.hdf5").write_bytes(b"nothing")
    elif how == "metrics":
        (folder / "metrics.csv").unlink()
    elif how == "network":
        for file in folder.glob("networks/*/*"):
            file.write_bytes(b"nothing")
    elif how == "no control":
        metrics = pd.read_csv(folder / "metrics.csv").drop(columns="rounds", errors="ignore")
        metrics[metrics["method"] == "weight/finetune"].to_csv(folder / "metrics.csv", index=False)
    elif how == "unfinished":
        record = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**record, "checkpoint_sha256": None}))
    elif how == "seeds":
        shutil.copytree(folder, own / "seeds" / "replicates" / "small-seed=0")
        shutil.rmtree(folder)
        (own / "seeds").rename(folder)


@pytest.mark.parametrize(
    ("how", "flags", "message"),
    [
        ("checkpoint", (), "is not the checkpoint that training ended with"),
        ("metrics", (), "has no network of this experiment; run the experiment to its end"),
        ("network", (), "is damaged; remove it and run the experiment again"),
        ("unfinished", (), "has not been trained to its end"),
        ("seeds", (), "has several seeds; choose one, such as --experiment_id="),
        ("", ("--k=0.9", "--method=weight", "--finetune_epochs=0"), "the best has"),
        ("no control", ("--reference=control",), "run the experiment again, which trains it"),
        ("", ("--reference=control", "--method=weight"), "these networks was trained further"),
        ("", ("--k=0.5",), "there are the methods weight, unit"),
        ("", ("--method=weight/lamp",), "has no network of --method=weight/lamp"),
    ],
)
def test_experiments_that_cannot_be_exported_end_in_one_sentence(own, how, flags, message):
    broken(own, how)
    shutil.rmtree(own / "small" / "exports", ignore_errors=True)
    done = export(*QUICK, *flags, f"--output_dir={own}")
    assert done.returncode in (1, 2), done.stderr
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not list(own.glob("small/exports/*"))


def test_a_model_of_ones_own(tmp_path):
    split = few_digits("train")
    x = split.images.reshape(-1, 28, 28, 1)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(8, 5, strides=3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(40, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    model.fit(x, split.labels, epochs=3, verbose=0)
    model = npr.prune(model, 0.5)
    model.save(tmp_path / "my model.keras")
    arrays = {
        "x_train": x,
        "y_train": split.labels,
        "x_test": x[:200],
        "y_test": split.labels[:200],
    }
    np.savez(tmp_path / "my.npz", **arrays)
    flags = ("--model=my model.keras", "--dataset=my.npz", "--output_dir=out", "--shift=1")
    flags += ("--finetune_epochs=1", "--max_accuracy_drop=0.02", "--bits=3,4")
    done = export(*flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "out").iterdir()
    assert folder.name.startswith("my_model-")
    record = json.loads((folder / "exports" / "export.json").read_text())
    assert record["source"] == "my model.keras"
    assert record["after"]["npk_bytes"] < record["before"]["raw_bytes"] / 5
    answers = npr.load(folder / "exports" / "model.npk").predict(x[:200], verbose=0)
    accuracy = (answers.argmax(axis=1) == split.labels[:200]).mean()
    assert accuracy == pytest.approx(record["after"]["test_accuracy"], abs=1e-9)


@pytest.fixture
def drawn(tmp_path):
    """Pictures of real digits as somebody might have drawn them, with what they show."""
    test, found = few_digits("test"), []
    for number in range(12):
        ink = 255 - test.pixels[number].reshape(28, 28)
        ink = np.pad(
            np.kron(ink, np.ones((6, 6), np.uint8)), ((40, 90), (200, 10)), constant_values=255
        )
        file = tmp_path / f"{number}.png"
        Image.fromarray(np.stack([ink] * 3, axis=-1)).save(file)
        found.append((file, int(test.labels[number])))
    return found


@pytest.mark.usefixtures("without_tensorflow")
def test_predict_tells_digits_without_tensorflow(exported, drawn):
    model = exported[0] / "model.npk"
    done = predict(model, *(file for file, _ in drawn))
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if ".png: " in line]
    said = [int(line.split(".png: ")[1].split(" ")[0]) for line in lines]
    assert sum(one == two for one, (_, two) in zip(said, drawn, strict=True)) >= 6
    assert "dark on light: inverted" in done.stdout
    done = predict(model, drawn[0][0], "--top=1", f"--classes={','.join('abcdefghij')}")
    assert f": {'abcdefghij'[said[0]]} (" in done.stdout


@pytest.mark.usefixtures("without_tensorflow")
def test_a_bad_image_does_not_stop_the_others(exported, drawn, tmp_path):
    (tmp_path / "bad.png").write_text("nothing")
    Image.new("L", (50, 40), 255).save(tmp_path / "blank.png")
    images = (drawn[0][0], tmp_path / "bad.png", tmp_path / "blank.png")
    done = predict(exported[0] / "model.npk", *images)
    assert done.returncode == 1
    assert done.stdout.count(".png: ") == 2
    assert "blank: all pixels have one colour" in " ".join(done.stdout.split())
    said = " ".join(done.stderr.split())
    assert "bad.png is not an image of a known format" in said
    assert "1 of 3 images could not be read." in said
    assert "Traceback" not in said


def test_layers_of_a_plugin_are_predicted_with(tmp_path, drawn):
    (tmp_path / "my_layers.py").write_text(
        "import keras\n"
        "@keras.saving.register_keras_serializable('mine')\n"
        "class Halved(keras.layers.Layer):\n"
        "    def call(self, x):\n"
        "        return x / 2\n"
    )
    make = (
        "import sys; sys.path.insert(0, '')\n"
        "import network_pruning as npr, keras, my_layers\n"
        "inputs = keras.Input((28, 28, 1))\n"
        "x = keras.layers.Dense(10)(keras.layers.Flatten()(my_layers.Halved()(inputs)))\n"
        "npr.save(keras.Model(inputs, x), 'a.npk')\n"
    )
    made = run_command("--version", first=make, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    done = predict("a.npk", drawn[0][0], "--plugins=my_layers", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = predict("a.npk", drawn[0][0], cwd=tmp_path)
    assert done.returncode == 1
    assert "Halved" in done.stderr


def test_predict_starts_keras_where_it_must(tmp_path, drawn):
    inputs = keras.Input((28, 28, 1))
    outputs = keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(inputs))
    npr.save(keras.Model(inputs, outputs), tmp_path / "a.npk")
    done = predict(tmp_path / "a.npk", drawn[0][0])
    assert done.returncode == 0, done.stderr
    assert "Keras is started" in done.stdout


@pytest.mark.usefixtures("without_tensorflow")
def test_what_cannot_be_predicted_ends_in_one_sentence(exported, drawn, tmp_path):
    model, image = exported[0] / "model.npk", drawn[0][0]
    (tmp_path / "bad.npk").write_bytes(b"NPK1" + bytes(90))
    for arguments, message in (
        ((), "Give an .npk file and one or more images"),
        ((model,), "Give an .npk file and one or more images"),
        ((tmp_path / "nothing.npk", image), "nothing.npk cannot be read (No such file"),
        ((tmp_path / "bad.npk", image), "is not an .npk file of version 1 or 2, or is damaged"),
        ((image, image), "is not an .npk file of version 1 or 2, or is damaged"),
        ((model, model), "is not an image of a known format"),
        ((model, tmp_path / "no.png"), "no.png cannot be read (No such file"),
        ((model, image, "--top=0"), "--top must be at least 1"),
        ((model, image, "--margin=0.5"), "--margin must be at least 0 and below 0.5"),
        ((model, image, "--classes=a,b"), "--classes: 2 names, but"),
    ):
        done = predict(*arguments)
        assert done.returncode in (1, 2), done.stderr
        assert message in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr
