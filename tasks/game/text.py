"""How positions, searches and moves are written.

X . O / . O . / X . . to X      tic-tac-toe, Connect: rows from the top, then who is to move
A 3 C 1                         Nim: heaps that are not empty, with their sizes
enter b2 leaf win return draw   a cell is its column's letter and its row, a fall its column's letter
enter A 2                       two objects of heap A are taken
"""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase

import numpy as np

from tracelab.core.codec import Codec
from tracelab.core.formats import Field, Format
from tracelab.core.ragged import Integers, Ragged
from tracelab.search.game_tree.game import VALUES
from tracelab.search.game_tree.search import OPS
from tracelab.tasks.game import board, heaps

MARKS = (".", "X", "O")
CELL, ROW, TO = range(3)  # parts of a board's prompt
VALUED = {op: f"{op} {{value}}" for op in OPS[1:]}


def cells_of(rows: int, columns: int) -> tuple[str, ...]:
    """Words of cells, row by row from the top: a1, b1, ..."""
    return tuple(f"{ascii_lowercase[x]}{y + 1}" for y in range(rows) for x in range(columns))


def board_codec(rows: int, columns: int, gravity: bool) -> Codec:
    """The vocabulary for boards of up to so many rows and columns."""
    moves = tuple(ascii_lowercase[:columns]) if gravity else cells_of(rows, columns)
    written = Format(
        fields={
            "mark": Field(1, MARKS),
            "side": Field(2, MARKS[1:]),
            "move": Field(1, moves),
            "value": Field(2, VALUES),
        },
        prompt={"cell": "{mark}", "row": "/", "to": "to {side}"},
        trace={"enter": "enter {move}", **VALUED},
        solution={"move": "{move}"},
    )
    return _codec((*MARKS, "/", "to"), moves, written)


def heaps_codec(count: int, most: int) -> Codec:
    """The vocabulary for up to so many heaps of up to so many objects."""
    names, numbers = tuple(ascii_uppercase[:count]), tuple(str(n + 1) for n in range(most))
    written = Format(
        fields={
            "name": Field(1, names),
            "size": Field(2, numbers),
            "heap": Field(1, names, most),
            "taken": Field(1, numbers),
            "value": Field(2, VALUES),
        },
        prompt={"heap": "{name} {size}"},
        trace={"enter": "enter {heap} {taken}", **VALUED},
        solution={"move": "{heap} {taken}"},
    )
    return _codec((), (*names, *numbers), written)


def _codec(marks: tuple[str, ...], moves: tuple[str, ...], written: Format) -> Codec:
    words = (*marks, *moves, "reasoning", *OPS, *VALUES, "solution", "end")
    return Codec(words, written, prompt_width=3, trace_width=3, solution_width=2)


def board_rows(problems: Ragged) -> Ragged:
    """Stored boards -> rows (op, mark, side) of their prompts."""
    rows = []
    for problem in problems:
        height, width, mover = (int(number) for number in problem[: board.HEADER])
        block = np.full((height, width + 1, 3), -1, np.int32)
        block[:, :-1, 0], block[:, -1, 0] = CELL, ROW
        block[:, :-1, 1] = problem[board.HEADER :].reshape(height, width)
        block[-1, -1] = TO, -1, mover - 1  # in place of the last row's end
        rows.append(block.reshape(-1, 3))
    return Ragged.stack(rows, 3)


def heaps_rows(problems: Ragged) -> Ragged:
    """Stored heaps -> rows (op, name, size - 1) of their prompts."""
    rows = []
    for problem in problems:
        sizes = np.asarray(problem[heaps.HEADER :], np.int32)
        (names,) = np.nonzero(sizes)
        rows.append(np.column_stack([np.zeros_like(names), names, sizes[names] - 1]).astype(np.int32))
    return Ragged.stack(rows, 3)


def board_lines(problem: Integers) -> list[str]:
    """A stored board for people."""
    height, width, mover = (int(number) for number in problem[: board.HEADER])
    cells = np.asarray(problem[board.HEADER :]).reshape(height, width)
    lines = ["   " + " ".join(ascii_lowercase[:width])]
    lines += [f"{y + 1:2} " + " ".join(MARKS[mark] for mark in row) for y, row in enumerate(cells)]
    return [*lines, f"{MARKS[mover]} to move"]


def heaps_lines(problem: Integers) -> list[str]:
    """Stored heaps for people."""
    sizes = enumerate(problem[heaps.HEADER :])
    return [f"{ascii_uppercase[heap]} {'o' * int(size)}" for heap, size in sizes if size > 0]
