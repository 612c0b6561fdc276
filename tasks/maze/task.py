"""Mazes: find a way from start to goal through a grid of walls; the trace is a best-first search.

Eight generators, five solvers and three formats; the default format is that of the published data,
token for token (Beyond Semantics, arXiv 2505.13775).

    python -m tracelab.show task=maze task.size=9 task.solver=bfs
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import Codec
from tracelab.core.knobs import one_of, share
from tracelab.core.older import reads_older
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import BINS, MAX_REDRAWS, SPLITS, Column, Examples, Quantity
from tracelab.search.best_first.batch import examples_of, ragged, solve
from tracelab.search.best_first.judge import LEVELS
from tracelab.search.best_first.reasons import NAMES
from tracelab.search.best_first.search import BestFirst, Strategy
from tracelab.search.best_first.states import numbered_states
from tracelab.search.completion import check_fit
from tracelab.tasks.maze.counts import MEASURES, grid_counts
from tracelab.tasks.maze.drawing import LEGEND, PICTURE_LEGEND, draw_maze, maze_scene, plot_maze
from tracelab.tasks.maze.draws import draw_problems, identities, symmetry_hashes
from tracelab.tasks.maze.grid import Grid, new_grid
from tracelab.tasks.maze.layouts import GENERATORS, ON_LATTICE, Knobs, most_moves, wall_counts
from tracelab.tasks.maze.parsing import check_extent, check_size, problem_of, table_of
from tracelab.tasks.maze.perturbations import changes_of
from tracelab.tasks.maze.spanning_trees import TREES
from tracelab.tasks.maze.text import FORMATS, codec_of, prompt_rows
from tracelab.tasks.shared.perturbing import Change, Make, Perturbed, within
from tracelab.tasks.shared.searching import Searching

LATTICES = ("even", "odd", "random")
LARGEST = 200


@reads_older(ood_generators="ood.generator", ood_sizes="ood.size", largest="reach.side")
@dataclass(frozen=True)
class Maze(Searching, Perturbed):
    """A maze distribution with its reference solver and its way of writing.

    generator: one of GENERATORS. size: side, or (width, height), 3 to 200. solver, tie_break: see
    `search.best_first`. format: one of FORMATS. lattice: where spanning-tree mazes have their
    rooms: at even or odd coordinates, or drawn per maze (as published; `dfs` is always even there).
    coverage: share of free cells (drunkards_walk). density: range of the share of walls
    (searchformer); None for the published rule, 3 to 5 walls for each whole 10 cells.
    braid: share of the walls between rooms removed, one wall at least (braided). min_distance: fewest
    moves from start to goal; searchformer's default is the longer side - 1, Searchformer's rule (Beyond
    Semantics' code, too, but there the last of 100 pairs is taken at any distance: 2 % of its 30x30 mazes).
    ood: the out-of-distribution test sets, each the knobs that it changes. reach: how far the vocabulary
    goes, {side: the longest that it can write} (default: as far as is in use, test sets included).
    """

    generator: str = "wilson"
    size: int | Sequence[int] = 30
    solver: str = "astar"
    tie_break: str = "fifo"
    format: str = "paper"
    lattice: str = "random"
    coverage: float = 0.5
    density: Sequence[float] | None = None
    braid: float = 0.2
    min_distance: int | None = None
    ood: Sequence[Mapping[str, Any]] = ()
    reach: Mapping[str, int] | None = None

    name = "maze"
    levels, reasons, complexities = LEVELS, NAMES, MEASURES
    legend, picture_legend = LEGEND, PICTURE_LEGEND
    fixed, farthest = ("format",), {"side": LARGEST}

    def __post_init__(self) -> None:
        one_of("task.generator", self.generator, GENERATORS)
        one_of("task.format", self.format, FORMATS)
        one_of("task.lattice", self.lattice, LATTICES)
        BestFirst(self.solver, self.tie_break).compiled()
        share("task.coverage", self.coverage)
        share("task.braid", self.braid)
        if self.density is not None and (
            len(self.density) != 2 or not 0 <= self.density[0] <= self.density[1] < 1
        ):
            raise ValueError(
                f"task.density={list(self.density)} must be a range [low, high] within [0, 1), or null"
            )
        for side in self.shape:
            if side < 3:
                raise ValueError(f"task.size={self.size}: no side may be below 3")
            if side > LARGEST:
                raise ValueError(f"task.size={self.size}: no side may be above {LARGEST}")
        self._check_room()
        assert self.reaches, "test sets and reach are checked where they are given"

    def _check_room(self) -> None:
        width, height = self.shape
        kind = GENERATORS.index(self.generator)
        if kind in ON_LATTICE and self.lattice == "odd" and (width // 2) * (height // 2) < 2:
            raise ValueError(
                f"task.size={self.size} with task.lattice=odd has one room: no room for start and goal; "
                "take task.lattice=even or a larger size"
            )
        if self.least_distance < 1:
            raise ValueError(f"task.min_distance={self.min_distance} must be 1 or more")
        farthest = most_moves(self._knobs)
        if self.least_distance > farthest:
            raise ValueError(
                f"task.min_distance={self.least_distance}: a {width}x{height} {self.generator} maze has no "
                f"shortest path of more than {farthest} moves"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(width, height)."""
        return _shape(self.size)

    @property
    def in_distribution(self) -> str:
        """The name of its own test set."""
        return self.generator

    @property
    def least_distance(self) -> int:
        """Fewest moves from start to goal."""
        if self.min_distance is not None:
            return self.min_distance
        return max(self.shape) - 1 if self.generator == "searchformer" else 1

    @cached_property
    def stride(self) -> int:
        """Longest side that the vocabulary can write; a cell's operand is y * stride + x."""
        return self.reaches["side"]

    @property
    def uses(self) -> dict[str, int]:
        """How far its mazes go."""
        return {"side": max(self.shape)}

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of a trace row."""
        cells = self.stride**2
        costs = (Column(name, "cost", cells) for name in "gh")
        return (Column("op", "op", 2), Column("cell", "state", cells), *costs)

    @cached_property
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""
        return codec_of(self.format, self.stride)

    @cached_property
    def _strategy(self) -> Strategy:
        return BestFirst(self.solver, self.tie_break, create_start=self.format == "searchformer").compiled()

    @cached_property
    def _knobs(self) -> Knobs:
        width, height = self.shape
        kind = GENERATORS.index(self.generator)
        parity = 0 if self.generator == "dfs" and self.lattice == "random" else LATTICES.index(self.lattice)
        if parity == 2 and (width // 2) * (height // 2) < 2:
            parity = 0  # the odd lattice has one room
        counts = wall_counts(width * height, self.density)
        coverage, braid = float(self.coverage), float(self.braid)  # 1 would compile anew
        return Knobs(kind, width, height, parity, coverage, *counts, braid, self.least_distance)

    @cached_property
    def _hashes(self) -> NDArray[np.uint64]:
        return symmetry_hashes(*self.shape)

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One solved maze per key, in `split`. ValueError if MAX_REDRAWS draws find none."""
        one_of("split", split, tuple(SPLITS))
        failed, problems, identity = draw_problems(self._knobs, *SPLITS[split], BINS, self._hashes, keys)
        if failed >= 0:
            raise ValueError(
                f"{MAX_REDRAWS} draws gave no {self.generator} maze of {'x'.join(map(str, self.shape))} with "
                f"start and goal at least {self.least_distance} moves apart that belongs to the {split} "
                "split: a split that can't be made disjoint from the others, or an impossible "
                "task.min_distance, task.coverage or task.density; take a larger task.size or looser knobs"
            )
        return self._searched(ragged(problems), identity, keys, tree=self._knobs.generator in TREES)

    def _searched(
        self, problems: Ragged, identity: NDArray[np.uint64], keys: NDArray[np.uint64], tree: bool
    ) -> Examples:
        """Mazes of the task's size with their searches. tree: has each one way alone from start to goal?"""
        grid = new_grid(*self.shape, self.stride)
        searches = solve(grid, self._strategy, problems, keys, (4, 2))
        moves, counts = grid_counts(grid, problems, searches.measures[:, 2] if tree else None)
        examples = examples_of(identity, problems, searches, moves)
        return replace(examples, complexity={**examples.complexity, **counts})

    @property
    def changes(self) -> Mapping[str, Change]:
        """Small changes of its mazes by name. All keep the least distance from start to goal."""
        return changes_of(self.least_distance, self.stride)

    def resolved(self, problems: Ragged, keys: NDArray[np.uint64]) -> tuple[Examples, NDArray[np.bool_]]:
        """Changed mazes with their searches; any length will do."""
        identity = identities(self._hashes, table_of(problems, *self.shape))
        return within(self._searched(problems, identity, keys, tree=False), None)  # it may be none

    def parse(self, prompt: Integers) -> Integers:
        """The maze that a prompt's tokens write, as it is stored. ValueError if it is none of this size."""
        return problem_of(self.codec.read_prompt(prompt), *self.shape, self.stride)

    def _solved(self, problems: Ragged) -> Examples:
        """Mazes that were read, with their searches. ValueError if one has no way."""
        identity = identities(self._hashes, table_of(problems, *self.shape))
        return self._searched(problems, identity, identity, tree=False)

    def check_solved(self, problems: Ragged) -> None:
        """ValueError unless all mazes are of the task's size."""
        check_size(problems, *self.shape)

    def check_read(self, problems: Ragged) -> None:
        """ValueError if all that was read of a file is of a smaller size."""
        check_extent(problems, *self.shape)

    @property
    def other_question(self) -> Make:
        """How another goal is asked for."""
        return self.changes["move_goal"].make

    def _prompt_rows(self, problems: Ragged) -> Ragged:
        """Rows of prompts."""
        ready = "ready" in self.codec.format.prompt
        return Ragged(*prompt_rows(problems.values, problems.offsets, self.stride, ready))

    @property
    def _fits(self) -> dict[str, int]:
        """What the vocabulary can write, in the order of a stored problem's header."""
        return {"columns": self.stride, "rows": self.stride}

    def _space_for(self, examples: Examples, outputs: Ragged) -> Grid:
        """Room for the largest maze of a batch. ValueError if the vocabulary cannot write it."""
        check_fit(self._fits, examples, outputs)
        first = examples.problem.offsets[:-1]
        width, height = (int(examples.problem.values[first + k].max(initial=1)) for k in range(2))
        grid: Grid = new_grid(width, height, self.stride)
        return grid

    def called(self, change: Mapping[str, Any]) -> str:
        """The name of a test set: of another size, "wilson_9x9"."""
        return super().called({"generator": self.generator, **change} if "size" in change else change)

    def spelled(self, knob: str, value: Any) -> str:
        """A changed knob in a name."""
        return "x".join(map(str, _shape(value))) if knob == "size" else super().spelled(knob, value)

    def solver_state(self, problem: Integers, trace: Integers) -> dict[str, Quantity]:
        """Cells, y * stride + x: unseen, open or closed, with their costs."""
        return numbered_states(trace, self.stride**2)

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with the search up to `step`."""
        return draw_maze(examples.problem[i], examples.trace[i], examples.solution[i], self.stride, step)

    def scene(self, problem: Integers, trace: Integers, solution: Integers) -> dict[str, Any]:
        """A problem with a trace and a solution as plain numbers, for the report's viewer."""
        return maze_scene(problem, trace, solution, self.stride)

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        plot_maze(ax, problem, trace, solution, self.stride, bad)


def _shape(size: int | Sequence[int]) -> tuple[int, int]:
    sides = list(size) if isinstance(size, Sequence) else [size, size]
    if len(sides) != 2 or not all(isinstance(side, int) for side in sides):
        raise ValueError(f"task.size={size} must be a whole number or [width, height]")
    return sides[0], sides[1]
