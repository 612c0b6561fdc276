"""The nouns: problems with their reference search, verdicts, and what a task must offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import Codec
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.rows import concat, take

# A problem belongs to the split that owns its canonical hash, whatever the seed: splits are
# content-disjoint by construction, in streams drawn for ever as in frozen sets.
BINS = 32
SPLITS = {"train": (0, 29), "val": (29, 30), "test": (30, 31), "ood": (31, 32)}
# Where a right answer behind an invalid trace comes from, see Task.
PROVENANCES = ("legal", "unused", "undone", "led", "rebuilt")
# What a step is to the solution of a derivation, see Task.
ROLES = ("aside", "sound", "wrong", "standing")
UNKNOWN = -1  # a label that is not defined
MAX_REDRAWS = 20_000  # draws for one problem before its knobs are called impossible


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a trace row. role: "op", "state" or "cost"; size: its values are 0..size-1."""

    name: str
    role: str
    size: int


@dataclass(frozen=True)
class Examples:
    """n problems, each with the trace and the solution of the reference solver.

    index: (n,) place in the named stream; identity: (n,) canonical hash of the problem; problem:
    the task's own integers; trace, solution: rows (op, operands); complexity: name -> (n,).
    """

    index: NDArray[np.int64]
    identity: NDArray[np.uint64]
    problem: Ragged
    trace: Ragged
    solution: Ragged
    complexity: Mapping[str, NDArray[np.int64] | NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: Integers) -> Examples:
        """The given examples, in the given order."""
        return take(self, rows)

    @staticmethod
    def concat(parts: Sequence[Examples]) -> Examples:
        """All examples of all parts, in order."""
        return concat(parts)


@dataclass(frozen=True)
class Quantity:
    """One thing that a search knows of each of some entities (cells, variables, facts), step by step.

    values: (steps + 1, entities) before the first step and after each, UNKNOWN where it is not defined;
    number: is it a number, or a class?
    """

    values: NDArray[np.int64]
    number: bool = False


OK, SYNTAX, TRUNCATED, EMPTY = range(4)  # the first reasons of every task


@dataclass(frozen=True)
class Verdicts:
    """The two verdicts on n completions. Reasons are codes into the task's `reasons`; 0 is "ok".

    solution_valid, solution_optimal: (n,) bool; solution_reason: (n,) uint8. Per trace level, from
    weak to strong, columns of: trace_reason (n, levels) uint8, 0 where it passes, and trace_at
    (n, levels) int32, the first bad step, -1 where it passes. steps: (n,) steps that parsed.
    """

    solution_valid: NDArray[np.bool_]
    solution_optimal: NDArray[np.bool_]
    solution_reason: NDArray[np.uint8]
    trace_reason: NDArray[np.uint8]
    trace_at: NDArray[np.int32]
    steps: NDArray[np.int32]

    @property
    def trace_ok(self) -> NDArray[np.bool_]:
        """(n, levels): which levels each trace passes."""
        ok: NDArray[np.bool_] = self.trace_reason == 0
        return ok

    @property
    def has_solution(self) -> NDArray[np.bool_]:
        """(n,): which completions have a solution that parses, right or wrong."""
        return ~np.isin(self.solution_reason, (SYNTAX, TRUNCATED, EMPTY))


class Task(Protocol):
    """What a folder (or file) in `tasks/` offers. Everything works on batches.

    A task of states on a grid may also offer `scene(problem, trace, solution)`, all that the report's viewer
    needs to draw the search: width, height, blocked (cells, y * width + x), labels (text -> cell), steps
    (a [cell, 1 if it is closed] each) and path (cells); a cell is -1 where it is off the grid. Others are
    shown by `draw`.

    A task may also say how its own test set, in distribution, is called where tables show it:
    `in_distribution`, of mazes the generator. It is the task's name if it says nothing.

    A task may also read its problems from files: `parse(prompt)` gives the stored problem that a prompt's
    tokens write, `solved(problems)` stored problems (Ragged) with their reference searches, as Examples whose
    identities are those of drawn ones. Ties are broken by what a problem is, not by where it stood. Either
    raises ValueError where that cannot be; so may `check_read(problems)`, for all that was read of a file.

    A task may also offer small changes of its problems, to see what a model knows by heart: `perturbations`,
    their names, and `perturb(examples, name, keys)`, which gives the changed problem, solved, of each example
    that has one (the others are left out), in their order. It differs from the example's, has the example's
    index, and depends on the example and its key alone. `changes` has each by name, with what becomes of a
    reference solution and of complexity (`tasks/shared/perturbing.py`, which tasks here derive from).

    A task may also ask a second question of its problems, another goal or another value: `ask_again(examples,
    keys)` gives them as `perturb` does, with nothing else changed. ValueError if it has one question alone.

    A task may also put detours into its reference traces, valid steps that the solution does not need:
    `detours(examples, wanted, keys)` gives longer traces, and for each of their steps whether it was added
    (Ragged both). wanted, keys: (n,) steps to add to each, int64, or as near to that as its problem allows,
    and a random key. The traces are locally valid.

    A task may also offer other searches of its problems: `alternatives(examples, keys)` gives for each
    another trace of its own solver (Ragged), whose ties are broken at random by its key; without steps where
    that search was given up. It may lead to another solution than the example's: `judge_traces` says so.

    A task may also say what solutions need of traces: `needed(examples, traces, solutions)`, rows that may be
    wrong in any way, gives for each step whether the solution needs it (Ragged), and (n,) how many steps come
    until the answer is settled, -1 where it never is.

    A task may also say where right solutions come from: `provenance(examples, traces, solutions)`, rows that
    may be wrong in any way, gives for each trace its place in PROVENANCES, uint8. A step is right if it is
    legal after the right steps before it. legal: all are, and give the solution; unused: right steps alone
    give it, and wrong ones stand beside them; undone: they do, and one that it needs was said wrongly before;
    led: only all steps at their word give it; rebuilt: nor do these. `grammar` is its traces' family;
    literal: can wrong solutions be led, too, as right ones can?

    A task on derivations may also say how solutions rest on steps: `tree(examples, traces, solutions)`, rows
    that may be wrong in any way, gives for each step (Ragged, int64) its place in ROLES, how many steps
    it lies from the answer's (on the shortest way) and from the leaves (on the longest), -1 where it is
    aside. aside: the solution does not rest on it; wrong: it is not licensed by the problem and what the
    trace said before, each step taken at its word; standing: it is, and what it uses is wrong or stands on
    what is.

    A task may also say what its solver knows, for probes of a model's hidden state: `solver_state(problem,
    trace)` gives Quantities by name, for a stored problem and the rows of a trace. The trace is taken at its
    word, for it may be a model's, or another problem's. Entities are as many for all problems of a task, and
    the k-th is the same in all.
    """

    name: str
    columns: tuple[Column, ...]  # of a trace row
    levels: tuple[str, ...]  # of trace validity, weak to strong; "strict" is one of them
    reasons: tuple[str, ...]
    complexities: tuple[str, ...]
    legend: str  # of `draw`
    picture_legend: str  # of `plot`

    @property
    def codec(self) -> Codec:
        """Its closed vocabulary and the compiled tables of its format."""
        ...

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One example per key, in `split`. ValueError if MAX_REDRAWS draws find none."""

    def prompts(self, examples: Examples) -> Ragged:
        """Prompt tokens."""

    def judge(self, examples: Examples, completions: Ragged) -> Verdicts:
        """Verdicts on completions: tokens after the prompt, up to and with the stop token."""

    def judge_traces(self, examples: Examples, traces: Ragged) -> NDArray[np.bool_]:
        """(n,): is each trace (rows) strictly valid for its problem and reference solution?"""

    def test_sets(self) -> Mapping[str, Task]:
        """Out-of-distribution variants by name, with this task's vocabulary."""

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with the search up to `step`."""

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
