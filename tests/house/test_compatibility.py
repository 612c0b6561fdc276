"""The table of claims: each names tests that are there, and every paper that the code cites has a row."""

import ast
import re

from tests.helpers.layers import FILES
from tracelab.core.paths import CLONE

PAGE = CLONE / "docs" / "compatibility.md"
PAPER = re.compile(r"\b\d{4}\.\d{5}\b")
NAMED = re.compile(r"`(tests/[a-z_/]+\.py)::(test_\w+)`")


def functions(path):
    """Names of a file's functions."""
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_holds_a_claim_is_there():
    named = NAMED.findall(PAGE.read_text())
    assert len(named) > 20
    assert [f"{file}::{test}" for file, test in named if test not in functions(CLONE / file)] == []


def test_every_row_of_the_table_names_a_test():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and "---" not in line]
    bare = [row for row in rows if not NAMED.search(row) and not row.startswith(("| source", "| rule"))]
    assert [row for row in bare if PAPER.search(row)] == []


def test_every_paper_that_is_cited_has_a_row():
    cited = set()
    for path in [*FILES, PAGE, CLONE / "README.md", *(CLONE / "conf").rglob("*.yaml")]:
        cited |= set(PAPER.findall(re.sub(r"arXiv\n", "arXiv ", path.read_text())))
    listed = {
        paper
        for line in PAGE.read_text().splitlines()
        if line.startswith("| ")
        for paper in PAPER.findall(line)
    }
    assert len(cited) > 15
    assert cited - listed == set()
