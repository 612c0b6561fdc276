"""What positions are worth: a look ahead to the end, apart from the search that traces record."""

from __future__ import annotations

from tracelab.core.arrays import Integers
from tracelab.core.jit import kernel
from tracelab.search.game_tree.game import NONE, WIN, Game, legal, make, outcome, unmake
from tracelab.search.game_tree.search import Line


@kernel
def weigh(game: Game, line: Line, worth: Integers) -> int:
    """Write what each move is worth to the side to move, NONE where it is illegal -> the most.

    worth: (moves,); line: overwritten. The position stays as it is.
    """
    most = NONE
    for move in range(game.moves):
        worth[move] = NONE
        if legal(game, move):
            make(game, move)
            worth[move] = WIN - value_of(game, line)
            unmake(game, move)
            most = max(most, worth[move])
    return most


@kernel
def is_telling(worth: Integers, most: int) -> bool:
    """Is there a move that is worth less than the most?"""
    for value in worth:  # noqa: SIM110 (numba)
        if NONE < value < most:
            return True
    return False


@kernel
def value_of(game: Game, line: Line) -> int:
    """LOSS, DRAW or WIN of the side to move: of all moves, up to one that wins, the best for it (negamax)."""
    depth = 0
    line.path[0], line.best[0] = -1, NONE
    while True:
        value = outcome(game)
        if value == NONE:
            value = line.best[depth]
            move = next_move(game, line.path[depth]) if value != WIN else -1
            if move >= 0:
                make(game, move)
                line.path[depth] = move
                depth += 1
                line.path[depth], line.best[depth] = -1, NONE
                continue
        if depth == 0:
            return value
        depth -= 1
        unmake(game, line.path[depth])
        line.best[depth] = max(line.best[depth], WIN - value)


@kernel
def next_move(game: Game, after: int) -> int:
    """The next legal move, or -1."""
    for move in range(after + 1, game.moves):
        if legal(game, move):
            return move
    return -1
