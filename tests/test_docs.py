"""Links in the pages lead somewhere, the commands in them are understood, numbers are counted."""

import ast
import importlib
import re
import shlex
import textwrap
import tomllib

import numpy as np
import pytest
import test_bad_input
import test_bad_sweeps
import test_faults
from commands import ROOT

PAGES = ("README.md", *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")))
PAGES += ("examples/README.md", "references/README.md", "CONTRIBUTING.md", "CHANGELOG.md")
FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.M | re.S)
# An indented line, or what stands between backticks, which may go on in the next line.
CODE = re.compile(r"^ {4}(.*)$|`([^`]+)`", re.M)
# A file of the user's: its name, then its code.
PLUGIN = re.compile(r"`(my_\w+\.py)`[^`]*```python\n(.*?)```", re.S)
COMMAND = re.compile(r"(network-pruning|python -m network-pruning\.\w+|make)( |$)")
# Of every program a flag that is wrong, and what is then said.
WRONG = {
    **dict.fromkeys(("train", "export"), ("--seed=-1", "--seed must lie between")),
    "report": ("--output_dir=", "--output_dir is empty"),
    "sweep": ("--ray_address=nowhere", "--ray_address: 'nowhere' is not local"),
}
# What the scripts behind targets of make ask for on their command line: flags, names of stages.
SCRIPTS = {
    "references": ("references/make_references.py", r'"(--\w+)" in sys\.argv'),
    "bench": ("benchmarks/run.py", r'"(\w+)": \1\b'),
}


def read(root, page):
    return (root / page).read_text(encoding="utf-8")


def heading_anchor(heading):
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(root, page):
    links = re.findall(r"\]\(([^)\s]+)\)", read(root, page))
    for link in (link for link in links if "://" not in link):
        name, _, anchor = link.partition("#")
        target = (root / page).parent / name if name else root / page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.M)
            assert anchor in map(heading_anchor, headings), link


def commands_in(text):
    """The commands that a page gives, each as its words."""
    text = FENCED.sub(lambda fenced: textwrap.indent(fenced[1], "    "), text)
    code = (" ".join((line or inline).split()) for line, inline in CODE.findall(text))
    return [shlex.split(command, comments=True) for command in code if COMMAND.match(command)]


@pytest.fixture(scope="module")
def commands(root):
    """The commands of all pages."""
    return [command for page in PAGES for command in commands_in(read(root, page))]


def test_commands_are_found_wherever_they_stand():
    text = "`make\nlint` or `x`:\n\n    make run ARGS='--a --b=1'  # c\n\n```sh\nmake test\n```\n"
    assert commands_in(text) == [
        ["make", "lint"],
        ["make", "run", "ARGS=--a --b=1"],
        ["make", "test"],
    ]


def targets_of(command):
    """What `make` is asked for."""
    return [word for word in command[1:] if command[0] == "make" and "=" not in word]


def program_and_flags(command):
    """The program that a command starts, and the flags that it gives to it."""
    if command[0] == "make":
        variables = dict(word.split("=", 1) for word in command[1:] if "=" in word)
        (target,) = targets_of(command) or ["run"]
        return {"run": "train"}.get(target, target), shlex.split(variables.get("ARGS", ""))
    program = command[2].split(".")[1] if command[0] == "python" else "train"
    return program, [word for word in command if word.startswith("--")]


def flags_of(commands, program):
    """What a program is given in the pages, the same flags once."""
    found = [tuple(flags) for name, flags in map(program_and_flags, commands) if name == program]
    return list(dict.fromkeys(found))


def test_targets_of_make_exist(root, commands):
    targets = set(re.findall(r"^(\w+):", (root / "Makefile").read_text(), re.M))
    asked = {target for command in commands for target in targets_of(command)}
    assert len(asked) >= 5
    assert asked <= targets


def test_programs_that_are_given_flags_are_tested_here(commands):
    given = {program for program, flags in map(program_and_flags, commands) if flags}
    assert given <= {*WRONG, *SCRIPTS}


@pytest.mark.parametrize("program", WRONG)
def test_commands_are_understood(root, cli, tmp_path, commands, program):
    """Every flag and value is accepted: what is complained of is only the last, which is wrong."""
    wrong, sentence = WRONG[program]
    write_plugins(root, tmp_path)
    labels = np.arange(12) % 2
    arrays = dict.fromkeys(("x_train", "x_test"), np.zeros((12, 3)))
    np.savez(tmp_path / "my_data.npz", **arrays, y_train=labels, y_test=labels)
    found = flags_of(commands, program)
    assert len(found) >= {"train": 4}.get(program, 2)
    for flags in found:
        done = cli(program, *flags, wrong, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, ""), flags
        assert sentence in done.stderr, flags


def write_plugins(root, folder):
    """The plugins that the pages show, in files of the names that they give."""
    for page in PAGES:
        for name, code in PLUGIN.findall(read(root, page)):
            (folder / name).write_text(code)


def test_plugins_of_the_pages_run(root, cli, tmp_path):
    """A data set and a model in code, by the very command that is shown."""
    write_plugins(root, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} >= {
        *("my_criteria.py", "my_stripes.py", "my_cnn.py")
    }
    shown = [words for words in commands_in(read(root, "docs/own.md")) if "--model=cnn" in words]
    done = cli(*shown[0][1:], cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "results" / "stripes-2-lr=0.001-l1=0.0-l2=0.0-cnn-num_valid=300").is_dir()


def snippets_in(text):
    """The Python code of a page that uses the library, without that of plugins."""
    text = FENCED.sub("", text)
    blocks = re.findall(r"(?:^(?: {4}.*)?\n)+", text, re.M)
    found = []
    for code in map(textwrap.dedent, blocks):
        if re.search(r"\bnpr\.|import network_pruning|from network_pruning", code):
            found.append(re.sub("^pip .*$", "", code, flags=re.M))
            ast.parse(found[-1])
    return found


def test_snippets_run_as_they_are(root, cli, tmp_path):
    """Of each page one after the other, with a model and data as the page says."""
    pages = {page: snippets_in(read(root, page)) for page in PAGES}
    assert {page for page, found in pages.items() if found} >= {
        *("README.md", "docs/library.md", "docs/small.md")
    }
    lines = [GIVEN]
    for page, found in pages.items():
        lines += [f"print({page!r})", *(f"exec({code!r}, names)" for code in found)]
    done = cli("--version", first="\n".join(lines), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line in pages] == list(pages)


# What the pages say that there is.
GIVEN = """
import keras, numpy
keras.utils.set_random_seed(0)
x = numpy.random.default_rng(0).random((64, 8), "float32")
y = x[:, :4].argmax(axis=1)
layers = [keras.Input((8,)), keras.layers.Dense(16, activation="relu", name="hidden"),
          keras.layers.Dense(4, activation="softmax")]
model = keras.Sequential(layers)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
regressor = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16), keras.layers.Dense(1)])
names = {"model": model, "x": x, "y": y, "x_valid": x, "y_valid": y, "images": x,
         "regressor": regressor, "targets": x[:, :1]}
"""


@pytest.mark.parametrize("page", PAGES)
def test_names_of_the_library_exist(root, page):
    library = importlib.import_module("network_pruning")
    used = set(re.findall(r"\bnpr\.(\w+)", read(root, page)))
    imported = re.findall(r"^ *from network_pruning import (.*)$", read(root, page), re.M)
    used |= {name.strip() for line in imported for name in line.split(",")}
    assert used <= {*library.__all__}
    assert all(hasattr(library, name) for name in used)


def test_the_reference_has_every_name_of_the_library(root):
    page = read(root, "docs/reference.rst")
    listed = {*re.findall(r"^(?:\.\. \w+::|  ) *(\w+)(?:\(.*\))?$", page, re.M)}
    assert {*importlib.import_module("network_pruning").__all__} <= listed


@pytest.mark.parametrize("target", SCRIPTS)
def test_arguments_of_scripts_exist(root, commands, target):
    script, pattern = SCRIPTS[target]
    given = {argument for arguments in flags_of(commands, target) for argument in arguments}
    assert given
    assert given <= set(re.findall(pattern, read(root, script)))


@pytest.mark.parametrize(
    ("promise", "cases"),
    [
        ("Bad flags end in one sentence", len(test_bad_input.BAD_FLAGS)),
        ("Grids and searches that cannot be run", len(test_bad_sweeps.BAD)),
        ("Killed anywhere", test_faults.KILL_POINTS),
        ("`--force_train` destroys nothing", test_faults.FORCED_KILL_POINTS),
    ],
)
def test_cases_are_counted(root, promise, cases):
    page = read(root, "docs/reliability.md")
    assert re.search(rf"^\| {re.escape(promise)}.*\| {cases} \|$", page, re.M)


def test_the_readme_is_no_book(root):
    assert len(read(root, "README.md").splitlines()) <= 200


def test_the_changelog_begins_with_this_version(root):
    versions = re.findall(r"^## (\S+) – \d{4}-\d\d-\d\d$", read(root, "CHANGELOG.md"), re.M)
    assert versions[0] == importlib.import_module("network_pruning").__version__


def test_the_oldest_python_is_the_same_everywhere(root):
    project = tomllib.loads(read(root, "pyproject.toml"))
    major, minor = map(int, project["project"]["requires-python"].removeprefix(">=").split("."))
    assert project["tool"]["ruff"]["target-version"] == f"py{major}{minor}"
    assert f"sys.version_info < ({major}, {minor})" in read(root, "Makefile")
    for page in ("README.md", "CONTRIBUTING.md", "Makefile"):
        assert f"Python {major}.{minor} or newer" in read(root, page)
