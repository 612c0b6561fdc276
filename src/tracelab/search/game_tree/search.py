"""Minimax and alpha-beta as a trace, for every game of two sides.

A trace row is (op, move, value), -1 where absent:

    enter    a move is made: the position after it is looked at
    leaf     the game is over here, with this value; back to the position before
    return   every move was entered: the best value of those that came back, for the side to move; back
    cut      the moves that are left cannot matter any more: the best value so far; back

A value is a loss, a draw or a win of the side that the problem asks for a move; it moves at even depths and
wants the highest, the other side the lowest. The search ends when the problem's own position has a value.

Alpha-beta cuts at the highest value that there is, and at one that the side to move before (or a move earlier
than that) has better already: what it finds is the value that was first to be best. Minimax never cuts.

Source: Knuth and Moore 1975, An analysis of alpha-beta pruning; the values of their F2, which may lie
outside of alpha and beta (fail-soft).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel, njit
from tracelab.core.rng import below
from tracelab.search.game_tree.game import LOSS, NONE, WIN, Game, legal, make, outcome, unmake

ENTER, LEAF, RETURN, CUT = range(4)
OPS = ("enter", "leaf", "return", "cut")
MINIMAX, ALPHABETA = range(2)
SEARCHES = ("minimax", "alphabeta")
TIE_BREAKS = ("first", "random")
DEPTH, CHOSEN, DONE = range(3)


class Line(NamedTuple):
    """The moves from the problem's position to the one that is looked at, and what is known on the way.

    path: (plies + 1,) the moves; best: (plies + 1,) at each depth the best value that has come back, or NONE;
    tried: (plies + 1, moves) which moves were entered there; found: (moves,) the value that came back from
    each first move, or NONE; marks: (3,) the depth, the first move that was first to be best, is it done?
    """

    path: NDArray[np.int32]
    best: NDArray[np.int32]
    tried: NDArray[np.bool_]
    found: NDArray[np.int32]
    marks: NDArray[np.int64]


@njit
def new_line(game: Game) -> Line:
    """Room for every line of a game."""
    n = game.plies + 1
    return Line(
        np.empty(n, np.int32),
        np.empty(n, np.int32),
        np.empty((n, game.moves), np.bool_),
        np.empty(game.moves, np.int32),
        np.empty(3, np.int64),
    )


@kernel
def begin(line: Line) -> None:
    """Look at the problem's position."""
    line.marks[CHOSEN], line.marks[DONE] = ABSENT, 0
    for move in range(len(line.found)):
        line.found[move] = NONE
    look(line, 0)


@kernel
def look(line: Line, depth: int) -> None:
    """Look at a position from which nothing was entered."""
    line.marks[DEPTH] = depth
    line.best[depth] = NONE
    for move in range(len(line.found)):
        line.tried[depth, move] = False


@kernel
def step(game: Game, line: Line, row: Integers) -> None:
    """Take a legal step."""
    depth, move = line.marks[DEPTH], row[1]
    if row[0] == ENTER:
        line.tried[depth, move] = True
        line.path[depth] = move
        make(game, move)
        look(line, depth + 1)
    elif depth == 0:
        line.marks[DONE] = 1
    else:
        back(game, line, row[2])


@kernel
def back(game: Game, line: Line, value: int) -> None:
    """Go back to the position before, with a value."""
    depth = line.marks[DEPTH] - 1
    move = line.path[depth]
    unmake(game, move)
    line.marks[DEPTH] = depth
    better = is_better(depth, value, line.best[depth])
    if depth == 0:
        line.found[move] = value
    if better:
        line.best[depth] = value
        if depth == 0:
            line.marks[CHOSEN] = move


@kernel
def is_better(depth: int, value: int, than: int) -> bool:
    """Does the side that moves at a depth prefer a value to another, or to NONE?"""
    if than == NONE:
        return True
    return value > than if depth % 2 == 0 else value < than


@kernel
def over(game: Game, line: Line) -> int:
    """The value of a position where the game is over, for the side that is asked; else NONE."""
    value = outcome(game)
    return value if value == NONE or line.marks[DEPTH] % 2 == 0 else WIN - value


@kernel
def is_settled(line: Line) -> bool:
    """May the search cut here: is the best value the highest, or such that the line leads elsewhere?"""
    depth = line.marks[DEPTH]
    best = line.best[depth]
    if best == NONE:
        return False
    if best == (WIN if depth % 2 == 0 else LOSS):
        return True
    for above in range(1 - depth % 2, depth, 2):  # where the other side moves
        its = line.best[above]
        if its != NONE and not is_better(above, best, its):
            return True
    return False


@kernel
def untried(game: Game, line: Line) -> int:
    """How many legal moves were not entered."""
    count, depth = 0, line.marks[DEPTH]
    for move in range(game.moves):
        count += not line.tried[depth, move] and legal(game, move)
    return count


@kernel
def pick(game: Game, line: Line, skip: int) -> int:
    """One of the legal moves that were not entered: the first, but for those that are skipped."""
    depth = line.marks[DEPTH]
    for move in range(game.moves):
        if not line.tried[depth, move] and legal(game, move):
            if skip == 0:
                return move
            skip -= 1
    return ABSENT


@kernel
def search(game: Game, kind: int, tie_break: int, random: Random, line: Line, rows: Integers) -> int:
    """Search a loaded problem and record -> how many rows; 0 if they are full before it ends."""
    begin(line)
    for count in range(len(rows)):
        row, depth = rows[count], line.marks[DEPTH]
        row[1] = ABSENT
        row[0], row[2] = LEAF, over(game, line)
        if row[2] == NONE:
            some = untried(game, line)
            row[0], row[2] = RETURN if some == 0 else ENTER, line.best[depth]
            if some > 0 and kind == ALPHABETA and is_settled(line):
                row[0] = CUT
        if row[0] == ENTER:
            row[1], row[2] = pick(game, line, below(random, some) if tie_break == 1 else 0), ABSENT
        step(game, line, row)
        if line.marks[DONE]:
            return count + 1
    return 0
