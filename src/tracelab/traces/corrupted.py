"""The problem's own trace with steps damaged at a rate: a dial from almost right to nonsense.

(Not what Beyond Semantics, arXiv 2505.13775, calls corrupted: that is `swapped` here.) Kinds:

    state   the step names another state            order   steps trade places
    cost    g or h is another number                drop    the step is missing
    op      create becomes close and the reverse    insert  a step of another problem stands before it
    mixed   each damaged step gets one of these (a state instead of an op that has no other written alike)

Another state or cost is taken from the same column of a random step of the batch, so that it exists,
can be written, and is as common in the damaged data as before. What the verifier still calls strictly
valid is damaged afresh. (Laxer verdicts may pass; the data card has the rate of each, and counts the
traces that no damage of the kind made invalid.)

    python -m tracelab.train trace=corrupted trace.rate=0.1 trace.kind=state
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.formats import Table
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Examples, Task
from tracelab.traces._damage import COST, INSERT, KINDS, OP, STATE, WHERE, damage
from tracelab.traces.base import Keys, Treated, Treatment, from_rows

ROUNDS = 100  # of damaging afresh what is still valid


class Damage(NamedTuple):
    """Damaged traces: rows, for each whether it is damaged, and (n,) how many steps are."""

    rows: Ragged
    damaged: Ragged
    steps: NDArray[np.int64]


@dataclass(frozen=True)
class Corrupted(Treatment):
    """Damage `rate` of a trace's steps (to the nearest step, one at least; two where they trade places).

    kind: one of the above. where: "uniform" over the trace, or its first or last steps ("prefix",
    "suffix"). A step counts as damaged where it differs from the reference's step at its place, was
    inserted, or (drop) follows a gap; dropped steps are counted though no row is left to carry a label.
    """

    rate: float = 1.0
    kind: str = "mixed"
    where: str = "uniform"

    promise: ClassVar[str] = "invalid"
    dose: ClassVar[str | None] = "rate"

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise ValueError(f"trace.rate={self.rate} must be in (0, 1]; undamaged is trace=correct")
        for knob, value, known in (("kind", self.kind, (*KINDS, "mixed")), ("where", self.where, WHERE)):
            if value not in known:
                raise ValueError(f"trace.{knob}={value!r} is unknown; choose one of {', '.join(known)}")

    def check(self, task: Task) -> None:
        """ValueError if the task has no such thing to damage."""
        reason = "" if self.kind == "mixed" else _impossible(task).get(KINDS.index(self.kind))
        if reason:
            raise ValueError(f"trace.kind={self.kind} can't be had with task {task.name}: {reason}")

    def __call__(self, task: Task, examples: Examples, keys: Keys) -> Treated:
        """Damaged traces with labels."""
        every = np.arange(len(examples))
        rows, damaged, count = self._damage(task, examples, every, keys)
        valid = task.judge_traces(examples, rows)
        for again in range(1, ROUNDS + 1):
            which = np.flatnonzero(valid)
            if len(which) == 0:
                break
            part = self._damage(task, examples, which, keys[which] + np.uint64(again))
            rows, damaged = rows.replace(which, part.rows), damaged.replace(which, part.damaged)
            count[which] = part.steps
            valid[which] = task.judge_traces(examples.take(which), part.rows)
        return from_rows(task, examples, rows, damage=count, damaged=damaged)

    def _damage(self, task: Task, examples: Examples, which: Integers, keys: Keys) -> Damage:
        trace = examples.trace
        kinds = self._kinds(task, examples)
        roles = np.array([("op", "state", "cost").index(c.role) for c in task.columns])
        knobs = (kinds, roles, like_operations(task.codec.trace), float(self.rate), WHERE.index(self.where))
        rows, offsets, damaged, count = damage(
            trace.values, trace.offsets, examples.identity, which, keys, knobs
        )
        return Damage(Ragged(rows, offsets), Ragged(damaged, offsets), count)

    def _kinds(self, task: Task, examples: Examples) -> NDArray[np.int64]:
        """The kinds to draw from. ValueError where there is no such thing to damage."""
        self.check(task)
        alone = "there is only one problem to take steps from" if len(examples) < 2 else ""
        if self.kind == "mixed":
            impossible = {**_impossible(task), INSERT: alone}
            return np.array([kind for kind in range(len(KINDS)) if not impossible.get(kind)])
        kind = KINDS.index(self.kind)
        if kind == INSERT and alone:
            raise ValueError(f"trace.kind={self.kind} can't be had with task {task.name}: {alone}")
        return np.array([kind])


def _impossible(task: Task) -> dict[int, str]:
    """Kinds of damage -> why the task's traces cannot have it; "" where they can."""
    roles = {c.role for c in task.columns}
    others = (like_operations(task.codec.trace) >= 0).any()
    return {
        STATE: "its steps name no states" if "state" not in roles else "",
        COST: "its steps have no costs" if "cost" not in roles else "",
        OP: "no two operations are written alike" if not others else "",
    }


def like_operations(table: Table) -> NDArray[np.int64]:
    """(ops, ops): in row o the other operations that are written with the same columns, then -1."""
    columns = [{int(c) for c in parts[:, 0] if c >= 0} for parts in table.parts]
    likes = np.full((len(columns), len(columns)), -1)
    for o, mine in enumerate(columns):
        others = [other for other, theirs in enumerate(columns) if other != o and theirs == mine]
        likes[o, : len(others)] = others
    return likes
