"""What every command shares: statuses and sentences, with advice of the command's own."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
from network_pruning import __main__ as front_door
from network_pruning import command

# A command without settings, with the code of its work.
SCRIPT = """
import runpy
from absl import flags
runpy.run_path({front_door!r})["load_package"]()
from network_pruning.command import launch

def work(config):
    {work}

flags.DEFINE_bool("version", False, "")
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
    ],
)
def test_failures_of_a_command_without_an_output_folder(capsys, error, said):
    assert command.status_of(raiser(error), SimpleNamespace()) == 1
    assert capsys.readouterr().err.startswith(f"network-pruning: {said}")


def test_an_error_without_a_file_names_the_output_folder(capsys):
    config = SimpleNamespace(output_dir="out")
    assert command.status_of(raiser(OSError(5, "Input/output error")), config) == 1
    assert capsys.readouterr().err == "network-pruning: out: Input/output error\n"


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
