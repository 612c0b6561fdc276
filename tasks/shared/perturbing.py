"""Small changes of a task's problems, that stay well posed: what they are, and what becomes of the answer.

A task names its changes in `changes`, and in `other_question` how a second question is asked; the rest of
what the contract says of `perturb` and `ask_again` is here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.knobs import one_of
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Examples
from tracelab.tasks.shared.stored import Storing

# What becomes of a reference solution: it is one of the changed problem, too, as it stands; or renamed,
# turned or reversed with the problem; or the solver must find another.
KEPT, MAPPED, ANEW = "kept", "mapped", "anew"
TRIES = 100  # draws for one problem before it is said to have no such change

Carry = Callable[[Integers], Integers]  # a solution's rows -> those of one of the changed problem


class Changed(NamedTuple):
    """A changed problem, as it is stored, and how solutions are carried to it; None where they are not."""

    problem: Integers
    carry: Carry | None = None


Make = Callable[[Integers, np.random.Generator], Changed | None]


class Change(NamedTuple):
    """make: a stored problem -> the changed one, None if it has none; answer: KEPT, MAPPED or ANEW; same: the
    measures of complexity that are as before. (Counts of a search may change with the order of its ties.)
    """

    make: Make
    answer: str
    same: tuple[str, ...] = ()


class Perturbed(Storing):
    """A task with small changes."""

    name: str

    @property
    @abstractmethod
    def changes(self) -> Mapping[str, Change]:
        """Its changes by name."""

    def resolved(self, problems: Ragged, keys: NDArray[np.uint64]) -> tuple[Examples, NDArray[np.bool_]]:
        """-> changed problems with their searches, and which of these are as short as the task asks for."""
        return within(self._solved(problems), None)

    @property
    def perturbations(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self.changes)

    def perturb(self, examples: Examples, kind: str, keys: NDArray[np.uint64]) -> Examples:
        """One small change of each problem that has one, solved."""
        one_of("perturbation", kind, self.perturbations)
        return self._made_and_solved(self.changes[kind].make, examples, keys)

    @property
    def other_question(self) -> Make | None:
        """How another question is asked of a problem, None where there is no other."""
        return None

    def ask_again(self, examples: Examples, keys: NDArray[np.uint64]) -> Examples:
        """Each problem that has one with another question, solved. ValueError if the task has none."""
        if self.other_question is None:
            raise ValueError(
                f"a problem of {self.name} has one question alone: ask again where there are goals or names "
                "to choose from, in maze, graph_path (but for two_targets), arithmetic, deduction or hops"
            )
        return self._made_and_solved(self.other_question, examples, keys)

    def _made_and_solved(self, make: Make, examples: Examples, keys: NDArray[np.uint64]) -> Examples:
        """What is made of each problem of which something is, solved, with its index."""
        self.check_solved(examples.problem)
        made = self._made(make, examples, keys)
        rows = np.array([i for i, changed in enumerate(made) if changed is not None], np.int64)
        if len(rows) == 0:
            return examples.take(rows)
        problems = Ragged.of([changed.problem for changed in made if changed is not None], np.int16)
        found, fits = self.resolved(problems, keys[rows])
        return replace(found, index=examples.index[rows]).take(np.flatnonzero(fits))

    def carried(self, examples: Examples, kind: str, keys: NDArray[np.uint64]) -> Ragged:
        """(n) rows: the reference solutions, carried to the problems that `perturb` changes these into.

        Empty where a problem has no such change. The kind's answer is KEPT or MAPPED.
        """
        self.check_solved(examples.problem)
        rows = []
        made = self._made(self.changes[kind].make, examples, keys)
        for solution, changed in zip(examples.solution, made, strict=True):
            if changed is None:
                rows.append(solution[:0])
            else:
                assert changed.carry is not None, f"{kind} asks for another solution"
                rows.append(changed.carry(solution))
        return Ragged.stack(rows, examples.solution.values.shape[1])

    def _made(self, make: Make, examples: Examples, keys: NDArray[np.uint64]) -> list[Changed | None]:
        """Each problem's change; None where there is none, or where it is the problem itself."""
        made = list[Changed | None]()
        for problem, key in zip(examples.problem, keys, strict=True):
            changed = make(problem, np.random.Generator(np.random.PCG64(int(key))))
            same = changed is not None and np.array_equal(changed.problem, problem)
            made.append(None if same else changed)
        return made


def within(examples: Examples, steps: int | None) -> tuple[Examples, NDArray[np.bool_]]:
    """-> the problems, and which of their searches have up to so many steps; None for any."""
    return examples, examples.trace.lengths <= (np.inf if steps is None else steps)


def kept(problem: Integers) -> Changed:
    """A changed problem with the solutions that it had."""
    return Changed(problem, lambda rows: rows)


def order_of(draw: np.random.Generator, count: int) -> NDArray[np.int64]:
    """A random order of `count` things that is not theirs, if there are two."""
    order = np.arange(count)
    while count > 1 and (order == np.arange(count)).all():
        order = draw.permutation(count)
    return order


def with_operands(rows: Integers, operands: Integers) -> Integers:
    """A solution's rows (op, operand) with other operands."""
    changed = rows.copy()
    changed[:, 1] = operands
    return changed


# --- of grids ----------------------------------------------------------------------------------------


def numbered(height: int, width: int) -> NDArray[np.int64]:
    """(height, width): the number of each cell, row by row."""
    return np.arange(height * width).reshape(height, width)


def mirrored(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Left and right exchanged."""
    return cells[:, ::-1]


def turned(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """A quarter clockwise; of what is oblong half a turn, so that the size, which a model knows, stays."""
    height, width = cells.shape
    return np.rot90(cells, -1 if height == width else 2)


def carry_cells(cells: NDArray[np.int64], stride: int) -> Carry:
    """How solutions go whose operands are cells, y * stride + x.

    cells: (height, width), which one comes to lie there.
    """
    width, place = cells.shape[1], np.argsort(cells, axis=None)

    def carry(rows: Integers) -> Integers:
        moved = place[rows[:, 1] // stride * width + rows[:, 1] % stride]
        return with_operands(rows, moved // width * stride + moved % width)

    return carry
