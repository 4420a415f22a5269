"""The results of an export in sentences, each comparing like with like first."""

from typing import Any

from ..utils import pluralize

# The name of an experiment's baseline in records.
DENSE = "dense network"
# Ratios of latencies closer to 1 are noise.
CLEARLY_FASTER = 1.1
# Of a record's models before and after: what a table shows, and whether every export has it.
SIZES = (
    ("float32 weights, bytes", "raw_bytes", True),
    (".keras, bytes", "keras_bytes", True),
    (".keras, gzipped, bytes", "gzipped_bytes", True),
    (".tflite, bytes", "litert_bytes", True),
    (".int8.tflite, bytes", "litert_int8_bytes", False),
    (".onnx, bytes", "onnx_bytes", False),
    (".int8.onnx, bytes", "onnx_int8_bytes", False),
    ("OpenVINO, bytes", "openvino_bytes", False),
    (".pt2 (PyTorch), bytes", "torch_bytes", False),
    (".npk, bytes", "npk_bytes", True),
    ("parameters", "parameters", True),
    ("nonzero parameters", "nonzero", True),
    ("multiply-adds", "multiply_adds", True),
)
# Formats with weights and activations of eight bits, which have their own accuracy.
INT8 = "int8"


def sizes(record: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Rows of a label and the numbers before and after (None: unknown), without those of formats
    that were not asked for, or are newer than the record.

    Args:
        record: of an export, as in `export.json`.
    """
    before, after = record["before"], record["after"]
    return [
        (label, before.get(key), after.get(key))
        for label, key, is_always in SIZES
        if is_always or after.get(key) is not None
    ]


def latencies(record: dict[str, Any]) -> list[tuple[str, int, float | None, float | None]]:
    """Rows of a runtime, a batch size, and the seconds before and after (None: it cannot run that
    model).

    Args:
        record: of an export, as in `export.json`.
    """
    return [
        (runtime, int(batch), times["before"].get(runtime), times["after"].get(runtime))
        for batch, times in record["latency"].items()
        for runtime in dict.fromkeys((*times["before"], *times["after"]))
    ]


def accuracies(record: dict[str, Any]) -> list[tuple[str, float | None, float]]:
    """Rows of a label and the accuracies before (None: not measured) and after; formats with eight
    bits have their own.

    Args:
        record: of an export, as in `export.json`.
    """
    splits = {"validation accuracy": "valid_accuracy", "test accuracy": "test_accuracy"}
    rows: list[tuple[str, float | None, float]] = [
        (label, record["before"][key], record["after"][key]) for label, key in splits.items()
    ]
    for name, each in record.get("formats", {}).items():
        if name.endswith(INT8):
            rows += [(f"{each['runtime']}: {n}", None, each[key]) for n, key in splits.items()]
    return rows


def sentences(record: dict[str, Any]) -> list[str]:
    """Size, accuracy and speed of the exported model against the dense network.

    Args:
        record: of an export, as in `export.json`.
    """
    baseline = _baseline(record)
    speeds = [_speed(int(batch), times, baseline) for batch, times in record["latency"].items()]
    return [_size(record["before"], record["after"], baseline), _accuracy(record), *speeds]


def control_of(record: dict[str, Any]) -> dict[str, Any] | None:
    """The control of an export, if it is another network than the baseline."""
    control = record.get("control")
    return control if control and control["name"] != record["baseline"]["name"] else None


def fastest(times: dict[str, float]) -> str:
    """The fastest runtime of those that answer as the model does.

    Args:
        times: of one example or batch, by runtime.
    """
    exact = {name: time for name, time in times.items() if not name.endswith(INT8)}
    return min(exact, key=exact.__getitem__)


def digits(ratio: float) -> str:
    """0.95, 1.5, 20, 2,386."""
    return f"{ratio:,.{2 if ratio < 0.995 else 1 if ratio < 9.95 else 0}f}"


def _baseline(record):
    """What sentences call the baseline: the dense network, or the user's own model by its name."""
    name = record.get("baseline", {}).get("name", DENSE)
    return f"the {DENSE}" if name == DENSE else name


def _size(before, after, baseline):
    like = f"{baseline} in the same format ({before['npk_bytes']:,} bytes)"
    ratio = before["npk_bytes"] / after["npk_bytes"]
    smaller = f"{digits(ratio)}× smaller than {like}" if ratio > 1 else f"no smaller than {like}"
    return (
        f"Size: {after['npk_bytes']:,} bytes as .npk file, {smaller}, and "
        f"{digits(before['raw_bytes'] / after['npk_bytes'])}× smaller than its float32 weights "
        f"({before['raw_bytes']:,} bytes)."
    )


def _accuracy(record):
    """Compared with the baseline and, if it is another network, the control."""
    found, control = record["after"]["test_accuracy"], control_of(record)
    name = _baseline(record).replace(DENSE, f"untouched {DENSE}")
    text = f"Test accuracy: {_percent(found)}; " + _compared(
        found, record["before"]["test_accuracy"], f"the baseline, {name}"
    )
    if control:
        text += "; " + _compared(
            found,
            control["test_accuracy"],
            "the control, the dense network with the same further training",
        )
    return f"{text}."


def _compared(found, other, name):
    points = round(100 * (found - other), 2)
    if not points:
        return f"equal to {name} ({_percent(other)})"
    return (
        f"{abs(points):.2f} points {'above' if points > 0 else 'below'} {name} ({_percent(other)})"
    )


def _speed(batch, times, baseline):
    """Latencies on the runtime that is the fastest for the baseline among those that run both
    models exactly; then the fastest runtime of the exported model."""
    before, after = times["before"], times["after"]
    same = fastest({name: time for name, time in before.items() if name in after})
    best = fastest(after)
    text = (
        f"Latency of {pluralize(batch, 'example')}, both on {same}: {_milliseconds(after[same])}, "
        + (_faster(before[same], after[same], baseline))
    )
    if after[same] / after[best] >= CLEARLY_FASTER:
        ratio = digits(before[same] / after[best])
        text += f"; {_milliseconds(after[best])} on {best}, its fastest runtime ({ratio}×)"
    return f"{text}."


def _faster(before, after, name):
    ratio = before / after
    if ratio >= CLEARLY_FASTER:
        return f"{digits(ratio)}× as fast as {name} ({_milliseconds(before)})"
    word = "no faster" if ratio > 1 / CLEARLY_FASTER else "slower"
    return f"{word} than {name} ({_milliseconds(before)})"


def _milliseconds(seconds):
    return f"{1000 * seconds:.3g} ms"


def _percent(share):
    return f"{100 * share:.2f} %"
