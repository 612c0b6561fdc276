"""Sokoban: a worker pushes boxes onto docks; the trace is a best-first search over worker and boxes.

    create worker 3 4 box 2 4 c2 c5     the worker's cell, the boxes', g and h (format=searchformer)
    close 22 26 c2 c5                   one word a cell (format=compact)

After Searchformer (Lehnert et al. 2024, arXiv 2402.14083): A* on worker and boxes, each step of the worker
costs 1, h is the sum of the boxes' Manhattan distances to their nearest docks. What differs: boxes on docks
are written too (with several docks a step would not name one state otherwise); a box counts its nearest dock
whether that is taken or not (else h is not consistent, and A* that closes a state once not optimal); pushing
onto a dead cell is no move (task.deadlocks). heuristic=worker adds the worker's distance to the nearest box.
The solution is the worker's cells after the start; optimal means the fewest steps.

Easy: pulls=[1,3] longest=40. Medium: the defaults. Hard: boxes=2 pulls=[2,8] longest=120.
Searchformer's setting: size=7 boxes=2 walls=2 pulls=[4,20] longest=null format=searchformer outer_walls=true
heuristic=boxes; its traces have thousands of tokens.

    python -m tracelab.show task=sokoban index=3
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tracelab.tasks._sokoban_draws as kernels
from tracelab.core.codec import Codec, Field, Format
from tracelab.core.knobs import one_of
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import BINS, MAX_REDRAWS, SPLITS, Column, Examples, Verdicts
from tracelab.search.batch import judge, judge_traces, solve
from tracelab.search.best_first import BestFirst, Strategy
from tracelab.search.completion import LEVELS, check_fit
from tracelab.search.reasons import NAMES
from tracelab.tasks._redraws import redrawn
from tracelab.tasks._sokoban_drawing import LEGEND, PICTURE_LEGEND, draw_yard, plot_yard
from tracelab.tasks._sokoban_space import FIRST, HEURISTICS, MOST_BOXES, Yard, new_yard
from tracelab.tasks._variants import named

FORMATS = ("compact", "searchformer")
MEASURES = ("expansions", "generated", "optimal_cost")
MOST_STATES = 1 << 17  # that a search may meet
MOST_SIDE = 15
DEAREST = 400  # the largest cost that can be written
SHORTEST_PATHS = ("astar", "dijkstra", "bfs")  # whose solutions are optimal


@dataclass(frozen=True)
class Sokoban:
    """A distribution of yards with its reference solver and its way of writing.

    size: both sides, or [rows, columns], the wall around included: 4 to 15. boxes: and docks, 1 to 6. walls:
    inner ones. pulls: fewest and most pulls by which boxes get away from the docks. solver, tie_break: see
    `search.best_first`. heuristic: one of HEURISTICS. deadlocks: is pushing a box onto a dead cell no move?
    format: one of FORMATS. outer_walls: does the prompt name the walls around the yard? longest: problems
    whose reference trace has more steps are drawn anew (None: none are). side, most_boxes: what the
    vocabulary can write (default: the most in use, test sets included). ood: the out-of-distribution test
    sets, each the knobs that it changes.
    """

    size: int | Sequence[int] = 7
    boxes: int = 1
    walls: int = 3
    pulls: Sequence[int] = (1, 6)
    solver: str = "astar"
    tie_break: str = "fifo"
    heuristic: str = "worker"
    deadlocks: bool = True
    format: str = "compact"
    outer_walls: bool = False
    longest: int | None = 60
    side: int | None = None
    most_boxes: int | None = None
    ood: Sequence[Mapping[str, Any]] = ()

    name: str = field(default="sokoban", init=False)
    levels: tuple[str, ...] = field(default=LEVELS, init=False)
    reasons: tuple[str, ...] = field(default=NAMES, init=False)
    legend: str = field(default=LEGEND, init=False)
    picture_legend: str = field(default=PICTURE_LEGEND, init=False)
    complexities: tuple[str, ...] = field(default=MEASURES, init=False)

    def __post_init__(self) -> None:
        one_of("task.heuristic", self.heuristic, HEURISTICS)
        one_of("task.format", self.format, FORMATS)
        BestFirst(self.solver, self.tie_break).compiled()
        if len(self.sides) != 2 or not 4 <= min(self.sides) <= max(self.sides) <= MOST_SIDE:
            raise ValueError(f"task.size={self.size} must be 4 to {MOST_SIDE}, or two such numbers")
        inner = (self.sides[0] - 2) * (self.sides[1] - 2)
        if not 1 <= self.boxes <= MOST_BOXES:
            raise ValueError(f"task.boxes={self.boxes} must be from 1 to {MOST_BOXES}")
        if not 0 <= self.walls <= inner - 2 * self.boxes - 1:
            raise ValueError(
                f"task.walls={self.walls}: of the {inner} cells within the walls around the yard, "
                f"{self.boxes} docks, {self.boxes} boxes and the worker need {2 * self.boxes + 1}; take 0 to "
                f"{inner - 2 * self.boxes - 1}"
            )
        if len(self.pulls) != 2 or not 1 <= self.pulls[0] <= self.pulls[1] <= 1000:
            raise ValueError(f"task.pulls={list(self.pulls)} must be [fewest, most], from 1 to 1000")
        if self.longest is not None and self.longest < 3:
            raise ValueError(f"task.longest={self.longest}: no trace has fewer than 3 steps")
        self._check_room()

    def _check_room(self) -> None:
        """The vocabulary can write all test sets."""
        tasks = (self, *self._variants().values())
        if self.side is not None and not max(max(t.sides) for t in tasks) <= self.side <= MOST_SIDE:
            raise ValueError(f"task.side={self.side} must be from the largest side in use to {MOST_SIDE}")
        most = max(task.boxes for task in tasks)
        if self.most_boxes is not None and not most <= self.most_boxes <= MOST_BOXES:
            raise ValueError(f"task.most_boxes={self.most_boxes} must be from {most} to {MOST_BOXES}")
        if self.format == "searchformer" and {task.boxes for task in tasks} | {self._most_boxes} != {
            self.boxes
        }:
            raise ValueError(
                "task.format=searchformer writes the same number of boxes in each step: take "
                "task.format=compact for test sets with others"
            )

    @property
    def sides(self) -> tuple[int, ...]:
        """(rows, columns)."""
        return (self.size, self.size) if isinstance(self.size, int) else tuple(self.size)

    @cached_property
    def stride(self) -> int:
        """The largest side that the vocabulary can write: cell (y, x) is operand y * stride + x."""
        return self.side or max(max(task.sides) for task in (self, *self._variants().values()))

    @cached_property
    def _most_boxes(self) -> int:
        """The most boxes that the vocabulary can write."""
        return self.most_boxes or max(task.boxes for task in (self, *self._variants().values()))

    @property
    def columns(self) -> tuple[Column, ...]:
        """Of a trace row."""
        names = ("worker", *(f"box{k}" for k in range(self._most_boxes)))
        states = (Column(name, "state", self.stride**2) for name in names)
        costs = (Column(name, "cost", DEAREST + 1) for name in "gh")
        return (Column("op", "op", 2), *states, *costs)

    @cached_property
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""
        words, written = _format(self.format, self.stride, self._most_boxes)
        return Codec(words, written, prompt_width=2, trace_width=len(self.columns), solution_width=2)

    @cached_property
    def _strategy(self) -> Strategy:
        create_start = self.format == "searchformer"
        return BestFirst(self.solver, self.tie_break, create_start).compiled()

    def _yard(self, states: int, heuristic: str | None = None) -> Yard:
        """Room for so many states."""
        chosen = HEURISTICS.index(heuristic or self.heuristic)
        yard: Yard = new_yard(states, self.stride, chosen, self.deadlocks)
        return yard

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One solved problem per key, in `split`. ValueError if none is found."""
        one_of("split", split, tuple(SPLITS))
        return redrawn(
            lambda some: self._draw(some, split),
            keys,
            f"have traces of more than task.longest={self.longest} steps, or searches that meet more than "
            f"{MOST_STATES} states: raise task.longest, lower task.pulls, task.boxes or task.size, or take "
            "task.solver=astar with task.heuristic=worker",
        )

    def _draw(self, keys: NDArray[np.uint64], split: str) -> tuple[Examples, NDArray[np.bool_]]:
        """-> problems with their searches, and which of these have a fitting length."""
        knobs = (*self.sides, self.boxes, self.walls, *self.pulls)
        failed, problems, identity = kernels.draw_problems(knobs, *SPLITS[split], BINS, keys)
        if failed >= 0:
            raise ValueError(
                f"{MAX_REDRAWS} draws gave no yard of {self.sides[0]} x {self.sides[1]} with {self.boxes} "
                f"boxes and {self.walls} inner walls, at least {self.pulls[0]} pulls from its end, that "
                f"belongs to the {split} split: take a larger task.size or fewer task.walls or task.pulls"
            )
        problem = Ragged(problems.reshape(-1), np.arange(len(keys) + 1, dtype=np.int64) * problems.shape[1])
        yard = self._yard(self.longest or MOST_STATES)
        solved, trace, solution, measures = self._solve(yard, self._strategy, problem, keys)
        least = measures[:, 2]
        if self.solver not in SHORTEST_PATHS:
            yard = self._yard(MOST_STATES, "worker")
            found, _, _, best = self._solve(yard, BestFirst().compiled(), problem, keys)
            solved, least = solved & found, best[:, 2]
        parts = (measures[:, 0], measures[:, 1], least)
        complexity = {name: values.copy() for name, values in zip(MEASURES, parts, strict=True)}
        examples = Examples(np.arange(len(keys)), identity, problem, trace, solution, complexity)
        return examples, solved & (trace.lengths <= (self.longest or np.inf))

    def _solve(self, yard: Yard, strategy: Strategy, problem: Ragged, keys: NDArray[np.uint64]) -> Any:
        steps = 5 * len(yard.states.words) + 2  # closed once, created once from each side at most
        return solve(yard, strategy, problem, keys, (len(self.columns), 2), steps)

    def prompts(self, examples: Examples) -> Ragged:
        """Prompt tokens."""
        numbers = examples.problem
        rows, ends = kernels.prompt_rows(numbers.values, numbers.offsets, self.stride, self.outer_walls)
        return self.codec.encode(self.codec.prompt, Ragged(rows, ends))

    def judge(self, examples: Examples, completions: Ragged) -> Verdicts:
        """Verdicts on completions: tokens after the prompt, up to and with the stop token."""
        yard, optimal = self._yard_for(examples, completions), examples.complexity["optimal_cost"]
        return judge(yard, self._strategy, self.codec, examples, completions, optimal)

    def judge_traces(self, examples: Examples, traces: Ragged) -> NDArray[np.bool_]:
        """(n,): is each trace (rows) strictly valid for its problem and reference solution?"""
        return judge_traces(self._yard_for(examples, traces), self._strategy, examples, traces)

    def _yard_for(self, examples: Examples, outputs: Ragged) -> Yard:
        """Room for all that a completion can name: a state a token, and its four neighbours."""
        most = {"rows": self.stride, "columns": self.stride, "boxes": self._most_boxes}
        check_fit(most, examples, outputs)
        tokens = max(outputs.lengths.max(initial=0), examples.solution.lengths.max(initial=0))
        return self._yard(5 * int(tokens) + 16)

    def _variants(self) -> dict[str, Sokoban]:
        """The out-of-distribution tasks by name, with vocabularies of their own."""
        plain = replace(self, side=None, most_boxes=None, ood=()) if self.ood else self
        changes = named(self, fixed=("format", "outer_walls"))
        return {name: replace(plain, **change) for name, change in changes.items()}

    def test_sets(self) -> Mapping[str, Sokoban]:
        """Out-of-distribution variants by name, with this task's vocabulary."""
        words: dict[str, Any] = {"side": self.stride, "most_boxes": self._most_boxes}
        return {name: replace(variant, **words) for name, variant in self._variants().items()}

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with the search up to `step`."""
        return draw_yard(examples.problem[i], examples.trace[i], examples.solution[i], self.stride, step)

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        plot_yard(ax, problem, trace, solution, self.stride, bad)


def _format(name: str, side: int, boxes: int) -> tuple[tuple[str, ...], Format]:
    """-> (the vocabulary's words, how rows are written) for yards of sides up to `side`."""
    costs = tuple(f"c{n}" for n in range(DEAREST + 1))
    fields = {"g": Field(FIRST + boxes, costs), "h": Field(FIRST + boxes + 1, costs)}
    words: tuple[str, ...] = ("worker", "box", "dock", "wall", "reasoning", "create", "close", "solution")
    if name == "compact":
        cells = tuple(f"{n % side},{n // side}" for n in range(side * side))
        fields |= {"worker": Field(1, cells), **{f"b{k}": Field(FIRST + k, cells) for k in range(boxes)}}
        rest = " ".join(["{b0}", *(f"{{b{k}?}}" for k in range(1, boxes))])
        state, cell, numbers = f"{{worker}} {rest}", "{worker}", cells
    else:
        words = (*words, "plan")
        numbers = tuple(str(n) for n in range(side))
        for k, column in enumerate(("w", *(f"b{k}" for k in range(boxes)))):
            fields |= {f"{column}x": Field(1 + k, numbers), f"{column}y": Field(1 + k, numbers, div=side)}
        rest = " ".join(f"box {{b{k}x}} {{b{k}y}}" for k in range(boxes))
        state, cell = f"worker {{wx}} {{wy}} {rest}", "{wx} {wy}"
    prompt = {kind: f"{kind} {cell}" for kind in ("worker", "box", "dock", "wall")}
    trace = {op: f"{op} {state} {{g}} {{h}}" for op in ("create", "close")}
    solution = {"plan": cell if name == "compact" else f"plan {cell}"}
    return (*words, "end", *numbers, *costs), Format(fields, prompt, trace, solution)
