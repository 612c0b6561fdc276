"""API pages have what notebooks and how-to pages import; the citation is of this version."""

import json
import re

import yaml

import tracelab
from tests.helpers.pages import DOCS, blocks_of
from tracelab.core.paths import CLONE

API = "".join(path.read_text(encoding="utf-8") for path in sorted((DOCS / "api").glob("*.md")))
OF_A_TASK = "new_task.md"  # shows what a task needs of its grammar
MODULES = {
    name: members.split(", ") if members else None
    for name, members in re.findall(r"automodule:: (\S+)\n(?:   :members: (.*))?", API)
}
NAMED = set(re.findall(r"auto(?:class|function):: (\S+)", API))


def imports(code):
    """(module, name) of each import from tracelab."""
    for module, names in re.findall(r"^from (tracelab[\w.]*) import (\([^)]*\)|.*)$", code, re.M):
        for name in re.findall(r"\b(\w+)(?: as \w+)?,?", names.partition("#")[0]):
            yield module, name


def documented(module, name):
    """Has an API page a name, or all of a module that it is of? Constants and modules are none of theirs."""
    full = f"{module}.{name}"
    if name.isupper() or full in MODULES or module == "tracelab":
        return True
    return full in NAMED or (module in MODULES and (MODULES[module] is None or name in MODULES[module]))


def test_what_notebooks_and_how_to_pages_import_is_on_the_api_pages():
    codes = [b.code for page in DOCS.glob("new_*.md") if page.name != OF_A_TASK for b in blocks_of(page)]
    for path in (CLONE / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        codes += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    found = {pair for code in codes for pair in imports(code)}
    assert len(found) > 10
    assert sorted(pair for pair in found if not documented(*pair)) == []


def test_the_citation_is_of_this_version():
    entry = yaml.safe_load((CLONE / "CITATION.cff").read_text(encoding="utf-8"))
    assert entry["version"] == tracelab.__version__
    assert entry["authors"] == [{"name": "The tracelab authors"}]
    assert entry["authors"][0]["name"] in (CLONE / "LICENSE").read_text(encoding="utf-8")
    assert "[CITATION.cff](CITATION.cff)" in (CLONE / "README.md").read_text(encoding="utf-8")
