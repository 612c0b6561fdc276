"""A well-formed trace of another problem (Beyond Semantics, arXiv 2505.13775, calls this "swapped").

The traces of a batch are permuted so that none stays with its problem: every trace is still there,
once. By default the permutation is uniform. `match: length` pairs problems whose traces are as
long as can be had, so that the length of a trace still tells what it told.

    python -m tracelab.train trace=swapped trace.match=length
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Words
from tracelab.core.jit import kernel
from tracelab.core.rng import below, shuffle
from tracelab.core.types import Examples, Task
from tracelab.traces.base import Keys, Treated, Treatment, from_rows, reference

TRIES = 50  # of n problems that all differ, a uniform permutation is a derangement with probability 1/e


@dataclass(frozen=True)
class Swapped(Treatment):
    """Exchange traces between problems.

    match: "none", "length" (tokens of the trace), or the name of a complexity of the task ("expansions")
    in which donor and receiver are to be close.
    """

    match: str = "none"

    promise: ClassVar[str] = "deranged"

    def check(self, task: Task) -> None:
        """ValueError if the task has no such complexity to match in."""
        known = ("none", "length", *task.complexities)
        if self.match not in known:
            raise ValueError(
                f"trace.match={self.match!r} is unknown for {task.name}; choose one of {', '.join(known)}"
            )

    def __call__(self, task: Task, examples: Examples, keys: Keys) -> Treated:
        """Each example with its donor's trace. ValueError for fewer than two examples."""
        if len(examples) < 2:
            raise ValueError("trace=swapped needs two problems or more to exchange traces; raise the count")
        random = keys[:1].copy()
        if self.match == "none":
            donor = derangement(examples.identity, random)
        else:
            donor = matching(self._measure(task, examples), examples.identity, random)
        return from_rows(task, examples, examples.trace.take(donor), donor=donor)

    def _measure(self, task: Task, examples: Examples) -> NDArray[np.float64]:
        """(n,): what donors are matched in."""
        if self.match == "length":
            return reference(task, examples).lengths.astype(np.float64)
        self.check(task)
        return examples.complexity[self.match].astype(np.float64)


def permutation(n: int, random: Keys) -> NDArray[np.int64]:
    """A uniform permutation. random: (1,) the state of the generator (see `core.rng`)."""
    order = np.arange(n)
    shuffle(random, order)
    return order


def derangement(identity: NDArray[np.uint64], random: Keys) -> NDArray[np.int64]:
    """(n,) donors: a uniform permutation that gives nobody a trace of the same problem.

    Permutations are drawn until one will do. Where problems stand in the batch so often that none does, who
    has a trace of the same problem in the last exchanges it with somebody drawn at random, so that copies of
    a problem have traces of as many others as by chance. Only a problem that fills more than half of the
    batch can then meet itself.
    """
    for _ in range(TRIES):
        donor = permutation(len(identity), random)
        if (identity[donor] != identity).all():
            return donor
    _exchange(identity, donor, random)
    return donor


@kernel
def _exchange(identity: Words, donor: Integers, random: Keys) -> None:
    """Who has a trace of the same problem exchanges it with somebody at random."""
    n = len(donor)
    for i in range(n):
        if identity[donor[i]] == identity[i]:
            first = below(random, n)
            for k in range(n):
                j = (first + k) % n
                if _both_others(identity, donor, i, j):
                    donor[i], donor[j] = donor[j], donor[i]
                    break


@kernel
def _both_others(identity: Words, donor: Integers, i: int, j: int) -> bool:
    """Would two, if they exchanged their traces, both have another problem's?"""
    return identity[donor[j]] != identity[i] and identity[donor[i]] != identity[j]


def matching(measure: NDArray[np.float64], identity: NDArray[np.uint64], random: Keys) -> NDArray[np.int64]:
    """(n,) donors: the derangement with the least sum of |measure - donor's measure|, or near it.

    Sorted by measure (ties in random order), an optimal derangement moves traces within runs of two or
    three neighbours; the best cut into such runs is found by dynamic programming. Where a problem stands
    there several times, no cut may part its copies: each of these takes the trace of the nearest problem
    with which it can exchange. Only one that fills more than half of the batch can then meet itself.
    """
    n = len(measure)
    order = np.lexsort((permutation(n, random), measure))
    size = np.empty(n + 1, np.int64)
    clash_cost = 4 * np.ptp(measure) + 1  # more than any other choice can save
    _best_runs(measure[order], identity[order], clash_cost, size, np.empty(n + 1))
    place, stop = np.empty(n, np.int64), n  # donors in that order, by their places in it
    while stop > 0:
        begin = stop - size[stop]
        place[begin:stop] = np.roll(np.arange(begin, stop), 1)
        stop = begin
    _part_copies(identity[order], place)
    donor = np.empty(n, np.int64)
    donor[order] = order[place]
    return donor


@kernel
def _best_runs(
    measure: NDArray[np.float64],
    identity: Words,
    clash_cost: float,
    size: Integers,
    cost: NDArray[np.float64],
) -> None:
    """size[i]: length (2 or 3) of the last run in the cheapest cut of the first i."""
    cost[0], cost[1] = 0.0, np.inf
    size[0] = size[1] = 0
    for i in range(2, len(size)):
        cost[i], size[i] = np.inf, 0
        for k in range(2, min(i, 3) + 1):
            clash = identity[i - 1] == identity[i - k]  # with itself: only where it can't be helped
            for j in range(i - k, i - 1):
                clash = clash or identity[j] == identity[j + 1]
            c = cost[i - k] + 2 * (measure[i - 1] - measure[i - k]) + clash_cost * clash
            if c < cost[i]:
                cost[i], size[i] = c, k


@kernel
def _part_copies(identity: Words, donor: Integers) -> None:
    """Who has a trace of the same problem exchanges it with the nearest where both then have another's."""
    n = len(donor)
    for i in range(n):
        if identity[donor[i]] != identity[i]:
            continue
        for k in range(2, 2 * n):
            j = i + (k // 2 if k % 2 else -(k // 2))
            if 0 <= j < n and _both_others(identity, donor, i, j):
                donor[i], donor[j] = donor[j], donor[i]
                break
