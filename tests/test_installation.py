"""The program runs from any folder and when installed."""

import importlib.metadata
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from commands import COLD


@pytest.fixture
def checkout(root, tmp_path):
    """A copy of the checkout, under a name of the test's choice."""

    def make(name):
        return shutil.copytree(
            root,
            tmp_path / name,
            ignore=shutil.ignore_patterns(
                *(".venv*", ".git", "results", "references", "__pycache__", ".mypy_cache")
            ),
        )

    return make


def test_another_folder_name(cli, checkout):
    folder = checkout("another name")
    python = (sys.executable, "-m", "another name.train")
    done = cli("--k_vals=9", command=python, cwd=folder.parent)
    assert done.returncode == 2
    assert "did you mean 0.09?" in done.stderr


@pytest.mark.parametrize("name", ["plain", "tmp.x y"])
def test_make_run_from_any_folder_and_fast_the_second_time(cli, checkout, copy, small_data, name):
    if not Path(sys.prefix, "installed").exists():
        pytest.skip("these tests run outside the .venv of `make test`, so make would install one")
    folder = checkout(name)
    (folder / ".venv").symlink_to(sys.prefix)
    flags = f"--output_dir='{copy}' --experiment_id=small --epochs=2 --k_vals=1.0"
    flags = " ".join((flags, *small_data))
    done = cli("run", f"ARGS={flags}", command=("make",), cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "Not trained again" in done.stdout
    assert "pip" not in done.stdout


def brought(installed, extra):
    """The names of the packages that an extra brings; None for those without any."""
    ends = f'; extra == "{extra}"' if extra else ""
    lines = [line for line in installed.requires if ("extra ==" in line) == bool(extra)]
    return {re.match(r"[\w-]+", line)[0] for line in lines if line.endswith(ends)}


def test_pip_install_gives_the_package_the_console_script_and_what_examples_need(
    cli, checkout, copy, root, small_data, tmp_path
):
    folder, site = checkout("source"), tmp_path / "site"
    pip = (sys.executable, "-m", "pip")
    done = cli("install", "--no-deps", "--target", site, folder, command=pip)
    assert done.returncode == 0, done.stderr
    script = (sys.executable, str(site / "bin" / "network-pruning"))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(site), os.environ["PYTHONPATH"])),
    }
    done = cli("train", "--help", command=script, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "--k_vals" in done.stdout
    flags = ("--experiment_id=small", "--epochs=2", *small_data, "--k_vals=0.5")
    done = cli(f"--output_dir={copy}", *flags, command=script, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Not trained again" in done.stdout
    assert not (site / "network_pruning" / "tests").exists()
    (installed,) = importlib.metadata.distributions(path=[str(site)])
    assert brought(installed, None) == {"keras", "numpy", "constriction"}
    listed = (root / "requirements" / "runner.txt").read_text(encoding="utf-8").splitlines()
    runner = {line.partition(">")[0] for line in listed if not line.startswith("#")}
    assert brought(installed, "runner") == runner
    for extra, package in (
        *(("gpu", "tensorflow"), ("tensorboard",) * 2, ("sweep", "ray")),
        ("mlflow", "mlflow-skinny"),
    ):
        assert brought(installed, extra) >= {*runner, package}
    example = (sys.executable, str(root / "examples" / "own_criterion.py"))
    shown = cli(command=example, env=environment, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "spread  weights kept" in shown.stdout
    sweep = (*script, "sweep")
    helped = cli("--help", command=sweep, env=environment, cwd=tmp_path)
    assert helped.returncode == 0, helped.stderr
    assert "--cpus_per_trial" in helped.stdout
    # The templates of the pages are installed too.
    assert "Pages to browse: " in " ".join(done.stdout.split())
    assert "Warning" not in done.stdout
    # Without --output_dir, `results` of the working directory.
    here = tmp_path / "here"
    here.mkdir()
    (here / "results").symlink_to(copy)
    done = cli(*flags, command=script, env=environment, cwd=here)
    assert done.returncode == 0, done.stderr
    assert "Tables and figures are in results/small" in done.stdout
    assert "Not trained again" in done.stdout


def test_the_library_stands_alone(cli, root, tmp_path):
    script = (sys.executable, str(root / "tests" / "library_alone.py"))
    done = cli(tmp_path / "model.npk", command=script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("all of it\n")


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """Commands of this test find the library's packages only."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text("import bare; bare.refuse()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hook"), prepend=os.pathsep)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    "words",
    [
        ("train", "--k_vals=0.5"),
        ("export", "--model=a.keras", "--dataset=digits"),
        ("predict", "a.npk", "a.png"),
        ("report", "--list"),
        ("sweep", "--seed=0,1", "--dry_run"),
    ],
)
def test_without_the_runners_packages_commands_say_what_is_missing(cli, tmp_path, words):
    command, *flags = words
    assert cli(command, "--help", command=COLD).returncode == 0
    done = cli(command, *flags, command=COLD, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("network-pruning: No module named '")
    assert "pip install './network-pruning[runner]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
