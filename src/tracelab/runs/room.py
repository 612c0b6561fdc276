"""Room for what a model reads and writes: its context, and the tokens that a completion may have."""

from __future__ import annotations

import numpy as np

from tracelab.core.codec import Sequences
from tracelab.core.types import Task
from tracelab.data import frozen
from tracelab.data.card import Arm
from tracelab.data.splits import TestSets

ROUND = 64  # a context that the data decides is a multiple
LONGEST = 256  # sequences, by which it is told how much longer traces are than the reference's


def context_for(longest: int, val: Sequences, tests: TestSets, max_new: int) -> int:
    """Room for the longest training sequence, and for the longest prompt with its completion."""
    prompts = max(int(task.prompts(examples).lengths.max()) for task, examples in tests.values())
    needed = max(longest, int(val.tokens.lengths.max()), prompts + max_new)
    return -(-needed // ROUND) * ROUND


def room_for(longest: int, task: Task, train: Arm) -> int:
    """Tokens that a completion may have. longest: of the tests' reference completions.

    Half as many again; more where traces are taught that are longer still, against the reference's.
    """
    lengths = train.sequences.tokens.lengths - train.sequences.prompt
    rows = np.argsort(-lengths, kind="stable")[:LONGEST]
    own = int(frozen.references(task, train.examples.take(rows)).lengths.max())
    return max(longest * 3 // 2, -(-longest * int(lengths[rows].max()) // own))


def longest_completion(tests: TestSets) -> int:
    """Tokens of the longest reference completion, trace included, of all test sets."""
    return max(int(frozen.references(task, examples).lengths.max()) for task, examples in tests.values())
