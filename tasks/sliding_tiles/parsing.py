"""A sliding-tile puzzle from a prompt that was read from a file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import Codec
from tracelab.core.ragged import Integers, Ragged
from tracelab.tasks.shared.reading import alone, check_written, stored
from tracelab.tasks.sliding_tiles.draws import canonical_hash, parity
from tracelab.tasks.sliding_tiles.space import HEADER, MOST_CELLS
from tracelab.tasks.sliding_tiles.text import BOARD_ROW, GOAL_ROW, SHAPE_ROW, prompt_rows


def problem_of(codec: Codec, prompt: Integers, most: int) -> Integers:
    """The stored puzzle that a prompt's tokens write. most: cells that the vocabulary can write.

    ValueError if they write none that can be solved.
    """
    read = codec.read_prompt(prompt)
    if read[:, 0].tolist() != [SHAPE_ROW, BOARD_ROW, GOAL_ROW]:
        raise ValueError("the prompt is not a shape, a board and a goal")
    rows, columns = (int(side) for side in read[SHAPE_ROW, 1:3])
    count = rows * columns
    if min(rows, columns) < 2 or count > most:
        raise ValueError(
            f"a board of {rows} x {columns} cells: sides of 2 or more and up to {most} cells are due"
        )
    boards = read[[BOARD_ROW, GOAL_ROW], 1 : 1 + count]
    problem = stored([rows, columns, *boards.ravel()])
    single = alone(problem)
    check_written(codec, prompt, Ragged(*prompt_rows(single.values, single.offsets, most)))
    if (np.sort(boards, axis=1) != np.arange(count)).any():
        raise ValueError(f"a board does not have each of {count - 1} tiles and the gap once")
    if (boards[0] == boards[1]).all():
        raise ValueError("the board is the goal: there is nothing to do")
    cells, goal = _cells(problem)
    if parity(cells, count, columns) != parity(goal, count, columns):
        raise ValueError(
            "no moves lead from the board to the goal: one of them is an odd permutation of the other"
        )
    return problem


def identity_of(problem: Integers) -> np.uint64:
    """The canonical hash of a stored puzzle."""
    scratch = np.empty((2, MOST_CELLS), np.int64)
    cells, goal = _cells(problem)
    hashed: np.uint64 = canonical_hash(int(problem[0]), int(problem[1]), cells, goal, scratch)
    return hashed


def identities_of(problems: Ragged) -> NDArray[np.uint64]:
    """(n,) canonical hashes of stored puzzles."""
    return np.array([identity_of(problem) for problem in problems], np.uint64)


def _cells(problem: Integers) -> Integers:
    """(2, MOST_CELLS): the start's cells and the goal's."""
    count = (len(problem) - HEADER) // 2
    boards = np.zeros((2, MOST_CELLS), np.int64)
    boards[:, :count] = problem[HEADER:].reshape(2, count)
    return boards
