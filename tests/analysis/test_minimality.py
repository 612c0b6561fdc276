"""What solutions need of traces, where it is known by construction."""

import numpy as np
import polars as pl
import pytest

from tests.helpers.written import completed, outcomes
from tests.helpers.written import study as study_of
from tracelab.analysis.minimality import minimal, steps
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.data.frozen import drawn, references
from tracelab.report.sections.minimality import section
from tracelab.tasks.arithmetic import Arithmetic
from tracelab.tasks.game import Game
from tracelab.tasks.knights_knaves import KnightsKnaves
from tracelab.tasks.maze import Maze
from tracelab.traces.redundant import Redundant

N = 40


def table(task, examples, arms):
    """Arm -> (traces, solutions), as the outcomes of a run each."""
    written = {arm: (task.codec.encode(task.codec.trace, rows), ends) for arm, (rows, ends) in arms.items()}
    return pl.concat(
        outcomes(task, examples, completed(task, *parts), arm) for arm, parts in written.items()
    ).lazy()


@pytest.mark.parametrize(
    "task",
    [Maze(size=7, format="compact"), KnightsKnaves(), Arithmetic(), Game()],
    ids=lambda task: task.name,
)
def test_detours_are_steps_that_nothing_needs(task):
    """In all four grammars: as many steps are needed as without them."""
    examples = drawn(task, 0, "test", "problem", 0, N)
    treated = Redundant()(task, examples, rng.keys(0, "test", 0, N, "treatment"))
    arms = {"plain": examples.trace, "redundant": treated.rows}
    known = table(task, examples, {arm: (rows, examples.solution) for arm, rows in arms.items()})
    counted = steps(known, task)
    needed = {arm: counted.filter(arm=arm)["needed"].to_list() for arm in arms}
    assert needed["plain"] == needed["redundant"]
    share = dict(minimal(counted).select("arm", "needed").iter_rows())
    longer = examples.trace.lengths.sum() / treated.rows.lengths.sum()
    assert share["redundant"] == pytest.approx(longer * share["plain"])
    assert (counted["steps"] >= counted["needed"]).all()


def test_of_a_tree_the_path_alone_is_needed():
    """Each of its cells is created and closed once; the compact format does not create the start."""
    task = Maze(size=7, format="compact")
    examples = drawn(task, 0, "test", "problem", 0, N)
    counted = steps(table(task, examples, {"plain": (examples.trace, examples.solution)}), task)
    path = examples.complexity["optimal_cost"] + 1
    assert counted["needed"].to_list() == (2 * path - 1).tolist()


def test_what_steps_after_the_answer_go_with():
    """Every second trace goes on after the answer; of those each second solution is wrong."""
    task = Arithmetic()
    examples = drawn(task, 0, "test", "problem", 0, N)
    rows = [np.concatenate([t, t[:1]]) if i % 2 else t for i, t in enumerate(examples.trace)]
    traces, solutions = Ragged.stack(rows, 5), examples.solution.values.copy()
    solutions[1::4, 1] = (solutions[1::4, 1] + 1) % task.modulus
    wrong = Ragged(solutions, examples.solution.offsets)
    known = table(task, examples, {"plain": (traces, wrong)})
    counted = steps(known, task)
    assert counted["after"].to_list() == [i % 2 for i in range(N)]
    (row,) = minimal(counted).to_dicts()
    assert (row["accuracy_after"], row["accuracy_none"], row["after"]) == (0.5, 1, 0.5)
    assert (row["n_after"], row["n_none"], row["n"], row["seeds"]) == (N / 2, N / 2, 3 * N / 4, 1)
    assert row["needed"] == pytest.approx(
        examples.trace.lengths[np.arange(N) % 4 != 1].sum() / traces.lengths[np.arange(N) % 4 != 1].sum()
    )
    assert row["accuracy_after_low"] < 0.5 < row["accuracy_after_high"]
    never = counted.with_columns(after=pl.when(pl.int_range(pl.len()) < N // 2).then(None).otherwise("after"))
    (row,) = minimal(never).iter_rows(named=True)
    assert row["after"] == 0.25, "of all, and not of those whose answer is settled at some time"
    assert row["n_after"] + row["n_none"] == N / 2


@pytest.mark.filterwarnings("ignore:.*an older spelling")
def test_a_section_of_the_report_shows_it(tmp_path):
    """Of a run that writes the reference's search; its test sets are in their order."""
    study = study_of(tmp_path, N, references)
    page = section(study)
    assert [page.index(f">{split}<") for split in study.splits] == sorted(
        page.index(f">{split}<") for split in study.splits
    )
    written = pl.read_csv(tmp_path / "study_data" / "minimality.csv")
    assert written["n"].to_list() == [N] * len(study.splits)
    for row in written.iter_rows(named=True):
        assert f"{100 * row['needed']:.1f} <small>" in page
        assert row["accuracy_after"] == 1
