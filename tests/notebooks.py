"""Running notebooks as their readers do, each in a kernel that is forked; see `forks.py`."""

import json
import os
import sys
from pathlib import Path

import forks

# Jupyter starts this in place of a kernel: it asks a server of the tests to fork one.
FORKED_KERNEL = """
import signal, sys

sys.path[0] = {tests!r}
import forks

streams = dict(stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr)
kernel = forks.start("notebooks:become_kernel", sys.argv[1], address={address!r}, **streams)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: kernel.send_signal(number))
sys.exit(kernel.wait())
"""


def run_notebook(notebook, folder):
    """Executes all cells, in a folder where the files are that they write."""
    import nbclient

    program = Path(folder, ".kernel.py")
    tests = str(Path(__file__).parent)
    program.write_text(FORKED_KERNEL.format(tests=tests, address=forks.address_of("all")))
    kernel = Path(folder, ".jupyter", "kernels", "forked")
    kernel.mkdir(parents=True)
    words = [sys.executable, str(program), "{connection_file}"]
    described = {"argv": words, "display_name": "forked", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(described))
    nbclient.execute(notebook, cwd=str(folder), timeout=120, kernel_name="forked")


def become_kernel(connection_file):
    """In a fork: what `python -m ipykernel_launcher` does there."""
    from ipykernel import kernelapp

    os.environ.pop("JPY_PARENT_PID", None)  # the process that Jupyter started is not the parent
    sys.argv = ["ipykernel_launcher", "-f", connection_file]
    sys.path.insert(0, "")
    kernelapp.launch_new_instance()
