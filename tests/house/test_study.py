"""The study's page says what its data say, and the data are whole."""

import hashlib

import pytest

from tests.helpers.bench import script
from tracelab.analysis import findings as measured
from tracelab.core.paths import CLONE

DATA, PAGE = CLONE / "bench" / "results" / "study", CLONE / "docs" / "results" / "study.md"


@pytest.fixture
def page():
    """bench/findings.py."""
    with script("findings") as module:
        yield module


def test_each_table_is_made_from_the_data(page):
    tables = page.read(DATA)
    found = measured.measurements({task: t for task, t in tables.items() if measured.takes_part(t)})
    made = "\n".join(page.lines_of(DATA, tables, found))
    assert "| arithmetic |" in made
    assert made in PAGE.read_text(encoding="utf-8")


NUMBERS = [2, 5, 6, 6]


@pytest.mark.parametrize(
    ("steps", "known"),
    [
        ("let A 2, add F 2 5 7, let R 6, add D 7 6 3, add Y 6 3 9", True),
        ("let A 2, add F 2 6 8, let R 6, add D 5 6 1, add Y 1 8 9", True),  # in other places
        ("let A 2, add F 2 6 9, let R 6, add D 5 6 1, add Y 1 9 0", False),  # a sum is not sound
        ("let A 2, add F 2 5 7, let R 6, add D 7 5 2, add Y 6 2 8", False),  # one number twice
        ("let A 2, add F 2 5 7, let R 6, add D 7 6 3", False),  # one is left
        ("let A 4, add F 2 5 7, add D 7 6 3, add Y 6 3 9", False),  # one that is none of the prompt's
    ],
)
def test_traces_that_add_up_all_numbers(page, steps, known):
    rows = []
    for words in (step.split() for step in steps.split(", ")):
        values = [int(word) for word in words[2:]]
        rows.append(
            [int(words[0] == "add"), ord(words[1]), *(values if len(values) == 3 else [-1, -1, *values])]
        )
    assert page.sums.regroups(rows, NUMBERS, 10) is known


def test_what_is_false_before_the_last_step(page):
    truth = [[0, 1, -1, -1, 2], [1, 2, 2, 5, 7], [1, 3, 7, 6, 3]]
    assert not page.sums.has_false([[0, 1, -1, -1, 2], [1, 2, 2, 5, 7], [1, 3, 9, 9, 8]], truth)
    assert page.sums.has_false([[0, 1, -1, -1, 2], [1, 2, 2, 6, 8], [1, 3, 7, 6, 3]], truth)


def test_the_data_are_whole():
    sums = sorted(DATA.glob("*/SHA256SUMS"))
    assert sums
    for path in sums:
        named = dict(line.split("  ")[::-1] for line in path.read_text(encoding="utf-8").splitlines())
        assert {name for name in named if name.endswith("outcomes.parquet")}
        for name, digest in named.items():
            assert hashlib.sha256((path.parent / name).read_bytes()).hexdigest() == digest, name
