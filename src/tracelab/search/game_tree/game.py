"""What the search of a game's tree asks of a game. Tasks answer it for a NamedTuple of their own.

    class Board(NamedTuple): ...

    @implements(legal, Board)
    def board_legal(board, move): ...

Two sides move in turn, nothing is hidden and nothing is left to chance. A move is a small integer, the same
in every position. The game has a position, which `load` sets and moves change. The functions below are stubs
(see `search.questions`).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from tracelab.core.arrays import Integers, Random
from tracelab.search.questions import implements, stub

__all__ = ["implements"]

NONE = -1  # no value: the game goes on, or no move has come back
LOSS, DRAW, WIN = range(3)
VALUES = ("loss", "draw", "win")


class Game(Protocol):
    """A task's NamedTuple: this, and arrays that hold the position."""

    @property
    def moves(self) -> int:
        """Moves are 0 to moves - 1, legal or not."""
        ...

    @property
    def plies(self) -> int:
        """The most moves that can follow each other, one side's and the other's."""
        ...


@stub
def load(game: Game, problem: Integers) -> None:
    """Set the position that a problem's stored integers say."""
    raise NotImplementedError


@stub
def legal(game: Game, move: int) -> bool:
    """May the move be made, as long as the game is not over? Any integer may stand there."""
    raise NotImplementedError


@stub
def make(game: Game, move: int) -> None:
    """Make a legal move; the other side is to move."""
    raise NotImplementedError


@stub
def unmake(game: Game, move: int) -> None:
    """Take back the move that was made last."""
    raise NotImplementedError


@stub
def outcome(game: Game) -> int:
    """LOSS, DRAW or WIN of the side to move where the game is over, else NONE."""
    raise NotImplementedError


@stub
def left(game: Game) -> int:
    """How many moves can follow at most."""
    raise NotImplementedError


@stub
def draw(game: Game, random: Random, problem: Integers) -> int:
    """Draw a problem's integers -> how many, or 0: this draw gave none."""
    raise NotImplementedError


@stub
def identity(game: Game) -> np.uint64:
    """The canonical hash of the loaded problem: equal for equivalent problems."""
    raise NotImplementedError
