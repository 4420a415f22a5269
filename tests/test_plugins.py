"""What others write: it is found, told apart from ours, and its failures are sentences."""

import functools
import importlib
import os
import shutil
import sys
import textwrap

import numpy as np
import pytest
from fault_run import fault_run
from network_pruning.experiments import plugins
from network_pruning.pruning import masks, methods
from network_pruning.pruning.criteria import CRITERIA
from network_pruning.utils import RunError, UsageError

KERNELS = {name: np.ones((2, 2), np.float32) for name in ("hidden_1", "output")}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a module into the working directory."""
    monkeypatch.chdir(tmp_path)

    def make(name, text):
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))

    return make


@pytest.fixture
def load(registries, tmp_path, monkeypatch):  # noqa: ARG001
    """Loads plugins of the working directory into this process, until the test ends."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(plugins, "_LOADED", [])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def fresh(*names):
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
                del sys.modules[name]
        importlib.invalidate_caches()
        plugins._sources.cache_clear()
        plugins.load(names)
        return CRITERIA.get("mine") if CRITERIA.knows("mine") else None

    yield fresh
    fresh()


def rank(method):
    """Ranks two tiny layers, as the program would: a failure of a plugin's is a sentence."""
    with plugins.explained():
        masks.rank(methods.parse(method), KERNELS)


CRITERION = """
    from network_pruning import register_criterion

    @register_criterion("mine")
    def mine(layer):
        return {}
"""

FAILURES = {
    "an attribute that does not exist": (
        "abs(layer.kernl)",
        "AttributeError: 'Layer' object has no attribute 'kernl'.",
    ),
    "in place": (
        "layer.kernel.__imul__(0)",
        "ValueError: output array is read-only.",
    ),
    "nothing to say": ("[][layer.seed:].pop()", "IndexError: pop from empty list."),
    "the way out": ("__import__('sys').exit()", "SystemExit."),
    "two lines": ("int('1\\n2')", "ValueError: invalid literal for int() with base 10: '1\\n2'."),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_criterion_that_raises(write, load, case):
    expression, said = FAILURES[case]
    write("p", CRITERION.format(expression))
    load("p")
    with pytest.raises(RunError) as caught:
        rank("mine")
    assert str(caught.value) == f"The plugin p failed in mine: {said}"


def test_one_that_fails_in_a_helper_beside_it(write, load):
    write("h", "def half(x):\n    return x / nobody\n")
    write("p", "    import h\n" + CRITERION.format("h.half(layer.kernel)"))
    load("p")
    with pytest.raises(RunError, match=r"^The plugin p failed in mine: NameError"):
        rank("mine")


OBJECTS = """
    import functools
    from network_pruning import register_criterion

    def power(layer, exponent):
        return abs(layer.kernel) ** exponent

    class Power:
        def __init__(self, exponent):
            self.exponent = exponent

        def __call__(self, layer):
            return power(layer, self.exponent)

    register_criterion("partial")(functools.partial(power, exponent=2))
    register_criterion("object")(Power(2))
    register_criterion("no_partial")(functools.partial(power, exponent=None))
    register_criterion("no_object")(Power(None))
"""


def test_partials_and_callable_objects(write, load):
    write("p", OBJECTS)
    load("p")
    for name in ("partial", "object"):
        rank(name)
        assert plugins.is_plugin(CRITERIA.get(name))
        assert len(plugins.source_digest(CRITERIA.get(name))) == 12
    for name in ("no_partial", "no_object"):
        with pytest.raises(RunError, match=r"^The plugin p failed in power: TypeError"):
            rank(name)


@pytest.mark.usefixtures("load")
def test_errors_of_our_own_keep_their_words():
    with pytest.raises(ZeroDivisionError), plugins.explained():
        exec(compile("1 / 0", "somewhere.py", "exec"))
    for error in (UsageError("so"), RunError("so")):
        with pytest.raises(type(error), match=r"^so$"), plugins.explained():
            raise error


def test_ours_are_no_plugins(write, load):
    write("p", CRITERION.format("layer.kernel"))
    mine = load("p")
    for name in CRITERIA.names():
        function = CRITERIA.get(name)
        assert plugins.is_plugin(function) == (function is mine)
        assert bool(plugins.source_digest(function)) == (function is mine)
    # Ours with somebody's settings is somebody's.
    ours = functools.partial(CRITERIA.get("magnitude"))
    assert not plugins.is_plugin(ours)
    CRITERIA.register("theirs")(ours)  # by this module, which is none of the package
    assert plugins.is_plugin(ours)


def test_the_digest_is_that_of_all_that_is_imported_from_beside(write, load):
    def digest():
        CRITERIA._values.pop("mine", None)
        return plugins.source_digest(load("pack.p", "other"))

    write("other", "")
    write("helper", "import math")
    write("lazy", "")
    write("pack/__init__", "")
    write("pack/beside", "from . import deep")
    write("pack/deep", "A = 1")
    write("pack/unused", "")
    body = "__import__('lazy') and layer.kernel"
    write("pack/p", "    import helper\n    from .beside import deep\n" + CRITERION.format(body))
    first = digest()
    assert digest() == first
    for name in ("other", "lazy", "pack/unused"):  # `__import__` is beyond what a source tells
        write(name, "B = 2")
        assert digest() == first
    for name in ("helper", "pack/__init__", "pack/deep", "pack/beside"):
        write(name, "from . import deep\nB = 2" if name == "pack/beside" else "B = 2")
        changed = digest()
        assert changed != first, name
        first = changed


def test_networks_of_the_same_code_are_those_of_earlier_versions(write, load):
    write("pinhelper", "A = 1\n")
    text = """\
        import pinhelper
        from network_pruning import register_criterion


        @register_criterion("mine")
        def mine(layer):
            return layer.kernel
        """
    write("pinned", text)
    assert plugins.source_digest(load("pinned")) == "ee7cb9829fde"


def test_the_digest_knows_what_is_imported_later_and_does_not_change_by_it(write, load):
    text = """
        from network_pruning import register_criterion

        @register_criterion("mine")
        def mine(layer):
            import later
            return abs(layer.kernel)
    """
    write("later", "A = 1")
    write("p", text)
    mine = load("p")
    first = plugins.source_digest(mine)
    rank("mine")
    write("later", "A = 2")  # while it runs: what runs is the old one
    assert plugins.source_digest(mine) == first
    CRITERIA._values.pop("mine")
    assert plugins.source_digest(load("p")) != first


BAD_PLUGINS = {
    "a syntax error": ("def f(:", r"SyntaxError: invalid syntax \(p\.py, line 1\)"),
    "an exception": ("nobody", "NameError: name 'nobody' is not defined"),
    "in a helper": ("import h", "ZeroDivisionError: division by zero"),
    "what it needs is missing": ("import nobody", "ModuleNotFoundError: No module named 'nobody'"),
    "it leaves": ("import sys\nsys.exit(0)", "SystemExit: 0"),
    "a pattern that is none": (
        "from network_pruning import register_criterion as r\nr('P', pattern='(')(abs)",
        "error: missing \\), unterminated subpattern at position 0",
    ),
}


@pytest.mark.parametrize("case", BAD_PLUGINS)
def test_plugins_that_cannot_be_imported(write, load, case):
    text, sentence = BAD_PLUGINS[case]
    write("h", "1 / 0")
    write("p", text)
    with pytest.raises(UsageError, match=rf"^--plugins: 'p' cannot be imported \({sentence}\)\.$"):
        load("p")


@pytest.mark.parametrize("name", ["nobody", "p.py", "", ".p"])
def test_plugins_that_are_none(write, load, name):
    write("p", "")
    with pytest.raises(UsageError, match=f"'{name}' cannot be imported .* without .py"):
        load(name)


def test_a_clash_is_refused_before_anything_runs(write, load):
    write("p", CRITERION.format("1").replace('"mine"', '"magnitude"'))
    clash = (
        "'magnitude' would be both the criterion of network_pruning.pruning.criteria and the .* p;"
    )
    with pytest.raises(UsageError, match=clash):
        load("p")


# Whole runs, with a small network in a forked process. They end in one sentence.

RUNS = {
    "criterion": (
        CRITERION.format("abs(layer.kernl)"),
        "--methods=mine",
        "The plugin p failed in mine: AttributeError: 'Layer' object has no attribute 'kernl'.",
    ),
    "criterion with negative scores": (
        CRITERION.format("-1 - abs(layer.kernel)"),
        "--methods=mine",
        "The criterion 'mine' of p must return finite, non-negative scores of shape "
        "(784, 30) for the layer hidden_1, but the result is negative in 23,520 of 23,520 "
        "places.",
    ),
    "criterion that divides by zero": (
        CRITERION.format("abs(layer.kernel) / 0"),
        "--methods=mine",
        "The criterion 'mine' of p must return finite, non-negative scores of shape "
        "(784, 30) for the layer hidden_1, but the result is not finite in 23,520 of 23,520 ",
    ),
    "mask of a granularity": (
        """
        from network_pruning.pruning.granularities import Weight, register_granularity

        @register_granularity("mine")
        class Mine(Weight):
            @staticmethod
            def mask(kept, shape):
                return 1 * kept
        """,
        "--methods=mine",
        "The granularity 'mine' of p must return a mask of booleans of shape (784, "
        "30) for the layer hidden_1, but the result is of type int64 and shape (784, 30).",
    ),
    "granularity": (
        """
        from network_pruning.pruning.granularities import Weight, register_granularity

        @register_granularity("mine")
        class Mine(Weight):
            @staticmethod
            def scores(scores, outgoing):
                raise KeyError("x")
        """,
        "--methods=mine",
        "The plugin p failed in scores: KeyError: 'x'.",
    ),
    "scope": (
        """
        import network_pruning as n

        @n.register_scope("mine")
        def mine(rankings, k):
            return {name: 1 / 0 for name in rankings}
        """,
        "--methods=mine",
        "The plugin p failed in",
    ),
    "schedule, later": (
        """
        from network_pruning.pruning.schedules import Round, register_schedule

        @register_schedule("mine")
        def mine(previous, k, config):
            return [Round(k, lambda progress: nobody)]
        """,
        "--methods=mine",
        "The plugin p failed in <lambda>: NameError: name 'nobody' is not defined.",
    ),
    "recovery": (
        """
        import network_pruning as n

        @n.register_recovery("mine")
        def mine(config):
            return config.finetune
        """,
        "--methods=mine",
        "The plugin p failed in mine: AttributeError: ",
    ),
    "model": (
        """
        import network_pruning as n

        @n.register_model("mine")
        def mine():
            return {}["units"]
        """,
        "--model=mine",
        "The plugin p failed in mine: KeyError: 'units'.",
    ),
    "loader without its file": (
        """
        import network_pruning as n

        @n.register_dataset("mine")
        def mine(data_dir, num_valid):
            return open("/nowhere/images.npy")
        """,
        "--dataset=mine",
        "The plugin p failed in mine: FileNotFoundError: [Errno 2] No such "
        "file or directory: '/nowhere/images.npy'.",
    ),
    "loader of something else": (
        """
        import network_pruning as n

        @n.register_dataset("mine")
        def mine(data_dir, num_valid):
            return 3
        """,
        "--dataset=mine",
        "The data set 'mine' of p cannot be used: its loader returned a int, but a "
        "Dataset is needed.",
    ),
}
FLAGS = ("--epochs=1", "--k_vals=0.5", "--experiment_id=x", "--plugins=p", "--prune_epochs=1")


@pytest.mark.parametrize("case", RUNS)
def test_a_run_ends_in_one_sentence(write, tmp_path, case):
    text, flag, sentence = RUNS[case]
    write("p", text)
    done = fault_run("none", *FLAGS, flag, f"--output_dir={tmp_path / 'out'}")
    assert done.returncode == 1, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_another_version_of_a_model_is_noticed(write, tmp_path):
    model = """
        from network_pruning import register_model
        from network_pruning.models.architectures import Architecture

        register_model("mine")(lambda: Architecture(({},), use_bias=True))
    """
    flags = (*FLAGS, "--model=mine", f"--output_dir={tmp_path / 'out'}", "--experiment_id=x")
    write("p", model.format(30))
    done = fault_run("none", *flags)
    assert done.returncode == 0, done.stderr
    write("p", model.format(31))
    done = fault_run("none", *flags)
    assert done.returncode == 1
    assert "another version of the plugin of --model. Add --force_train" in done.stderr


def test_a_model_that_is_none_is_bad_usage_and_nothing_is_written(write, tmp_path):
    model = "from network_pruning import register_model\nregister_model('mine')(lambda: (300,))"
    write("p", model)
    done = fault_run("none", *FLAGS, "--model=mine", f"--output_dir={tmp_path / 'out'}")
    assert done.returncode == 2, done.stderr
    place = "the model 'mine' of p"
    assert f"--model: {place} cannot be built: its function returned (300,)" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_name_that_is_ours_already_is_bad_usage(write, tmp_path):
    # The scopes are imported after the plugin.
    write("p", CRITERION.format("1").replace('"mine"', '"global"'))
    done = fault_run("none", *FLAGS, f"--output_dir={tmp_path / 'out'}")
    assert done.returncode == 2, done.stderr
    assert "--methods: 'global' would be both the " in done.stderr
    assert "the criterion of p" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_next_run_goes_on_after_a_criterion_is_mended(write, tmp_path):
    flags = (*FLAGS, "--methods=mine", f"--output_dir={tmp_path / 'out'}")
    write("p", CRITERION.format("layer.kernl"))
    assert fault_run("none", *flags).returncode == 1
    write("p", CRITERION.format("abs(layer.kernel)"))
    done = fault_run("none", *flags)
    assert done.returncode == 0, done.stderr
    assert "Not trained again" in done.stdout


TWO_WAYS = """
    from network_pruning import register_criterion
    from network_pruning.pruning.criteria import register_criterion as register

    register_criterion("mine")(lambda layer: abs(layer.kernel))
    register("also_mine")(lambda layer: abs(layer.kernel))
"""


@pytest.mark.parametrize("name", ["network-pruning", "network_pruning"])
@pytest.mark.parametrize("module", ["{}.train", "{}"])
def test_one_package_however_it_was_started(cli, root, tmp_path, write, name, module):
    shutil.copytree(
        root,
        tmp_path / name,
        ignore=shutil.ignore_patterns(".*", "results", "references", "__pycache__", "tests"),
    )
    write("p", TWO_WAYS)
    # What comes last is not known; the sentence lists what is.
    flags = ("--plugins=p", "--methods=mine,also_mine,nobody")
    command = (sys.executable, "-m", module.format(name))
    done = cli(*flags, command=command, cwd=tmp_path, env={**os.environ, "PYTHONSAFEPATH": ""})
    assert done.returncode == 2, done.stderr
    assert "--methods: 'nobody' in 'nobody' is not known" in done.stderr
    assert "magnitude_small, mine, also_mine;" in done.stderr


def test_nothing_is_loaded_twice_where_the_package_was_started(cli, root, tmp_path):
    (tmp_path / "network_pruning").symlink_to(root)
    command = (sys.executable, "-X", "importtime", "-m", "network_pruning.train")
    done = cli("--help", command=command, cwd=tmp_path)
    imported = [line.split("|")[-1].strip() for line in done.stderr.splitlines()]
    ours = [name for name in imported if name.startswith("network_pruning")]
    assert "network_pruning.settings.experiment" in ours
    assert "network_pruning.train" not in ours  # it is `__main__`
    assert len(set(ours)) == len(ours)
