"""What is said on the screen: it fits a terminal, and says things once."""

import pytest
from fault_run import fault_run
from network_pruning import __version__
from network_pruning.experiments.training import epoch_line
from network_pruning.training.loop import Epoch

COLUMNS = 80


def test_every_line_of_a_run_fits_a_terminal(finished):
    output = (finished / "stdout.txt").read_text()
    lines = [line for line in output.splitlines() if str(finished) not in line]
    assert max(map(len, lines)) <= COLUMNS


def test_every_line_of_help_fits_a_terminal(cli):
    lines = cli("train", "--help").stdout.splitlines()
    assert len(lines) > 50
    assert max(map(len, lines)) <= COLUMNS


@pytest.mark.parametrize(("loss", "shown"), [(0.01, "0.0100"), (12.3456, "12.346")])
def test_the_line_of_an_epoch_fits_a_terminal(loss, shown):
    line = epoch_line(Epoch(100, loss, 0.98, loss, 0.97), 100, 123.4, True)
    assert line == (
        f"epoch 100/100  loss {shown} (val {shown})  acc 0.9800 (val 0.9700)  123.4 s  kept"
    )
    assert len(line) <= COLUMNS


def test_nothing_is_said_of_what_is_not_held_out():
    line = epoch_line(Epoch(3, 0.5, 0.75, None, None), 20, 1.0, False)
    assert line == "epoch  3/20  loss 0.5000  acc 0.7500  1.0 s"


def test_replicates_share_one_summary_of_the_network(tmp_path):
    flags = ("--epochs=1", "--k_vals=0.9", f"--output_dir={tmp_path}", "--experiment_id=two")
    done = fault_run("none", *flags, "--replicates=2", "--model=lenet_300_100")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("266,610 (1.02 MB)") == 2  # total and trainable, once each
    assert "1 epoch, on" in done.stdout


def test_the_version_is_said_at_once(cli, tmp_path):
    done = cli("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"network-pruning {__version__}\n"), done.stderr
    assert not list(tmp_path.iterdir())
