"""Sudoku: fill the grid so that each row, column and box has every digit once."""

from tracelab.tasks.sudoku.task import Sudoku

__all__ = ["Sudoku"]
