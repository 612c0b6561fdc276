"""Sokoban: a worker pushes boxes onto docks; the trace is a best-first search over worker and boxes.

    create worker 3 4 box 2 4 c2 c5     the worker's cell, the boxes', g and h (searchformer, published)
    close 22 26 c2 c5                   one word a cell (format=compact)

After Searchformer (Lehnert et al. 2024, arXiv 2402.14083): A* on worker and boxes, each step of the worker
costs 1. format=published with outer_walls=true, heuristic=open_docks and deadlocks=corners are that paper's
code: its prompts, token for token, and its search, whose traces and plans are read, judged and written as
they stand there (its ties depend on hashes that differ from process to process: tie_break=random is as good).
A step leaves boxes on docks out, h counts docks without a box alone and is not consistent, so that A* reopens
states, and the plan begins with the start. Three things stay ours: yards are made by pulling boxes from docks
(theirs are drawn and kept if they can be solved), costs have words up to c400 (theirs to c39999), and
problems are drawn anew where a box starts on a dock or a closing may be taken for another open state's. So
may a model's, in a few valid searches: docs/verdicts.md says how many are called invalid.

The other formats differ: boxes on docks are written too, so that a step names one state; walls stand row by
row. heuristic=boxes counts a box's nearest dock, taken or not, and is consistent; worker adds the worker's
distance to the nearest box. There the solution is the worker's cells after the start. Optimal means the
fewest steps.

Easy: pulls=[1,3] longest=40. Medium: the defaults. Hard: boxes=2 pulls=[2,8] longest=120.
Searchformer's setting: size=7 boxes=2 walls=2 pulls=[4,20] longest=null format=published outer_walls=true
heuristic=open_docks deadlocks=corners; its traces have thousands of tokens.

    python -m tracelab.show task=sokoban index=3
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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
from tracelab.search.completion import LEVELS, check_fit
from tracelab.tasks.shared.perturbing import Change, Perturbed
from tracelab.tasks.shared.redraws import Redrawn, check_longest, fitting, redrawn, writable
from tracelab.tasks.shared.searching import Searching
from tracelab.tasks.sokoban.drawing import LEGEND, PICTURE_LEGEND, draw_yard, plot_yard
from tracelab.tasks.sokoban.draws import draw_problems
from tracelab.tasks.sokoban.parsing import Yards, identities_of, problem_of
from tracelab.tasks.sokoban.perturbations import changes_of
from tracelab.tasks.sokoban.space import HEURISTICS
from tracelab.tasks.sokoban.text import DEAREST, codec_of, prompt_rows
from tracelab.tasks.sokoban.yard import HEADER, MOST_BOXES, Yard, new_yard

FORMATS = ("compact", "searchformer", "published")
DEADLOCKS = (False, True, "corners")
MOST_STATES = 1 << 17  # that a search may meet
MOST_SIDE = 15


@reads_older(side="reach.side", most_boxes="reach.boxes")
@dataclass(frozen=True)
class Sokoban(Redrawn, Searching, Perturbed):
    """A distribution of yards with its reference solver and its way of writing.

    size: both sides, or [rows, columns], the wall around included: 4 to 15. boxes: and docks, 1 to 6.
    walls: inner ones. pulls: fewest and most pulls by which boxes get away from the docks. solver,
    tie_break: see `search.best_first`. heuristic: one of HEURISTICS; with open_docks, and with worker and
    several boxes, A* reopens states. deadlocks: is pushing a box onto a dead cell no move? corners: onto
    one where walls alone hold it. format: one of FORMATS. outer_walls: does the prompt name the walls
    around the yard? longest: problems whose reference trace has more steps are drawn anew (None: none
    are). ood: the out-of-distribution test sets, each the knobs that it changes. reach: how far the
    vocabulary goes, {side: largest, boxes: most} (default: as far as is in use, test sets included).
    """

    size: int | Sequence[int] = 7
    boxes: int = 1
    walls: int = 3
    pulls: Sequence[int] = (1, 6)
    solver: str = "astar"
    tie_break: str = "fifo"
    heuristic: str = "worker"
    deadlocks: bool | str = True
    format: str = "compact"
    outer_walls: bool = False
    longest: int | None = 60
    ood: Sequence[Mapping[str, Any]] = ()
    reach: Mapping[str, int] | None = None

    name = "sokoban"
    levels, reasons, complexities = LEVELS, NAMES, COMPLEXITIES
    legend, picture_legend = LEGEND, PICTURE_LEGEND
    fixed, farthest = ("format", "outer_walls"), {"side": MOST_SIDE, "boxes": MOST_BOXES}

    def __post_init__(self) -> None:
        one_of("task.heuristic", self.heuristic, HEURISTICS)
        one_of("task.format", self.format, FORMATS)
        if self.deadlocks not in DEADLOCKS:
            raise ValueError(f"task.deadlocks={self.deadlocks!r} must be true, false or corners")
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
        check_longest(self.longest)
        self._check_room()

    def _check_room(self) -> None:
        """The vocabulary can write all test sets."""
        boxes = {self.reaches["boxes"], *(task.boxes for task in self.variants.values())}
        if self.format != "compact" and boxes != {self.boxes}:
            raise ValueError(
                f"task.format={self.format} has the same number of boxes in each problem: take "
                "task.format=compact for test sets with others"
            )

    @property
    def sides(self) -> tuple[int, ...]:
        """(rows, columns)."""
        return (self.size, self.size) if isinstance(self.size, int) else tuple(self.size)

    @property
    def uses(self) -> dict[str, int]:
        """How far its yards go."""
        return {"side": max(self.sides), "boxes": self.boxes}

    @property
    def stride(self) -> int:
        """The largest side that the vocabulary can write: cell (y, x) is operand y * stride + x."""
        return self.reaches["side"]

    @property
    def _most_boxes(self) -> int:
        """The most boxes that the vocabulary can write."""
        return self.reaches["boxes"]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of a trace row."""
        names = ("worker", *(f"box{k}" for k in range(self._most_boxes)))
        states = (Column(name, "state", self.stride**2) for name in names)
        costs = (Column(name, "cost", DEAREST + 1) for name in "gh")
        return (Column("op", "op", 2), *states, *costs)

    @cached_property
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""
        return codec_of(self.format, self.stride, self._most_boxes)

    @cached_property
    def _strategy(self) -> Strategy:
        reopens = self.heuristic == "open_docks" or (self.heuristic == "worker" and self.boxes > 1)
        return BestFirst(self.solver, self.tie_break, self.format != "compact", reopens).compiled()

    def _yard(self, states: int, heuristic: str | None = None) -> Yard:
        """Room for so many states."""
        chosen, tested = HEURISTICS.index(heuristic or self.heuristic), DEADLOCKS.index(self.deadlocks)
        yard: Yard = new_yard(states, self.stride, chosen, tested, self.format == "published")
        return yard

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One solved problem per key, in `split`. ValueError if none is found."""
        one_of("split", split, tuple(SPLITS))
        return redrawn(
            lambda some: self._draw(some, split),
            keys,
            f"have traces of more than task.longest={self.longest} steps, ways of more than {DEAREST} steps, "
            f"which no word can write, or searches that meet more than {MOST_STATES} states: raise "
            "task.longest, lower task.pulls, task.boxes or task.size, or take task.solver=astar with "
            "task.heuristic=worker; or, with task.format=published, begin with a box on a dock: raise "
            "task.pulls",
        )

    def _draw(self, keys: NDArray[np.uint64], split: str) -> tuple[Examples, NDArray[np.bool_]]:
        """-> problems with their searches, and which of these have a fitting length."""
        knobs = (*self.sides, self.boxes, self.walls, *self.pulls)
        failed, problems, identity = draw_problems(knobs, *SPLITS[split], BINS, keys)
        if failed >= 0:
            raise ValueError(
                f"{MAX_REDRAWS} draws gave no yard of {self.sides[0]} x {self.sides[1]} with {self.boxes} "
                f"boxes and {self.walls} inner walls, at least {self.pulls[0]} pulls from its end, that "
                f"belongs to the {split} split: take a larger task.size or fewer task.walls or task.pulls"
            )
        return self._searched(ragged(problems), identity, keys, self.longest)

    def _searched(
        self, stored: Ragged, identity: NDArray[np.uint64], keys: NDArray[np.uint64], longest: int | None
    ) -> tuple[Examples, NDArray[np.bool_]]:
        """-> stored problems with their searches, and which of these have up to `longest` steps."""
        own = best = self._search(self._yard(longest or MOST_STATES), self._strategy, stored, keys)
        several = stored.values[stored.offsets[:-1] + 2].max(initial=0) > 1  # boxes, more than it has itself
        inconsistent = self.heuristic == "worker" and several and not self._strategy.reopens
        if self.solver not in SHORTEST_PATHS or inconsistent:
            strategy = BestFirst(reopens=True).compiled()
            best = self._search(self._yard(MOST_STATES, "worker"), strategy, stored, keys)
        examples = examples_of(identity, stored, own, best.measures[:, 2])
        short = examples.trace.lengths <= (longest or np.inf)
        fits = own.solved & best.solved & short & writable(examples.trace, DEAREST)
        if self.format == "published":  # and can be read: it is told which dock has the box that is left out
            fits &= np.array([not _has_box_on_dock(problem) for problem in stored], np.bool_)
            fits &= self.judge_traces(examples, examples.trace)
        return examples, fits

    def parse(self, prompt: Integers) -> Integers:
        """The yard that a prompt's tokens write, as it is stored. ValueError if it is none of this size."""
        fewest = self._most_boxes if self.format == "searchformer" else 1
        rows, columns = self.sides
        yards = Yards(rows, columns, self.stride, fewest, self._most_boxes, self.outer_walls)
        problem = problem_of(self.codec, prompt, yards)
        if self.format == "published" and _has_box_on_dock(problem):
            raise ValueError("a box begins on a dock, which format=published cannot tell of: take another")
        return problem

    def _solved(self, problems: Ragged) -> Examples:
        """Yards that were read, with their searches. ValueError if one has none that fits."""
        identity = identities_of(problems)
        also = ", or its published text can be read in two ways" if self.format == "published" else ""
        return fitting(*self._searched(problems, identity, identity, None), MOST_STATES, also)

    def _search(self, yard: Yard, strategy: Strategy, stored: Ragged, keys: NDArray[np.uint64]) -> Searches:
        return solve(yard, strategy, stored, keys, (len(self.columns), 2))

    @property
    def changes(self) -> Mapping[str, Change]:
        """Small changes of its problems by name."""
        return changes_of(self.stride)

    def resolved(self, problems: Ragged, keys: NDArray[np.uint64]) -> tuple[Examples, NDArray[np.bool_]]:
        """Changed problems with their searches, and which of these are as short as drawn ones."""
        return self._searched(problems, identities_of(problems), keys, self.longest)

    def _prompt_rows(self, problems: Ragged) -> Ragged:
        """Rows of prompts."""
        format_ = self.outer_walls, self.format == "published"
        return Ragged(*prompt_rows(problems.values, problems.offsets, self.stride, *format_))

    @property
    def _fits(self) -> dict[str, int]:
        """What the vocabulary can write, in the order of a stored problem's header."""
        return {"rows": self.stride, "columns": self.stride, "boxes": self._most_boxes}

    def _space_for(self, examples: Examples, outputs: Ragged) -> Yard:
        """Room for all states that an output can name."""
        check_fit(self._fits, examples, outputs)
        return self._yard(nameable(examples, outputs, degree=4))

    def solver_state(self, problem: Integers, trace: Integers) -> dict[str, Quantity]:
        """Where worker and boxes are in the state that is closed next."""
        return board_states(trace, 1)

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with the search up to `step`."""
        return draw_yard(examples.problem[i], examples.trace[i], examples.solution[i], self.stride, step)

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        plot_yard(ax, problem, trace, solution, self.stride, bad)


def _has_box_on_dock(problem: Integers) -> bool:
    """Does a stored yard begin with a box on a dock?"""
    boxes = problem[2]
    places = problem[HEADER + 1 : HEADER + 1 + 2 * boxes]
    return bool(np.isin(places[:boxes], places[boxes:]).any())
