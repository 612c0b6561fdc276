"""Second questions: they change nothing else, and who answers which is found where it is known."""

import shutil
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from tests.helpers.runs import KEPT, task_names
from tests.runs.test_entry import run as command
from tests.tasks.test_task_contract import settings_of
from tracelab.analysis.reasking import FILE, TRACES, by_trace
from tracelab.core.ragged import Ragged
from tracelab.data.frozen import drawn
from tracelab.probes.imposing import opening, solutions
from tracelab.probes.reasking import pairs_of, table
from tracelab.report.sections.reasking import section
from tracelab.report.study import study_of
from tracelab.tasks.arithmetic import Arithmetic
from tracelab.tasks.deduction import Deduction
from tracelab.tasks.graph_path import GraphPath
from tracelab.tasks.hops import Hops
from tracelab.tasks.maze import Maze
from tracelab.traces.base import reference

N = 24
ASKED = {  # places of the question in a stored problem
    Arithmetic(): {3},
    Deduction(): {4, 5, 6},  # with its depth
    GraphPath(): {5},
    Hops(hops=3): set(range(5, 17)),
    Maze(size=7, format="compact"): {4, 5},
}


@pytest.mark.parametrize("task", ASKED, ids=lambda task: task.name)
def test_the_question_changes_and_nothing_else(task):
    examples = drawn(task, 0, "test", "problem", 0, N)
    pairs = pairs_of(task, examples, 0)
    assert len(pairs.first) + pairs.left_out == N
    assert len(pairs.first) > N / 2
    assert np.array_equal(pairs.first.index, pairs.second.index)
    for one, other in zip(pairs.first.problem, pairs.second.problem, strict=True):
        assert set(np.flatnonzero(one != other)) - ASKED[task] == set()
        assert (one != other).any()
    assert task.judge_traces(pairs.second, pairs.second.trace).all()
    for asked, answered in ((pairs.first, pairs.second), (pairs.second, pairs.first)):
        bare = opening(task, Ragged.of([[]] * len(asked)), always=False)
        assert not task.judge(asked, bare.joined(solutions(task, answered))).solution_valid.any()


@pytest.mark.parametrize("name", sorted(set(task_names()) - {task.name for task in ASKED}))
def test_where_there_is_one_question_it_is_refused(name):
    _, task = next(settings_of(name))
    with pytest.raises(ValueError, match=f"a problem of {name} has one question alone"):
        task.ask_again(None, None)
    with pytest.raises(ValueError, match="cannot ask a second question"):
        pairs_of(SimpleNamespace(name="own"), None, 0)


def scripted(task, pairs, answers):
    """Completions: reference traces where none is imposed, with their answers; else what `answers` writes.

    answers(question, trace): tokens, of whose question the prompt is and whose reference trace is imposed.
    """
    prompts, traces = {}, {}
    for examples in (pairs.first, pairs.second):
        imposed, written = opening(task, reference(task, examples)), solutions(task, examples)
        rows = zip(task.prompts(examples), imposed.joined(written), written, imposed, strict=True)
        for prompt, completion, answer, trace in rows:
            prompts[tuple(prompt)] = completion, answer
            if examples is pairs.first:
                traces[tuple(trace)] = answer

    def complete(asked, imposed):
        written = []
        for prompt, trace in zip(asked, imposed, strict=True):
            completion, answer = prompts[tuple(prompt)]
            written.append(answers(answer, traces.get(tuple(trace))) if len(trace) else completion)
        return np.arange(len(asked)), Ragged.of(written)

    return complete


@pytest.mark.parametrize("task", [Arithmetic(), Maze(size=7, format="compact")], ids=lambda task: task.name)
def test_which_question_is_answered_is_found(task):
    """One reads the question, one repeats what the trace was for, one says nothing."""
    examples = drawn(task, 0, "test", "problem", 0, N)
    pairs = pairs_of(task, examples, 0)
    nothing = np.array([task.codec.stop])
    ways = {
        "question": lambda asked, _: asked,
        "trace": lambda _, answer: nothing if answer is None else answer,
        "mute": lambda *_: nothing,
    }
    parts = []
    for way, answers in ways.items():
        labels = {"run": way, "arm": way, "split": "x"}
        parts.append(pl.from_arrow(table(scripted(task, pairs, answers), task, examples, 0, labels)))
    found = by_trace(pl.concat(parts).lazy())
    fits = {(row["arm"], row["behind"]): row for row in found.iter_rows(named=True)}
    assert [row["behind"] for row in found.filter(arm="mute").iter_rows(named=True)] == list(TRACES)
    for (arm, behind), row in fits.items():
        expected = {"first": "first", "fresh": "second"}.get(behind)
        if expected is None:
            expected = "first" if arm == "trace" and behind != "none" else "neither"
            expected = "second" if arm == "question" else expected
        assert {name for name in ("second", "first", "neither") if row[name]} == {expected}
        assert row[expected] == 1
        assert (row["n"], row["left_out"], row["seeds"]) == (len(pairs.first), pairs.left_out, 1)
    own = fits["question", "own"]
    assert own["second_held"] == own["second_not_held"] == 1
    assert fits["question", "none"]["held"] == 0
    assert fits["question", "fresh"]["held"] == 1
    if task.name == "arithmetic":
        asked = [problem[3] for problem in pairs.second.problem]
        held = [name in trace[:, 1] for name, trace in zip(asked, pairs.first.trace, strict=True)]
        assert own["held"] == np.mean(held)


@pytest.mark.filterwarnings("ignore:.*an older spelling")
def test_a_run_is_asked_by_command_and_a_section_shows_it(tmp_path):
    shutil.copytree(KEPT, tmp_path / "run")
    done = command("tracelab.reask", f"run={tmp_path / 'run'}", "problems=6", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "fits second" in done.stdout
    found = pl.read_parquet(tmp_path / "run" / FILE)
    assert set(found["behind"]) <= set(TRACES)
    assert found.filter(behind="none").height + found["left_out"][0] == 6
    (tmp_path / "study_data").mkdir()
    page = section(study_of([tmp_path / "run"], tmp_path / "study.html"))
    assert page.count("reasked") > 0
    written = pl.read_csv(tmp_path / "study_data" / "reasked.csv")
    assert written["behind"].to_list() == [name for name in TRACES if name in set(found["behind"])]
