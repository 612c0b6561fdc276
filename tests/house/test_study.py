"""The study's page says what its data say, and the data are whole."""

import hashlib
import sys

import numpy as np
import pytest

from tracelab import analysis
from tracelab.analysis import findings as measured
from tracelab.core.paths import CLONE, ROOT
from tracelab.data.frozen import drawn
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run

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


def test_the_answer_is_the_sum_of_all_numbers_but_where_some_are_not_needed():
    """Of arithmetic's test problems, as the page warns."""
    run = Run.open(analysis.runs(DATA / "arithmetic")["run"][0])
    own, summed = build_task(run.settings.task), {}
    for split, task in {own.name: own, **own.test_sets()}.items():
        examples = drawn(task, 0, "test", "problem", 0, 512)
        words = [[task.codec.vocabulary[token] for token in row] for row in task.prompts(examples)]
        sums = [sum(int(word) for word in row if word.isdigit()) % 10 for row in words]
        summed[split] = np.mean([s == rows[0, -1] for s, rows in zip(sums, examples.solution, strict=True)])
    assert summed.pop("distractors_2") == pytest.approx(0.08, abs=0.005)
    assert set(summed.values()) == {1.0}


def test_the_data_are_whole():
    sums = sorted(DATA.glob("*/SHA256SUMS"))
    assert sums
    for path in sums:
        named = dict(line.split("  ")[::-1] for line in path.read_text(encoding="utf-8").splitlines())
        assert {name for name in named if name.endswith("outcomes.parquet")}
        for name, digest in named.items():
            assert hashlib.sha256((path.parent / name).read_bytes()).hexdigest() == digest, name
