"""A position from a prompt that was read from a file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import Codec
from tracelab.core.ragged import Integers
from tracelab.tasks.game.board import HEADER, LINED, Board, load
from tracelab.tasks.game.text import CELL, ROW, TO, board_rows, heaps_rows
from tracelab.tasks.shared.reading import alone, check_written, stored


def board_of(codec: Codec, prompt: Integers, board: Board) -> Integers:
    """The stored board that a prompt's tokens write. board: where it is tried, of the largest size.

    ValueError if they write none, or one on which the game is over or which no game comes to.
    """
    rows = codec.read_prompt(prompt)
    ends = np.flatnonzero(rows[:, 0] == ROW)
    if len(rows) == 0 or rows[-1, 0] != TO or (rows[:-1, 0] == TO).any():
        raise ValueError("the prompt is not a board's cells, row by row, and at its end who is to move")
    width = int(ends[0]) if len(ends) else len(rows) - 1
    marks = rows[rows[:, 0] == CELL, 1]
    height = len(ends) + 1
    most = board.plies // board.stride
    if width == 0 or len(marks) != height * width or height > most or width > board.stride:
        raise ValueError(
            f"rows of one length are due, up to {most} rows and {board.stride} columns, with / between them"
        )
    problem = stored([height, width, int(rows[-1, 2]) + 1, *marks])
    check_written(codec, prompt, board_rows(alone(problem)))
    check_reachable(problem, board.gravity)
    load(board, problem)
    if board.state[LINED] or (marks != 0).all():
        raise ValueError("the game is over: there is a line, or no empty cell")
    return problem


def check_reachable(problem: Integers, gravity: bool) -> None:
    """ValueError unless the sides have moved in turn, and nothing hangs in the air where marks fall."""
    cells = np.asarray(problem[HEADER:])
    mine = int((cells == problem[2]).sum())
    theirs = int((cells != 0).sum()) - mine
    if theirs - mine not in (0, 1):
        raise ValueError(
            f"the side to move has {mine} marks, the other {theirs}: as many or one more are due"
        )
    held = cells.reshape(problem[0], problem[1]) != 0
    if gravity and (held[:-1] & ~held[1:]).any():
        raise ValueError("a mark stands above an empty cell, and marks fall")


def heaps_of(codec: Codec, prompt: Integers) -> Integers:
    """The stored heaps that a prompt's tokens write. ValueError if they write none."""
    rows = codec.read_prompt(prompt)
    if len(rows) == 0 or (np.diff(rows[:, 1]) <= 0).any():
        raise ValueError("heaps are due, at least one, in the order of their names, each once")
    sizes: NDArray[np.int64] = np.zeros(rows[-1, 1] + 1, np.int64)
    sizes[rows[:, 1]] = rows[:, 2] + 1
    problem = stored([len(sizes), sizes.max(), *sizes])
    check_written(codec, prompt, heaps_rows(alone(problem)))
    return problem
