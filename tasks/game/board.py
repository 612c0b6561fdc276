"""Tic-tac-toe and Connect: marks in a row on a board, drawn at random, played and taken back.

A problem is stored as the board's height and width, who is to move (1 or 2) and the cells row by row, from
the top: 0 where empty, else whose mark. With gravity a mark falls to the lowest empty cell of its column.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, int64
from tracelab.core.jit import kernel, wrapping
from tracelab.core.rng import below, mix64, shuffle
from tracelab.search.game_tree import game as games
from tracelab.search.game_tree.game import DRAW, LOSS, NONE, WIN

HEADER = 3
HEIGHT, WIDTH, MOVER, LEFT, LINED = range(5)


class Draws(NamedTuple):
    """What is drawn: how many empty cells (both ends), and boards of which size."""

    fewest: int
    most: int
    height: int
    width: int


class Board(NamedTuple):
    """A board of up to plies // stride rows, `stride` columns; a move is a cell, y * stride + x, or a column.

    draws: see `draw`; line: how many marks in a row end the game; misere: does the side lose that made them?;
    gravity: do marks fall?; cells: (rows * stride,); state: (5,) height, width, who is to move, empty cells,
    is there a line?; order: (rows * stride,) scratch.
    """

    draws: Draws
    moves: int
    plies: int
    stride: int
    line: int
    misere: bool
    gravity: bool
    cells: NDArray[np.int32]
    state: NDArray[np.int32]
    order: NDArray[np.int32]


def new_board(draws: Draws, rows: int, columns: int, line: int, misere: bool, gravity: bool) -> Board:
    """An empty board with room for so many rows and columns."""
    room = rows * columns
    arrays = np.zeros(room, np.int32), np.zeros(5, np.int32), np.zeros(room, np.int32)
    return Board(draws, columns if gravity else room, room, columns, line, misere, gravity, *arrays)


@games.implements(games.load, Board)
def load(board: Board, problem: Integers) -> None:
    """Write the cells."""
    state = board.state
    state[HEIGHT], state[WIDTH], state[MOVER] = problem[0], problem[1], problem[2]
    state[LEFT] = state[LINED] = 0
    for y in range(problem[0]):
        for x in range(problem[1]):
            mark = problem[HEADER + y * problem[1] + x]
            board.cells[y * board.stride + x] = mark
            state[LEFT] += mark == 0
    state[LINED] = has_line(board)


@kernel
def has_line(board: Board) -> bool:
    """Is there a line anywhere?"""
    for y in range(board.state[HEIGHT]):
        for x in range(board.state[WIDTH]):
            if board.cells[y * board.stride + x] != 0 and makes_line(board, y, x):
                return True
    return False


@kernel
def makes_line(board: Board, y: int, x: int) -> bool:
    """Does the mark in a cell stand in a line: across, down or along a diagonal?"""
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        if 1 + run(board, y, x, down, right) + run(board, y, x, -down, -right) >= board.line:
            return True
    return False


@kernel
def run(board: Board, y: int, x: int, down: int, right: int) -> int:
    """How many marks follow a cell's in a direction that are as its own."""
    mark, count = board.cells[y * board.stride + x], 0
    y, x = y + down, x + right
    while 0 <= y < board.state[HEIGHT] and 0 <= x < board.state[WIDTH]:
        if board.cells[y * board.stride + x] != mark:
            break
        y, x, count = y + down, x + right, count + 1
    return count


@kernel
def lowest(board: Board, column: int) -> int:
    """The row of the lowest empty cell of a column, or -1."""
    for y in range(board.state[HEIGHT] - 1, -1, -1):
        if board.cells[y * board.stride + column] == 0:
            return y
    return -1


@games.implements(games.legal, Board)
def legal(board: Board, move: int) -> bool:
    """An empty cell, or a column that has one."""
    if move < 0 or move >= board.moves:
        return False
    if board.gravity:
        return move < board.state[WIDTH] and board.cells[move] == 0
    inside = move // board.stride < board.state[HEIGHT] and move % board.stride < board.state[WIDTH]
    return inside and board.cells[move] == 0


@games.implements(games.make, Board)
def make(board: Board, move: int) -> None:
    """Set the mark of the side to move."""
    cell = int64(move)
    if board.gravity:
        cell += lowest(board, move) * board.stride
    board.cells[cell] = board.state[MOVER]
    board.state[MOVER] = 3 - board.state[MOVER]
    board.state[LEFT] -= 1
    board.state[LINED] = makes_line(board, cell // board.stride, cell % board.stride)


@games.implements(games.unmake, Board)
def unmake(board: Board, move: int) -> None:
    """Take a mark away: with gravity the topmost one. There was no line before it."""
    cell = int64(move)
    if board.gravity:
        cell += (lowest(board, move) + 1) * board.stride
    board.cells[cell] = 0
    board.state[MOVER] = 3 - board.state[MOVER]
    board.state[LEFT] += 1
    board.state[LINED] = 0


@games.implements(games.outcome, Board)
def outcome(board: Board) -> int:
    """A line is the other side's, which made it with its last move."""
    if board.state[LINED]:
        return WIN if board.misere else LOSS
    return DRAW if board.state[LEFT] == 0 else NONE


@games.implements(games.left, Board)
def left(board: Board) -> int:
    """One for each empty cell."""
    return board.state[LEFT]


@games.implements(games.draw, Board)
def draw(board: Board, random: Random, problem: Integers) -> int:
    """Random moves from the empty board, one side's and the other's; none if they make a line."""
    draws, cells = board.draws, board.cells
    count = draws.height * draws.width
    marks = count - draws.fewest - below(random, draws.most - draws.fewest + 1)
    began = 1 + below(random, 2)
    problem[0], problem[1], problem[2] = draws.height, draws.width, (began + marks - 1) % 2 + 1
    board.state[HEIGHT], board.state[WIDTH] = draws.height, draws.width
    for k in range(len(cells)):
        cells[k] = 0
    for k in range(count):
        board.order[k] = k
    shuffle(random, board.order[:count])
    for k in range(marks):
        y, x = board.order[k] // draws.width, board.order[k] % draws.width
        if board.gravity:  # each column as often as it has cells, one of its marks after the other
            y = lowest(board, x)
        cells[y * board.stride + x] = (began + k - 1) % 2 + 1
    if has_line(board):
        return 0
    for k in range(count):
        problem[HEADER + k] = cells[k // draws.width * board.stride + k % draws.width]
    return HEADER + count


@games.implements(games.identity, Board)
@wrapping
def identity(board: Board) -> np.uint64:
    """Equal for boards that are turned or mirrored (with gravity left and right alone), with marks traded."""
    height, width, whole = board.state[HEIGHT], board.state[WIDTH], np.uint64(0)
    for turn in range(2 if board.gravity else 8 if height == width else 4):
        word = mix64(np.uint64(height * 256 + width))
        for k in range(height * width):
            y, x = k // width, k % width
            x = width - 1 - x if turn % 2 else x
            y = height - 1 - y if turn // 2 % 2 else y
            y, x = (x, y) if turn // 4 else (y, x)
            mark = board.cells[y * board.stride + x]
            whose = 0 if mark == 0 else 1 if mark == board.state[MOVER] else 2
            word = mix64(word + np.uint64(whose + 1))
        whole += mix64(word)
    return mix64(whole)
