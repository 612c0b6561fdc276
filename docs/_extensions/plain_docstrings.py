"""Docstrings as they are written here, made reStructuredText: indented examples are code, signs are signs."""

import re

CODE = re.compile(r"(`[^`]*`)")
TITLE = re.compile(r"\*(?=\S)([^*`]*?\S)\*(?!\w)")  # *a title*, which stays one
SIGNS = re.compile(r"([*|\\]|(?<=\w)_(?!\w))")


def plain(line):
    """A line in which only code and titles are marked."""
    parts = CODE.split(line)
    return "".join(part if part.startswith("`") else _escaped(part) for part in parts)


def _escaped(text):
    kept = TITLE.split(text)  # text, title, text, ...
    return "".join(f"*{part}*" if i % 2 else SIGNS.sub(r"\\\1", part) for i, part in enumerate(kept))


def read(app, what, name, obj, options, lines):
    """Sphinx's hook: the lines of one docstring, changed in place."""
    found, code = [], False
    for line in lines:
        indented = line.startswith("    ")
        if indented and not code:
            found += [] if found and not found[-1] else [""]
            found += [".. code-block:: text", ""]
        if code and line and not indented:
            found += [] if not found[-1] else [""]
        code = indented or (code and not line)
        found.append(line if indented else plain(line))
    lines[:] = found


def setup(app):
    """Sphinx's door."""
    app.connect("autodoc-process-docstring", read)
    return {"parallel_read_safe": True}
