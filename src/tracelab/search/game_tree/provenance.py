"""Where a right answer behind a game-tree trace comes from.

A trace gives a move where the problem's position has got its value, and the move is one that the search
finds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.completion import References, longest, references
from tracelab.search.game_tree.game import Game, load
from tracelab.search.game_tree.judge import Searched, move_of
from tracelab.search.game_tree.reasons import R
from tracelab.search.game_tree.replay import end_flaw
from tracelab.search.game_tree.search import (
    CHOSEN,
    DEPTH,
    DONE,
    ENTER,
    Line,
    begin,
    is_better,
    new_line,
)
from tracelab.search.game_tree.tree import NEEDED, SPOILT, WIDTH, mark_proof, read_tree
from tracelab.search.provenance import kind_of


def provenance(
    searched: Searched, examples: Examples, traces: Ragged, solutions: Ragged
) -> NDArray[np.uint8]:
    """What `core.types.Task` calls provenance."""
    given = references(examples, traces, solutions)
    found: NDArray[np.uint8] = _provenance(searched.game, searched.kind, given)
    return found


@njit
def _provenance(game: Game, kind: int, given: References) -> NDArray[np.uint8]:
    problems, offsets, rows, ends, solutions, solution_ends = given
    found = np.empty(len(ends) - 1, np.uint8)
    line, tree = new_line(game), np.empty((longest(ends) + 1, WIDTH), np.int64)
    moves = np.empty(longest(ends) + 1, np.int64)
    for i in range(len(found)):
        trace, solution = rows[ends[i] : ends[i + 1]], solutions[solution_ends[i] : solution_ends[i + 1]]
        move = move_of(solution, len(solution))
        load(game, problems[offsets[i] : offsets[i + 1]])
        believe(trace, moves, line)
        worded = end_flaw(kind, line, move) == R.ok
        count, _, wrong = read_tree(game, trace, line, tree)
        right = end_flaw(kind, line, move) == R.ok
        mark_proof(tree, count, move)
        undone = False
        for k in range(count):
            undone = undone or (tree[k, NEEDED] > 0 and tree[k, SPOILT] > 0)
        found[i] = kind_of(right, worded, wrong, undone)
    return found


@kernel
def believe(trace: Integers, moves: Integers, line: Line) -> None:
    """Take each step at its word: what comes back from first moves, and that the search ends.

    moves: (steps + 1,) those that were entered, overwritten.
    """
    begin(line)
    for r in range(len(trace)):
        depth = line.marks[DEPTH]
        if line.marks[DONE]:
            return
        if trace[r, 0] == ENTER:
            moves[depth] = trace[r, 1]
            line.marks[DEPTH] = depth + 1
            continue
        line.marks[DEPTH] = max(depth - 1, 0)
        if depth == 0:
            line.marks[DONE] = 1
        elif depth == 1 and 0 <= moves[0] < len(line.found):
            line.found[moves[0]] = trace[r, 2]
            if is_better(0, trace[r, 2], line.best[0]):
                line.best[0], line.marks[CHOSEN] = trace[r, 2], moves[0]
