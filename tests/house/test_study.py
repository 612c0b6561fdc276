"""The study's page says what its data say, and the data are whole."""

import hashlib
import sys

import pytest

from tracelab.analysis import findings as measured
from tracelab.core.paths import CLONE, ROOT

DATA, PAGE = CLONE / "bench" / "results" / "study", CLONE / "docs" / "results" / "study.md"


@pytest.fixture
def page(monkeypatch):
    """bench/findings.py."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    yield __import__("findings")
    for name in {"findings", "common", "models"} - before:
        sys.modules.pop(name, None)


def test_each_table_is_made_from_the_data(page):
    tables = page.read(DATA)
    found = measured.measurements({task: t for task, t in tables.items() if measured.takes_part(t)})
    made = "\n".join(page.lines_of(DATA, tables, found))
    assert "| arithmetic |" in made
    assert made in PAGE.read_text(encoding="utf-8")


def test_the_data_are_whole():
    sums = sorted(DATA.glob("*/SHA256SUMS"))
    assert sums
    for path in sums:
        named = dict(line.split("  ")[::-1] for line in path.read_text(encoding="utf-8").splitlines())
        assert {name for name in named if name.endswith("outcomes.parquet")}
        for name, digest in named.items():
            assert hashlib.sha256((path.parent / name).read_bytes()).hexdigest() == digest, name
