"""A sudoku from a prompt that was read from a file."""

from __future__ import annotations

import numpy as np

from tracelab.core.codec import Codec
from tracelab.core.ragged import Integers
from tracelab.tasks.shared.reading import alone, check_written, stored
from tracelab.tasks.sudoku.grid import BOXES, SIZES
from tracelab.tasks.sudoku.text import prompt_rows


def problem_of(codec: Codec, prompt: Integers, largest: int) -> Integers:
    """The stored sudoku that a prompt's tokens write. largest: size that the vocabulary can write.

    ValueError if they write none.
    """
    rows = codec.read_prompt(prompt)
    if len(rows) == 0 or rows[0, 0] != 0 or (rows[1:, 0] != 1).any():
        raise ValueError("the prompt does not begin with a size, or has more than one")
    size, clues = SIZES[rows[0, 1]], rows[1:, 1]
    y, x, digits = clues // largest // largest, clues // largest % largest, clues % largest + 1
    if max(y.max(initial=0), x.max(initial=0)) >= size or digits.max(initial=0) > size:
        raise ValueError(f"a clue's cell or digit is outside a {size}x{size} sudoku")
    cells = np.zeros((size, size), np.int16)
    cells[y, x] = digits
    problem = stored([size, *cells.ravel()])
    check_written(codec, prompt, prompt_rows(alone(problem), largest))
    height, width = BOXES[size]
    for unit in (y, x, y // height * size + x // width):
        if len(set(zip(unit.tolist(), digits.tolist(), strict=True))) < len(clues):
            raise ValueError("a digit stands twice in a row, a column or a box")
    return problem
