"""Strict and local validity of a game-tree trace: replay it and name the first bad step.

Locally valid: each step is sound after those before it. A move is legal where it is entered; a leaf is a
position where the game is over, with its value; a value is returned once every legal move was entered, and it
is the best of what came back, for the side to move; a cut comes where what is left cannot matter: the best
value so far is the highest that there is, or no better for the other side than what it can have elsewhere on
the line. So whatever a locally valid trace finds for the problem's position is its value, be it searched by
minimax or alpha-beta.

Strictly valid, in addition: no move is entered twice in a position; minimax never cuts; alpha-beta cuts
wherever it may and a legal move is left; the trace ends with the value of the problem's position; and the
solution is a move that the search finds: of minimax any whose value is best, of alpha-beta the one that was
first to be best (what comes back from later ones may be a bound). Moves may be entered in any order.
"""

from __future__ import annotations

from tracelab.core.arrays import Integers
from tracelab.core.jit import kernel
from tracelab.search.game_tree.game import NONE, Game, legal
from tracelab.search.game_tree.reasons import R
from tracelab.search.game_tree.search import (
    ALPHABETA,
    CHOSEN,
    CUT,
    DEPTH,
    DONE,
    ENTER,
    LEAF,
    MINIMAX,
    RETURN,
    Line,
    begin,
    is_settled,
    over,
    step,
    untried,
)


@kernel
def replay(
    game: Game,
    kind: int,
    rows: Integers,
    count: int,
    solution: int,
    line: Line,
    reason: Integers,
    at: Integers,
) -> None:
    """Replay rows[:count] on a loaded problem; solution: its one move, any integer.

    Writes reason[0:2] and at[0:2] for the levels local and strict (ok and -1 where they pass).
    """
    reason[0] = reason[1] = R.ok
    at[0] = at[1] = -1
    begin(line)
    for i in range(count):
        fault = local_fault(game, line, rows[i])
        flaw = fault if fault != R.ok else strict_flaw(game, kind, line, rows[i])
        if flaw != R.ok and reason[1] == R.ok:
            reason[1], at[1] = flaw, i
        if fault != R.ok:
            reason[0], at[0] = fault, i
            return
        step(game, line, rows[i])
    if reason[1] == R.ok:
        flaw = end_flaw(kind, line, solution)
        if flaw != R.ok:
            reason[1], at[1] = flaw, count


@kernel
def local_fault(game: Game, line: Line, row: Integers) -> int:
    """Why a step is not sound, or ok. Any integers may stand there."""
    if line.marks[DONE]:
        return R.after_end
    op, value, best = row[0], over(game, line), line.best[line.marks[DEPTH]]
    if op == LEAF:
        if value == NONE:
            return R.not_over
        return R.ok if row[2] == value else R.wrong_value
    if value != NONE:
        return R.game_over
    if op == ENTER:
        return R.ok if legal(game, row[1]) else R.illegal_move
    if op == RETURN and untried(game, line) > 0:
        return R.moves_left
    if op == CUT and not is_settled(line):
        return R.not_settled
    return R.ok if row[2] == best else R.wrong_value


@kernel
def strict_flaw(game: Game, kind: int, line: Line, row: Integers) -> int:
    """Why a sound step is none of this search's, or ok."""
    if row[0] == ENTER:
        if line.tried[line.marks[DEPTH], row[1]]:
            return R.repeated
        return R.cut_missed if kind == ALPHABETA and is_settled(line) else R.ok
    if row[0] == CUT:
        if kind == MINIMAX:
            return R.not_pruned
        return R.ok if untried(game, line) > 0 else R.nothing_left
    return R.ok


@kernel
def end_flaw(kind: int, line: Line, solution: int) -> int:
    """Why a trace of sound steps does not end as the search does, or ok."""
    if not line.marks[DONE]:
        return R.unfinished
    return R.ok if is_found(kind, line, solution) else R.solution_differs


@kernel
def is_found(kind: int, line: Line, move: int) -> bool:
    """Is a first move one that the search finds? Any integer may stand there."""
    if kind == ALPHABETA:
        return move == line.marks[CHOSEN]
    return 0 <= move < len(line.found) and line.found[move] != NONE and line.found[move] == line.best[0]
