"""Experiments with methods that calibration data repairs, without labels: by a small network."""

import pandas as pd
import pytest
from fault_run import fault_run

METHODS = ("weight/activation/reconstruct", "weight/budget/distill", "unit/budget")


def run(output, *flags):
    return fault_run(
        "none",
        *("--epochs=2", "--k_vals=0.9", "--experiment_id=x", "--calibration_examples=200"),
        *(f"--methods={','.join(METHODS)}", f"--output_dir={output}", *flags),
    )


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """An output folder with a finished experiment."""
    output = tmp_path_factory.mktemp("calibrated")
    done = run(output)
    assert done.returncode == 0, done.stderr
    return output


def rows_of(output):
    return pd.read_csv(output / "x/metrics.csv", dtype=str, keep_default_na=False)


def test_networks_are_kept_and_compared_with_the_dense_one(output):
    rows = rows_of(output)
    for method in METHODS:
        own = rows[rows["method"] == method]
        assert [*own["k"]] == ["0.9"]
        assert set(own["calibration_examples"]) == {"200"}
        assert set(own["rounds"]) == {"0"}
        assert set(own["distillation"]) == {""}  # of methods that train
        assert len([*output.glob(f"x/networks/{method.replace('/', '-')}/*.hdf5")]) == 1
    accuracy = rows[rows["k"] == "0.9"].set_index("method")["test_accuracy"].astype(float)
    assert accuracy["weight/activation/reconstruct"] > accuracy["weight"]
    # Nothing is trained on labels, so that there is no control.
    assert set(rows[rows["k"] == "0.0"]["method"]) <= {"weight"}


def test_a_removed_network_is_made_again_the_same(output):
    before = rows_of(output).drop(columns="seconds")
    for path in sorted(output.glob("x/networks/*/*.hdf5"))[::2]:
        path.unlink()
    done = run(output)
    assert done.returncode == 0, done.stderr
    assert "Pruned and tested 2 networks; " in done.stdout
    assert rows_of(output).drop(columns="seconds").equals(before)
    assert ", all tested before." in run(output).stdout
