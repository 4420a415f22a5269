"""The scripts in `examples/` run, on any backend, or their notebooks, which have the same cells."""

import importlib.util
import runpy

import keras
import pytest
from commands import ROOT

pytestmark = pytest.mark.backends
EXAMPLES = sorted(ROOT.glob("examples/*.py"))
EACH = pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.stem)
# The checkout as the package `network_pruning`, as if it were installed.
LOAD = f"import runpy; runpy.run_path({str(ROOT / '__main__.py')!r})['load_package']()"
# The command line runs on TensorFlow only.
COMMAND_LINE = "own_model_and_data"
# Elsewhere, and where the packages that run notebooks are missing, the scripts run.
ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
AS_NOTEBOOKS = ON_TENSORFLOW and importlib.util.find_spec("nbclient") is not None
MAKE = (
    "make the notebooks from the scripts: .venv/bin/jupytext --update --to notebook examples/*.py"
)


@EACH
@pytest.mark.skipif(AS_NOTEBOOKS, reason="they run as notebooks")
def test_scripts_run(example, tmp_path, monkeypatch, capsys):
    if example.stem == COMMAND_LINE and not ON_TENSORFLOW:
        pytest.skip("the command line runs on TensorFlow, whatever the backend")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(example))
    assert len(capsys.readouterr().out.splitlines()) >= 2


@EACH
@pytest.mark.skipif(not AS_NOTEBOOKS, reason="they run as scripts")
def test_notebooks_run(example, tmp_path, monkeypatch):
    import nbformat
    from notebooks import run_notebook

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / ".jupyter"))
    notebook = nbformat.read(example.with_suffix(".ipynb"), as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(LOAD))
    run_notebook(notebook, tmp_path)
    printed = [output.get("text", "") for output in outputs_of(notebook)]
    assert len("".join(printed).splitlines()) >= 2


def outputs_of(notebook):
    """What its cells have printed or shown."""
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


@EACH
def test_notebooks_have_the_cells_of_the_scripts_and_no_outputs(example):
    jupytext = pytest.importorskip("jupytext")
    notebook, script = (jupytext.read(example.with_suffix(end)) for end in (".ipynb", ".py"))
    assert cells_of(notebook) == cells_of(script), MAKE
    assert not outputs_of(notebook), MAKE


def cells_of(notebook):
    """The kinds of its cells and what is in them."""
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


@EACH
def test_examples_are_short(example):
    assert len(example.read_text(encoding="utf-8").splitlines()) < 60


def test_there_are_examples():
    assert len(EXAMPLES) >= 3
