"""A model card: what an exported model is, how good, how it was made, and how to load it."""

from typing import Any

from . import export_text

# Of each format: how Python runs a file on examples `x`.
LITERT = """\
model = ai_edge_litert.interpreter.Interpreter("{file}")  # or tf.lite.Interpreter
model.resize_tensor_input(model.get_input_details()[0]["index"], x.shape)
model.allocate_tensors()
model.set_tensor(model.get_input_details()[0]["index"], x)
model.invoke()
outputs = model.get_tensor(model.get_output_details()[0]["index"])"""
ONNX = """\
session = onnxruntime.InferenceSession("{file}")
outputs = session.run(None, {{session.get_inputs()[0].name: x}})[0]"""
HOW = {
    "model.keras": """\
outputs = keras.saving.load_model("{file}").predict(x)""",
    "model.npk": """\
outputs = network_pruning.load("{file}").predict(x)""",
    "model.tflite": LITERT,
    "model.int8.tflite": LITERT,
    "model.onnx": ONNX,
    "model.int8.onnx": ONNX,
    "model.pt2": """\
with torch.no_grad():
    outputs = torch.export.load("{file}").module()(torch.from_numpy(x)).numpy()""",
    "model.xml": """\
# With model.bin beside it. On some processors it would compute in bfloat16 otherwise.
exact = {{"INFERENCE_PRECISION_HINT": "f32"}}
outputs = openvino.Core().compile_model("{file}", "CPU", exact)(x)[0]""",
}
# A runtime of an export that needs nothing but NumPy.
NUMPY = "NumPy"


def model_card(record: dict[str, Any], data: str, architecture: str) -> str:
    """The card of an export, as Markdown.

    Args:
        record: of the export, as in `export.json`.
        data: what the model was trained and tested on, a sentence.
        architecture: the table of its layers, as text.
    """
    lines = [f"# {record['source']}: {record['after']['npk_bytes']:,} bytes", ""]
    lines += [f"{data} All numbers are of this file, measured on the machine that exported it.", ""]
    lines += [f"- {sentence}" for sentence in export_text.sentences(record)]
    lines += ["", "## Files", "", *_files(record)]
    lines += ["", "## Accuracy", "", *_accuracies(record), "", "## Architecture", ""]
    lines += ["```", architecture, "```", "", "## How it was made", "", *_made(record), ""]
    return "\n".join(lines)


def _files(record):
    """The files, and code that runs each."""
    described = {name: each for name, each in record["files"].items() if name in HOW}
    yield "| file | bytes |"
    yield "| --- | ---: |"
    yield from (f"| {name} | {each['bytes']:,} |" for name, each in described.items())
    if "model.npk" in described and NUMPY in next(iter(record["latency"].values()))["after"]:
        yield from ("", "`model.npk` needs NumPy alone: the command `predict`, or `npk_reader`.")
    yield from ("", "With examples `x`:", "", "```python")
    yield "\n\n".join(HOW[name].format(file=name) for name in described)
    yield "```"


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
