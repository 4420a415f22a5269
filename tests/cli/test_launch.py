"""What every command shares: statuses and sentences, with advice of the command's own."""

import os
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest
from network_pruning import __main__ as front_door
from network_pruning.cli import launch
from network_pruning.utils import RunError

# A command without settings, with the code of its work.
SCRIPT = """
import runpy
from absl import flags
runpy.run_path({front_door!r})["load_package"]()
from network_pruning.cli.launch import launch

def work(config):
    {work}

flags.DEFINE_bool("version", False, "")
flags.DEFINE_bool("debug", False, "")
launch("", lambda name: None, lambda flags: None, work, "Close programs.", "Nothing is kept.")
"""


def raiser(error):
    def work(_config):
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(5, "Input/output error", "a.csv"), "a.csv: Input/output error"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (OSError("no network"), "no network"),
        (MemoryError(), "Out of memory. Try a smaller --batch_size"),
        (RunError("trained with `seed=1` instead of 0"), "trained with --seed=1 instead of 0"),
    ],
)
def test_failures_of_a_command_without_an_output_folder(capsys, error, said):
    assert launch.status_of(raiser(error), SimpleNamespace()) == 1
    assert capsys.readouterr().err.startswith(f"network-pruning: {said}")


def test_an_error_without_a_file_names_the_output_folder(capsys):
    config = SimpleNamespace(output_dir="out")
    assert launch.status_of(raiser(OSError(5, "Input/output error")), config) == 1
    assert capsys.readouterr().err == "network-pruning: out: Input/output error\n"


def test_commands_seldom_look_for_reference_cycles(cli, root):
    work = "import gc; print(gc.get_threshold()[0] >= 10_000)"
    code = SCRIPT.format(front_door=str(root / "__main__.py"), work=work)
    assert cli(command=(sys.executable, "-c", code)).stdout == "True\n"


@pytest.mark.parametrize(
    ("work", "status", "said"),
    [
        ("raise MemoryError", 1, "Out of memory. Close programs."),
        ("raise KeyboardInterrupt", 130, "Interrupted. Nothing is kept."),
    ],
)
def test_advice_is_that_of_the_command(cli, root, work, status, said):
    code = SCRIPT.format(front_door=str(root / "__main__.py"), work=work)
    done = cli(command=(sys.executable, "-c", code))
    assert (done.returncode, done.stderr) == (status, f"network-pruning: {said}\n")


def test_any_command_can_be_run(monkeypatch):
    other, called = ModuleType("network_pruning.other"), []
    other.cli = lambda: called.append("other")
    monkeypatch.setitem(sys.modules, "network_pruning.other", other)
    front_door.run("other")
    assert called == ["other"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lr", "--learning_rate"),
        ("bs", "--batch_size"),
        ("batch-size", "--batch_size"),
        ("Seed", "--seed"),
        ("k", "--k_vals"),
        ("epoch", "--epochs"),
        ("sede", "--seed"),
        ("learnig_rate", "--learning_rate"),
        ("l", "--learning_rate or --l1_reg"),
        ("colour", None),
    ],
)
def test_near_misses_get_a_hint(name, meant):
    known = ["batch_size", "learning_rate", "epochs", "seed", "k_vals", "l1_reg"]
    assert launch.did_you_mean(name, known) == (f" Did you mean {meant}?" if meant else "")


@pytest.mark.parametrize(
    ("program", "flag", "said"),
    [
        ("train", "--lr=0.1", "Unknown command line flag 'lr'. Did you mean --learning_rate?"),
        ("train", "lr=0.1", "flags look like --dataset=digits. Did you mean --learning_rate?"),
        ("sweep", "--seeds=0,1", "Unknown command line flag 'seeds'. Did you mean --seed?"),
        ("export", "--experiment=x", "Did you mean --experiment_id?"),
    ],
)
def test_hints_are_given_by_every_command(cli, program, flag, said):
    done = cli(program, flag)
    assert done.returncode == 2
    assert said in done.stderr


def test_short_help_is_help(cli):
    short, long = cli("train", "-h"), cli("train", "--help")
    assert (short.returncode, short.stderr) == (0, "")
    assert "--learning_rate" in short.stdout
    assert short.stdout == long.stdout


@pytest.mark.parametrize("program", ["train", "sweep"])
def test_who_reads_the_first_line_of_the_help_sees_no_traceback(root, program):
    line = 'set -o pipefail; "$@" --help | head -1'
    words = ["bash", "-c", line, "bash", sys.executable, str(root), program]
    for _ in range(3):
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.stderr == ""
        assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("backend", ["jax", "tensorflow", None])
def test_another_backend_is_ignored_with_a_sentence(monkeypatch, backend):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if backend:
        monkeypatch.setenv("KERAS_BACKEND", backend)
    said = launch.use_tensorflow()
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    if backend == "jax":
        assert said.startswith("network-pruning: Note: KERAS_BACKEND=jax is ignored")
    else:
        assert said is None


def test_the_sentence_is_said_before_the_work(cli, tmp_path):
    flags = ("report", "--list", f"--output_dir={tmp_path}")
    said = [
        cli(*flags, env={**os.environ, "KERAS_BACKEND": backend}).stderr
        for backend in ("jax", "tensorflow")
    ]
    assert said[0].startswith("network-pruning: Note: KERAS_BACKEND=jax is ignored")
    assert "KERAS_BACKEND" not in said[1]


def test_debug_shows_the_traceback_before_the_sentence(cli, tmp_path):
    (tmp_path / "broken.py").write_text("1 / 0\n")
    flags, plain = ("--plugins=broken", f"--output_dir={tmp_path}"), {**os.environ}
    plain.pop("NETWORK_PRUNING_DEBUG", None)
    said = cli(*flags, cwd=tmp_path, env=plain).stderr
    assert "'broken' cannot be imported (ZeroDivisionError: division by zero)." in said
    assert "Traceback" not in said
    with_flag = cli(*flags, "--debug", cwd=tmp_path, env=plain)
    with_variable = cli(*flags, cwd=tmp_path, env={**plain, "NETWORK_PRUNING_DEBUG": "1"})
    for done in (with_flag, with_variable):
        assert done.returncode == 2
        assert "ZeroDivisionError: division by zero\n" in done.stderr
        assert done.stderr.startswith("Traceback")
        assert done.stderr.endswith(said)


@pytest.mark.parametrize(("variable", "shows"), [("1", True), ("0", False), ("", False)])
def test_debug_is_of_errors_only(monkeypatch, capsys, variable, shows):
    monkeypatch.setenv("NETWORK_PRUNING_DEBUG", variable)
    launch.fail("Nothing is handled.", 1)
    assert capsys.readouterr().err == "network-pruning: Nothing is handled.\n"
    launch.status_of(raiser(OSError("no network")), SimpleNamespace())
    assert ("Traceback" in capsys.readouterr().err) == shows


def test_every_command_has_debug(cli):
    for program in ("train", "export", "predict", "report", "sweep"):
        assert "--[no]debug" in cli(program, "--help").stdout
