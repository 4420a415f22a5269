"""The benchmark's table and picture, of numbers that have been measured before."""

import importlib.util
import json
import sys

import pytest
from PIL import Image


@pytest.fixture
def benchmark(root, tmp_path, monkeypatch):
    """`benchmarks/run.py`, which writes into a folder of this test."""
    monkeypatch.syspath_prepend(root / "benchmarks")  # where its neighbours are
    spec = importlib.util.spec_from_file_location("benchmark", root / "benchmarks" / "run.py")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look up the module that they are defined in.
    monkeypatch.setitem(sys.modules, "benchmark", module)
    spec.loader.exec_module(module)
    (tmp_path / "docs").mkdir()
    page = f"before\n{module.START}old\n{module.END}after\n"
    (tmp_path / "docs" / "speed.md").write_text(page)
    monkeypatch.setattr(module, "BENCHMARKS", tmp_path)
    monkeypatch.setattr(module, "PACKAGE", tmp_path)
    return module


def test_stages_that_have_not_been_measured_are_left_out(benchmark, root, tmp_path):
    results = json.loads((root / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    del results["epochs"]
    benchmark.report(results)
    table = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "a bad flag (s)" in table
    assert "PyTorch, fused Adam" not in table
    page = (tmp_path / "docs" / "speed.md").read_text(encoding="utf-8")
    assert page == f"before\n{benchmark.START}{table}{benchmark.END}after\n"
    with Image.open(tmp_path / "results.png") as image:
        image.verify()


def test_exports_are_compared_like_for_like_first_and_with_keras_predict_last(
    benchmark, monkeypatch
):
    from types import SimpleNamespace

    dense = {"Keras predict": 90, "Keras compiled": 3, "LiteRT": 1, "NumPy": 2, "SciPy sparse": 8}
    small = {"Keras predict": 90, "Keras compiled": 2, "LiteRT": 0.9, "SciPy sparse": 0.5}
    times = {f"dense, {name}": [each] for name, each in dense.items()}
    times |= {f"exported, {name}": [each] for name, each in small.items()}
    times |= {f"fewer units, {name}": [each] for name, each in dense.items()}
    found = SimpleNamespace(printed={"1": times}, memory=1)
    monkeypatch.setattr(benchmark, "measure", lambda *_: found)
    rows = list(benchmark.runtimes(None, None))
    exported = [row.against for row in rows if row.what.startswith("exported, SciPy sparse")]
    assert exported == [
        *("dense, SciPy sparse", "dense, LiteRT", "dense, Keras compiled", "dense, Keras predict")
    ]
    assert rows[0].ratio == 0.5 / 8


def test_the_accelerators_benchmark_measures_what_it_is_asked_for(root, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("a", root / "benchmarks" / "accelerator.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "STAGES", {"prune": (module.prune, (2,), (1,))})
    monkeypatch.setattr(module, "transformer", lambda _blocks: module.cnn())
    monkeypatch.setattr(sys, "argv", ["accelerator.py", "--quick", "--only=prune"])
    module.main()
    said = capsys.readouterr().out
    assert f"Keras {module.keras.__version__}" in said
    assert said.count("| `prune(…, ") == 8
    monkeypatch.setattr(sys, "argv", ["accelerator.py", "--only=nothing"])
    with pytest.raises(SystemExit):
        module.main()
    assert "--only: nothing is none of prune" in capsys.readouterr().err
