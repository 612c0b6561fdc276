"""Hops: facts say what relations give of entities; what do several of them give, one after another?

Multi-hop questions in the motifs of Omanic (arXiv 2603.16654), over small worlds that are drawn anew for each
problem, so that all is to be known from the prompt: `( p1 ( r2 ( r1 C ) ) ( r3 F ) )`. The trace answers
one sub-question at a time, operands first. Steps are numbered as their parentheses close.

    chain        each step asks of what the one before gave
    bridge       a chain, and a step beside it, meet in the last: 1, 2, then 2 and 3 give 4
    converging   two steps meet in the third, from which a chain goes on: 1 and 2 give 3, then 4

With four steps these are Omanic's; with three the last two are one. One or two steps are always a chain.
A pairing (p1, p2, ...) is asked where two steps meet, a relation (r1, ...) elsewhere.

    python -m tracelab.show task=hops index=3
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
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Column, Examples, Quantity
from tracelab.search.completion import LEVELS
from tracelab.search.derivation import batch
from tracelab.search.derivation.reasons import NAMES
from tracelab.search.derivation.states import known_facts
from tracelab.tasks.hops.draws import MOTIFS, Draws
from tracelab.tasks.hops.parsing import problem_of
from tracelab.tasks.hops.perturbations import changes_of, other_steps
from tracelab.tasks.hops.search import MEASURES, SOLVERS, TIE_BREAKS
from tracelab.tasks.hops.text import (
    LEGEND,
    PICTURE_LEGEND,
    codec_of,
    draw_world,
    plot_world,
    prompt_rows,
)
from tracelab.tasks.hops.world import FACT, HEADER, OPS, STEP, World, new_world
from tracelab.tasks.shared.deriving import Deriving
from tracelab.tasks.shared.perturbing import Change, Make, Perturbed
from tracelab.tasks.shared.ranges import ends_of

LARGEST = 100  # distractors, entities, relations and pairings
MOST_HOPS = LARGEST - 2  # a question names two entities more than it has steps


@dataclass(frozen=True)
class Hops(Deriving, Perturbed):
    """A distribution of small worlds with a question each.

    hops: how many steps a question has, a number or a range; motifs: of chain, bridge, converging.
    distractors: how many facts no step asks, a number or a range: they answer the same question about other
    entities, as often as there is room, so have as many as steps at least. entities, relations, pairings: how
    many names are drawn from, of the last two each for one entity and for two. solver: forward takes what is
    ready, backward goes down from the question. tie_break: which of those that are ready, that whose fact
    stands first in the prompt or a random one. ood: the
    out-of-distribution test sets, each the knobs that it changes. reach: how far the vocabulary goes, {hops,
    entities, relations, pairings, facts: how many} (default: as far as is in use, test sets included).
    """

    hops: int | Sequence[int] = (2, 4)
    motifs: Sequence[str] = MOTIFS
    distractors: int | Sequence[int] = (4, 8)
    entities: int = 16
    relations: int = 4
    pairings: int = 2
    solver: str = "forward"
    tie_break: str = "first"
    ood: Sequence[Mapping[str, Any]] = ()
    reach: Mapping[str, int] | None = None

    name = "hops"
    levels, reasons, complexities = LEVELS, NAMES, MEASURES
    legend, picture_legend = LEGEND, PICTURE_LEGEND

    def __post_init__(self) -> None:
        one_of("task.solver", self.solver, SOLVERS)
        one_of("task.tie_break", self.tie_break, TIE_BREAKS)
        for motif in self.motifs:
            one_of("task.motifs", motif, MOTIFS)
        if not self.motifs:
            raise ValueError(f"task.motifs is empty; give some of {', '.join(MOTIFS)}")
        _, hops, _, distractors = self._ranges
        for knob, least in (("entities", hops + 2), ("relations", 1), ("pairings", 1)):
            if not least <= (value := getattr(self, knob)) <= LARGEST:
                raise ValueError(
                    f"task.{knob}={value} must be from {least} to {LARGEST} (a question names two "
                    "entities more than it has steps)"
                )
        if hops + distractors > self.entities * (self.relations + self.pairings * self.entities):
            raise ValueError(
                f"task.distractors={self.distractors}: there are not so many facts; take fewer, or more "
                "task.entities, task.relations or task.pairings"
            )
        assert self.reaches, "test sets and reach are checked where they are given"

    @property
    def _ranges(self) -> tuple[int, int, int, int]:
        """Fewest and most steps, fewest and most distractors."""
        hops = ends_of("hops", self.hops, 1, MOST_HOPS)
        return *hops, *ends_of("distractors", self.distractors, 0, LARGEST)

    @property
    def _names(self) -> tuple[int, int, int]:
        """How many entities, relations and pairings problems are drawn from: not the vocabulary's, so that
        neither a test set nor `reach` changes the problems of another.
        """
        return self.entities, self.relations, self.pairings

    @property
    def uses(self) -> dict[str, int]:
        """How far its problems go, in the order of a stored problem's header."""
        _, hops, _, distractors = self._ranges
        names = {"entities": self.entities, "relations": self.relations, "pairings": self.pairings}
        return {"hops": hops, **names, "facts": hops + distractors}

    def spelled(self, knob: str, value: Any) -> str:
        """A changed knob in a name: "hops_6", "distractors_5_6"."""
        if knob not in ("hops", "distractors"):
            return super().spelled(knob, value)
        return "_".join(map(str, (knob, *dict.fromkeys(ends_of(knob, value, 0, LARGEST)))))

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of a trace row."""
        far = self.reaches
        named = Column("relation", "state", far["relations"] + far["pairings"])
        entities = [Column(name, "state", far["entities"]) for name in ("left", "right", "value")]
        return Column("op", "op", len(OPS)), Column("step", "state", far["hops"]), named, *entities

    @cached_property
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""
        far = self.reaches
        return codec_of(*(far[name] for name in ("hops", "entities", "relations", "pairings")))

    @property
    def _fits(self) -> dict[str, int]:
        """What the vocabulary can write, in the order of a stored problem's header."""
        return self.reaches

    def _system(self) -> World:
        """Tables of their own for each call: threads may generate at the same time."""
        motifs = np.array([MOTIFS.index(motif) for motif in self.motifs], np.int32)
        draws = Draws(*self._ranges, *self._names, motifs)
        solver, tie_break = SOLVERS.index(self.solver), TIE_BREAKS.index(self.tie_break)
        return new_world(self.reaches, draws=draws, solver=solver, tie_break=tie_break)

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One answered question per key, in `split`. ValueError if MAX_REDRAWS draws find none."""
        _, hops, _, distractors = self._ranges
        room = batch.Room(HEADER + STEP * hops + FACT * (hops + distractors), hops, 6, 1, 2)
        advice = (
            "there are too few worlds for splits that share none; take more task.hops or task.distractors"
        )
        return batch.generate(self._system(), room, MEASURES, keys, split, advice)

    def parse(self, prompt: Integers) -> Integers:
        """The problem that a prompt's tokens write, as it is stored. ValueError if they write none."""
        return problem_of(self.codec, prompt, self.reaches["hops"], self.reaches["relations"])

    def _solved(self, problems: Ragged, keys: NDArray[np.uint64] | None = None) -> Examples:
        """Problems that were read, answered. keys: see `search.derivation.batch`."""
        room = batch.Room(int(problems.lengths.max(initial=HEADER)), self.reaches["hops"], 6, 1, 2)
        return batch.solved(self._system(), room, MEASURES, problems, keys)

    @property
    def changes(self) -> Mapping[str, Change]:
        """Small changes of its problems by name."""
        return changes_of(*self._names)

    @property
    def other_question(self) -> Make:
        """How another question is asked of the same facts."""
        return other_steps

    def _prompt_rows(self, problems: Ragged) -> Ragged:
        """Rows of prompts: the facts, then the question."""
        return prompt_rows(problems, self.reaches["relations"])

    def solver_state(self, problem: Integers, trace: Integers) -> dict[str, Quantity]:
        """Steps: which are known, and what they came to."""
        return known_facts(trace[:, 1], self.reaches["hops"], trace[:, 5])

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with what is answered up to `step`."""
        return draw_world(
            examples.problem[i], examples.trace[i], examples.solution[i], step, self.reaches["relations"]
        )

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        plot_world(ax, problem, trace, bad, self.reaches["relations"])
