"""Sliding tiles: make one board of another by sliding tiles into the gap; the trace is a best-first search.

    close 1 2 3 _ 4 5 c0 c2     a board, row by row, g and h
    create 4 c1 c1              tile 4 slides into the gap; format=boards names the board after it too

From one goal few boards are within reach of a short search: by default the goal is a random board too. Two
puzzles are the same problem if one is the other turned or mirrored. The tiles' names count: nearly all of a
test set is trained on under other names (not so with goal=ordered). The solution names the tiles in the order
in which they slide; optimal means the fewest. IDA* is no member here: it expands a state many times, which
the shared grammar, where each state is closed once, calls an error.

Easy: scramble=[2,4] heuristic=none. Medium: the defaults. Hard: scramble=[8,20] longest=80.

    python -m tracelab.show task=sliding_tiles task.heuristic=linear_conflict index=3
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import Codec
from tracelab.core.knobs import one_of
from tracelab.core.older import reads_older
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import BINS, MAX_REDRAWS, SPLITS, Column, Examples, Quantity
from tracelab.search.best_first.batch import COMPLEXITIES, Searches, examples_of, nameable, ragged, solve
from tracelab.search.best_first.reasons import NAMES
from tracelab.search.best_first.search import SHORTEST_PATHS, BestFirst, Strategy
from tracelab.search.best_first.states import board_states
from tracelab.search.completion import LEVELS, check_counts, check_fit
from tracelab.tasks.shared.perturbing import Change, Perturbed
from tracelab.tasks.shared.redraws import Redrawn, check_longest, fitting, redrawn, writable
from tracelab.tasks.shared.searching import Searching
from tracelab.tasks.shared.trees import PICTURE_LEGEND
from tracelab.tasks.sliding_tiles.drawing import LEGEND, draw_tiles, plot_tiles
from tracelab.tasks.sliding_tiles.draws import draw_problems
from tracelab.tasks.sliding_tiles.parsing import identities_of, problem_of
from tracelab.tasks.sliding_tiles.perturbations import changes_of
from tracelab.tasks.sliding_tiles.space import FIRST, HEADER, HEURISTICS, MOST_CELLS, Board, new_board
from tracelab.tasks.sliding_tiles.text import DEEPEST, codec_of, prompt_rows

GOALS = ("random", "ordered")
FORMATS = ("compact", "boards")
MOST_STATES = 1 << 17  # that a search may meet


@reads_older(cells="reach.cells")
@dataclass(frozen=True)
class SlidingTiles(Redrawn, Searching, Perturbed):
    """A distribution of puzzles with its reference solver.

    shape: (rows, columns), 2 or more each, 16 cells at most. goal: "random" or "ordered" (gap last).
    scramble: fewest and most random moves from the goal to the start, none of which takes back the one
    before; None: all boards that lead to the goal, alike likely.
    solver, tie_break: see `search.best_first`. heuristic: one of HEURISTICS. format: does a creation
    name the tile that slides (compact), or the board too (boards)? longest: puzzles whose
    reference trace has more steps are drawn anew (None: none are). ood: the out-of-distribution test sets,
    each the knobs that it changes. reach: how far the vocabulary goes, {cells: most of a board} (default: as
    far as is in use, test sets included).
    """

    shape: Sequence[int] = (3, 3)
    goal: str = "random"
    scramble: Sequence[int] | None = (4, 12)
    solver: str = "astar"
    tie_break: str = "fifo"
    heuristic: str = "manhattan"
    format: str = "compact"
    longest: int | None = 40
    ood: Sequence[Mapping[str, Any]] = ()
    reach: Mapping[str, int] | None = None

    name = "sliding_tiles"
    levels, reasons, complexities = LEVELS, NAMES, COMPLEXITIES
    legend, picture_legend = LEGEND, PICTURE_LEGEND
    fixed, farthest = ("format",), {"cells": MOST_CELLS}

    def __post_init__(self) -> None:
        one_of("task.heuristic", self.heuristic, HEURISTICS)
        one_of("task.goal", self.goal, GOALS)
        one_of("task.format", self.format, FORMATS)
        BestFirst(self.solver, self.tie_break).compiled()
        if len(self.shape) != 2 or min(self.shape) < 2 or self.size > MOST_CELLS:
            raise ValueError(
                f"task.shape={list(self.shape)} must be [rows, columns], 2 or more each, and have "
                f"{MOST_CELLS} cells at most"
            )
        if self.scramble is not None and (
            len(self.scramble) != 2 or not 1 <= self.scramble[0] <= self.scramble[1] <= 10_000
        ):
            raise ValueError(
                f"task.scramble={list(self.scramble)} must be [fewest, most] moves from 1 to 10000, or null"
            )
        check_longest(self.longest)
        assert self.reaches, "test sets and reach are checked where they are given"

    @property
    def size(self) -> int:
        """How many cells its boards have."""
        return self.shape[0] * self.shape[1]

    @property
    def uses(self) -> dict[str, int]:
        """How far its boards go."""
        return {"cells": self.size}

    @property
    def words(self) -> int:
        """How many cells the vocabulary can write."""
        return self.reaches["cells"]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of a trace row: the tile that slides (creations alone), then the board."""
        cells = (Column(f"b{k}", "state", self.words) for k in range(self.words))
        costs = (Column(name, "cost", DEEPEST + 1) for name in "gh")
        return (Column("op", "op", 2), Column("tile", "state", self.words), *cells, *costs)

    @cached_property
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""
        return codec_of(self.words, boards=self.format == "boards")

    @cached_property
    def _strategy(self) -> Strategy:
        return BestFirst(self.solver, self.tie_break).compiled()

    def _board(self, states: int, heuristic: str | None = None) -> Board:
        """Room for so many states, but for no more than there are."""
        room = min(states, factorial(self.words))
        board: Board = new_board(room, HEURISTICS.index(heuristic or self.heuristic), self.format == "boards")
        return board

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One solved puzzle per key, in `split`. ValueError if none is found."""
        one_of("split", split, tuple(SPLITS))
        steps = "" if self.longest is None else f"task.longest={self.longest} steps, "
        return redrawn(
            lambda some: self._draw(some, split),
            keys,
            f"have searches of more than {steps}{MOST_STATES} states or {DEEPEST} moves: raise task.longest, "
            "lower task.scramble or task.shape, or take task.solver=astar with "
            "task.heuristic=linear_conflict",
        )

    def _draw(self, keys: NDArray[np.uint64], split: str) -> tuple[Examples, NDArray[np.bool_]]:
        """-> puzzles with their searches, and which of these have a fitting length."""
        knobs = (*self.shape, self.goal == "ordered", *(self.scramble or (-1, -1)))
        failed, problems, identity = draw_problems(knobs, *SPLITS[split], BINS, keys)
        if failed >= 0:
            rows, columns = self.shape
            raise ValueError(
                f"{MAX_REDRAWS} draws gave no {rows} x {columns} board of the {split} split: with "
                f"task.scramble={self.scramble} there are too few for splits that share none; take more "
                "moves or a larger task.shape"
            )
        return self._searched(ragged(problems), identity, keys, self.longest)

    def _searched(
        self, stored: Ragged, identity: NDArray[np.uint64], keys: NDArray[np.uint64], longest: int | None
    ) -> tuple[Examples, NDArray[np.bool_]]:
        """-> stored puzzles with their searches, and which of these have up to `longest` steps."""
        own = best = self._search(self._board(longest or MOST_STATES), self._strategy, stored, keys)
        if self.solver not in SHORTEST_PATHS:
            board = self._board(MOST_STATES, "linear_conflict")
            best = self._search(board, BestFirst().compiled(), stored, keys)
        examples = examples_of(identity, stored, own, best.measures[:, 2])
        short = examples.trace.lengths <= (longest or np.inf)
        return examples, own.solved & best.solved & short & writable(examples.trace, DEEPEST)

    def parse(self, prompt: Integers) -> Integers:
        """The puzzle that a prompt's tokens write, as it is stored. ValueError if they write none."""
        return problem_of(self.codec, prompt, self.words)

    def _solved(self, problems: Ragged) -> Examples:
        """Puzzles that were read, with their searches. ValueError if one has none that fits."""
        identity = identities_of(problems)
        return fitting(*self._searched(problems, identity, identity, None), MOST_STATES)

    def _search(self, board: Board, strategy: Strategy, stored: Ragged, keys: NDArray[np.uint64]) -> Searches:
        return solve(board, strategy, stored, keys, (len(self.columns), 2))

    @property
    def changes(self) -> Mapping[str, Change]:
        """Small changes of its problems by name."""
        return changes_of(self.shape, ordered=self.goal == "ordered")

    def resolved(self, problems: Ragged, keys: NDArray[np.uint64]) -> tuple[Examples, NDArray[np.bool_]]:
        """Changed problems with their searches, and which of these are as short as drawn ones."""
        return self._searched(problems, identities_of(problems), keys, self.longest)

    def _prompt_rows(self, problems: Ragged) -> Ragged:
        """Rows of prompts."""
        return Ragged(*prompt_rows(problems.values, problems.offsets, self.words))

    def check_written(self, problems: Ragged) -> None:
        """ValueError unless the vocabulary can write these boards."""
        check_counts({"rows": self.words // 2, "columns": self.words // 2}, problems)
        largest = (int(problems.lengths.max(initial=0)) - HEADER) // 2
        if largest > self.words:
            raise ValueError(
                f"a board of {largest} cells is beyond this task's vocabulary, which ends at {self.words}: "
                "take the task that drew it, or a higher task.reach"
            )

    def _space_for(self, examples: Examples, outputs: Ragged) -> Board:
        """Room for all boards that an output can name."""
        check_fit({}, examples, outputs)
        self.check_written(examples.problem)
        return self._board(nameable(examples, outputs, degree=4))

    def solver_state(self, problem: Integers, trace: Integers) -> dict[str, Quantity]:
        """The board that is closed next."""
        return board_states(trace, FIRST)

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with the search up to `step`."""
        return draw_tiles(examples.problem[i], examples.trace[i], examples.solution[i], step)

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        plot_tiles(ax, problem, trace, solution, bad)
