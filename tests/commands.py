"""Running the program as its users do."""

import importlib
import subprocess
import sys
from pathlib import Path

import forks

ROOT = Path(__file__).resolve().parent.parent


def experiment_in(output):
    """The folder of the only experiment that was written to an output folder."""
    (folder,) = (record.parent for record in Path(output).glob("*/config.json"))
    return folder


# `python path/to/checkout`: a start of its own, which imports what it needs.
COLD = (sys.executable, str(ROOT))
# Source that forked commands run before anything else, in a process without TensorFlow; a fixture
# sets it.
hook = None


def run_command(*arguments, command=None, first=None, timeout=1200, **options):
    """Runs the program, and returns it, finished, with its output as text.

    Args:
        *arguments: of the program, the name of a command first unless it is `train`.
        command: how it is started; by default it is forked from a server that has imported the
            program already.
        first: source that a fork runs before the program.
        timeout: in seconds.
        **options: `cwd` and `env`.
    """
    arguments = [*map(str, arguments)]
    if command is None:
        address = forks.address_of("all" if hook is None else "light")
        options |= {"address": address, "timeout": timeout}
        return forks.run("commands:run_program", hook or first, arguments, **options)
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        **options,
    )


def start_command(*arguments, first=None, **options):
    """Forks the program, as `run_command` does, and returns the `forks.Forked`."""
    return forks.start("commands:run_program", first, [*map(str, arguments)], **options)


def run_program(first, arguments):
    """In a fork: what `python path/to/checkout` does there; `first` is source to run before."""
    if first is not None:
        exec(first, {})
    sys.argv = [str(ROOT), *arguments]
    importlib.import_module("network_pruning.__main__").main()


def command_in(folder, *flags):
    """Runs the program with this output folder, where what it says is written to two files."""
    done = run_command(*flags, f"--output_dir={folder}")
    assert done.returncode == 0, done.stderr
    (folder / "stderr.txt").write_text(done.stderr)
    (folder / "stdout.txt").write_text(done.stdout)
