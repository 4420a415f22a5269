"""How Sphinx builds these pages, README first: `make docs`."""

import os
import runpy
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
os.environ["KERAS_BACKEND"] = "numpy"  # nothing is computed, and TensorFlow takes its seconds
# As `network_pruning`, whatever the checkout is called.
package = runpy.run_path(str(ROOT / "__main__.py"))["load_package"]()

project = "network-pruning"
author = "the authors of network-pruning"
version = release = package.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "README"
include_patterns = ["*.md", "docs/*.md", "docs/*.rst", "examples/*.md", "references/*.md"]
exclude_patterns = [".*", "results", "tests", "benchmarks", "docs/_build"]

html_theme = "furo"
html_title = f"{project} {version}"
html_show_sourcelink = False

myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = ["Source"]
python_use_unqualified_type_names = True
add_module_names = False
# Docstrings put names and code between single backticks.
default_role = "code"

PAGES = """
```{{toctree}}
:hidden:
:caption: {caption}

{pages}
```
"""
CHAPTERS = {
    "The library": "docs/library docs/reference docs/small examples/README",
    "The experiment": "docs/experiment docs/methods docs/own docs/pages docs/cluster",
    "Behind it": "references/README docs/reliability docs/speed CONTRIBUTING CHANGELOG",
}


def add_chapters(_app, name, source):
    """Ends the first page with the table of contents, which GitHub would not understand."""
    if name == root_doc:
        for caption, pages in CHAPTERS.items():
            source[0] += PAGES.format(caption=caption, pages="\n".join(pages.split()))


def open_with_readme(app, error):
    """Makes the first page the one that opens with the folder."""
    if not error:
        shutil.copy(Path(app.outdir, f"{root_doc}.html"), Path(app.outdir, "index.html"))


def keep_colons(_app, what, _name, _object, _options, lines):
    """Begins with an empty text: Napoleon takes what comes before a colon for a property's type."""
    if what == "property":
        lines.insert(0, "\\ ")


def setup(app):
    """Registers them with Sphinx."""
    app.connect("source-read", add_chapters)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
    app.connect("build-finished", open_with_readme)
