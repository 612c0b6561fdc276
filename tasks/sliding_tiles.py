"""Sliding tiles: make one board of another by sliding tiles into the gap; the trace is a best-first search.

    close 1 2 3 _ 4 5 c0 c2     a board, row by row, g and h
    create 4 c1 c1              tile 4 slides into the gap; format=boards names the board after it too

From one goal few boards are within reach of a short search: by default the goal is a random board too. Two
puzzles are the same problem if one is the other turned or mirrored. The tiles' names count: what is in a test
set may have been trained on under other names (not so with goal=ordered). The solution names the tiles in the
order in which they slide; optimal means the fewest. IDA* is no member here: it expands a state many times,
which the shared grammar, where each state is closed once, calls an error.

Easy: shape=[2,3] scramble=[2,8]. Medium: the defaults. Hard: scramble=[8,20] longest=80.

    python -m tracelab.show task=sliding_tiles task.heuristic=linear_conflict index=3
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tracelab.tasks._sliding_draws as kernels
from tracelab.core.codec import Codec, Field, Format
from tracelab.core.knobs import one_of
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import BINS, MAX_REDRAWS, SPLITS, Column, Examples, Verdicts
from tracelab.search.batch import judge, judge_traces, solve
from tracelab.search.best_first import BestFirst, Strategy
from tracelab.search.completion import LEVELS, check_fit
from tracelab.search.reasons import NAMES
from tracelab.tasks._redraws import redrawn
from tracelab.tasks._sliding_drawing import LEGEND, draw_tiles, plot_tiles
from tracelab.tasks._sliding_space import FIRST, HEURISTICS, MOST_CELLS, Board, new_board
from tracelab.tasks._trees import PICTURE_LEGEND
from tracelab.tasks._variants import named

GOALS = ("random", "ordered")
FORMATS = ("compact", "boards")
MEASURES = ("expansions", "generated", "optimal_cost")
MOST_STATES = 1 << 17  # that a search may meet
SHORTEST_PATHS = ("astar", "dijkstra", "bfs")  # whose solutions are optimal
DEEPEST = 200  # the largest cost that can be written; dfs and greedy may go deeper


@dataclass(frozen=True)
class SlidingTiles:
    """A distribution of puzzles with its reference solver.

    shape: (rows, columns), 2 or more each, 16 cells at most. goal: "random" or "ordered" (gap last).
    scramble: fewest and most random moves from the goal to the start, none of which takes back the one
    before; None: all boards that lead to the goal, alike likely.
    solver, tie_break: see `search.best_first`. heuristic: one of HEURISTICS. format: does a creation
    name the tile that slides (compact), or the board too (boards)? longest: puzzles whose
    reference trace has more steps are drawn anew (None: none are). cells: how many the vocabulary can write
    (default: the most in use, test sets included). ood: the out-of-distribution test sets, each the knobs
    that it changes.
    """

    shape: Sequence[int] = (3, 3)
    goal: str = "random"
    scramble: Sequence[int] | None = (4, 12)
    solver: str = "astar"
    tie_break: str = "fifo"
    heuristic: str = "manhattan"
    format: str = "compact"
    longest: int | None = 40
    cells: int | None = None
    ood: Sequence[Mapping[str, Any]] = ()

    name: str = field(default="sliding_tiles", init=False)
    levels: tuple[str, ...] = field(default=LEVELS, init=False)
    reasons: tuple[str, ...] = field(default=NAMES, init=False)
    legend: str = field(default=LEGEND, init=False)
    picture_legend: str = field(default=PICTURE_LEGEND, init=False)
    complexities: tuple[str, ...] = field(default=MEASURES, init=False)

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
        if self.longest is not None and self.longest < 3:
            raise ValueError(f"task.longest={self.longest}: no trace has fewer than 3 steps")
        most = self._most  # whose variants are checked where they are given
        if self.cells is not None and not most <= self.cells <= MOST_CELLS:
            raise ValueError(f"task.cells={self.cells} must be from {most} to {MOST_CELLS}")

    @property
    def size(self) -> int:
        """How many cells its boards have."""
        return self.shape[0] * self.shape[1]

    @property
    def _most(self) -> int:
        """The most cells in use, test sets included."""
        return max(task.size for task in (self, *self._variants().values()))

    @cached_property
    def words(self) -> int:
        """How many cells the vocabulary can write."""
        return self.cells or self._most

    @property
    def columns(self) -> tuple[Column, ...]:
        """Of a trace row: the tile that slides (creations alone), then the board."""
        cells = (Column(f"b{k}", "state", self.words) for k in range(self.words))
        costs = (Column(name, "cost", DEEPEST + 1) for name in "gh")
        return (Column("op", "op", 2), Column("tile", "state", self.words), *cells, *costs)

    @cached_property
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""
        tiles = ("_", *(str(n) for n in range(1, self.words)))
        costs = tuple(f"c{n}" for n in range(DEEPEST + 1))
        sides = tuple(f"x{n}" for n in range(MOST_CELLS // 2 + 1))
        board = " ".join(["{b0}", *(f"{{b{k}?}}" for k in range(1, self.words))])
        shown = board.replace("b", "p")  # in another column
        named = board if self.format == "boards" else ""
        fields = {f"b{k}": Field(FIRST + k, tiles) for k in range(self.words)}
        fields |= {f"p{k}": Field(1 + k, tiles) for k in range(self.words)}
        fields |= {"tile": Field(1, tiles), "rows": Field(1, sides), "columns": Field(2, sides)}
        fields |= {"g": Field(FIRST + self.words, costs), "h": Field(FIRST + self.words + 1, costs)}
        written = Format(
            fields=fields,
            prompt={"shape": "shape {rows} {columns}", "board": f"board {shown}", "goal": f"goal {shown}"},
            trace={"create": f"create {{tile}} {named} {{g}} {{h}}", "close": f"close {board} {{g}} {{h}}"},
            solution={"slide": "{tile}"},
        )
        words = (
            "shape",
            "board",
            "goal",
            "reasoning",
            "create",
            "close",
            "solution",
            "end",
            *tiles,
            *sides,
            *costs,
        )
        return Codec(words, written, 1 + self.words, trace_width=len(self.columns), solution_width=2)

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
        failed, problems, identity = kernels.draw_problems(knobs, *SPLITS[split], BINS, keys)
        if failed >= 0:
            rows, columns = self.shape
            raise ValueError(
                f"{MAX_REDRAWS} draws gave no {rows} x {columns} board of the {split} split: with "
                f"task.scramble={self.scramble} there are too few for splits that share none; take more "
                "moves or a larger task.shape"
            )
        problem = Ragged(problems.reshape(-1), np.arange(len(keys) + 1, dtype=np.int64) * problems.shape[1])
        board = self._board(self.longest or MOST_STATES)
        solved, trace, solution, measures = self._solve(board, self._strategy, problem, keys)
        least = measures[:, 2]
        if self.solver not in SHORTEST_PATHS:
            board = self._board(MOST_STATES, "linear_conflict")
            found, _, _, best = self._solve(board, BestFirst().compiled(), problem, keys)
            solved, least = solved & found, best[:, 2]
        parts = (measures[:, 0], measures[:, 1], least)
        complexity = {name: values.copy() for name, values in zip(MEASURES, parts, strict=True)}
        examples = Examples(np.arange(len(keys)), identity, problem, trace, solution, complexity)
        deep = np.repeat(np.arange(len(keys)), trace.lengths)[trace.values[:, -2] > DEEPEST]
        solved[deep] = False  # their costs have no words
        return examples, solved & (trace.lengths <= (self.longest or np.inf))

    def _solve(self, board: Board, strategy: Strategy, problem: Ragged, keys: NDArray[np.uint64]) -> Any:
        steps = 5 * len(board.states.words) + 2  # closed once, created once from each side at most
        return solve(board, strategy, problem, keys, (len(self.columns), 2), steps)

    def prompts(self, examples: Examples) -> Ragged:
        """Prompt tokens."""
        numbers = examples.problem
        rows, ends = kernels.prompt_rows(numbers.values, numbers.offsets, self.words)
        return self.codec.encode(self.codec.prompt, Ragged(rows, ends))

    def judge(self, examples: Examples, completions: Ragged) -> Verdicts:
        """Verdicts on completions: tokens after the prompt, up to and with the stop token."""
        board = self._board_for(examples, completions)
        optimal = examples.complexity["optimal_cost"]
        return judge(board, self._strategy, self.codec, examples, completions, optimal)

    def judge_traces(self, examples: Examples, traces: Ragged) -> NDArray[np.bool_]:
        """(n,): is each trace (rows) strictly valid for its problem and reference solution?"""
        return judge_traces(self._board_for(examples, traces), self._strategy, examples, traces)

    def _board_for(self, examples: Examples, outputs: Ragged) -> Board:
        """Room for all that a completion can name: a board a token, and its four neighbours."""
        check_fit({"rows": self.words // 2, "columns": self.words // 2}, examples, outputs)
        largest = (int(examples.problem.lengths.max(initial=0)) - kernels.HEADER) // 2
        if largest > self.words:
            raise ValueError(
                f"a board of {largest} cells is beyond this task's vocabulary, which ends at {self.words}: "
                "judge it with the task that drew it"
            )
        tokens = max(outputs.lengths.max(initial=0), examples.solution.lengths.max(initial=0))
        return self._board(5 * int(tokens) + 16)

    def _variants(self) -> dict[str, SlidingTiles]:
        """The out-of-distribution tasks by name, with vocabularies of their own."""
        plain = replace(self, cells=None, ood=()) if self.ood else self
        return {name: replace(plain, **change) for name, change in named(self, fixed=("format",)).items()}

    def test_sets(self) -> Mapping[str, SlidingTiles]:
        """Out-of-distribution variants by name, with this task's vocabulary."""
        return {name: replace(variant, cells=self.words) for name, variant in self._variants().items()}

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with the search up to `step`."""
        return draw_tiles(examples.problem[i], examples.trace[i], examples.solution[i], step)

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        plot_tiles(ax, problem, trace, solution, bad)
