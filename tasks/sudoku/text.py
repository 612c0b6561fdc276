"""How sudokus, searches and solutions are written: clues and steps by cell, solutions row by row."""

from __future__ import annotations

import numpy as np

from tracelab.core.codec import Codec
from tracelab.core.formats import Field, Format
from tracelab.core.ragged import Ragged
from tracelab.search.backtracking.search import OPS
from tracelab.tasks.sudoku.grid import HEADER, SIZES


def codec_of(largest: int) -> Codec:
    """The vocabulary for sudokus of up to `largest` by `largest` cells."""
    digits = tuple(str(d + 1) for d in range(largest))
    cells = tuple(f"r{y + 1}c{x + 1}" for y in range(largest) for x in range(largest))
    sizes = tuple(f"{size}x{size}" for size in SIZES if size <= largest)
    step = "{cell} {digit}"
    written = Format(
        fields={
            "size": Field(1, sizes),
            "cell": Field(1, cells, div=largest),
            "digit": Field(1, digits),
            "at": Field(2, cells),
        },
        prompt={"size": "{size}", "clue": step},
        trace={
            "decide": f"decide {step}",
            "propagate": f"propagate {step}",
            "conflict": "conflict {at}",
            "backtrack": f"backtrack {step}",
        },
        solution={"digit": "{digit}"},
    )
    words = ("reasoning", *OPS, "solution", "end", *sizes, *digits, *cells)
    return Codec(words, written, prompt_width=2, trace_width=3, solution_width=2)


def prompt_rows(problems: Ragged, largest: int) -> Ragged:
    """Stored problems -> rows (op, size or literal): the size, then the clues row by row."""
    rows = []
    for problem in problems:
        size, digits = int(problem[0]), problem[HEADER:]
        (places,) = np.nonzero(digits)
        block = np.ones((len(places) + 1, 2), np.int32)
        block[0] = 0, SIZES.index(size)
        block[1:, 1] = (places // size * largest + places % size) * largest + digits[places] - 1
        rows.append(block)
    return Ragged.stack(rows, 2)
