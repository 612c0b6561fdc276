"""docs/judging.md: its examples are judged, and every failure that a maze can have is among them."""

import re

import pytest

import tracelab
from tracelab.core.paths import CLONE, CONF, PACKAGE
from tracelab.data.lines import LONGEST
from tracelab.search.best_first.reasons import NAMES
from tracelab.tasks.maze import Maze

PAGE = (CLONE / "docs" / "judging.md").read_text(encoding="utf-8")
PROMPT, GOOD = re.findall(r"```text\n(.*)\n```", PAGE)
TASK = Maze(size=3)
ROWS = [
    [cell.strip() for cell in row.strip("|").split("|")]
    for row in PAGE.partition("| change | solution |")[2].splitlines()[2:]
    if row.startswith("|")
]


def changed(change):
    if change == "without the words before `solution`":
        return GOOD[GOOD.index("solution") :]
    words = re.findall(r"`([^`]+)`", change)
    assert all(word in GOOD for word in words[:1])
    return GOOD.replace(words[0], words[1] if "→" in change else "", 1) if words else GOOD


@pytest.fixture(scope="module")
def verdicts():
    return tracelab.verify(TASK, [PROMPT] * len(ROWS), [changed(row[0]) for row in ROWS]).to_pylist()


@pytest.mark.parametrize("i", range(len(ROWS)))
def test_an_example_is_judged_as_the_page_says(i, verdicts):
    row, (_, solution, *levels) = verdicts[i], ROWS[i]
    valid = row["solution_valid"]
    assert solution == row["solution_reason"] + ", not optimal" * (valid and not row["solution_optimal"])
    for level, said in zip(TASK.levels, levels, strict=True):
        reason, at = row[f"trace_{level}_reason"], row[f"trace_{level}_at"]
        assert said == (reason if at is None else f"{reason} @ {at}"), level


def test_every_failure_of_mazes_is_there():
    words = {re.split(r" @|,", cell)[0] for row in ROWS for cell in row[1:]}
    assert words == {*NAMES} - {"wrong_move"}, "which is for tasks whose steps name moves"


def test_the_numbers_of_the_page():
    assert f"longer than {LONGEST:,} characters" in PAGE


def test_where_outcomes_are_written_is_said_as_the_code_has_it():
    assert '{source.name}.outcomes.parquet"' in (PACKAGE / "judge.py").read_text(encoding="utf-8")
    for text in (PAGE, *((CONF / name).read_text("utf-8") for name in ("judge.yaml", "judge_help.yaml"))):
        named = set(re.findall(r"[\w.]*outcomes\.parquet", text))
        assert named - {"NAME.outcomes.parquet"} == {"answers.jsonl.outcomes.parquet"}
