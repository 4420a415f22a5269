"""The pages' tables: our published runs beside those of the original experiment, and the presets.

`python references/tables.py` writes them into the pages, between marks.
"""

from pathlib import Path

import pandas as pd

REFERENCES = Path(__file__).resolve().parent
ROOT = REFERENCES.parent
EXPERIMENTS = {
    f"{dataset}-20-lr=0.001-{penalty}": f"{title}, {name}"
    for dataset, title in (("digits", "MNIST digits"), ("fashion", "Fashion-MNIST"))
    for penalty, name in (
        ("l1=0.0-l2=0.0", "no penalty"),
        ("l1=0.001-l2=0.0", "L1 = 0.001"),
        ("l1=0.0-l2=0.01", "L2 = 0.01"),
    )
}
HEADER = """\
| sparsity | weight: accuracy (%) | published | unit: accuracy (%) | published \
| weight: loss | published | unit: loss | published |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""
# The presets' runs, with three seeds each: folder, title, and the method that is shown.
STRONG = {
    "strong-digits": ("MNIST digits, `--preset=strong`", "weight/obd/global/gradual/finetune"),
    "strong-fashion": ("Fashion-MNIST, `--preset=strong`", "weight/obd/global/gradual/finetune"),
    "strong-lenet": (
        "MNIST digits, `--preset=strong --model=lenet_300_100`",
        "weight/obd/global/gradual/finetune",
    ),
    "strong-units": ("MNIST digits, `--preset=strong_units`", "unit/gradual/finetune"),
    "strong-lenet_5": (
        "MNIST digits, `--preset=strong --model=lenet_5`",
        "weight/obd/global/gradual/finetune",
    ),
    "strong-lenet_5-units": (
        "MNIST digits, `--preset=strong_units --model=lenet_5`",
        "unit/gradual/finetune",
    ),
}
STRONG_HEADER = """\
| sparsity of the hidden weights | rounds | compression | test accuracy (%) | sd | 95 % interval \
| validation (%) | one-shot magnitude, layer by layer | random |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""


def read_results(path):
    """The rows of a `results.csv` as lists of numbers: k, two accuracies, two losses."""
    return pd.read_csv(path).to_numpy().tolist()


def comparison(experiment_id, title):
    """One experiment as Markdown: ours and the published numbers at every sparsity."""
    ours = read_results(REFERENCES / experiment_id / "results.csv")
    published = read_results(REFERENCES / "published" / f"{experiment_id}.csv")
    lines = [_row(mine, theirs) for mine, theirs in zip(ours, published, strict=True)]
    return (
        f"<details><summary>{title} (<code>{experiment_id}</code>)</summary>\n\n"
        f"{HEADER}{''.join(lines)}\n</details>\n"
    )


def _row(ours, theirs):
    cells = [f"{100 * ours[0]:.4g} %"]
    for column in (1, 2):
        cells += [f"{100 * ours[column]:.2f}", f"{100 * theirs[column]:.2f}"]
    for column in (3, 4):
        cells += [f"{ours[column]:.4f}", f"{theirs[column]:.4f}"]
    return f"| {' | '.join(cells)} |\n"


def published_tables():
    """All experiments beside the published ones, as Markdown."""
    return "\n".join(comparison(*item) for item in EXPERIMENTS.items())


NOT_MADE = """\
The published runs of the presets are made by `make references ARGS=--strong`: three seeds each,
mean, interval, and one-shot pruning and chance beside them.
"""


def strong_tables():
    """The presets' runs that have been made, as Markdown."""
    made = [item for item in STRONG.items() if (REFERENCES / item[0] / "summary.csv").exists()]
    return "\n".join(strong_table(*item) for item in made) or NOT_MADE


def strong_table(folder, shown):
    """One preset's run: mean over the seeds, beside one-shot magnitude and random pruning."""
    title, method = shown
    summary = pd.read_csv(REFERENCES / folder / "summary.csv")
    rows = {name: group.set_index("k") for name, group in summary.groupby("method")}
    granularity = method.split("/")[0]
    plain, floor = (rows[name] for name in (granularity, f"{granularity}/random"))
    lines = [_strong_row("baseline", row) for _, row in rows["baseline"].iterrows()]
    lines += [
        _strong_row(f"{100 * k:.4g} %", row, plain.loc[k], floor.loc[k])
        if k
        else _strong_row("0 %, control", row)
        for k, row in rows[method].iterrows()
    ]
    return f"{title}, {summary['seeds'].max()} seeds:\n\n{STRONG_HEADER}{''.join(lines)}"


def with_control(summary, other):
    """A summary with the control of another one, of more rounds, behind its own."""
    controls = [(table["k"] == 0) & (table["rounds"] > 0) for table in (summary, other)]
    place = summary.index[controls[0]][-1] + 1
    parts = (summary[:place], other[controls[1]], summary[place:])
    return pd.concat(parts, ignore_index=True)


def _strong_row(label, row, *others):
    def percent(column, source=row):
        return f"{100 * source[column]:.2f}"

    cells = [
        label,
        f"{row['rounds']:.0f}",
        f"{row['compression_ratio_mean']:.0f}×",
        percent("test_accuracy_mean"),
        percent("test_accuracy_sd"),
        f"{percent('test_accuracy_low')}–{percent('test_accuracy_high')}",
        percent("valid_accuracy_mean"),
        *([percent("test_accuracy_mean", other) for other in others] or ["", ""]),
    ]
    return f"| {' | '.join(cells)} |\n"


# The smallest files: rows of `small.csv` by their name, and what they are called.
SMALL = {
    "small-digits": "mlp, MNIST digits",
    "strong-fashion": "mlp, Fashion-MNIST",
    "strong-lenet": "lenet_300_100, MNIST digits",
    "strong-lenet-985": "the same, `--k=0.985 --bits=4,5`",
    "strong-lenet_5": "lenet_5, MNIST digits",
}
SMALL_HEADER = """\
| network | seed | float32 (bytes) | `.npk` (bytes) | ratio | sparsity, bits \
| validation: baseline | control | file (%) | test: baseline | control | file (%) |
| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |
"""


def small_table():
    """The files that were exported, a row each, and their means."""
    rows = pd.read_csv(REFERENCES / "small.csv")
    found = SMALL_HEADER
    for experiment, title in SMALL.items():
        own = rows[rows["experiment"] == experiment]
        for row in own.itertuples():
            found += _small_row(title, row.seed, row, f"{row.network}, {row.bits}")
        if len(own) > 1:
            found += _small_row(title, "mean", own.mean(numeric_only=True), "")
    return found


def small_row(experiment, seed, record, control):
    """A row of `small.csv`, from what an export has noted and the row of the control."""
    chosen, before, after = record["chosen"], record["before"], record["after"]
    return {
        "experiment": experiment,
        "seed": seed,
        "network": chosen["network"].rpartition(" at ")[2],
        "bits": f"{chosen['bits']} bits" if chosen["bits"] else "not rounded",
        "raw_bytes": before["raw_bytes"],
        "npk_bytes": after["npk_bytes"],
        "dense_valid": before["valid_accuracy"],
        "control_valid": control["valid_accuracy"],
        "valid": after["valid_accuracy"],
        "dense_test": before["test_accuracy"],
        "control_test": control["test_accuracy"],
        "test": after["test_accuracy"],
    }


def write_small(rows):
    """Writes `small.csv`."""
    pd.DataFrame(list(rows)).to_csv(REFERENCES / "small.csv", index=False)


def _small_row(title, seed, row, how):
    accuracies = (
        *(row.dense_valid, row.control_valid, row.valid),
        *(row.dense_test, row.control_test, row.test),
    )
    shown = " | ".join("–" if pd.isna(a) else f"{100 * a:.2f}" for a in accuracies)
    ratio = row.raw_bytes / row.npk_bytes
    return (
        f"| {title} | {seed} | {row.raw_bytes:,.0f} | {row.npk_bytes:,.0f} | {ratio:,.0f}× | {how} "
        f"| {shown} |\n"
    )


# The page and the name of its block.
BLOCKS = {
    ("references/README.md", "tables"): published_tables,
    ("docs/methods.md", "strong"): strong_tables,
    ("docs/small.md", "small"): small_table,
}


def between_marks(text, name):
    """What stands between the marks of a block: what is before, it, and what is after."""
    start, end = f"<!-- {name}: start -->\n", f"<!-- {name}: end -->\n"
    before, rest = text.split(start)
    block, after = rest.split(end)
    return before + start, block, end + after


def write_pages():
    """Replaces what stands between the marks of every page."""
    for (name, mark), block in BLOCKS.items():
        page = ROOT / name
        before, _, after = between_marks(page.read_text(encoding="utf-8"), mark)
        page.write_text(before + block() + after, encoding="utf-8")


if __name__ == "__main__":
    write_pages()
