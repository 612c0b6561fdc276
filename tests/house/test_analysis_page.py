"""docs/analysis.md: every loader and function that its table names is there, and takes what the row says."""

import importlib
import inspect
import re

import pytest

from tracelab import analysis
from tracelab.core.files import read_json
from tracelab.core.paths import CLONE, PACKAGE

PAGE = (CLONE / "docs" / "analysis.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("| question | read by | function |")[2].partition("\n\n")[0]
ROWS = [row.strip("|").split(" | ") for row in TABLE.splitlines()[2:]]
ANALYSIS = PACKAGE / "analysis"
MODULES = {path.stem for path in ANALYSIS.glob("[!_]*.py")}


def named(cell):
    return re.findall(r"`(\w+\.\w+)`", cell)


def found(name):
    """The function of a name, `analysis.load` or `trees.steps`."""
    place, _, function = name.partition(".")
    if place == "analysis":
        assert function in analysis.__all__, f"{name} is not exported"
        return getattr(analysis, function)
    return getattr(importlib.import_module(f"tracelab.analysis.{place}"), function)


def takes(name):
    """What its first argument is: folders, LazyFrame (a table), DataFrame (a frame that another gave)."""
    first = next(iter(inspect.signature(found(name)).parameters.values()))
    if first.kind is inspect.Parameter.VAR_POSITIONAL:
        return "folders"
    (kind,) = re.findall(r"LazyFrame|DataFrame", str(first.annotation))
    return kind


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2])
def test_a_function_takes_what_its_row_says(row):
    _, reader, functions = row
    readers, (first, *others) = named(reader), named(functions)
    assert readers or reader == "folders", reader
    for loader in readers:
        assert takes(loader) == "folders"
    of_tables = not readers or readers[0] == "analysis.learning_curves"
    wanted = ("DataFrame" if readers else "folders") if of_tables else "LazyFrame"
    assert takes(first) == wanted
    for other in others:  # of the same table, or of the frame that one before it gave
        after = functions.partition(f"`{other}`")[0]
        assert takes(other) == ("DataFrame" if "of whose frame" in after or "of that of" in after else wanted)


def test_every_loader_is_in_the_table():
    loaders = {
        f"{module}.{name}"
        for module in MODULES
        for name in re.findall(r"^def (load_\w+)\(", (ANALYSIS / f"{module}.py").read_text(), re.M)
    }
    unnamed = {"loading.load_beside", "diff.load_features"}  # the loaders' own, and a figure's
    assert loaders - unnamed == {name for row in ROWS for name in named(row[1])} - {
        "analysis.load",
        "analysis.learning_curves",
    }


def test_every_function_that_the_text_names_is_there():
    names = set(re.findall(r"`(\w+\.\w+)\b[^`/]*`", PAGE))
    mine = {name for name in names if name.split(".")[0] in {*MODULES, "analysis"}}
    assert len(mine) > 40
    for name in mine:
        assert callable(found(name)), name


def test_every_figure_is_in_the_table():
    rows = re.findall(r"^\| (`\w*figures`.*?) \| (.*?) \|$", PAGE, re.M)
    said = {name for modules, _ in rows for name in re.findall(r"\w+", modules)}
    assert said == {name for name in MODULES if name.endswith("figures")}
    for modules, drawn in rows:
        sources = [ANALYSIS / f"{name}.py" for name in re.findall(r"\w+", modules)]
        text = "".join(path.read_text(encoding="utf-8") for path in sources)
        there = set(re.findall(r"^def ([a-z]\w*)\(\s*path: Path", text, re.M))
        assert there == set(re.findall(r"\w+", drawn))


def test_the_paragraphs_are_short():
    """A paragraph of the analyses is at most as long as half a screen."""
    part = PAGE.partition("## Analyses")[2].partition("\n## ")[0]
    longest = max((p for p in part.split("\n\n") if not p.startswith("|")), key=lambda p: len(p.split()))
    assert len(longest.split()) <= 130, longest


def test_how_long_ten_million_outcomes_take():
    found = read_json(CLONE / "bench" / "results" / "analysis.json")
    largest = {row["side"]: row for row in found["results"] if row["outcomes"] == 10_000_000}
    ours, pandas = largest["ours"], largest["pandas"]
    assert f"Ten million outcomes of {found['runs']} runs load" in PAGE
    assert f"in {ours['seconds']:.1f} s and {ours['gib']:.1f} GiB (pandas" in PAGE
    assert f"intervals: {pandas['seconds']:.1f} s, {pandas['gib']:.1f} GiB;" in PAGE
    assert (found["rounds"], found["machine"]["cores"]) == (3, 2)
    assert "two cores, medians of three" in PAGE
