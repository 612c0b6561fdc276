"""Satisfiability: give variables values that make every clause true, or find that there are none.

Random k-SAT (Mitchell, Selman and Levesque 1992) near a ratio of clauses to variables; the trace is
DPLL with unit propagation, and each propagation and conflict names its clause: the trace of a formula
that is not satisfiable proves so.

Easy: variables=5, clause_size=2, ratio=1.6, satisfiable=yes. Medium: the YAML's. Hard:
variables=12, ratio=4.3.

    python -m tracelab.show task=sat task.variables=6 task.satisfiable=no
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import Codec
from tracelab.core.knobs import finite, one_of
from tracelab.core.older import reads_older
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Column, Examples, Quantity
from tracelab.search.backtracking import batch
from tracelab.search.backtracking.problem import RULES
from tracelab.search.backtracking.reasons import NAMES
from tracelab.search.backtracking.search import TIE_BREAKS
from tracelab.search.backtracking.states import assigned_states
from tracelab.search.completion import LEVELS
from tracelab.tasks.sat.drawing import LEGEND, draw_formula
from tracelab.tasks.sat.formula import GENERATORS, HEADER, SATISFIABLE, Draws, Formula, new_formula
from tracelab.tasks.sat.parsing import problem_of
from tracelab.tasks.sat.perturbations import CHANGES
from tracelab.tasks.sat.text import codec_of, prompt_rows
from tracelab.tasks.shared.assigning import Assigning
from tracelab.tasks.shared.perturbing import Change, Perturbed, within
from tracelab.tasks.shared.trails import PICTURE_LEGEND, plot_trail

LARGEST = 100
MOST_CLAUSES = 2**15 - 1  # a stored formula's integers have 16 bits


@reads_older(
    ood_variables="ood.variables",
    ood_ratios="ood.ratio",
    ood_generators="ood.generator",
    largest="reach.variables",
    most_clauses="reach.clauses",
)
@dataclass(frozen=True)
class Sat(Assigning, Perturbed):
    """A distribution of formulas with DPLL as reference solver.

    variables: 1 to 100. ratio: clauses per variable. clause_size: literals a clause, of distinct
    variables. generator: uniform, or planted (a hidden assignment satisfies every clause). satisfiable:
    natural (as they are drawn), balanced (one half is), yes, no. rule: the variable that is decided
    on: the first that is unassigned, most_constrained (in most clauses without a true literal yet), any.
    tie_break: among the rule's variables and their values, first (true before false) or random.
    max_steps: formulas whose search is longer are drawn anew. ood: the out-of-distribution test sets, each
    the knobs that it changes; planted formulas are satisfiable. reach: how far the vocabulary goes,
    {variables: most, clauses: most} (default: as far as is in use, test sets included).
    """

    variables: int = 8
    ratio: float = 4.0
    clause_size: int = 3
    generator: str = "uniform"
    satisfiable: str = "balanced"
    rule: str = "first"
    tie_break: str = "first"
    max_steps: int = 200
    ood: Sequence[Mapping[str, Any]] = ()
    reach: Mapping[str, int] | None = None

    name = "sat"
    levels, reasons, complexities = LEVELS, NAMES, (*batch.MEASURES, "satisfiable")
    legend, picture_legend = LEGEND, PICTURE_LEGEND
    fixed = ("clause_size",)

    def __post_init__(self) -> None:
        one_of("task.generator", self.generator, GENERATORS)
        one_of("task.satisfiable", self.satisfiable, SATISFIABLE)
        one_of("task.rule", self.rule, RULES)
        one_of("task.tie_break", self.tie_break, TIE_BREAKS)
        if not 1 <= self.variables <= LARGEST:
            raise ValueError(f"task.variables={self.variables} must be from 1 to {LARGEST}")
        if self.clause_size > self.variables:
            raise ValueError(
                f"task.clause_size={self.clause_size} is above task.variables={self.variables}: a clause's "
                "variables are distinct; take shorter clauses or more variables"
            )
        if self.clause_size < 1 or self.max_steps < 1:
            raise ValueError("task.clause_size and task.max_steps must be 1 or more")
        self._check_ratio()
        assert self.reaches, "test sets and reach are checked where they are given"

    def _check_ratio(self) -> None:
        finite("task.ratio", self.ratio)
        if self.clauses < 1:
            raise ValueError(
                f"task.ratio={self.ratio} gives no clause for {self.variables} variables; raise it"
            )
        if self.clauses > MOST_CLAUSES:
            raise ValueError(
                f"task.ratio={self.ratio} gives more than {MOST_CLAUSES:,} clauses for {self.variables} "
                "variables; lower it"
            )
        fewest = 2**self.clause_size
        if self.satisfiable in ("no", "balanced") and (self.clauses < fewest or self.generator == "planted"):
            raise ValueError(
                f"task.satisfiable={self.satisfiable} can't be had: fewer than {fewest} clauses of "
                f"{self.clause_size} literals are always satisfiable, and so are planted ones; take "
                "task.satisfiable=natural, or task.generator=uniform with a larger task.ratio"
            )

    @property
    def in_distribution(self) -> str:
        """The name of its own test set."""
        return self.generator

    @property
    def clauses(self) -> int:
        """How many clauses a formula has."""
        return round(self.ratio * self.variables)

    @property
    def uses(self) -> dict[str, int]:
        """How far its formulas go."""
        return {"variables": self.variables, "clauses": self.clauses}

    def implied(self, change: Mapping[str, Any]) -> Mapping[str, Any]:
        """Planted formulas are satisfiable."""
        return {"satisfiable": "yes"} if change.get("generator") == "planted" else {}

    def spelled(self, knob: str, value: Any) -> str:
        """A changed knob in a name: "10_variables", "ratio_3"."""
        if knob == "ratio":
            return f"ratio_{value:g}"
        return f"{value}_variables" if knob == "variables" else super().spelled(knob, value)

    @property
    def _limits(self) -> tuple[int, int]:
        """(variables, clauses) that the vocabulary can write."""
        return self.reaches["variables"], self.reaches["clauses"]

    @property
    def _fits(self) -> dict[str, int]:
        """What the vocabulary can write, in the order of a stored problem's header."""
        variables, clauses = self._limits
        return {"variables": variables, "clauses": clauses, "literals a clause": self.clause_size}

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of a trace row."""
        variables, clauses = self._limits
        return batch.columns(2 * variables, clauses)

    @cached_property
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""
        return codec_of(*self._limits, self.clause_size)

    def _csp(self) -> Formula:
        """Tables of their own for each call: threads may generate at the same time."""
        wanted = GENERATORS.index(self.generator), SATISFIABLE.index(self.satisfiable)
        draws = Draws(self.variables, self.clauses, self.clause_size, *wanted)
        return new_formula(draws, *self._limits, self.clause_size, RULES.index(self.rule))

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One solved formula per key, in `split`. ValueError if MAX_REDRAWS draws find none."""
        limits = batch.Limits(self.max_steps, HEADER + self.clauses * self.clause_size)
        advice = (
            f"{self.variables} variables and {self.clauses} clauses with task.satisfiable={self.satisfiable} "
            f"and at most {self.max_steps} steps are too rare; change task.ratio, task.satisfiable or "
            "task.max_steps, or take more task.variables"
        )
        return _answered(batch.generate(self._csp(), self.tie_break, limits, keys, split, advice))

    def parse(self, prompt: Integers) -> Integers:
        """The formula that a prompt's tokens write, as it is stored. ValueError if they write none."""
        return problem_of(self.codec, prompt, self.clause_size)

    def _solved(self, problems: Ragged) -> Examples:
        """Formulas that were read, with their searches. ValueError if one takes too many steps."""
        return _answered(batch.solved(self._csp(), self.tie_break, problems))

    @property
    def changes(self) -> Mapping[str, Change]:
        """Small changes of its problems by name."""
        return CHANGES

    def resolved(self, problems: Ragged, keys: NDArray[np.uint64]) -> tuple[Examples, NDArray[np.bool_]]:
        """Changed problems with their searches, and which of these are as short as drawn ones."""
        return within(self._solved(problems), self.max_steps)

    def _prompt_rows(self, problems: Ragged) -> Ragged:
        """Rows of prompts: the number of variables, then each clause with its name."""
        return prompt_rows(problems, self.clause_size)

    def solver_state(self, problem: Integers, trace: Integers) -> dict[str, Quantity]:
        """Variables: assigned or not, and to what."""
        return assigned_states(trace, self._limits[0], 2)

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with the search up to `step`."""
        return draw_formula(examples.problem[i], examples.trace[i], examples.solution[i], step)

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        names = [str(variable + 1) for variable in range(int(problem[0]))]
        plot_trail(ax, trace, ("true", "false"), names, bad)


def _answered(examples: Examples) -> Examples:
    """Formulas with one measure more: are they satisfiable?"""
    satisfiable = examples.problem.values[examples.problem.offsets[:-1] + 3].astype(np.int64)
    return replace(examples, complexity={**examples.complexity, "satisfiable": satisfiable})
