import os

import pytest
from network_pruning.utils import ArtifactPaths, atomic_path, quiet_stderr, write_text


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
