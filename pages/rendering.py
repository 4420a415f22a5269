"""Renders the pages as HTML from finished numbers: templates, and scripts that draw figures.

Pages need no other files but `assets/`, which has Plotly's script once for all of them.
"""

import itertools
import math
from functools import cache
from importlib import metadata, resources, util
from pathlib import Path
from typing import Any

from .. import __version__
from ..utils import RunError, fingerprint, one_line, percent, write_bytes
from ..visualization.palette import GREY, METHOD_COLORS

# Black is invisible on dark pages.
LINE_COLORS = [color for color in METHOD_COLORS if color != "#000000"]


ASSETS = "assets"


def write_assets(folder: Path) -> None:
    """Writes the files that pages share to `assets/` of a folder, unless they are there."""
    path = Path(folder) / plotly_address()
    # Found without importing the package, which is slow.
    plotly: Any = util.find_spec("plotly")
    source = Path(plotly.origin).parent / "package_data" / "plotly.min.js"
    if not path.exists() or path.stat().st_size != source.stat().st_size:
        write_bytes(path, source.read_bytes())


def plotly_address() -> str:
    """The path of Plotly's script, relative to the folder of all experiments."""
    return f"{ASSETS}/plotly-{metadata.version('plotly')}.min.js"


def report(data: dict[str, Any]) -> str:
    """The page of one experiment, as `experiment_page.report_of` collects it."""
    shown = (
        "history",
        "curves",
        "bands",
        "baseline",
        "published",
        "diagnostics",
        "pixels",
        "classes",
    )
    figures = {name: data[name] for name in shown} | {"colors": LINE_COLORS}
    plotly = f"{data['home']}/{plotly_address()}"
    return _page("report.html", data, figures, plotly, ("common.js", "report.js"))


def sweep(data: dict[str, Any]) -> str:
    """The page of a sweep, as `sweep_page.page_from` collects it."""
    shown = ("settings", "slices", "curves")
    figures = {name: data[name] for name in shown} | {"colors": LINE_COLORS}
    plotly = f"{data['home']}/{plotly_address()}"
    return _page("sweep.html", data, figures, plotly, ("common.js", "sweep.js"))


def index(data: dict[str, Any]) -> str:
    """The page of all experiments, as `index_page.index_data` collects them."""
    entries = [{**entry, "lines": _thumbnail(entry["curves"])} for entry in data["entries"]]
    figures = {"entries": data["entries"], "colors": LINE_COLORS}
    scripts = ("common.js", "index.js")
    return _page("index.html", {**data, "entries": entries}, figures, plotly_address(), scripts)


def _thumbnail(curves):
    """Lines of accuracy over the sparsity, in a box of 100 × 40, each with its colour."""
    found, numbers = [], itertools.count()
    for curve in curves:
        points = [
            (_across(sparsity), 39.5 - 39 * accuracy)
            for sparsity, accuracy in zip(curve["sparsity"], curve["accuracy"], strict=True)
            if sparsity is not None and sparsity < 1 and accuracy is not None
        ]
        color = GREY if curve["floor"] else LINE_COLORS[next(numbers) % len(LINE_COLORS)]
        path = " ".join(f"{x:.1f} {y:.1f}" for x, y in points)
        if points:
            found.append({"path": f"M{path}", "color": color, "floor": curve["floor"]})
    return found


def _across(sparsity):
    """The position of a sparsity, from 0 to 100: a log scale of the remaining share, to 99.9 %."""
    return 100 * min(1.0, -math.log10(1 - sparsity) / 3)


def _page(template, data, figures, plotly, scripts):
    import jinja2

    try:
        return _rendered(template, data, figures, plotly, scripts)
    except (jinja2.TemplateError, ValueError, TypeError) as error:
        # Records may have been edited by hand.
        raise RunError(f"the folder's contents cannot be shown: {one_line(error, 120)}.") from error


def _rendered(template, data, figures, plotly, scripts):
    script = "\n".join(map(_text, scripts))
    return (
        _environment()
        .get_template(template)
        .render(
            **data,
            version=__version__,
            figures=figures,
            plotly=plotly,
            style=_text("style.css"),
            script=script,
            # Inline scripts run only with this number; injected ones do not.
            nonce=fingerprint(script, 24),
        )
    )


@cache
def _text(name):
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment():
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "allow_nan": False}
    environment.filters["percent"] = percent
    environment.filters["thousands"] = lambda number: f"{number:,}"
    return environment
