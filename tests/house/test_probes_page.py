"""docs/probes.md: what kinds of damage change, task by task, as the columns of their traces have it."""

import re
from functools import cache

import yaml

from tests.helpers.runs import task_names
from tracelab.core import rng
from tracelab.core.paths import CLONE, CONF
from tracelab.data.frozen import drawn
from tracelab.probes.imposing import treatments
from tracelab.report.sections import assessment
from tracelab.runs.build import build_task
from tracelab.tasks.maze import Maze

PAGE = (CLONE / "docs" / "probes.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("| task | `state` |")[2].split("\n\n")[0]
ROWS = re.findall(r"^\| ([\w, ]+) \| (.+) \| (.+) \|$", TABLE, re.M)
GIVEN = {"g or h": {"g", "h"}, "–": set(), "the value": {"value"}}


@cache
def named(task, role):
    """The columns of a role in the traces of a task."""
    part = yaml.safe_load((CONF / "task" / f"{task}.yaml").read_text(encoding="utf-8"))
    return {column.name for column in build_task(part).columns if column.role == role}


def test_every_task_has_what_its_row_says():
    tasks = [task for row in ROWS for task in row[0].split(", ")]
    assert sorted(tasks) == sorted(task_names())
    for names, state, cost in ROWS:
        for task in names.split(", "):
            assert bool(named(task, "state")) == (state != "–"), task
            if task == "arithmetic":
                assert named(task, "cost") == {"left", "right", "value"}
                assert named(task, "state") == {"name"}
            else:
                assert named(task, "cost") == GIVEN[cost], task


def test_a_result_is_a_state_where_it_is_an_entity():
    assert "value" in named("hops", "state")
    assert "its result among them" in PAGE


def test_the_report_says_so_too():
    assert "in arithmetic those that are added and what they come to" in assessment.KINDS
    assert "not every kind" in assessment.KINDS
    assert "not every kind says that a model knows values" in PAGE


def test_every_treatment_that_is_imposed_is_named():
    """On the page and in the command's help: those that leave a trace."""
    task = Maze(size=5)
    examples, keys = drawn(task, 0, "test", "problem", 0, 4), rng.keys(0, "test", 0, 4, "intervention")
    imposed = {
        name
        for name, _, treatment in treatments([1.0])
        if name not in ("correct", "swapped", "matched")
        and treatment(task, examples, keys).trace.lengths.any()
    }
    assert imposed > {"corrupted", "chosen"}
    for text in (PAGE, (CONF / "intervene_help.yaml").read_text(encoding="utf-8")):
        (said,) = re.findall(r"under every other treatment that needs no trained\s+model \((.+?)\)", text)
        assert set(re.findall(r"\w+", said)) == imposed
