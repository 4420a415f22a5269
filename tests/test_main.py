"""One program with sub-commands."""

import sys

import pytest
from network_pruning import __main__ as front_door


@pytest.mark.parametrize("word", ["help", "--help", "-h"])
def test_the_overview_names_every_command(cli, root, word):
    done = cli(word, command=(sys.executable, str(root)))
    assert done.returncode == 0, done.stderr
    for name, text in front_door.COMMANDS.items():
        assert f"  {name}" in done.stdout
        assert text in done.stdout


def test_the_folder_is_a_program_with_sub_commands(cli, root):
    started = (sys.executable, "-m", root.name) if "." not in root.name else (sys.executable, root)
    done = cli("report", "--help", command=tuple(map(str, started)), cwd=root.parent)
    assert done.returncode == 0, done.stderr
    assert "--show" in done.stdout


def test_without_a_command_it_is_train(monkeypatch):
    run = []
    monkeypatch.setattr(front_door, "run", lambda command="train": run.append(command))
    for argv in ([], ["--epochs=2"], ["train", "--epochs=2"], ["sweep", "--seed=0,1"]):
        monkeypatch.setattr(sys, "argv", ["network-pruning", *argv])
        front_door.main()
    assert run == ["train", "train", "train", "sweep"]
    assert sys.argv == ["network-pruning", "--seed=0,1"]


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("trian", "'trian' is not a command. Did you mean train?"),
        ("digits", "'digits' is not a command. There are train, export, predict, report, sweep."),
    ],
)
def test_an_unknown_command_is_said(monkeypatch, capsys, word, hint):
    monkeypatch.setattr(sys, "argv", ["network-pruning", word])
    with pytest.raises(SystemExit, match="2"):
        front_door.main()
    assert capsys.readouterr().err == f"network-pruning: {hint}\n"
