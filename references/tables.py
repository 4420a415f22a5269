"""The README's tables: our published runs beside those of the original experiment.

`python references/tables.py` writes them into the README, between its two marks.
"""

import csv
from pathlib import Path

REFERENCES = Path(__file__).resolve().parent
README = REFERENCES.parent / "README.md"
START, END = "<!-- tables: start -->\n", "<!-- tables: end -->\n"
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


def read_results(path):
    """The rows of a `results.csv` as lists of numbers: k, two accuracies, two losses."""
    with path.open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return [[float(cell) for cell in row] for row in rows]


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


def tables():
    """All experiments as Markdown."""
    return "\n".join(comparison(*item) for item in EXPERIMENTS.items())


def write_readme():
    """Replaces what stands between the marks."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(START)
    after = rest.split(END)[1]
    README.write_text(f"{before}{START}{tables()}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    write_readme()
