"""Arithmetic: values defined by sums, differences and products modulo a number; what is one of them?

Definitions stand in random order under random names, and some are not needed: what iGSM (Ye et al. 2024,
arXiv 2407.20311) asks without its words. The trace evaluates what is needed, operands first.

Easy: operations=[2, 5], distractors=0, edges=0, operators=[add]. Medium: the YAML's.
Hard: operations=[10, 16] and distractors=[4, 8].

    python -m tracelab.show task=arithmetic task.modulus=23 task.solver=backward
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
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Column, Examples, Verdicts
from tracelab.search.completion import LEVELS
from tracelab.search.derivation import batch
from tracelab.search.derivation.judge import judge, judge_traces
from tracelab.search.derivation.reasons import NAMES
from tracelab.tasks.arithmetic.draws import Draws
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
from tracelab.tasks.shared.ranges import ends_of

LARGEST = 200  # definitions, and the modulus


@dataclass(frozen=True)
class Arithmetic:
    """A distribution of programs with their evaluation.

    operations: how many definitions the question needs, a number or a range; distractors: how many it does
    not. edges: share of operands beyond the first that are names, not numbers, and of distractors that rest
    on others. modulus: numbers are 0 to modulus - 1. operators: of add, sub, mul. solver: forward takes what
    is ready, backward goes down from the question. tie_break: which of those ready, the first in the
    prompt or a random one. ood_operations, ood_distractors: the out-of-distribution test sets. names: how
    many the vocabulary has (default: as many as the largest program in use has, 26 at least).
    """

    operations: int | Sequence[int] = (4, 8)
    distractors: int | Sequence[int] = (1, 4)
    edges: float = 0.5
    modulus: int = 10
    operators: Sequence[str] = ("add", "sub", "mul")
    solver: str = "forward"
    tie_break: str = "first"
    ood_operations: Sequence[int | Sequence[int]] = ()
    ood_distractors: Sequence[int | Sequence[int]] = ()
    names: int | None = None

    name = "arithmetic"
    levels, reasons, complexities = LEVELS, NAMES, MEASURES
    legend, picture_legend = LEGEND, PICTURE_LEGEND

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
        for knob, least in (("operations", 1), ("distractors", 0)):
            for bounds in (getattr(self, knob), *getattr(self, f"ood_{knob}")):
                ends_of(knob, bounds, least, LARGEST // 2)
        if self.names is not None and self.names < self._most:
            raise ValueError(
                f"task.names={self.names} is below the {self._most} definitions in use; raise it "
                "or leave it out"
            )

    @property
    def _most(self) -> int:
        """Definitions that a program of this task, or of its variants, can have."""
        operations = max(
            ends_of("operations", b, 1, LARGEST // 2)[1] for b in (self.operations, *self.ood_operations)
        )
        return operations + max(
            ends_of("distractors", b, 0, LARGEST // 2)[1] for b in (self.distractors, *self.ood_distractors)
        )

    @cached_property
    def _names(self) -> int:
        return self.names or max(26, self._most)

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

    def _program(self) -> Program:
        """Tables of their own for each call: threads may generate at the same time."""
        operators = np.array([OPS.index(operator) for operator in self.operators], np.int32)
        ranges = (
            *ends_of("operations", self.operations, 1, LARGEST // 2),
            *ends_of("distractors", self.distractors, 0, LARGEST // 2),
        )
        draws = Draws(*ranges, float(self.edges), self.modulus, operators)
        return new_program(draws, self._names, SOLVERS.index(self.solver), TIE_BREAKS.index(self.tie_break))

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One evaluated program per key, in `split`. ValueError if MAX_REDRAWS draws find none."""
        operations, definitions = ends_of("operations", self.operations, 1, LARGEST // 2)[1], self._most
        room = batch.Room(HEADER + WIDTH * definitions, operations, 5, 1, 2)
        advice = "there are too few programs for splits that share none; take more task.operations"
        return batch.generate(self._program(), room, MEASURES, keys, split, advice)

    def prompts(self, examples: Examples) -> Ragged:
        """Prompt tokens: the definitions, then the question."""
        return self.codec.encode(self.codec.prompt, prompt_rows(examples.problem, self._names))

    def judge(self, examples: Examples, completions: Ragged) -> Verdicts:
        """Verdicts on completions: tokens after the prompt, up to and with the stop token."""
        return judge(self._program(), self.codec, self._fits, examples, completions)

    def judge_traces(self, examples: Examples, traces: Ragged) -> NDArray[np.bool_]:
        """(n,): is each trace (rows) strictly valid for its problem and reference solution?"""
        return judge_traces(self._program(), self._fits, examples, traces)

    def test_sets(self) -> Mapping[str, Arithmetic]:
        """Out-of-distribution variants by name, with this task's vocabulary."""
        changes: dict[str, dict[str, Any]] = {}
        for knob in ("operations", "distractors"):
            for bounds in getattr(self, f"ood_{knob}"):
                low, high = ends_of(knob, bounds, 0, LARGEST // 2)
                changes[f"{knob}_{low}" + (f"_{high}" if high > low else "")] = {knob: bounds}
        alone: dict[str, Any] = {"ood_operations": (), "ood_distractors": (), "names": self._names}
        return {name: replace(self, **alone, **change) for name, change in changes.items()}

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with what is derived up to `step`."""
        return draw_program(examples.problem[i], examples.trace[i], examples.solution[i], step)

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        plot_program(ax, problem, trace, bad)
