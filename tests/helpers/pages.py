"""The pages for people, README and docs: their code blocks, and what a comment says of how each is tested.

    <!-- run -->                             the block is run by tests/house/test_pages.py
    <!-- run by tests/x/test_y.py -->        by that file
    <!-- composed, not run: <why> -->        its commands are composed: each override exists
    <!-- not run: <why> -->                  nothing is done with it

The comment stands on the line before the block. `write_page` puts a page's example where it says it belongs.
"""

import importlib
import re
import sys
from pathlib import Path
from typing import NamedTuple

from tracelab.core.paths import CLONE

DOCS = CLONE / "docs"
BUILT = DOCS / "_build"
TESTED = ("bash", "console", "python", "sh", "sql")  # languages of blocks that somebody may copy and run
BLOCK = re.compile(r"(?:^<!-- (?P<how>.*?) -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S)
PLACE = re.compile(r"`((?:src/tracelab|tasks|conf)/\w+[\w/]*\.(?:py|yaml))`")


class Block(NamedTuple):
    """A fenced block. how: the comment before it, "" without one."""

    page: Path
    line: int
    language: str
    code: str
    how: str


def pages():
    """README, CONTRIBUTING and everything in docs."""
    found = [path for path in sorted(DOCS.rglob("*.md")) if BUILT not in path.parents]
    return [CLONE / "README.md", CLONE / "CONTRIBUTING.md", *found]


def blocks_of(page, text=None):
    """A page's blocks that are tested, in their order."""
    text = page.read_text(encoding="utf-8") if text is None else text
    for match in BLOCK.finditer(text):
        if match["language"] in TESTED:
            line = text.count("\n", 0, match.start("code"))
            yield Block(page, line, match["language"], match["code"], match["how"] or "")


def write_page(name, root):
    """Write the example of a page below root: each file that it names, with the block that follows its name.

    -> dotted name of its module.
    """
    text, module = (DOCS / name).read_text(encoding="utf-8"), ""
    for block in re.finditer(r"^```(?:python|yaml)\n(.*?)^```$", text, re.M | re.S):
        place = PLACE.findall(text[: block.start()])[-1]
        path = root / place
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block[1], encoding="utf-8")
        if path.suffix == ".py":
            module = ".".join(Path(place).with_suffix("").parts).removeprefix("src.")
    return module


def module_of(name, root, monkeypatch):
    """The module of a page's example, as if it lay where the page says."""
    dotted = write_page(name, root)
    package = importlib.import_module(dotted.rpartition(".")[0])
    folder = root / "src" / package.__name__.replace(".", "/")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    importlib.invalidate_caches()
    monkeypatch.delitem(sys.modules, dotted, raising=False)
    return importlib.import_module(dotted)
