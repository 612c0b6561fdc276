"""docs/reasons.md: every reason of every grammar, with what it fails, as the code gives it."""

import ast
import re

import pytest

from tests.house.test_judging_page import ROWS
from tracelab.core.paths import CLONE, PACKAGE, TASKS

PAGE = (CLONE / "docs" / "reasons.md").read_text(encoding="utf-8")
GRAMMARS = {
    "Best-first search": "best_first",
    "Backtracking": "backtracking",
    "Derivation": "derivation",
    "Game tree": "game_tree",
}
PARSING = {"syntax", "truncated", "empty"}
OF_SOLUTIONS = re.compile(r"(path|solution)_fault|read_\w+")
OF_TRACES = re.compile(r"\w*(fault|flaw)|replay")


def rows_of(heading):
    """Reason -> (where it is found, what is wrong) of a grammar's table."""
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", part, re.M)
    return {name: (set(where.split(", ")), what) for name, where, what in found}


def named_in(function):
    """The reasons that a function may give."""
    nodes = [node for node in ast.walk(function) if isinstance(node, ast.Attribute)]
    return {node.attr for node in nodes if isinstance(node.value, ast.Name) and node.value.id == "R"} - {"ok"}


def given_by(grammar):
    """Reason -> where the code finds it: solution, local or strict."""
    folder = PACKAGE / "search" / grammar
    sources = [path for path in folder.glob("*.py") if path.name != "paper.py"]  # another validator's rules
    sources += TASKS.rglob("*.py") if grammar == "derivation" else []
    found = {}
    for path in sources:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(function, "name", "")
            if not isinstance(function, ast.FunctionDef) or not (names := named_in(function)):
                continue
            if OF_SOLUTIONS.fullmatch(name):
                where = "solution"
            elif OF_TRACES.fullmatch(name):
                where = "strict" if name.endswith(("flaw", "replay")) else "local"
            else:
                assert names <= PARSING, f"{path}: what is {name}?"
                continue
            for reason in names - PARSING:
                found.setdefault(reason, set()).add(where)
    return found


@pytest.mark.parametrize("heading", GRAMMARS)
def test_every_reason_is_there_with_what_it_fails(heading):
    names = re.findall(
        r"^    (\w+): int", (PACKAGE / "search" / GRAMMARS[heading] / "reasons.py").read_text(), re.M
    )
    rows = rows_of(heading)
    assert [*rows] == [name for name in names if name not in {*PARSING, "ok"}]
    given = given_by(GRAMMARS[heading])
    if heading == "Derivation":  # a deduction's solution is a proof, whose steps have a trace's faults
        for reason in named_in(application_fault()):
            given[reason].add("solution")
    assert {name: where for name, (where, _) in rows.items()} == given
    assert all(what for _, what in rows.values())


def application_fault():
    tree = ast.parse((TASKS / "deduction" / "steps.py").read_text(encoding="utf-8"))
    return next(node for node in tree.body if getattr(node, "name", "") == "application_fault")


def test_what_every_grammar_has_comes_first():
    first = PAGE.partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", first, re.M)) == PARSING | {"ok"}


def test_the_examples_of_mazes_fail_where_the_page_says():
    """Each row of docs/judging.md, which a test judges: what its trace fails first."""
    known = rows_of("Best-first search")
    for row in ROWS:
        cells = dict(zip(("parses", "local", "strict"), row[2:5], strict=True))
        level, reason = next(((k, v.split(" @")[0]) for k, v in cells.items() if v != "ok"), ("", ""))
        assert not level or reason in PARSING or level in known[reason][0], row


@pytest.mark.parametrize("page", ["verdicts.md", "judging.md"])
def test_where_verdicts_are_explained_it_is_linked(page):
    assert "](reasons.md" in (CLONE / "docs" / page).read_text(encoding="utf-8")
