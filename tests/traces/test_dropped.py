"""Structured dropping: its levels in mazes, as Dualformer has them, and what they are in every grammar."""

import numpy as np
import pytest

from tracelab.core import rng
from tracelab.data.frozen import drawn
from tracelab.tasks.arithmetic import Arithmetic
from tracelab.tasks.deduction import Deduction
from tracelab.tasks.game import Game
from tracelab.tasks.hops import Hops
from tracelab.tasks.maze import Maze
from tracelab.tasks.sat import Sat
from tracelab.traces.dropped import LEVELS, PARTS, Dropped

TASK = Maze(size=7, format="compact")
EXAMPLES = drawn(TASK, 0, "train", "problem", 0, 400)
KEYS = rng.keys(0, "train", 0, len(EXAMPLES), "treatment")
FEW = 30
GRAMMARS = (
    (TASK, "close", ["create"]),
    (Sat(), "conflict", ["propagate"]),
    (Arithmetic(), "let", ["add", "sub", "mul"]),
    (Deduction(solver="backward"), "fail", ["apply"]),
    (Game(game="nim"), "return", ["enter"]),
    (Hops(), "join", ["hop"]),
)  # what goes first, and what in shares


def test_dropped_levels():
    """Level by level: closings go, costs too, a share of the creations too, everything."""
    for level, name in enumerate(LEVELS):
        certain = [float(i == level) for i in range(len(LEVELS))]
        treated = Dropped(certain)(TASK, EXAMPLES, KEYS)
        ops, costs = treated.rows.values[:, 0], treated.rows.values[:, 2:]
        creates = (EXAMPLES.trace.values[:, 0] == 0).sum()
        assert treated.residual_valid.all() == (name == "nothing")
        assert (ops == 1).any() == (name == "nothing")
        assert (costs >= 0).all() == (level < 2 or name == "everything")
        share = {"creates": 0.7, "everything": 0}.get(name, 1)
        assert (ops == 0).sum() / creates == pytest.approx(share, abs=0.05)
        assert name == "everything" or len(treated.trace.values) == len(ops) * (4 if level < 2 else 2)


def test_dropped_probabilities():
    with pytest.raises(ValueError, match="sum to 1"):
        Dropped([0.5, 0.1, 0.1, 0.1, 0.1])
    with pytest.raises(ValueError, match="is a share"):
        Dropped(creates=2)
    lengths = Dropped((0.5, 0, 0, 0, 0.5))(TASK, EXAMPLES, KEYS).trace.lengths
    assert 0.4 < (lengths == 0).mean() < 0.6


def test_every_grammar_is_among_them():
    assert len(GRAMMARS) == len(PARTS)


@pytest.mark.parametrize(("task", "close", "creates"), GRAMMARS, ids=[task.name for task, *_ in GRAMMARS])
def test_what_goes_in_each_grammar(task, close, creates):
    """What is dropped first goes whole, and of each operation that goes in shares as large a share."""
    examples, ops = drawn(task, 0, "train", "problem", 0, FEW), list(task.codec.format.trace)
    first, shares = ops.index(close), [ops.index(op) for op in creates]

    def counts(level, share=0.3):
        treated = Dropped([float(i == level) for i in range(5)], share)(task, examples, KEYS[:FEW])
        return np.bincount(treated.rows.values[:, 0], minlength=len(ops))

    whole = counts(0)
    assert (whole[[first, *shares]] > 0).all()
    closed = np.where(np.arange(len(ops)) == first, 0, whole)
    assert (counts(1) == closed).all()
    rest = np.where(np.isin(np.arange(len(ops)), shares), 0, closed)
    assert (counts(3, share=1) == rest).all()
    half = counts(3, share=0.5)
    assert (np.abs(half[shares] / whole[shares] - 0.5) < 4 * np.sqrt(0.25 / whole[shares])).all()
    assert (np.delete(half, shares) == np.delete(rest, shares)).all()
