"""Half of the units of models of KerasHub pruned and removed: `python benchmarks/hub.py`.

Small models with random weights; nothing is downloaded. Before and after, compiled by TensorFlow,
are timed in turn, on all threads. The table goes to `docs/library.md`.
"""

import os
import runpy
import warnings
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
TEXT = {"vocabulary_size": 5000, "num_layers": 4, "hidden_dim": 256, "intermediate_dim": 1024}
LENGTH, SIZE, ROUNDS = 128, 224, 3
HEAD = """\
| model | parameters (M) | multiply-adds (G) | latency, one example (ms) |
| --- | ---: | ---: | ---: |
"""


def main():
    """Prints a row for each model."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    runpy.run_path(str(PACKAGE / "__main__.py"))["load_package"]()
    print(HEAD, end="")
    for name, make in models().items():
        print(row(name, make()), flush=True)


def models():
    """Functions that make models, by name."""
    from keras_hub import models as hub

    heads = {"num_heads": 4, "max_sequence_length": LENGTH}
    grouped = {"num_query_heads": 8, "num_key_value_heads": 2}
    picture = {"image_shape": (SIZE, SIZE, 3)}
    residual = {
        "input_conv_filters": [64],
        "input_conv_kernel_sizes": [7],
        "stackwise_num_filters": [64, 128, 256, 512],
        "stackwise_num_blocks": [2, 2, 2, 2],
        "stackwise_num_strides": [1, 2, 2, 2],
        "block_type": "basic_block",
    }
    efficient = {
        "stackwise_kernel_sizes": [3, 3, 5],
        "stackwise_num_repeats": [1, 2, 2],
        "stackwise_input_filters": [32, 16, 24],
        "stackwise_output_filters": [16, 24, 40],
        "stackwise_expansion_ratios": [1, 6, 6],
        "stackwise_strides": [1, 2, 2],
        "stackwise_squeeze_and_excite_ratios": [0.25, 0.25, 0.25],
        "stackwise_block_types": ["v1", "v1", "v1"],
        "width_coefficient": 1.0,
        "depth_coefficient": 1.0,
    }
    return {
        "`BertBackbone`": lambda: hub.BertBackbone(**TEXT, **heads),
        "`GPT2Backbone`": lambda: hub.GPT2Backbone(**TEXT, **heads),
        "`MistralBackbone`": lambda: hub.MistralBackbone(**TEXT, **grouped),
        "`QwenBackbone`": lambda: hub.QwenBackbone(**TEXT, **grouped),
        "`ResNetBackbone` (18 layers)": lambda: hub.ResNetBackbone(**residual, **picture),
        "`EfficientNetBackbone` (3 stages)": lambda: hub.EfficientNetBackbone(
            **efficient, **picture
        ),
    }


def row(name, model):
    """A row of the table, before and after."""
    import network_pruning as npr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # groups that stay
        smaller = npr.shrink(npr.prune(model, 0.5, "unit"))
        sizes = [npr.measure(each, input_shape=shapes(model)) for each in (model, smaller)]
    before, after = times(model, smaller)
    cells = [
        " → ".join(f"{size.parameters / 1e6:.2f}" for size in sizes),
        " → ".join(f"{size.multiply_adds / 1e9:.3f}" for size in sizes),
        f"{before:.1f} → {after:.1f} ({before / after:.2f}×)",
    ]
    return f"| {name} | {' | '.join(cells)} |"


def shapes(model):
    """The shape of an example; texts have `LENGTH` tokens."""
    found = {t.name: tuple(size or LENGTH for size in t.shape[1:]) for t in model.inputs}
    return found if len(found) > 1 else next(iter(found.values()))


def times(*models):
    """Milliseconds of each, on an example of ones."""
    import numpy as np
    import tensorflow as tf
    from network_pruning.compression import runtimes

    x = {
        t.name: np.ones((1, *(size or LENGTH for size in t.shape[1:])), t.dtype)
        for t in models[0].inputs
    }
    x = x if len(x) > 1 else next(iter(x.values()))
    compiled = [tf.function(model) for model in models]
    runs = {
        n: lambda x, call=call: [tensor.numpy() for tensor in tf.nest.flatten(call(x))]
        for n, call in enumerate(compiled)
    }
    rounds = [runtimes.latencies(runs, x) for _ in range(ROUNDS)]
    return [1000 * sorted(each[n] for each in rounds)[ROUNDS // 2] for n in runs]


if __name__ == "__main__":
    main()
