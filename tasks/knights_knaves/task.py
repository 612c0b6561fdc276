"""Knights and knaves: who speaks the truth and who does not, from what each says; one possibility each.

The trace splits cases and propagates. A statement forces somebody's kind if the other one would make it
false, in Kleene's three-valued logic, that the speaker is a knight if and only if the statement is true;
it is a conflict if that is false already. (On clauses the same rule is unit propagation.) It does not
find everything that follows, so cases must be split.

Easy: people=3, depth=1. Medium: the YAML's. Hard: people=8, depth=3.

    python -m tracelab.show task=knights_knaves task.people=4
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tracelab.tasks.knights_knaves.draws  # noqa: F401 (its kernels answer for Island)
from tracelab.core.codec import Codec
from tracelab.core.knobs import one_of
from tracelab.core.older import reads_older
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Column, Examples, Quantity
from tracelab.search.backtracking import batch
from tracelab.search.backtracking.problem import RULES
from tracelab.search.backtracking.reasons import NAMES as REASONS
from tracelab.search.backtracking.search import TIE_BREAKS
from tracelab.search.backtracking.states import assigned_states
from tracelab.search.completion import LEVELS
from tracelab.tasks.knights_knaves.parsing import problem_of
from tracelab.tasks.knights_knaves.perturbations import CHANGES
from tracelab.tasks.knights_knaves.statements import (
    CONNECTIVE,
    CONNECTIVES,
    DEEPEST,
    MOST_PEOPLE,
    Draws,
    Island,
    new_island,
    room,
)
from tracelab.tasks.knights_knaves.text import KINDS, LEGEND, NAMES, codec_of, draw_island, prompt_rows
from tracelab.tasks.shared.assigning import Assigning
from tracelab.tasks.shared.perturbing import Change, Perturbed, within
from tracelab.tasks.shared.trails import PICTURE_LEGEND, plot_trail


@reads_older(ood_people="ood.people", ood_depths="ood.depth", largest="reach.people")
@dataclass(frozen=True)
class KnightsKnaves(Assigning, Perturbed):
    """A distribution of puzzles with one solution.

    people: 2 to 8. depth: how deep connectives nest, 1 to 4; each statement has a connective on top, an
    operand is one again with probability 1/2. connectives: those drawn from, all alike likely. No part
    of a statement is constant or says what one of its two operands says, and no statement fits its speaker
    always or never. rule: the person whose kind is decided on: the first that is unknown, most_constrained
    (whom most undecided statements are by or about), any. tie_break: among the rule's people and kinds, first
    (knight before knave) or random. max_steps: puzzles whose search is longer are drawn anew. ood: the
    out-of-distribution test sets, each the knobs that it changes. reach: how far the vocabulary goes,
    {people: most} (default: as far as is in use, test sets included).
    """

    people: int = 5
    depth: int = 2
    connectives: Sequence[str] = CONNECTIVES
    rule: str = "first"
    tie_break: str = "first"
    max_steps: int = 100
    ood: Sequence[Mapping[str, Any]] = ()
    reach: Mapping[str, int] | None = None

    name = "knights_knaves"
    levels, reasons, complexities = LEVELS, REASONS, (*batch.MEASURES, "connectives")
    legend, picture_legend = LEGEND, PICTURE_LEGEND
    fixed, farthest = (), {"people": MOST_PEOPLE}

    def __post_init__(self) -> None:
        one_of("task.rule", self.rule, RULES)
        one_of("task.tie_break", self.tie_break, TIE_BREAKS)
        for connective in self.connectives:
            one_of("task.connectives", connective, CONNECTIVES)
        for knob, value, low, high in (
            ("people", self.people, 2, MOST_PEOPLE),
            ("depth", self.depth, 1, DEEPEST),
        ):
            if not low <= value <= high:
                raise ValueError(f"task.{knob}={value} must be from {low} to {high}")
        if not set(self.connectives) - {"not"}:
            raise ValueError(
                f"task.connectives={list(self.connectives)}: statements about one person fit as well with "
                "everybody's kind exchanged, so no puzzle has one solution; add and, or, implies or iff"
            )
        if self.max_steps < 1:
            raise ValueError(f"task.max_steps={self.max_steps} must be 1 or more")
        assert self.reaches, "test sets and reach are checked where they are given"

    @property
    def uses(self) -> dict[str, int]:
        """How far its puzzles go."""
        return {"people": self.people}

    def spelled(self, knob: str, value: Any) -> str:
        """A changed knob in a name: "4_people"."""
        return f"{value}_people" if knob == "people" else super().spelled(knob, value)

    @property
    def _most(self) -> int:
        """How many people the vocabulary can write."""
        return self.reaches["people"]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of a trace row; the constraint is what a person says."""
        return batch.columns(2 * self._most, self._most)

    @cached_property
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""
        return codec_of(self._most)

    @property
    def _fits(self) -> dict[str, int]:
        """What the vocabulary writes at most."""
        return {"people": self._most}

    def _csp(self) -> Island:
        """Tables of their own for each call: threads may generate at the same time."""
        mask = sum(1 << CONNECTIVES.index(connective) for connective in set(self.connectives))
        return new_island(Draws(self.people, self.depth, mask), self._most, RULES.index(self.rule))

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One solved puzzle per key, in `split`. ValueError if MAX_REDRAWS draws find none."""
        limits = batch.Limits(self.max_steps, room(self.people, self.depth))
        advice = (
            f"{self.people} people with statements of depth {self.depth} from {', '.join(self.connectives)}, "
            f"one solution and at most {self.max_steps} steps are too rare, or too few for splits that share "
            "none; take more task.people, task.depth, task.connectives or task.max_steps"
        )
        return _counted(batch.generate(self._csp(), self.tie_break, limits, keys, split, advice))

    def parse(self, prompt: Integers) -> Integers:
        """The puzzle that a prompt's tokens write, as it is stored. ValueError if they write none."""
        return problem_of(self.codec, prompt)

    def _solved(self, problems: Ragged) -> Examples:
        """Puzzles that were read, with their searches. ValueError if none is found for one."""
        return _counted(batch.solved(self._csp(), self.tie_break, problems))

    @property
    def changes(self) -> Mapping[str, Change]:
        """Small changes of its problems by name."""
        return CHANGES

    def resolved(self, problems: Ragged, keys: NDArray[np.uint64]) -> tuple[Examples, NDArray[np.bool_]]:
        """Changed problems with their searches, and which of these are as short as drawn ones."""
        return within(self._solved(problems), self.max_steps)

    def _prompt_rows(self, problems: Ragged) -> Ragged:
        """Rows of prompts: what each person says."""
        return prompt_rows(problems)

    def solver_state(self, problem: Integers, trace: Integers) -> dict[str, Quantity]:
        """People: whose kind is known, and which."""
        return assigned_states(trace, self._most, 2)

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with the search up to `step`."""
        return draw_island(examples.problem[i], examples.trace[i], examples.solution[i], step)

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        plot_trail(ax, trace, KINDS, NAMES[: int(problem[0])], bad)


def _counted(examples: Examples) -> Examples:
    """Puzzles with one measure more: the connectives in what is said."""
    joined = np.concatenate([[0], np.cumsum(examples.problem.values >= CONNECTIVE)])
    connectives = np.diff(joined[examples.problem.offsets])
    return replace(examples, complexity={**examples.complexity, "connectives": connectives})
