"""Detours: as many as were asked for, or as there are; each useless, legal, and of no use to the solution."""

from types import SimpleNamespace

import numpy as np
import pytest

from tracelab.core import rng
from tracelab.data.card import Arm, data_card, text
from tracelab.data.frozen import arm, drawn
from tracelab.tasks.countdown import Countdown
from tracelab.tasks.deduction import Deduction
from tracelab.tasks.maze import Maze
from tracelab.tasks.sudoku import Sudoku
from tracelab.traces.redundant import Redundant

EXAMPLES = 300
MAZE = Maze(size=7, format="compact")


def shares(task, share=0.3, n=EXAMPLES):
    """(n,) of each treated trace's steps, the share that was added; the treated traces; the examples."""
    examples = drawn(task, 0, "train", "problem", 0, n)
    treated = Redundant(share)(task, examples, rng.keys(0, "train", 0, n, "treatment"))
    return treated.damage / treated.rows.lengths, treated, examples


@pytest.mark.parametrize(
    ("task", "share"),
    [
        (Sudoku(clues=(10, 13)), 0.3),
        (Deduction(), 0.3),
        (Deduction(solver="backward"), 0.6),
        (Countdown(numbers=4, solver="astar", longest=60), 0.3),
    ],
    ids=str,
)
def test_the_share_is_had_where_there_is_room(task, share):
    got, treated, _ = shares(task, share, 100)
    assert treated.damaged.values.mean() == pytest.approx(share, abs=0.03)
    assert abs(got - share).mean() < 0.1  # a short trace has no third of a step


def test_a_small_maze_is_explored_before_the_share_is_had():
    """What docs/treatments.md and docs/results/prediction.md say of 7x7 mazes."""
    got, treated, examples = shares(MAZE)
    assert treated.damaged.values.mean() == pytest.approx(0.2, abs=0.03)
    assert (got == 0).mean() == pytest.approx(1 / 8, abs=0.04)
    assert (treated.residual_valid == (got == 0)).mean() > 0.95
    wanted = np.rint(examples.trace.lengths * 3 / 7)
    short = np.flatnonzero(treated.damage < wanted - 2)
    assert len(short) > 50
    for i in short:  # every way was gone to its end, but through the goal
        closed = treated.rows[i][treated.rows[i][:, 0] == 1, 1]
        opened = treated.rows[i][treated.rows[i][:, 0] == 0, 1]
        assert set(opened.tolist()) <= set(closed.tolist())
    larger = shares(Maze(size=20, format="compact"), n=50)[1]
    assert larger.damaged.values.mean() == pytest.approx(0.3, abs=0.04)


def test_the_card_says_what_was_asked_for_and_had():
    examples = drawn(MAZE, 0, "train", "problem", 0, 100)
    parts = arm(MAZE, Redundant(0.3), examples, 0, "train")
    card = data_card(MAZE, Redundant(0.3), {"train": Arm(examples, *parts)})
    added = card["splits"]["train"]["added"]
    assert added["asked"] == 0.3
    assert added["got"] == pytest.approx(parts[1].damaged.values.mean())
    assert card["splits"]["train"]["trace"]["local"]["rate"] == 1
    assert f"steps added            {added['got']:.4f} of all (asked for: 0.3)" in text(card)


def test_a_task_without_detours_is_refused_by_name():
    plain = SimpleNamespace(name="plain")
    with pytest.raises(ValueError, match=r"task plain, .* take trace=corrupted trace\.kind=insert"):
        Redundant().check(plain)
    with pytest.raises(ValueError, match=r"trace\.share=1 must be"):
        Redundant(share=1)
