"""The house: imports run down only, and what need not be imported is not."""

import ast
import os
import re
import sys
from pathlib import Path

import bare
import pytest
from commands import COLD

PACKAGE = "network_pruning"
# From the bottom up; a room may import from those before it, and files in one room from each other
# as long as they do not do so in a circle.
ROOMS = (
    "utils",
    "settings",
    "data",
    "visualization",
    "models",
    "graph",
    "pruning",
    "training",
    "reconstruction",
    "compression",
    "experiments",
    "sweeps",
    "pages",
    "cli",
    "train",
    "export",
    "predict",
    "report",
    "sweep",
)
# What works without the runner: it speaks of arguments and settings, never of flags.
LIBRARY = ("utils", "settings", "data", "models", "graph", "pruning", "training")
LIBRARY += ("reconstruction", "compression")
# Options of the programs that fetch packages.
CLIENT_OPTIONS = {"--silent", "--pack-destination", "--fetch-retries", "--fetch-retry-mintimeout"}
CLIENT_OPTIONS |= {"--fsys-tarfile"}
# They tell the version, open the other rooms only when somebody asks, or start a command.
FRONT_DOORS = ("__init__", "__main__")


def modules(root):
    files = [*root.glob("*.py"), *(file for room in ROOMS for file in (root / room).rglob("*.py"))]
    return [file.relative_to(root) for file in files if file.stem != "__main__"]


class WithoutTypes(ast.NodeTransformer):
    """Leaves out what is imported for annotations only."""

    def visit_If(self, node):
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else node


def imported(root, file, types=True):
    """The modules of the package that a file imports, anywhere in it, as paths without suffix.

    Args:
        types: whether what is imported for annotations only counts too.
    """
    tree = ast.parse((root / file).read_text(encoding="utf-8"))
    for node in ast.walk(tree if types else WithoutTypes().visit(tree)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                package, *inside = alias.name.split(".")
                if package == PACKAGE:
                    yield Path(*inside) if inside else Path(FRONT_DOORS[0])
        elif isinstance(node, ast.ImportFrom) and (base := imported_from(file, node)) is not None:
            for alias in node.names:
                inside = base / alias.name
                known = (root / inside).is_dir() or (root / inside).with_suffix(".py").exists()
                yield inside if known else base if base.parts else Path(FRONT_DOORS[0])


def imported_from(file, node):
    """What a `from … import` names, as a path in the package; None for another package."""
    module = (node.module or "").split(".")
    if node.level:
        here = file.parent.parts
        return Path(*here[: len(here) - node.level + 1], *module)
    return Path(*module[1:]) if module[0] == PACKAGE else None


def room(path):
    return path.parts[0].removesuffix(".py")


def test_every_room_is_known(root):
    rooms = {folder.parent.name for folder in root.glob("*/__init__.py")} - {"tests"}
    files = {file.stem for file in root.glob("*.py")} - {*FRONT_DOORS}
    assert rooms | files == {*ROOMS}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("from ..utils import say", ["utils"]),
        ("from . import paths, nothing", ["experiments/paths", "experiments"]),
        ("from .. import __version__", ["__init__"]),
        ("def f():\n    from .paths import ArtifactPaths", ["experiments/paths"]),
        ("import network_pruning", ["__init__"]),
        ("import os, network_pruning.models.model as m", ["models/model"]),
        ("from network_pruning import register_model, train", ["__init__", "train"]),
        ("from network_pruning.models import model", ["models/model"]),
        ("from network_pruning.models.model import build", ["models/model"]),
        ("import numpy.random\nfrom keras.models import load_model", []),
    ],
)
def test_imports_are_seen_however_they_are_written(tmp_path, statement, expected):
    for folder in ("experiments", "models"):
        (tmp_path / folder).mkdir()
    for name in ("utils", "train", "experiments/paths", "models/model"):
        (tmp_path / name).with_suffix(".py").touch()
    file = Path("experiments/folder.py")
    (tmp_path / file).write_text(statement)
    assert list(map(str, imported(tmp_path, file))) == expected


def test_imports_run_down_only(root):
    for file in modules(root):
        if room(file) in FRONT_DOORS:
            continue
        for target in imported(root, file):
            if room(target) not in FRONT_DOORS:
                assert ROOMS.index(room(target)) <= ROOMS.index(room(file)), (file, target)


def foreign(root, file):
    """The packages of others that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse((root / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def test_nothing_below_the_command_line_imports_absl(root):
    above = (*ROOMS[ROOMS.index("cli") :], *FRONT_DOORS)
    for file in modules(root):
        assert room(file) in above or "absl" not in foreign(root, file), file


def test_settings_import_nothing_but_the_standard_library(root):
    for file in modules(root):
        if room(file) == "settings":
            assert {*foreign(root, file)} <= sys.stdlib_module_names, file


def test_the_library_names_no_flags(root):
    for file in modules(root):
        if room(file) in LIBRARY:
            nodes = ast.walk(ast.parse((root / file).read_text(encoding="utf-8")))
            texts = [n.value for n in nodes if isinstance(n, ast.Constant)]
            found = {f for text in texts for f in re.findall(r"--[a-z][\w-]*", str(text))}
            assert found <= CLIENT_OPTIONS, (file, found)


def public_functions(node):
    """Functions and methods that others may call, `__init__` and the like too."""
    for child in node.body:
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from public_functions(child)
        elif isinstance(child, ast.FunctionDef) and not re.match("_(?!_)", child.name):
            yield child


def unannotated(function):
    """What of a function has no type: names of arguments, and "return"."""
    args = function.args
    every = [*args.posonlyargs, *args.args, args.vararg, *args.kwonlyargs, args.kwarg]
    found = [arg.arg for arg in every if arg and not arg.annotation]
    return [name for name in found if name not in ("self", "cls")] + (
        [] if function.returns else ["return"]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(a: int, *b: int, c: int = 1, **d: int) -> int: ...", []),
        ("def f(a, /, b, *c, d=1, **e) -> int: ...", ["a", "b", "c", "d", "e"]),
        ("class A:\n    def __init__(self, a: int): ...", ["return"]),
        ("class A:\n    @classmethod\n    def of(cls, a): ...", ["a", "return"]),
        ("def _f(a): ...\nclass _A:\n    def f(self, a): ...", []),
    ],
)
def test_what_has_no_type_is_seen(text, expected):
    assert [name for f in public_functions(ast.parse(text)) for name in unannotated(f)] == expected


def test_public_functions_are_annotated(root):
    for file in (*modules(root), Path("__main__.py")):
        for function in public_functions(ast.parse((root / file).read_text(encoding="utf-8"))):
            assert not unannotated(function), (file, function.name)


def test_no_command_imports_another(root):
    commands = ROOMS[ROOMS.index("cli") + 1 :]
    for file in modules(root):
        if room(file) in commands:
            others = {room(target) for target in imported(root, file)} & {*commands}
            assert others <= {room(file)}, file


def test_files_and_rooms_stay_small(root):
    lines = {f: len((root / f).read_text(encoding="utf-8").splitlines()) for f in modules(root)}
    assert {file: number for file, number in lines.items() if number > 350} == {}
    rooms = {}
    for file, number in lines.items():
        rooms[room(file)] = rooms.get(room(file), 0) + number
    largest = max(rooms, key=rooms.get)
    assert rooms[largest] <= 0.15 * sum(rooms.values()), largest


def test_no_imports_in_a_circle(root):
    arrows = {}
    for file in modules(root):
        name = file.with_suffix("")
        name = name.parent if name.name == "__init__" and name.parent.parts else name
        arrows[name] = {*imported(root, file, types=False)} - {name, *map(Path, FRONT_DOORS)}
    done, path = set(), []

    def visit(name):
        assert name not in path, f"a circle: {[*path, name]}"
        if name in done:
            return
        path.append(name)
        for target in arrows.get(name, ()):
            visit(target)
        path.pop()
        done.add(name)

    for name in arrows:
        visit(name)


# What is imported in the end, of the packages that the program names and of its own modules.
LIST_IMPORTED = """
import atexit, os, sys

def write():
    names = {*sys.modules, *(name.partition(".")[0] for name in sys.modules)}
    with open(os.environ["IMPORTED"], "w") as file:
        file.write(" ".join(names))

atexit.register(write)
"""
PACKAGES = {*bare.RUNNERS, "absl", "constriction", "h5py", "keras", "numpy", "rich", "scipy"}
# Of ours and of Python's own, what takes time and is not always needed.
PACKAGES |= {"network_pruning.pages.sweep_page", "hashlib", "json"}


@pytest.fixture
def imported_by(cli, tmp_path, monkeypatch):
    """Runs a command; returns which of PACKAGES it has imported."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(LIST_IMPORTED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hook"), prepend=os.pathsep)
    monkeypatch.setenv("IMPORTED", str(tmp_path / "imported"))

    def run(*words):
        done = cli(*words, command=COLD)
        assert done.returncode == 0, done.stderr
        return {*(tmp_path / "imported").read_text().split()} & PACKAGES

    return run


@pytest.mark.parametrize("command", ["train", "export", "predict", "report", "sweep"])
def test_help_imports_nothing_but_absl(imported_by, command):
    assert imported_by(command, "--help") == {"absl"}


def test_help_imports_little_of_ours(cli, root):
    done = cli("train", "--help", command=(sys.executable, "-X", "importtime", str(root)))
    ours = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "network_pruning.settings.experiment" in ours
    for needless in ("settings.sweep", "experiments.runner", "data", "sweeps", "pages"):
        assert f"network_pruning.{needless}" not in ours


def test_the_help_of_a_command_imports_the_settings_of_no_other(cli, root):
    done = cli("sweep", "--help", command=(sys.executable, "-X", "importtime", str(root)))
    ours = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "network_pruning.settings.sweep" in ours
    for other in ("export", "predict", "report"):
        assert f"network_pruning.settings.{other}" not in ours


def test_a_rerun_that_only_draws_imports_what_it_draws_with(imported_by, copy, small):
    for file in (copy / "small").glob("*.png"):
        file.unlink()
    drawn_with = {"matplotlib", "PIL", "jinja2", "rich"}
    tables = {"numpy", "pandas", "h5py"}
    helpers = {"absl", "filelock", "hashlib", "json", "platformdirs", "tqdm"}
    assert imported_by(*small) == helpers | tables | drawn_with


@pytest.mark.usefixtures("without_tensorflow")
def test_a_rerun_that_only_draws_needs_no_tensorflow_and_draws_the_same(cli, copy, small):
    experiment = copy / "small"
    before = {file: file.read_bytes() for file in experiment.rglob("*") if file.is_file()}
    for file in before:
        if file.suffix in (".png", ".gif") or file.name == "results.csv":
            file.unlink()
    done = cli(*small)
    assert done.returncode == 0, done.stderr
    after = {file: file.read_bytes() for file in experiment.rglob("*") if file.is_file()}
    record = experiment / "config.json"  # holds the folder that this copy lies in
    assert {**after, record: None} == {**before, record: None}


@pytest.mark.usefixtures("copy", "without_tensorflow")
def test_with_something_to_compute_it_is_needed(cli, small):
    done = cli(*small, "--k_vals=0.25")
    assert done.returncode != 0
    assert "tensorflow was imported" in done.stderr or "keras was imported" in done.stderr
