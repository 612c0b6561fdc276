"""The site of these pages: `make docs` builds it into docs/_build, and any warning fails.

python -m sphinx docs docs/_build
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project, author = "tracelab", "the authors of tracelab"
extensions = [
    "myst_parser",  # pages are Markdown, which GitHub shows as well
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "plain_docstrings",
    "flowchart",
    "outside",
]
exclude_patterns = ["_build"]

myst_heading_anchors = 4

html_theme = "furo"  # light and dark, narrow and wide
html_title = "tracelab"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

smartquotes = False
default_role = "code"  # single backticks in docstrings
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88

EXPECTED = ("adapters", "watching")  # pages that index.md leaves room for


def setup(app):
    """Leave out of the index what is not there yet."""
    app.connect("source-read", without_missing)


def without_missing(app, docname, source):
    """Sphinx's hook: source[0] is the text of a page."""
    for name in EXPECTED:
        if docname == "index" and not Path(app.srcdir, f"{name}.md").is_file():
            source[0] = source[0].replace(f"\n{name}\n", "\n")
