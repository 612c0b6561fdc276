"""Games: find a move that keeps what a position is worth; the trace is a minimax or alpha-beta search.

Tic-tac-toe on any board, Connect (marks fall) and Nim, after the games of TTT-Bench (arXiv 2506.10209), which
has boards of other forms. Any move that is as good as the best is right.

Easy: left=[2, 3]. Medium: the YAML's. Hard: left=[5, 6], search=alphabeta.

    python -m tracelab.show task=game task.game=nim task.search=alphabeta 'task.left=[3,5]'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from string import ascii_lowercase, ascii_uppercase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import Codec
from tracelab.core.knobs import one_of
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Column, Examples, Quantity
from tracelab.search.completion import LEVELS
from tracelab.search.game_tree import batch
from tracelab.search.game_tree.judge import Searched
from tracelab.search.game_tree.reasons import NAMES
from tracelab.search.game_tree.search import SEARCHES, TIE_BREAKS
from tracelab.search.game_tree.states import tree_states
from tracelab.tasks.game import board as boards
from tracelab.tasks.game import heaps as piles
from tracelab.tasks.game.drawing import LEGEND, PICTURE_LEGEND, draw_search, plot_search
from tracelab.tasks.game.parsing import board_of, heaps_of
from tracelab.tasks.game.perturbations import board_changes, heaps_changes
from tracelab.tasks.game.text import (
    MARKS,
    board_codec,
    board_lines,
    board_rows,
    cells_of,
    heaps_codec,
    heaps_lines,
    heaps_rows,
)
from tracelab.tasks.shared.perturbing import Change, Perturbed, within
from tracelab.tasks.shared.playing import Playing
from tracelab.tasks.shared.ranges import ends_of

GAMES = ("tictactoe", "connect", "nim")
MOST_SIDE, MOST_HEAPS, MOST_OBJECTS = 8, 26, 20


@dataclass(frozen=True)
class Game(Playing, Perturbed):
    """A distribution of positions with their search.

    game: tictactoe, connect (marks fall) or nim. board: rows and columns, 3 to 8 each; line: how many marks
    in a row end the game (of these two). heaps: how many there may be (of nim). misere: does the side lose
    that makes the line, or takes the last object? left: how many cells are empty, or objects there: a number
    or a range. search: minimax or alphabeta. tie_break: which move is entered next, the first or a random
    one. telling: are positions drawn anew in which every move is as good as any? longest: those whose search
    has more steps are. ood: the out-of-distribution test sets, each the knobs that it changes. reach: how far
    the vocabulary goes, {rows, columns} or {heaps, objects} (default: as far as is in use, test sets
    included).
    """

    game: str = "tictactoe"
    board: Sequence[int] = (4, 4)
    line: int = 4
    heaps: int = MOST_HEAPS
    misere: bool = False
    left: int | Sequence[int] = (2, 4)
    search: str = "minimax"
    tie_break: str = "first"
    telling: bool = True
    longest: int = 700
    ood: Sequence[Mapping[str, Any]] = ()
    reach: Mapping[str, int] | None = None

    name = "game"
    levels, reasons, complexities = LEVELS, NAMES, batch.MEASURES
    legend, picture_legend = LEGEND, PICTURE_LEGEND
    fixed = ("game", "line", "misere")
    farthest = {  # noqa: RUF012 (as `Varied` has it)
        "rows": MOST_SIDE,
        "columns": MOST_SIDE,
        "heaps": MOST_HEAPS,
        "objects": MOST_OBJECTS,
    }

    def __post_init__(self) -> None:
        one_of("task.game", self.game, GAMES)
        one_of("task.search", self.search, SEARCHES)
        one_of("task.tie_break", self.tie_break, TIE_BREAKS)
        if len(self.board) != 2 or not all(3 <= side <= MOST_SIDE for side in self.board):
            raise ValueError(f"task.board={list(self.board)} must be [rows, columns], 3 to {MOST_SIDE} each")
        if not 2 <= self.line <= max(self.board):
            raise ValueError(f"task.line={self.line} must be from 2 to the board's {max(self.board)}")
        if not 1 <= self.heaps <= MOST_HEAPS:
            raise ValueError(f"task.heaps={self.heaps} must be from 1 to {MOST_HEAPS}")
        if self.longest < 3:
            raise ValueError(f"task.longest={self.longest} must be 3 or more")
        assert self._left, "what is out of range is named"
        assert self.reaches, "test sets and reach are checked where they are given"

    @property
    def _nim(self) -> bool:
        return self.game == "nim"

    @property
    def _falls(self) -> bool:
        return self.game == "connect"

    @property
    def _left(self) -> tuple[int, int]:
        """Fewest and most empty cells or objects."""
        return ends_of("left", self.left, 1, MOST_OBJECTS if self._nim else self.board[0] * self.board[1])

    @property
    def uses(self) -> dict[str, int]:
        """How far its own problems go."""
        if self._nim:
            return {"heaps": self.heaps, "objects": self._left[1]}
        return {"rows": self.board[0], "columns": self.board[1]}

    @property
    def larger(self) -> str:
        """The knobs that make for more positions, for who asked for more than there are."""
        return "more task.heaps, or more objects: task.left" if self._nim else "task.board, or more task.left"

    @property
    def _moves(self) -> int:
        """How many moves there are, legal or not."""
        far = self.reaches
        if self._nim:
            return far["heaps"] * far["objects"]
        return far["columns"] * (1 if self._falls else far["rows"])

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of a trace row."""
        return batch.columns(self._moves)

    @cached_property
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""
        far = self.reaches
        if self._nim:
            return heaps_codec(far["heaps"], far["objects"])
        return board_codec(far["rows"], far["columns"], self._falls)

    @property
    def _fits(self) -> dict[str, int]:
        """What the vocabulary can write, in the order of a stored problem's header."""
        return self.reaches

    def _board(self) -> boards.Board:
        far, draws = self.reaches, boards.Draws(*self._left, *self.board)
        return boards.new_board(draws, far["rows"], far["columns"], self.line, self.misere, self._falls)

    def _heaps(self) -> piles.Heaps:
        far, draws = self.reaches, piles.Draws(*self._left, self.heaps)
        return piles.new_heaps(draws, far["heaps"], far["objects"], self.misere)

    def _searched(self) -> Searched:
        """Arrays of their own for each call: threads may generate at the same time."""
        played = self._heaps() if self._nim else self._board()
        return Searched(played, SEARCHES.index(self.search), TIE_BREAKS.index(self.tie_break))

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One searched position per key, in `split`. ValueError if MAX_REDRAWS draws find none."""
        room = piles.HEADER + self.heaps if self._nim else boards.HEADER + self.board[0] * self.board[1]
        limits = batch.Limits(self.longest, room, self.telling)
        advice = (
            "widen task.left, take a larger board or more heaps for splits that share no position, lower "
            "task.left or raise task.longest where searches are longer, or take task.telling=false"
        )
        return batch.generate(self._searched(), limits, keys, split, advice)

    def kept(self, keys: NDArray[np.uint64], split: str) -> NDArray[np.bool_]:
        """(n,): is the search of each key's first draw as short as the task wants?"""
        drawn = replace(self, longest=batch.MOST_STEPS, ood=()).generate(keys, split)
        return np.asarray(drawn.trace.lengths <= self.longest)

    def parse(self, prompt: Integers) -> Integers:
        """The position that a prompt's tokens write, as it is stored. ValueError if they write none."""
        if self._nim:
            return heaps_of(self.codec, prompt)
        return board_of(self.codec, prompt, self._board())

    def _solved(self, problems: Ragged, keys: NDArray[np.uint64] | None = None) -> Examples:
        """Positions that were read, searched. ValueError if a search takes more than MOST_STEPS steps.

        keys: see `search.game_tree.batch`.
        """
        return batch.solved(self._searched(), problems, keys)

    @property
    def changes(self) -> Mapping[str, Change]:
        """Small changes of its problems by name."""
        same = batch.MEASURES if self.search == "minimax" else ("left",)
        far = self.reaches
        if self._nim:
            return heaps_changes(self.heaps, far["objects"], same)
        return board_changes(far["columns"], self._falls, same)

    def resolved(self, problems: Ragged, keys: NDArray[np.uint64]) -> tuple[Examples, NDArray[np.bool_]]:
        """-> changed positions with their searches, and which of these are as short as the task asks for, and
        telling.
        """
        found, fits = within(self._solved(problems), self.longest)
        if self.telling:
            played = self._searched().game
            fits &= batch.telling(played, found.problem.values, found.problem.offsets)
        return found, fits

    def _prompt_rows(self, problems: Ragged) -> Ragged:
        """Rows of prompts: the board and who is to move, or the heaps."""
        return heaps_rows(problems) if self._nim else board_rows(problems)

    def solver_state(self, problem: Integers, trace: Integers) -> dict[str, Quantity]:
        """What is known of first moves, and where on the tree the search is."""
        return tree_states(trace, self._moves)

    def _written(self, move: int) -> str:
        """A move for people."""
        far = self.reaches
        if self._nim:
            return f"{ascii_uppercase[move // far['objects']]} {move % far['objects'] + 1}"
        return ascii_lowercase[move] if self._falls else cells_of(far["rows"], far["columns"])[move]

    def _sides(self, problem: Integers) -> tuple[str, str]:
        """Who is to move and who is not, before a move."""
        return ("", "") if self._nim else (f"{MARKS[problem[2]]} ", f"{MARKS[3 - problem[2]]} ")

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with the search up to `step`."""
        problem = examples.problem[i]
        position = heaps_lines(problem) if self._nim else board_lines(problem)
        searched, words, sides = examples.trace[i], self._written, self._sides(problem)
        return draw_search(position, searched, examples.solution[i], words, sides, step)

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        plot_search(ax, trace, solution, self._written, self._sides(problem), bad)
