"""Deduction: facts and rules over invented atoms; prove a literal, or say that it is unknown.

Two axes of difficulty as in ScaleLogic: how deep the proof is, and how expressive the logic. Two towers of
rules of one shape are drawn, of which one lacks a base fact; the query is the top of either, so that
neither names nor counts tell the answer. `not p` is a literal like any other: no negation as failure. The
solution is a proof (rule and conclusion, in any order that the premises permit) or `unknown`. A proof is
optimal if none applies fewer rules. A drawn theory has one proof at most. One read from a file may have many;
where some 20,000 choices do not settle which is shortest, one as short as the shortest found is optimal.

Traces are searches. Forward: `apply RULE LITERAL` until the query is derived or nothing is new. Backward:
`try RULE PREMISE` opens a goal that a rule for the last goal needs, `apply` proves it, `fail` gives it up
when no rule is left.

Easy: depth=[1, 3], width=1, distractors=[3, 5], logic=[]. Medium: the YAML's. Hard: depth=[4, 6],
width=3, logic=[and, or, not, forall].

    python -m tracelab.show task=deduction task.solver=backward 'task.logic=[and,not,forall]'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tracelab.tasks.deduction.draws
import tracelab.tasks.deduction.identity
import tracelab.tasks.deduction.proofs
import tracelab.tasks.deduction.steps  # noqa: F401 (these four answer what the grammar asks of a Theory)
from tracelab.core.codec import Codec
from tracelab.core.knobs import one_of
from tracelab.core.older import reads_older
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import UNKNOWN, Column, Examples, Quantity
from tracelab.search.completion import LEVELS
from tracelab.search.derivation import batch
from tracelab.search.derivation.reasons import NAMES
from tracelab.search.derivation.states import known_facts
from tracelab.tasks.deduction.drawing import LEGEND, PICTURE_LEGEND, draw_theory, plot_theory
from tracelab.tasks.deduction.parsing import problem_of, refuse_circles
from tracelab.tasks.deduction.perturbations import changes_of, other_query
from tracelab.tasks.deduction.rules import (
    APPLY,
    FACT,
    HEADER,
    OPS,
    PREMISES,
    RULE,
    SOLVERS,
    Theory,
    largest_named,
    new_theory,
)
from tracelab.tasks.deduction.search import MEASURES, TIE_BREAKS
from tracelab.tasks.deduction.text import codec_of, parts_of, prompt_rows
from tracelab.tasks.deduction.towers import Limits, limits, new_draws
from tracelab.tasks.shared.deriving import Deriving
from tracelab.tasks.shared.perturbing import Change, Make, Perturbed
from tracelab.tasks.shared.ranges import ends_of

CONNECTIVES = ("and", "or", "not", "forall")
DEEPEST, MOST_DISTRACTORS, MOST_ENTITIES = 16, 50, 20


@reads_older(atoms="reach.atoms", labels="reach.labels")
@dataclass(frozen=True)
class Deduction(Deriving, Perturbed):
    """A distribution of problems with their search for a proof.

    depth: levels of rules under the query, a number or [fewest, most]; width: premises of a rule at most;
    distractors: rules and facts that prove nothing about the query. logic: what there is beside
    implication, some of and, or, not, forall. entities: how many there are with forall. solver: forward or
    backward. tie_break: of what can be done next, the first in the prompt or a random one. ood: the
    out-of-distribution test sets, each the knobs that it changes. reach: how far the vocabulary goes,
    {atoms: words for them, labels: words for rules} (default: as many as the largest problem in use, test
    sets included, can have).
    """

    depth: int | Sequence[int] = (2, 4)
    width: int = 2
    distractors: int | Sequence[int] = (2, 4)
    logic: Sequence[str] = ("and", "not")
    entities: int = 3
    solver: str = "forward"
    tie_break: str = "first"
    ood: Sequence[Mapping[str, Any]] = ()
    reach: Mapping[str, int] | None = None

    name = "deduction"
    levels, reasons, complexities = LEVELS, NAMES, MEASURES
    legend, picture_legend = LEGEND, PICTURE_LEGEND
    fixed = ("logic", "entities")
    literal = False  # a solution that is no proof is not followed at its word

    def __post_init__(self) -> None:
        one_of("task.solver", self.solver, SOLVERS)
        one_of("task.tie_break", self.tie_break, TIE_BREAKS)
        for connective in self.logic:
            one_of("task.logic", connective, CONNECTIVES)
        ends_of("depth", self.depth, 1, DEEPEST)
        ends_of("distractors", self.distractors, 0, MOST_DISTRACTORS)
        if not 1 <= self.width <= PREMISES:
            raise ValueError(f"task.width={self.width} must be from 1 to {PREMISES}")
        if not 2 <= self.entities <= MOST_ENTITIES:
            raise ValueError(f"task.entities={self.entities} must be from 2 to {MOST_ENTITIES}")
        assert self.reaches, "test sets and reach are checked where they are given"

    @property
    def _limits(self) -> Limits:
        """The most that a problem of this task can have."""
        wide = self.width if {"and", "or"} & set(self.logic) else 1
        _, deepest = ends_of("depth", self.depth, 1, DEEPEST)
        _, distractors = ends_of("distractors", self.distractors, 0, MOST_DISTRACTORS)
        return limits(deepest, wide, distractors)

    @property
    def uses(self) -> dict[str, int]:
        """How far its problems go."""
        return {"atoms": self._limits.atoms, "labels": self._limits.rules}

    @property
    def _quantified(self) -> bool:
        return "forall" in self.logic

    @property
    def _words(self) -> dict[str, int]:
        """How many rules, atoms, entities and signs the vocabulary has words for."""
        return {
            **self.reaches,
            "entities": self.entities if self._quantified else 1,
            "signs": 1 + ("not" in self.logic),
        }

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of a trace row."""
        words = self._words
        literals, entities = words["atoms"] * words["signs"], words["entities"]
        sizes = {"rule": words["labels"], "literal": literals, "entity": entities}
        return Column("op", "op", len(OPS)), *(Column(name, "state", size) for name, size in sizes.items())

    @cached_property
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""
        return codec_of(**self._words, quantified=self._quantified)

    @property
    def _fits(self) -> dict[str, int]:
        """What the vocabulary can write, in the order of a stored problem's header."""
        words = self._words
        facts = words["atoms"] * words["signs"] * words["entities"]
        return {
            "rules": words["labels"],
            "facts": facts,
            "atoms": words["atoms"],
            "entities": words["entities"],
        }

    def check_written(self, problems: Ragged) -> None:
        """The same, and ValueError where a rule or literal has no word: names are any of the drawing task."""
        super().check_written(problems)
        named, words = largest_named(problems.values, problems.offsets), self._words
        most = words["labels"], words["atoms"] * words["signs"]
        for what, largest, count in zip(("rule", "literal"), named, most, strict=True):
            if largest >= count:
                raise ValueError(
                    f"a problem with {what} {largest} is beyond this task's vocabulary, which ends at "
                    f"{count - 1}: take the task that drew it, or a higher task.reach"
                )

    def _system(self) -> Theory:
        """Tables of their own for each call: threads may generate at the same time."""
        words, limit = self._words, self._limits
        low, high = ends_of("depth", self.depth, 1, DEEPEST)
        fewest, most = ends_of("distractors", self.distractors, 0, MOST_DISTRACTORS)
        both = {"conjunction": "and" in self.logic, "disjunction": "or" in self.logic}
        wide = self.width if any(both.values()) else 1
        ranges = {"low": low, "high": high, "width": wide, **both, "fewest": fewest, "most": most}
        return new_theory(
            words["labels"],
            words["atoms"] * words["signs"],
            words["entities"],
            draws=new_draws(words["atoms"], words["labels"], limit, **ranges),
            solver=SOLVERS.index(self.solver),
            random=self.tie_break == "random",
            signs=words["signs"],
            quantified=self._quantified,
        )

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One problem per key with its search, in `split`. ValueError if MAX_REDRAWS draws find none."""
        limit = self._limits
        room = self._room(HEADER + FACT * limit.facts + RULE * limit.rules, limit.atoms, limit.rules)
        advice = (
            "there are too few problems for splits that share none; take more task.depth or task.distractors"
        )
        return batch.generate(self._system(), room, MEASURES, keys, split, advice)

    def _room(self, integers: int, atoms: int, rules: int) -> batch.Room:
        """What problems take that are stored in so many integers and have up to so many atoms and rules."""
        words = self._words
        literals = atoms * words["signs"] * words["entities"]
        steps = 2 * min(literals, rules * PREMISES * words["entities"]) + 2
        return batch.Room(integers, steps, 4, min(literals, rules * words["entities"]), 4)

    def parse(self, prompt: Integers) -> Integers:
        """The problem that a prompt's tokens write, as it is stored. ValueError if they write none."""
        words = self._words
        problem = problem_of(self.codec, prompt, words["entities"], words["signs"], self._quantified)
        if self.solver == "backward":
            refuse_circles(problem)
        return problem

    def _solved(self, problems: Ragged, keys: NDArray[np.uint64] | None = None) -> Examples:
        """Problems that were read, with their searches for a proof. keys: see `search.derivation.batch`."""
        longest, words = int(problems.lengths.max(initial=HEADER)), self._words
        room = self._room(longest, words["atoms"], words["labels"])
        return batch.solved(self._system(), room, MEASURES, problems, keys)

    @property
    def changes(self) -> Mapping[str, Change]:
        """Small changes of its problems by name."""
        words = self._words
        return changes_of(words["atoms"], words["labels"], words["signs"])

    @property
    def other_question(self) -> Make:
        """How another conclusion is asked for."""
        return other_query

    def _prompt_rows(self, problems: Ragged) -> Ragged:
        """Rows of prompts: the rules, the facts, then the question."""
        return prompt_rows(problems, self._words["entities"], self._quantified)

    def solver_state(self, problem: Integers, trace: Integers) -> dict[str, Quantity]:
        """Ground literals, literal * entities + entity: which are known."""
        words = self._words
        entities, literals = words["entities"], words["atoms"] * words["signs"]
        named = trace[:, 2] * entities + np.maximum(trace[:, 3], 0)
        facts, _ = parts_of(problem.astype(np.int64))
        given = facts[:, 0] * entities + facts[:, 1]
        concluded = np.where(trace[:, 0] == APPLY, named, UNKNOWN)
        return known_facts(concluded, literals * entities, given=given)

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with the search up to `step`."""
        parts = examples.problem[i], examples.trace[i], examples.solution[i]
        return draw_theory(*parts, step, self._words["signs"], self._quantified)

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        plot_theory(ax, problem, trace, bad, self._words["signs"], self._quantified)
