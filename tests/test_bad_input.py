"""Bad inputs: each ends in one clear sentence and a status, and nothing is overwritten."""

import json
import os
import shutil
from pathlib import Path

import pytest
from commands import run_command

USAGE, FAILED = 2, 1

BAD_FLAGS = [
    ("--epochs=0", "--epochs=0 prunes a saved model as it is, but --model=mlp is not one"),
    ("--epochs=-3", "--epochs must be at least 1"),
    ("--epochs=two", "flag --epochs=two"),
    ("--epochs=1.5", "flag --epochs=1.5"),
    ("--epochs=", "flag --epochs="),
    ("--batch_size=0", "--batch_size must be at least 1"),
    ("--batch_size=x", "flag --batch_size=x"),
    ("--learning_rate=0", "--learning_rate must be greater than 0"),
    ("--learning_rate=-1", "--learning_rate must be greater than 0"),
    ("--learning_rate=nan", "--learning_rate must be greater than 0"),
    ("--learning_rate=inf", "--learning_rate must be greater than 0"),
    ("--learning_rate=fast", "flag --learning_rate=fast"),
    ("--l1_reg=-1", "--l1_reg must be at least 0"),
    ("--l1_reg=nan", "--l1_reg must be at least 0"),
    ("--l2_reg=-0.1", "--l2_reg must be at least 0"),
    ("--l2_reg=inf", "--l2_reg must be at least 0"),
    ("--num_valid=-1", "--num_valid must lie between 0 and 59999"),
    ("--num_valid=60000", "--num_valid must lie between 0 and 59999"),
    ("--num_valid=some", "flag --num_valid=some"),
    ("--seed=-1", "--seed must lie between"),
    ("--seed=4294967296", "--seed must lie between"),
    ("--seed=x", "flag --seed=x"),
    ("--k_vals=", "--k_vals is empty"),
    ("--k_vals=25", "did you mean 0.25?"),
    ("--k_vals=0.5,90", "did you mean 0.9?"),
    ("--k_vals=-0.1", "-0.1 is not a fraction in [0, 1]"),
    ("--k_vals=nan", "nan is not a fraction"),
    ("--k_vals=1e9", "1e+09 is not a fraction"),
    ("--k_vals=half", "'half' is not a number"),
    ("--k_vals=0.5,,0.9", "flag --k_vals=0.5,,0.9: there is an empty value between two commas"),
    ("--k_vals=, ,", "flag --k_vals=, ,: there is nothing but commas"),
    ("--dataset=letters", "choose one of: digits, fashion"),
    ("--dataset=", "choose one of: digits, fashion"),
    ("--dataset=../digits", "choose one of: digits, fashion"),
    ("--experiment_id=", "not a plain folder name"),
    ("--experiment_id=a/b", "not a plain folder name"),
    ("--experiment_id=..", "not a plain folder name"),
    ("--experiment_id=.hidden", "not a plain folder name"),
    (f"--experiment_id={'x' * 300}", "not a plain folder name"),
    ("--output_dir=", "--output_dir is empty"),
    ("--model=vgg", "--model: 'vgg' is not known; choose one of: mlp, lenet_300_100"),
    ("--methods=wieght", "'wieght' in 'wieght' is not known"),
    ("--methods=gradual/reconstruct", "recovery reconstruct prunes without training on labels"),
    ("--calibration_examples=9", "--calibration_examples must be at least 10"),
    ("--methods=weight,,unit", "there is an empty value between two commas"),
    ("--methods=,", "there is nothing but commas"),
    ("--methods=weight/unit", "two values for the granularity"),
    ("--methods=4:2", "such as 2:4"),
    ("--preset=weak", "choose one of: strong"),
    ("--plugins=,", "there is nothing but commas"),
    ("--plugins=no_such_module", "'no_such_module' cannot be imported"),
    ("--prune_epochs=0", "--prune_epochs must be at least 1"),
    ("--finetune_epochs=0", "--finetune_epochs must be at least 1"),
    ("--finetune_learning_rate=0", "--finetune_learning_rate must be greater than 0"),
    ("--prune_fraction=1", "--prune_fraction must lie between"),
    ("--rewind_epoch=21", "--rewind_epoch must lie between 0 and 20"),
    ("--distillation=2", "--distillation must lie between 0 and 1"),
    ("--replicates=0", "--replicates must be at least 1"),
    ("--keep_best=maybe", "keep_best"),
    ("--noepochs", "noepochs"),
    ("--force", "Unknown command line flag 'force'. Did you mean --force_train?"),
    ("digits", "'digits' is not a flag"),
]


def one_sentence(done, status, sentence):
    assert done.returncode == status, done.stdout + done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("flag", "sentence"), BAD_FLAGS, ids=[flag[:24] for flag, _ in BAD_FLAGS])
def test_bad_flags(tmp_path, flag, sentence):
    done = run_command(f"--output_dir={tmp_path / 'out'}", flag)
    one_sentence(done, USAGE, sentence)
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100_000])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def set_seed(path, value):
    record = json.loads(path.read_text())
    record["settings"]["seed"] = value
    path.write_text(json.dumps(record))


CHECKPOINT, RECORD = "checkpoints/weights.best.hdf5", "config.json"

BAD_FILES = {
    "checkpoint truncated": (
        lambda root: truncate(root / CHECKPOINT),
        "is not the checkpoint that training ended with",
    ),
    "checkpoint empty": (
        lambda root: (root / CHECKPOINT).write_bytes(b""),
        "is not the checkpoint that training ended with",
    ),
    "checkpoint with a flipped bit": (
        lambda root: flip_a_bit(root / CHECKPOINT),
        "is not the checkpoint that training ended with",
    ),
    "checkpoint foreign": (
        lambda root: shutil.copy(__file__, root / CHECKPOINT),
        "is not the checkpoint that training ended with",
    ),
    "checkpoint missing": (lambda root: (root / CHECKPOINT).unlink(), "cannot be read"),
    "checkpoint a folder": (
        lambda root: [(root / CHECKPOINT).unlink(), (root / CHECKPOINT).mkdir()],
        "cannot be read",
    ),
    "history missing": (
        lambda root: (root / "history.csv").unlink(),
        "is not a training history",
    ),
    "history damaged": (
        lambda root: (root / "history.csv").write_text("epoch,loss\n1,x\n"),
        "is not a training history",
    ),
    "history empty": (
        lambda root: (root / "history.csv").write_text(""),
        "is not a training history",
    ),
    "record broken": (lambda root: (root / RECORD).write_text('{"sett'), "config.json is damaged"),
    "record empty": (lambda root: (root / RECORD).write_bytes(b""), "config.json is damaged"),
    "record binary": (
        lambda root: (root / RECORD).write_bytes(bytes(range(256))),
        "config.json is damaged",
    ),
    "record of another kind": (lambda root: (root / RECORD).write_text("[1]"), "is damaged"),
    "record without settings": (
        lambda root: (root / RECORD).write_text('{"settings": 3}'),
        "is damaged",
    ),
    "record of another seed": (
        lambda root: set_seed(root / RECORD, 9),
        "--seed=0 instead of 9",
    ),
    "record missing": (lambda root: (root / RECORD).unlink(), "is not an experiment of this"),
    "replacement a link": (
        lambda root: (root / ".retraining").symlink_to(root.parent),
        "is a link, which this program never makes",
    ),
}


def snapshot(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files(copy, small, case):
    damage, sentence = BAD_FILES[case]
    damage(copy / "small")
    before = snapshot(copy)
    done = run_command(*small)
    one_sentence(done, FAILED, sentence)
    after = snapshot(copy)
    # The settings in the record may be those of the last command; nothing else has changed.
    for path in before:
        if path.name != "config.json" or "record" in case:
            assert after[path] == before[path]
    assert set(after) == set(before)


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_bad_training_state(copy, small, content):
    root = copy / "small"
    record = json.loads((root / RECORD).read_text())
    (root / RECORD).write_text(json.dumps({**record, "checkpoint_sha256": None}))
    state = root / "checkpoints" / "training_state.npz"
    if content is None:  # a pickle in the archive must not be loaded
        import numpy as np

        np.savez(state, history=np.array([print], dtype=object))
    else:
        state.write_bytes(content)
    done = run_command(*small)
    one_sentence(done, FAILED, "is not a training state of this network; delete it")


def test_results_that_is_a_file(tmp_path):
    (tmp_path / "results").write_text("mine")
    done = run_command(f"--output_dir={tmp_path / 'results'}")
    one_sentence(done, FAILED, "choose another --output_dir")
    assert (tmp_path / "results").read_text() == "mine"


def test_an_experiment_that_is_a_file(tmp_path):
    (tmp_path / "x").write_text("mine")
    done = run_command(f"--output_dir={tmp_path}", "--experiment_id=x")
    one_sentence(done, FAILED, "choose another --output_dir")
    assert (tmp_path / "x").read_text() == "mine"


@pytest.mark.parametrize("force", ["--force_train", "--noforce_train"])
def test_somebody_elses_folder_is_left_alone(tmp_path, force):
    (tmp_path / "x" / "checkpoints").mkdir(parents=True)
    (tmp_path / "x" / "results.csv").write_text("mine")
    done = run_command(f"--output_dir={tmp_path}", "--experiment_id=x", force)
    one_sentence(done, FAILED, "is not an experiment of this program")
    assert snapshot(tmp_path) == {tmp_path / "x" / "results.csv": b"mine"}


def test_a_read_only_output_folder(tmp_path):
    output = tmp_path / "out"
    output.mkdir(mode=0o555)
    if os.access(output, os.W_OK):  # root may write anywhere but into the kernel's own folders
        output = Path("/sys/network-pruning")
    done = run_command(f"--output_dir={output}")
    one_sentence(done, FAILED, "cannot be written to")


def test_a_relative_or_home_output_folder(tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = run_command("--output_dir=~/none/x", "--k_vals=2", env=environment, cwd=tmp_path)
    one_sentence(done, USAGE, "did you mean 0.02?")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("copy")
def test_corrupt_data_is_fetched_again_by_itself(tmp_path, small):
    from network_pruning.data.sources import default_data_dir

    cache = Path(default_data_dir()) / "digits"
    data = tmp_path / "data"
    (data / "digits").mkdir(parents=True)
    for file in cache.iterdir():
        shutil.copy(file, data / "digits")
        shutil.copy(file, data)  # stands for a source: the plain files beside the cache
    flip_a_bit(data / "digits" / "t10k-images-idx3-ubyte")
    done = run_command(*small, f"--data_dir={data}")
    assert done.returncode == 0, done.stderr
    assert "Not trained again" in done.stdout


@pytest.mark.usefixtures("copy")
def test_the_folder_of_the_files_themselves_will_do(small):
    from network_pruning.data.sources import default_data_dir

    done = run_command(*small, f"--data_dir={Path(default_data_dir()) / 'digits'}")
    assert done.returncode == 0, done.stderr
    assert "Not trained again" in done.stdout
