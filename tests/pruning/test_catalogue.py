import os

from commands import COLD
from network_pruning.pruning.catalogue import catalogue
from network_pruning.pruning.methods import AXES, Method


def test_every_value_of_every_axis_is_described():
    lines = catalogue().splitlines()
    assert max(map(len, lines)) <= 80
    for axis, registry in AXES.items():
        begin = lines.index(f"{axis}:")
        for name in registry.names():
            (line,) = [line for line in lines[begin:] if line.startswith(f"  {name} ")]
            assert ("(default)" in line) == (name == getattr(Method(), axis))
    at = lines.index("scope:")
    assert lines[at + 1] == (
        "  layer             (default) Every layer loses the share k of its items."
    )
    (at,) = (at for at, line in enumerate(lines) if line.startswith("  activation "))
    assert "meant for the scope `output`" in " ".join(" ".join(lines[at : at + 3]).split())
    (at,) = (at for at, line in enumerate(lines) if line.startswith("  global "))
    assert lines[at : at + 2] == [
        "  global            The least important items of the whole network are removed;",
        "                    layers end up with different sparsities.",
    ]


def test_help_shows_values_of_plugins_and_writes_nothing(cli, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from network_pruning import register_criterion\n"
        "@register_criterion('a_criterion_of_mine')\n"
        "def mine(layer):\n"
        '    """Mine.\n\n    More of it."""\n'
        "@register_criterion('undescribed')\n"
        "def undescribed(layer):\n"
        "    return layer.kernel\n"
    )
    flags = ("--plugins=mine,", "--methods=weight,help", f"--output_dir={tmp_path / 'out'}")
    done = cli(*flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "  a_criterion_of_mine\n                    Mine.\n  undescribed" in done.stdout
    assert "  undescribed       No description.\n" in done.stdout
    assert done.stderr == ""
    assert not (tmp_path / "out").exists()


def test_help_is_readable_where_there_is_only_ascii(cli):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = cli("--methods=help", command=COLD, env=environment)
    assert done.returncode == 0, done.stderr
    assert "granularity:" in done.stdout
