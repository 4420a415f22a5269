import os
import sys

import pytest
from network_pruning.experiments import progress as progress_module
from network_pruning.experiments.paths import ArtifactPaths
from network_pruning.experiments.progress import progress
from network_pruning.utils import (
    atomic_path,
    echo,
    fingerprint,
    pluralize,
    quiet_stderr,
    shortened,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")

    def write_half():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    assert target.read_text() == "old"


def test_a_write_replaces_the_file_and_makes_its_folder(tmp_path):
    target = tmp_path / "new" / "table.csv"
    write_text(target, "one")
    write_text(target, "two")
    assert target.read_text() == "two"
    assert len(list(target.parent.iterdir())) == 1


ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1


def test_a_fingerprint_is_that_of_bytes_a_text_a_file_or_data(tmp_path):
    (tmp_path / "file").write_text("abc")
    for content in (b"abc", "abc", tmp_path / "file"):
        assert fingerprint(content) == ABC
        assert fingerprint(content, 12) == ABC[:12]
    assert fingerprint({"b": 1, "a": (None, 0.5)}) == fingerprint('{"a": [null, 0.5], "b": 1}')
    with pytest.raises(FileNotFoundError):
        fingerprint(tmp_path / "nothing")


def test_written_files_can_be_read_by_others(tmp_path):
    mask = os.umask(0o022)
    try:
        write_text(tmp_path / "a", "")
    finally:
        os.umask(mask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_names_of_pictures_hold_k_as_typed(tmp_path):
    paths = ArtifactPaths(tmp_path)
    assert paths.histogram("weight", 0.9).name == "pruned_weights_l1_k=0.9.png"
    assert paths.histogram("unit", 0.995).name == "pruned_units_l2_k=0.995.png"
    assert paths.animation("weight").name == "pruned_weights.gif"
    assert paths.animation("unit").name == "pruned_units.gif"


def test_held_back_messages_appear_when_the_block_fails(capfd):
    with quiet_stderr():
        os.write(2, b"noise")
    assert capfd.readouterr().err == ""

    def fail():
        with quiet_stderr():
            os.write(2, b"reason")
            raise ImportError

    with pytest.raises(ImportError):
        fail()
    assert capfd.readouterr().err == "reason"


def test_long_lines_go_on_in_the_next_and_words_stay_whole(capsys):
    path = "/a" * 50
    echo(f"Tables and figures are in {path}")
    echo("| a  table |\n" * 2 + "| a  table |")
    assert capsys.readouterr().out == (
        f"Tables and figures are in\n  {path}\n" + "| a  table |\n" * 3
    )


def test_one_is_singular():
    assert pluralize(1, "epoch") == "1 epoch"
    assert pluralize(0, "epoch") == "0 epochs"
    assert pluralize(2000, "example") == "2,000 examples"


@pytest.mark.parametrize(
    ("name", "length", "expected"),
    [
        ("weight/obd/global/gradual/finetune 0.9", 40, "weight/obd/global/gradual/finetune 0.9"),
        ("weight/obd/global/gradual/finetune 0.9", 32, "weight/obd/global/…/finetune 0.9"),
        ("weight/obd/global/gradual/finetune 0.9", 25, "weight/obd/…/finetune 0.9"),
        ("weight/obd/global/gradual/finetune 0.9", 24, "weight/…/finetune 0.9"),
        ("unit_in_out/magnitude_small 0.999", 25, "unit_in_out/… 0.999"),
        ("unit_in_out/magnitude_small 0.333333333333", 25, "unit_in_out/…"),
        ("a_criterion_with_a_name_without_end", 10, "a_criteri…"),
    ],
)
def test_names_are_shortened_at_a_slash(name, length, expected):
    assert shortened(name, length) == expected
    assert len(expected) <= length


def test_in_a_log_there_is_a_line_every_minute_with_the_time_left(monkeypatch, capsys):
    seconds = iter([0, 30, 70, 100, 140, 400])
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: next(seconds))
    with progress(total=40, unit="step", desc="3 bits") as bar:
        for done in (5, 5, 10, 10, 10):
            bar.update(done)
    lines = "  3 bits: 25%, 3.5 minutes left\n  3 bits: 75%, 0.8 minutes left\n"
    assert capsys.readouterr().out == lines


@pytest.mark.parametrize("columns", [80, 200])
def test_a_progress_bar_keeps_its_numbers(monkeypatch, columns):
    drawn = []
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    bar = progress(total=4688, unit="network", desc="first")
    monkeypatch.setattr(type(bar), "display", lambda self, *_, **__: drawn.append(str(self)))
    bar.dynamic_ncols = lambda _: (columns, None)
    with bar:
        bar.set_description("unit_in_out/magnitude_small/global/gradual/weight_rewind 0.995")
    assert drawn[0].startswith("unit_in_out/")
    assert "0/4688 [00:00<?, ?network/s]" in drawn[0]
    assert len(drawn[0]) <= columns
