"""Arithmetic: values defined by sums, differences and products modulo a number; what is one of them?

Definitions stand in random order under random names, and some are not needed: what iGSM (Ye et al. 2024,
arXiv 2407.20311) asks without its words. The trace evaluates what is needed, operands first.

Easy: operations=[2, 5], distractors=0, edges=0, operators=[add]. Medium: the YAML's.
Hard: operations=[10, 16] and distractors=[4, 8].

    python -m tracelab.show task=arithmetic task.modulus=23 task.solver=backward
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
from tracelab.core.types import Column, Examples, Quantity
from tracelab.search.completion import LEVELS
from tracelab.search.derivation import batch
from tracelab.search.derivation.reasons import NAMES
from tracelab.search.derivation.states import known_facts
from tracelab.tasks.arithmetic.draws import Draws
from tracelab.tasks.arithmetic.parsing import problem_of
from tracelab.tasks.arithmetic.perturbations import changes_of, other_value
from tracelab.tasks.arithmetic.program import HEADER, OPS, WIDTH, Program, new_program
from tracelab.tasks.arithmetic.search import MEASURES, SOLVERS, TIE_BREAKS
from tracelab.tasks.arithmetic.text import (
    LEGEND,
    PICTURE_LEGEND,
    codec_of,
    draw_program,
    plot_program,
    prompt_rows,
)
from tracelab.tasks.shared.deriving import Deriving
from tracelab.tasks.shared.perturbing import Change, Make, Perturbed
from tracelab.tasks.shared.ranges import ends_of

LARGEST = 200  # definitions, and the modulus
USUAL = 26  # names, if no more are in use


@reads_older(ood_operations="ood.operations", ood_distractors="ood.distractors", names="reach.names")
@dataclass(frozen=True)
class Arithmetic(Deriving, Perturbed):
    """A distribution of programs with their evaluation.

    operations: how many definitions the question needs, a number or a range; distractors: how many it does
    not. edges: share of distractors that rest on others, and of second operands that are names where they
    might be numbers: needed definitions are all operands of a later one, so that of those with operands 46 %
    have two names at edges=0, 73 % at 0.5 (defaults). modulus: numbers are 0 to modulus - 1. operators: of
    add, sub, mul. solver: forward takes what is ready, backward goes down from the question. tie_break: which
    of those ready, the first in the prompt or a random one. ood: the out-of-distribution test sets, each the
    knobs that it changes. reach: how far the vocabulary goes, {names: how many} (default: as many as
    the most operations and the most distractors in use, test sets included, ask for, 26 at least; {names:
    null}: no more than these ask for).
    """

    operations: int | Sequence[int] = (4, 8)
    distractors: int | Sequence[int] = (1, 4)
    edges: float = 0.5
    modulus: int = 10
    operators: Sequence[str] = ("add", "sub", "mul")
    solver: str = "forward"
    tie_break: str = "first"
    ood: Sequence[Mapping[str, Any]] = ()
    reach: Mapping[str, int] | None = None

    name = "arithmetic"
    levels, reasons, complexities = LEVELS, NAMES, MEASURES
    legend, picture_legend = LEGEND, PICTURE_LEGEND
    fixed = ("modulus",)

    def __post_init__(self) -> None:
        one_of("task.solver", self.solver, SOLVERS)
        one_of("task.tie_break", self.tie_break, TIE_BREAKS)
        for operator in self.operators:
            one_of("task.operators", operator, OPS[1:])
        if not self.operators:
            raise ValueError("task.operators is empty; give some of add, sub, mul")
        if not 0 <= self.edges <= 1:
            raise ValueError(f"task.edges={self.edges} must be in [0, 1]")
        if not 2 <= self.modulus <= LARGEST:
            raise ValueError(f"task.modulus={self.modulus} must be from 2 to {LARGEST}")
        assert self.reaches, "test sets and reach are checked where they are given"

    @property
    def _ranges(self) -> tuple[int, int, int, int]:
        """Fewest and most operations, fewest and most distractors."""
        operations = ends_of("operations", self.operations, 1, LARGEST // 2)
        return *operations, *ends_of("distractors", self.distractors, 0, LARGEST // 2)

    @property
    def uses(self) -> dict[str, int]:
        """How far its programs go."""
        _, operations, _, distractors = self._ranges
        return {"names": operations + distractors}

    @property
    def in_use(self) -> dict[str, int]:
        """The most operations of any test set with the most distractors of any."""
        ranges = [task._ranges for task in (self, *self.variants.values())]
        return {"names": max(most for _, most, _, _ in ranges) + max(most for *_, most in ranges)}

    @cached_property
    def reaches(self) -> dict[str, int]:
        """How far the vocabulary goes: usually to 26 names at least."""
        asked = super().reaches
        return asked if self.reach else {"names": max(USUAL, asked["names"])}

    def spelled(self, knob: str, value: Any) -> str:
        """A changed knob in a name: "operations_10", "distractors_5_6"."""
        if knob not in ("operations", "distractors"):
            return super().spelled(knob, value)
        return "_".join(map(str, (knob, *dict.fromkeys(ends_of(knob, value, 0, LARGEST // 2)))))

    @property
    def _names(self) -> int:
        """How many names the vocabulary has."""
        return self.reaches["names"]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of a trace row."""
        numbers = [Column(name, "cost", self.modulus) for name in ("left", "right", "value")]
        return Column("op", "op", len(OPS)), Column("name", "state", self._names), *numbers

    @cached_property
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""
        return codec_of(self._names, self.modulus)

    @property
    def _fits(self) -> dict[str, int]:
        """What the vocabulary can write, in the order of a stored problem's header."""
        return {"definitions": self._names, "names": self._names, "numbers": self.modulus}

    def _system(self) -> Program:
        """Tables of their own for each call: threads may generate at the same time."""
        operators = np.array([OPS.index(operator) for operator in self.operators], np.int32)
        draws = Draws(*self._ranges, float(self.edges), self.modulus, operators)
        return new_program(draws, self._names, SOLVERS.index(self.solver), TIE_BREAKS.index(self.tie_break))

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One evaluated program per key, in `split`. ValueError if MAX_REDRAWS draws find none."""
        _, operations, _, distractors = self._ranges
        room = batch.Room(HEADER + WIDTH * (operations + distractors), operations, 5, 1, 2)
        advice = "there are too few programs for splits that share none; take more task.operations"
        return batch.generate(self._system(), room, MEASURES, keys, split, advice)

    def parse(self, prompt: Integers) -> Integers:
        """The program that a prompt's tokens write, as it is stored. ValueError if they write none."""
        return problem_of(self.codec, prompt, self._names, self.modulus)

    def _solved(self, problems: Ragged, keys: NDArray[np.uint64] | None = None) -> Examples:
        """Programs that were read, evaluated. keys: see `search.derivation.batch`."""
        longest = int(problems.lengths.max(initial=HEADER))
        room = batch.Room(longest, (longest - HEADER) // WIDTH, 5, 1, 2)
        return batch.solved(self._system(), room, MEASURES, problems, keys)

    @property
    def changes(self) -> Mapping[str, Change]:
        """Small changes of its problems by name."""
        return changes_of(self._names)

    @property
    def other_question(self) -> Make:
        """How another value is asked for."""
        return other_value

    def _prompt_rows(self, problems: Ragged) -> Ragged:
        """Rows of prompts: the definitions, then the question."""
        return prompt_rows(problems, self._names)

    def solver_state(self, problem: Integers, trace: Integers) -> dict[str, Quantity]:
        """Names: whose value is known, and what it is."""
        return known_facts(trace[:, 1], self._names, trace[:, 4])

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with what is derived up to `step`."""
        return draw_program(examples.problem[i], examples.trace[i], examples.solution[i], step)

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        plot_program(ax, problem, trace, bad)
