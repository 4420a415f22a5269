"""A model card: what an exported model is, how good, how it was made, and how to load it."""

from typing import Any

from . import export_text

# Of each format: the file, and how Python loads it.
LOADED = {
    "model.keras": 'keras.saving.load_model("model.keras")',
    "model.npk": 'network_pruning.load("model.npk")   # or `predict`, with NumPy alone',
    "model.tflite": 'ai_edge_litert.interpreter.Interpreter("model.tflite")',
    "model.int8.tflite": 'ai_edge_litert.interpreter.Interpreter("model.int8.tflite")',
    "model.onnx": 'onnxruntime.InferenceSession("model.onnx")',
    "model.int8.onnx": 'onnxruntime.InferenceSession("model.int8.onnx")',
    "model.pt2": 'torch.export.load("model.pt2").module()',
    "model.xml": 'openvino.Core().compile_model("model.xml")   # with model.bin beside it',
}


def model_card(record: dict[str, Any], data: str, architecture: str) -> str:
    """The card of an export, as Markdown.

    Args:
        record: of the export, as in `export.json`.
        data: what the model was trained and tested on, a sentence.
        architecture: the table of its layers, as text.
    """
    files = record["files"]
    lines = [f"# {record['source']}: {record['after']['npk_bytes']:,} bytes", ""]
    lines += [f"{data} All numbers are of this file, measured on the machine that exported it.", ""]
    lines += [f"- {sentence}" for sentence in export_text.sentences(record)]
    lines += ["", "## Files", "", "| file | bytes | loaded by |", "| --- | ---: | --- |"]
    for name, described in files.items():
        if name in LOADED:
            code, _, comment = LOADED[name].partition("   # ")
            how = f"`{code}`" + (f", {comment}" if comment else "")
            lines.append(f"| {name} | {described['bytes']:,} | {how} |")
    lines += ["", "## Accuracy", "", *_accuracies(record), "", "## Architecture", ""]
    lines += ["```", architecture, "```", "", "## How it was made", "", *_made(record), ""]
    return "\n".join(lines)


def _accuracies(record):
    yield "| network | validation (%) | test (%) |"
    yield "| --- | ---: | ---: |"
    formats = record.get("formats", {}).items()
    rows = {
        "this file": record["after"],
        **{f"on {e['runtime']}": e for name, e in formats if name.endswith(export_text.INT8)},
        "baseline: " + record["baseline"]["name"]: record["before"],
    }
    control = export_text.control_of(record)
    if control:
        rows["control: the dense network with the same further training"] = control
    for name, each in rows.items():
        pair = (f"{100 * each[f'{split}_accuracy']:.2f}" for split in ("valid", "test"))
        yield f"| {name} | {' | '.join(pair)} |"


def _made(record):
    chosen, settings = record["chosen"], record["depends"]
    bits = f"{chosen['bits']} bits per weight" if chosen["bits"] else "no quantization"
    trained = ", trained while it was quantized" if chosen["finetuned"] else ""
    yield f"- Network: {chosen['network']}; {bits}{trained}. Chosen by validation accuracy."
    given = {
        name: value
        for name, value in settings.items()
        if value not in (None, [], "") and not name.endswith("sha256")
    }
    yield "- Settings: " + ", ".join(f"`{name}={_plain(value)}`" for name, value in given.items())
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    yield f"- Versions: {versions}; {record['machine']}. `export.json` has every candidate."


def _plain(value):
    return ",".join(map(str, value)) if isinstance(value, list) else value
