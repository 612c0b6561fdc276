"""Sudoku: fill the grid so that each row, column and box has every digit once; one solution each.

The trace is the textbook's search (Russell and Norvig, ch. 6): a cell with one digit left gets it; else
the cell with fewest digits left is decided on; a cell with none is a conflict.

Easy: size=4, clues=[5, 8]. Medium: the YAML's. Hard: size=9, clues=[28, 34].

    python -m tracelab.show task=sudoku task.size=4 task.clues=5
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import Codec
from tracelab.core.knobs import one_of
from tracelab.core.older import reads_older
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Column, Examples, Quantity
from tracelab.search.backtracking import batch
from tracelab.search.backtracking.problem import RULES
from tracelab.search.backtracking.reasons import NAMES
from tracelab.search.backtracking.search import TIE_BREAKS
from tracelab.search.backtracking.states import assigned_states
from tracelab.search.completion import LEVELS
from tracelab.tasks.shared.assigning import Assigning
from tracelab.tasks.shared.perturbing import Change, Perturbed, within
from tracelab.tasks.sudoku.drawing import LEGEND, PICTURE_LEGEND, draw_sudoku, plot_sudoku
from tracelab.tasks.sudoku.draws import FEWEST
from tracelab.tasks.sudoku.grid import HEADER, SIZES, Draws, Grid, new_grid
from tracelab.tasks.sudoku.parsing import problem_of
from tracelab.tasks.sudoku.perturbations import changes_of
from tracelab.tasks.sudoku.text import codec_of, prompt_rows

MOST = {"size": 16}  # digits of a vocabulary


@reads_older(ood_sizes="ood.size", ood_clues="ood.clues", largest="reach.size")
@dataclass(frozen=True)
class Sudoku(Assigning, Perturbed):
    """A distribution of sudokus with one solution.

    size: 4 (2x2 boxes), 6 (boxes of two rows and three columns) or 9. clues: how many, or a range
    [fewest, most] that each number of is as likely; clues are taken out of a full grid, each where
    the solution stays the only one. hidden_singles: does a digit follow, too, that has one place left
    in a row, a column or a box? rule: the cell that is decided on: most_constrained (fewest digits left),
    first, any. tie_break: among the rule's cells and their digits, first or random. max_steps: sudokus
    whose search is longer are drawn anew. ood: the out-of-distribution test sets, each the knobs that it
    changes; clues are in proportion to another size unless it names them. reach: how far the vocabulary
    goes, {size: largest} (default: as far as is in use, test sets included).
    """

    size: int = 6
    clues: int | Sequence[int] = (10, 13)
    hidden_singles: bool = False
    rule: str = "most_constrained"
    tie_break: str = "first"
    max_steps: int = 120
    ood: Sequence[Mapping[str, Any]] = ()
    reach: Mapping[str, int] | None = None

    name = "sudoku"
    levels, reasons, complexities = LEVELS, NAMES, (*batch.MEASURES, "clues")
    farthest = MOST
    legend, picture_legend = LEGEND, PICTURE_LEGEND

    def __post_init__(self) -> None:
        one_of("task.rule", self.rule, RULES)
        one_of("task.tie_break", self.tie_break, TIE_BREAKS)
        if self.size not in SIZES:
            raise ValueError(f"task.size={self.size}: choose one of {', '.join(map(str, SIZES))}")
        if self.max_steps < 1:
            raise ValueError(f"task.max_steps={self.max_steps} must be 1 or more")
        fewest, most = _range(self.clues)
        if fewest < FEWEST[self.size] or most < fewest:
            raise ValueError(
                f"task.clues={self.clues}: a sudoku of size {self.size} has no single solution with fewer "
                f"than {FEWEST[self.size]} clues; the range is [fewest, most]"
            )
        if most >= self.size**2:
            raise ValueError(
                f"task.clues={self.clues}: of {self.size**2} cells one at least is to be blank; "
                "take fewer clues"
            )
        assert self.reaches, "test sets and reach are checked where they are given"

    @property
    def uses(self) -> dict[str, int]:
        """How far its sudokus go."""
        return {"size": self.size}

    def implied(self, change: Mapping[str, Any]) -> Mapping[str, Any]:
        """Clues in proportion to another size."""
        size = change.get("size")
        if size not in SIZES:
            return {}
        share = (size / self.size) ** 2
        return {"clues": [max(FEWEST[size], round(clues * share)) for clues in _range(self.clues)]}

    def spelled(self, knob: str, value: Any) -> str:
        """A changed knob in a name: "4x4", "9_clues", "15_to_18_clues"."""
        if knob == "clues":
            return f"{'_to_'.join(map(str, dict.fromkeys(_range(value))))}_clues"
        return f"{value}x{value}" if knob == "size" else super().spelled(knob, value)

    @property
    def _stride(self) -> int:
        """The largest size that the vocabulary can write."""
        return self.reaches["size"]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of a trace row; the constraint is the cell that has no digit left."""
        return batch.columns(self._stride**3, self._stride**2)

    @cached_property
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""
        return codec_of(self._stride)

    @property
    def _fits(self) -> dict[str, int]:
        """What the vocabulary writes at most."""
        return {"rows": self._stride}

    def _csp(self) -> Grid:
        """Tables of their own for each call: threads may generate at the same time."""
        drawn = Draws(self.size, *_range(self.clues))
        return new_grid(drawn, self._stride, RULES.index(self.rule), hidden=self.hidden_singles)

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One solved sudoku per key, in `split`. ValueError if MAX_REDRAWS draws find none."""
        limits = batch.Limits(self.max_steps, HEADER + self.size**2)
        advice = (
            f"sudokus of size {self.size} with {self.clues} clues, one solution and a search of at most "
            f"{self.max_steps} steps are too rare; take more task.clues or task.max_steps"
        )
        return _counted(batch.generate(self._csp(), self.tie_break, limits, keys, split, advice))

    def parse(self, prompt: Integers) -> Integers:
        """The sudoku that a prompt's tokens write, as it is stored. ValueError if they write none."""
        return problem_of(self.codec, prompt, self._stride)

    def _solved(self, problems: Ragged) -> Examples:
        """Sudokus that were read, with their searches. ValueError if none is found for one."""
        return _counted(batch.solved(self._csp(), self.tie_break, problems))

    @property
    def changes(self) -> Mapping[str, Change]:
        """Small changes of its problems by name."""
        return changes_of(self.size)

    def resolved(self, problems: Ragged, keys: NDArray[np.uint64]) -> tuple[Examples, NDArray[np.bool_]]:
        """Changed problems with their searches, and which of these are as short as drawn ones."""
        return within(self._solved(problems), self.max_steps)

    def _prompt_rows(self, problems: Ragged) -> Ragged:
        """Rows of prompts: the size, then the clues row by row."""
        return prompt_rows(problems, self._stride)

    def solver_state(self, problem: Integers, trace: Integers) -> dict[str, Quantity]:
        """Cells: which have a digit, and which."""
        size, stride = int(problem[0]), self._stride
        digits = problem[HEADER:].reshape(size, size)
        given = {int(y) * stride + int(x): int(digits[y, x]) - 1 for y, x in np.argwhere(digits > 0)}
        return assigned_states(trace, stride**2, stride, given)

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with the search up to `step`."""
        return draw_sudoku(examples.problem[i], examples.trace[i], examples.solution[i], self._stride, step)

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        plot_sudoku(ax, problem, trace, solution, self._stride, bad)


def _counted(examples: Examples) -> Examples:
    """Sudokus with one measure more: their clues."""
    given = np.concatenate([[0], np.cumsum(examples.problem.values > 0)])
    clues = np.diff(given[examples.problem.offsets]) - HEADER  # the size is above 0, too
    return replace(examples, complexity={**examples.complexity, "clues": clues})


def _range(clues: int | Sequence[int]) -> tuple[int, int]:
    bounds = list(clues) if isinstance(clues, Sequence) else [clues, clues]
    if len(bounds) != 2 or not all(isinstance(bound, int) for bound in bounds):
        raise ValueError(f"task.clues={clues} must be a whole number or a range [fewest, most]")
    return bounds[0], bounds[1]
