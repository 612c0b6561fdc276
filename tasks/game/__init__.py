"""Games of two sides: tic-tac-toe, Connect and Nim."""

from tracelab.tasks.game.task import Game

__all__ = ["Game"]
