"""Problems drawn, derived and recorded in batches, for every task on the derivation grammar."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, Words
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.rng import mix64
from tracelab.core.types import MAX_REDRAWS, Examples
from tracelab.search.derivation.problem import System, draw, identity, load, measure, solve, write_solution
from tracelab.search.drawn import Drawn, Owned, Stored, examples_drawn, examples_given, nothing, taken


class Room(NamedTuple):
    """The most that a problem takes: integers, trace rows and their width, solution rows and their width."""

    integers: int
    rows: int
    width: int
    solution_rows: int
    solution_width: int


def generate(
    system: System, room: Room, measures: tuple[str, ...], keys: NDArray[np.uint64], split: str, advice: str
) -> Examples:
    """One solved problem per key, in `split`. measures: names of what `measure` writes; advice: see
    `examples_drawn`.
    """
    own = partial(_generate, system, room, len(measures), nothing(len(keys)))
    return examples_drawn(own, measures, keys, split, advice)


def solved(
    system: System,
    room: Room,
    measures: tuple[str, ...],
    problems: Ragged,
    keys: NDArray[np.uint64] | None = None,
) -> Examples:
    """Stored problems with their derivations. ValueError if one has none or takes no step.

    keys: (n,) of ties; None: a problem's are always the same.
    """
    own = partial(_generate, system, room, len(measures))
    return examples_given(own, measures, problems, "it cannot be derived, or the search takes no step", keys)


@njit
def _generate(system: System, room: Room, measures: int, given: Stored, owned: Owned, keys: Words) -> Drawn:
    """-> (first key that failed or -1, identities, problems, traces, solutions, measures)"""
    n = len(keys)
    failed = -1
    hashes, figures = np.empty(n, np.uint64), np.zeros((n, measures), np.int64)
    ends = np.zeros((3, n + 1), np.int64)
    random = np.empty(1, np.uint64)
    problems = np.empty(n * room.integers + 1, np.int16)
    rows = np.empty((n * room.rows + 1, room.width), np.int32)
    solutions = np.empty((n * room.solution_rows + 1, room.solution_width), np.int32)
    for i in range(n):
        mine = given[0][given[1][i] : given[1][i + 1]]
        length, hashes[i] = drawn_problem(system, owned, keys[i], random, mine, problems[ends[0, i] :])
        if length == 0:
            failed = i
            break
        # ties do not depend on how often a problem was drawn, or where one that is given stood (its key is 0
        # unless other ties are asked for)
        random[0] = mix64(keys[i] if len(mine) == 0 else hashes[i] ^ keys[i])
        count = solve(system, random, rows[ends[1, i] :])
        if count == 0:  # none that is drawn
            failed = i
            break
        measure(system, rows[ends[1, i] : ends[1, i] + count], figures[i])
        written = write_solution(system, solutions[ends[2, i] :])
        ends[0, i + 1] = ends[0, i] + length
        ends[1, i + 1] = ends[1, i] + count
        ends[2, i + 1] = ends[2, i] + written
    return (
        failed,
        hashes,
        (problems[: ends[0, n]].copy(), ends[0].copy()),
        (rows[: ends[1, n]].copy(), ends[1].copy()),
        (solutions[: ends[2, n]].copy(), ends[2].copy()),
        figures,
    )


@kernel
def drawn_problem(
    system: System, owned: Owned, key: np.uint64, random: Random, given: Integers, problem: Integers
) -> tuple[int, np.uint64]:
    """Draw and load until a problem belongs to the split, or take the one that is given, if any.

    -> (its integers or 0, its identity)
    """
    low, high, bins = owned
    random[0] = key
    drawn = len(given) == 0
    for _ in range(MAX_REDRAWS if drawn else 1):
        length = draw(system, random, problem) if drawn else taken(given, problem)
        if length == 0:
            continue
        load(system, problem[:length])
        canonical = identity(system)
        if low <= canonical % np.uint64(bins) < high:
            return length, canonical
    return 0, np.uint64(0)
