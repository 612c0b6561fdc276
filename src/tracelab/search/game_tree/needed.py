"""Which steps of a game-tree trace the solution needs: those into and out of the positions that prove it.

The proof is that the move is worth what came back from it and no other is worth more (`tree.mark_proof`);
what alpha-beta cuts no proof needs. Any rows do, sound or not. The answer is settled where a first move comes
back as a win, or the last one does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers
from tracelab.core.jit import njit
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.completion import References, longest, references
from tracelab.search.game_tree.game import Game, load
from tracelab.search.game_tree.judge import Searched, move_of
from tracelab.search.game_tree.search import new_line
from tracelab.search.game_tree.tree import CLOSED, ENTERED, NEEDED, WIDTH, mark_proof, read_tree


def needed(
    searched: Searched, examples: Examples, traces: Ragged, solutions: Ragged
) -> tuple[Ragged, Integers]:
    """What `core.types.Task` calls needed."""
    flags, settled = _needed(searched.game, references(examples, traces, solutions))
    return Ragged(flags, traces.offsets), settled


@njit
def _needed(game: Game, given: References) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    problems, offsets, rows, ends, solutions, solution_ends = given
    flags, settled = np.zeros(len(rows), np.bool_), np.full(len(ends) - 1, -1)
    line, tree = new_line(game), np.empty((longest(ends) + 1, WIDTH), np.int64)
    for i in range(len(settled)):
        load(game, problems[offsets[i] : offsets[i + 1]])
        solution = solutions[solution_ends[i] : solution_ends[i + 1]]
        count, settled[i], _ = read_tree(game, rows[ends[i] : ends[i + 1]], line, tree)
        mark_proof(tree, count, move_of(solution, len(solution)))
        for k in range(count):
            if tree[k, NEEDED]:
                for r in (tree[k, ENTERED], tree[k, CLOSED]):
                    if r >= 0:
                        flags[ends[i] + r] = True
    return flags, settled
