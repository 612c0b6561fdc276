"""Positions drawn, searched and recorded in batches, for every task on the game-tree grammar."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, Words
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.rng import mix64
from tracelab.core.types import MAX_REDRAWS, Column, Examples
from tracelab.search.drawn import Drawn, Owned, Stored, examples_drawn, examples_given, nothing, taken
from tracelab.search.game_tree.game import NONE, VALUES, Game, draw, identity, left, load, outcome
from tracelab.search.game_tree.judge import Searched
from tracelab.search.game_tree.search import CHOSEN, CUT, ENTER, LEAF, OPS, Line, new_line, search
from tracelab.search.game_tree.worth import is_telling, weigh

MOST_STEPS = 1 << 16  # of the search of a problem that was not drawn
MEASURES = ("nodes", "leaves", "cuts", "left")
NODES, LEAVES, CUTS, LEFT = range(4)


class Limits(NamedTuple):
    """max_steps: problems whose search is longer are drawn anew; room: the most integers that a problem is
    stored in; telling: are positions drawn anew in which every move is as good as any?
    """

    max_steps: int
    room: int
    telling: bool


def columns(moves: int) -> tuple[Column, ...]:
    """Columns of a trace row, for a vocabulary of so many moves."""
    return Column("op", "op", len(OPS)), Column("move", "state", moves), Column("value", "cost", len(VALUES))


def generate(
    searched: Searched, limits: Limits, keys: NDArray[np.uint64], split: str, advice: str
) -> Examples:
    """One solved problem per key, in `split`. advice: see `examples_drawn`."""
    own = partial(_generate, *searched, limits, nothing(len(keys)))
    return examples_drawn(own, MEASURES, keys, split, advice)


def solved(searched: Searched, problems: Ragged, keys: NDArray[np.uint64] | None = None) -> Examples:
    """Stored problems with their searches. ValueError if one takes more than MOST_STEPS steps.

    keys: (n,) of ties; None: a problem's are always the same.
    """
    limits = Limits(MOST_STEPS, int(problems.lengths.max(initial=1)), False)
    fault = f"the game is over, or its search takes more than {MOST_STEPS:,} steps"
    return examples_given(partial(_generate, *searched, limits), MEASURES, problems, fault, keys)


@njit
def telling(game: Game, values: Integers, offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,): has each stored position a move that is worse than the best?"""
    line, worth = new_line(game), np.empty(game.moves, np.int32)
    found = np.zeros(len(offsets) - 1, np.bool_)
    for i in range(len(found)):
        load(game, values[offsets[i] : offsets[i + 1]])
        found[i] = is_telling(worth, weigh(game, line, worth))
    return found


@njit
def _generate(
    game: Game, kind: int, tie_break: int, limits: Limits, given: Stored, owned: Owned, keys: Words
) -> Drawn:
    """-> (first key that failed or -1, identities, problems, traces, solutions, measures)"""
    n, failed = len(keys), -1
    hashes, measures = np.empty(n, np.uint64), np.zeros((n, len(MEASURES)), np.int64)
    ends = np.zeros((2, n + 1), np.int64)
    line, worth, random = new_line(game), np.empty(game.moves, np.int32), np.empty(1, np.uint64)
    scratch = np.empty((limits.max_steps, 3), np.int32)
    problems = np.empty(n * limits.room + 1, np.int16)
    solutions = np.zeros((n, 2), np.int32)
    rows = np.empty((64 * n + limits.max_steps, 3), np.int32)
    for i in range(n):
        mine, stored = given[0][given[1][i] : given[1][i + 1]], problems[ends[0, i] :]
        random[0], length, count = keys[i], 0, 0
        for _ in range(MAX_REDRAWS if len(mine) == 0 else 1):
            length, hashes[i] = posed(game, owned, random, mine, stored)
            if length > 0:
                measures[i, LEFT] = left(game)
                # of one that is given the key is 0, unless other ties are asked for
                ties = mix64(keys[i] if len(mine) == 0 else hashes[i] ^ keys[i])
                count = searched_with(game, kind, tie_break, ties, random, line, scratch)
                solutions[i, 1] = line.marks[CHOSEN]
            # a look ahead has no end of its own: only what a search comes to an end of is weighed
            if count > 0 and limits.telling and not is_telling(worth, weigh(game, line, worth)):
                count = 0
            if count > 0:
                break
        if count == 0:
            failed = i
            break
        ends[0, i + 1], ends[1, i + 1] = ends[0, i] + length, ends[1, i] + count
        if ends[1, i + 1] > len(rows):
            more = np.empty((2 * len(rows) + limits.max_steps, 3), np.int32)
            more[: ends[1, i]] = rows[: ends[1, i]]
            rows = more
        rows[ends[1, i] : ends[1, i + 1]] = scratch[:count]
        measure(scratch[:count], measures[i])
    return (
        failed,
        hashes,
        (problems[: ends[0, n]].copy(), ends[0].copy()),
        (rows[: ends[1, n]].copy(), ends[1].copy()),
        (solutions, np.arange(n + 1)),
        measures,
    )


@kernel
def searched_with(
    game: Game, kind: int, tie_break: int, ties: np.uint64, random: Random, line: Line, rows: Integers
) -> int:
    """Search and record -> how many rows, or 0.

    ties: a state of their own, so that they do not depend on how often a problem was drawn, or where one that
    is given stood.
    """
    own, random[0] = random[0], ties
    count = search(game, kind, tie_break, random, line, rows)
    random[0] = own
    return count


@kernel
def posed(
    game: Game,
    owned: Owned,
    random: Random,
    given: Integers,
    problem: Integers,
) -> tuple[int, np.uint64]:
    """Draw and load a problem once, or take the one that is given, if any.

    -> (its integers, or 0: it is not of the split, or the game is over; its identity)
    """
    low, high, bins = owned
    length = draw(game, random, problem) if len(given) == 0 else taken(given, problem)
    if length == 0:
        return 0, np.uint64(0)
    load(game, problem[:length])
    canonical = identity(game)
    if not low <= canonical % np.uint64(bins) < high or outcome(game) != NONE:
        return 0, canonical
    return length, canonical


@kernel
def measure(rows: Integers, out: Integers) -> None:
    """Write the sizes of a searched tree: positions, leaves, cuts."""
    out[NODES], out[LEAVES], out[CUTS] = 1, 0, 0
    for r in range(len(rows)):
        out[NODES] += rows[r, 0] == ENTER
        out[LEAVES] += rows[r, 0] == LEAF
        out[CUTS] += rows[r, 0] == CUT
