"""The tree that a trace searches, and the part of it that proves a solution.

Steps that are not sound after the sound ones before them are passed over. A row of a tree is a position:

    PARENT, DEPTH, MOVE      the position before, how many moves lead here, the last of them
    ENTERED, CLOSED, VALUE   the steps that came here and went back, and with what; -1 where they are not
    AGAIN                    was its move entered in the position before already?
    SPOILT                   did a step that is not sound give it a value first?
    NEEDED                   does the proof rest on its value: that it is so much AT_LEAST, or AT_MOST?
    MET                      was one of the moves from here enough for that?
"""

from __future__ import annotations

from tracelab.core.arrays import Integers
from tracelab.core.jit import kernel
from tracelab.search.game_tree.game import NONE, WIN, Game
from tracelab.search.game_tree.reasons import R
from tracelab.search.game_tree.replay import local_fault
from tracelab.search.game_tree.search import DEPTH as LINE_DEPTH
from tracelab.search.game_tree.search import DONE, ENTER, Line, begin, step, untried

PARENT, DEPTH, MOVE, ENTERED, CLOSED, VALUE, AGAIN, SPOILT, NEEDED, MET = range(10)
WIDTH = 10
AT_LEAST, AT_MOST = 1, 2


@kernel
def read_tree(game: Game, trace: Integers, line: Line, tree: Integers) -> tuple[int, int, bool]:
    """Write the positions of a loaded problem's trace.

    -> (how many, how many steps come until the answer is settled or -1, is any step wrong?)
    """
    begin(line)
    plant(tree[0], -1, 0, -1, -1)
    count, at, settled, wrong = 1, 0, -1, False
    for r in range(len(trace)):
        row, depth = trace[r], line.marks[LINE_DEPTH]
        if local_fault(game, line, row) != R.ok:
            wrong = True
            if row[0] != ENTER and not line.marks[DONE]:
                tree[at, SPOILT] = 1
            continue
        if row[0] == ENTER:
            plant(tree[count], at, depth + 1, row[1], r)
            tree[count, AGAIN] = line.tried[depth, row[1]]
            at, count = count, count + 1
        else:
            tree[at, CLOSED], tree[at, VALUE] = r, row[2]
            at = max(tree[at, PARENT], 0)
        step(game, line, row)
        if settled < 0 and row[0] != ENTER and depth <= 1 and is_answered(game, line):
            settled = r + 1
    return count, settled, wrong


@kernel
def plant(row: Integers, parent: int, depth: int, move: int, entered: int) -> None:
    """Write a position that was just entered."""
    row[PARENT], row[DEPTH], row[MOVE], row[ENTERED] = parent, depth, move, entered
    row[CLOSED], row[VALUE] = -1, NONE
    row[AGAIN] = row[SPOILT] = row[NEEDED] = row[MET] = 0


@kernel
def is_answered(game: Game, line: Line) -> bool:
    """Is it known at the problem's position which move is best: did one win, or have all come back?"""
    return line.marks[DONE] == 1 or line.best[0] == WIN or untried(game, line) == 0


@kernel
def mark_proof(tree: Integers, count: int, solution: int) -> None:
    """Mark what proves that a first move is worth what came back from it, and that no other is worth more.

    Of a side's moves one is enough where it wants the value, the first that will do; all are needed where the
    other side does.
    """
    mine = first_of(tree, count, solution)
    if mine < 0:
        return
    value = tree[mine, VALUE]
    tree[0, NEEDED], tree[mine, NEEDED] = AT_LEAST, AT_LEAST
    for k in range(1, count):
        parent = tree[k, PARENT]
        if tree[k, CLOSED] < 0 or tree[k, AGAIN]:
            continue
        if parent == 0:
            if k != mine and value < WIN:
                tree[k, NEEDED] = AT_MOST
            continue
        theirs, owner = tree[parent, NEEDED], tree[parent, DEPTH] % 2
        if theirs == (AT_MOST if owner == 0 else AT_LEAST):
            tree[k, NEEDED] = theirs
        elif theirs != 0 and not tree[parent, MET] and will_do(tree[k, VALUE], theirs, value):
            tree[k, NEEDED], tree[parent, MET] = theirs, 1


@kernel
def first_of(tree: Integers, count: int, move: int) -> int:
    """The position that a first move leads to, where it has a value, or -1."""
    for k in range(1, count):
        if tree[k, PARENT] == 0 and tree[k, MOVE] == move and tree[k, CLOSED] >= 0:
            return k
    return -1


@kernel
def will_do(value: int, bound: int, so_much: int) -> bool:
    """Is a value AT_LEAST or AT_MOST so much?"""
    return value >= so_much if bound == AT_LEAST else value <= so_much
