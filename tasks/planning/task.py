"""Classical planning: blocks are stacked, packages are carried; the trace is a best-first search for a plan.

    close table a hand c1 c3      where each block is (a, b, c in their order), g and h
    create stack c b c2 c2        an action; format=states names the state that it leads to in front of it

Two domains, as planners know them in PDDL (`pddl.py` writes and reads it): blocksworld with four actions, and
logistics, where trucks drive within cities and airplanes fly between them. The solution is the plan; optimal
means the fewest actions. Words leave out what an action's other objects say: `drive-truck t1 l2` is
(drive-truck t1 l1 l2 city1). The blocks' start and goal are any two states, all alike likely, or with
scramble=[1,3] so many random moves of a block or package apart; `longest` leaves the easier (the data
card has the share). Names count: nearly all of a test set is trained on under other names (see `rename`).

Easy: scramble=[1,2], packages=1. Medium: the defaults. Hard, with longest=160: blocks=7, packages=3.

Source: ProtoReasoning (arXiv 2506.15211), which trains on planning in PDDL as a prototype of reasoning.

    python -m tracelab.show task=planning index=3
    python -m tracelab.show task=planning task.domain=logistics index=3
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
from tracelab.core.types import BINS, MAX_REDRAWS, SPLITS, Column, Examples, Quantity
from tracelab.search.best_first.batch import COMPLEXITIES, Searches, examples_of, nameable, solve
from tracelab.search.best_first.reasons import NAMES
from tracelab.search.best_first.search import SHORTEST_PATHS, BestFirst, Strategy
from tracelab.search.best_first.states import board_states
from tracelab.search.completion import LEVELS, check_fit
from tracelab.tasks.planning.drawing import LEGEND, draw_plan, plot_plan
from tracelab.tasks.planning.draws import draw_problems
from tracelab.tasks.planning.heuristics import HEURISTICS
from tracelab.tasks.planning.layout import Words
from tracelab.tasks.planning.parsing import identities_of, problem_of
from tracelab.tasks.planning.perturbations import changes_of
from tracelab.tasks.planning.text import DEAREST, codec_of, most_actions, most_things, prompt_rows
from tracelab.tasks.planning.world import DOMAINS, FIRST, KINDS, MOST_OBJECTS, MOST_THINGS, World, new_world
from tracelab.tasks.shared.perturbing import Change, Perturbed
from tracelab.tasks.shared.ranges import ends_of
from tracelab.tasks.shared.redraws import Redrawn, check_longest, fitting, redrawn, writable
from tracelab.tasks.shared.searching import Searching
from tracelab.tasks.shared.trees import PICTURE_LEGEND

FORMATS = ("compact", "states")
MOST = dict(zip(KINDS, (12, 24, 12, 8, 4, 10), strict=True))  # objects of a vocabulary
MOST_STATES, MOST_ROWS = 1 << 15, 1 << 20  # that a search may meet, and that its trace may have
APART = {"blocksworld": ("blocks",), "logistics": ("packages", "cities", "locations", "planes")}


@dataclass(frozen=True)
class Planning(Redrawn, Searching, Perturbed):
    """A distribution of planning problems with its reference solver.

    domain: one of DOMAINS. blocks: of blocksworld, 2 to 12: a number, or [fewest, most]. packages, cities,
    locations, planes: of logistics; locations: of each city, of which one has an airport; each city has a
    truck. scramble: fewest and most random moves of a block or package from the start to the goal; None: the
    goal is drawn for itself. solver, tie_break: see `search.best_first`. heuristic: one of HEURISTICS.
    format: does a creation name the action alone (compact), or its state, too (states)? longest:
    problems whose reference trace has more steps are drawn anew (None: none are). ood: the
    out-of-distribution test sets, each the knobs that it changes; those of the other domain are passed over.
    reach: how far the vocabulary goes, by KINDS (default: as far as is in use, test sets included).
    """

    domain: str = "blocksworld"
    blocks: int | Sequence[int] = 5
    packages: int | Sequence[int] = 2
    cities: int = 2
    locations: int = 3
    planes: int = 1
    scramble: Sequence[int] | None = None
    solver: str = "astar"
    tie_break: str = "lifo"
    heuristic: str = "misplaced"
    format: str = "compact"
    longest: int | None = 80
    ood: Sequence[Mapping[str, Any]] = ()
    reach: Mapping[str, int] | None = None

    name = "planning"
    levels, reasons, complexities = LEVELS, NAMES, COMPLEXITIES
    legend, picture_legend = LEGEND, PICTURE_LEGEND
    fixed = ("format",)
    farthest = MOST

    def __post_init__(self) -> None:
        one_of("task.domain", self.domain, DOMAINS)
        one_of("task.heuristic", self.heuristic, HEURISTICS)
        one_of("task.format", self.format, FORMATS)
        BestFirst(self.solver, self.tie_break).compiled()
        ends_of("blocks", self.blocks, 2, self.farthest["blocks"])
        ends_of("packages", self.packages, 1, self.farthest["packages"])
        ends_of("cities", self.cities, 1, self.farthest["trucks"])
        ends_of("planes", self.planes, 0 if self.cities == 1 else 1, self.farthest["planes"])
        places = self.cities * self.locations
        things = self.cities + self.planes + self._movable("packages")[1]
        if not 2 <= places <= self.farthest["locations"] or self.locations < 1:
            raise ValueError(
                f"task.locations={self.locations}: {self.cities} cities with so many each have {places} "
                f"locations, of 2 to {self.farthest['locations']}"
            )
        if things > MOST_THINGS or things + places > MOST_OBJECTS:
            raise ValueError(
                f"task.packages={self.packages}: {things} vehicles and packages at {places} locations are "
                f"more than {MOST_THINGS}, or than {MOST_OBJECTS} together"
            )
        if self.scramble is not None and (
            len(self.scramble) != 2 or not 1 <= self.scramble[0] <= self.scramble[1] <= 1000
        ):
            raise ValueError(f"task.scramble={list(self.scramble)} must be [fewest, most] moves, or null")
        check_longest(self.longest)
        assert self.reaches, "test sets and reach are checked where they are given"

    def _movable(self, knob: str) -> tuple[int, int]:
        """The fewest and the most blocks or packages."""
        return ends_of(knob, getattr(self, knob), 1, MOST_THINGS)

    @property
    def uses(self) -> dict[str, int]:
        """How far its problems go."""
        if self.domain == "blocksworld":
            return {kind: self._movable("blocks")[1] if kind == "blocks" else 0 for kind in KINDS}
        counts = (0, self.cities * self.locations, self.cities, self.cities, self.planes)
        return dict(zip(KINDS, (*counts, self._movable("packages")[1]), strict=True))

    def passed_over(self, change: Mapping[str, Any]) -> Sequence[str]:
        """Knobs of the other domain."""
        domain = change.get("domain", self.domain)
        return [knob for other, knobs in APART.items() if other != domain for knob in knobs]

    def called(self, change: Mapping[str, Any]) -> str:
        """The name of a test set: what it changes, but for knobs of the other domain."""
        own = {knob: value for knob, value in change.items() if knob not in self.passed_over(change)}
        if not own:
            words = ", ".join(f"{knob}: {value}" for knob, value in change.items())
            raise ValueError(f"task.ood, {{{words}}}: this changes nothing of {self.domain}; leave it out")
        return super().called(own)

    def spelled(self, knob: str, value: Any) -> str:
        """A domain stands for itself."""
        return str(value) if knob == "domain" else super().spelled(knob, value)

    @cached_property
    def words(self) -> Words:
        """The words of objects and actions by number."""
        return Words.of(self.reaches)

    @property
    def _most_things(self) -> int:
        """How many things a state can have, in this vocabulary."""
        return most_things(self.reaches)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of a trace row: the action (creations alone), then where each thing is."""
        objects = len(self.words.objects)
        move = (Column("action", "state", len(self.words.actions)), Column("thing", "state", objects))
        places = (Column(f"s{k}", "state", objects) for k in range(self._most_things))
        costs = (Column(name, "cost", DEAREST + 1) for name in "gh")
        return (Column("op", "op", 2), *move, Column("to", "state", objects), *places, *costs)

    @cached_property
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""
        return codec_of(self.reaches, states=self.format == "states")

    @cached_property
    def _strategy(self) -> Strategy:
        return BestFirst(self.solver, self.tie_break).compiled()

    @property
    def _degree(self) -> int:
        """The most actions that a state can have, in this vocabulary."""
        return most_actions(self.reaches)

    def _world(self, states: int, heuristic: str | None = None) -> World:
        """Room for so many states, but for no more than a search may have rows for."""
        reach = np.array([self.reaches[kind] for kind in KINDS])
        chosen, named = HEURISTICS.index(heuristic or self.heuristic), self.format == "states"
        world: World = new_world(states, reach, chosen, named, self._degree)
        return world

    @property
    def _most_states(self) -> int:
        """How many a search may meet, whatever the vocabulary: it does not change what is drawn."""
        return min(MOST_STATES, MOST_ROWS // (1 + most_actions(self.uses)))

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One solved problem per key, in `split`. ValueError if none is found."""
        one_of("split", split, tuple(SPLITS))
        steps = "" if self.longest is None else f"task.longest={self.longest} steps, "
        return redrawn(
            lambda some: self._draw(some, split),
            keys,
            f"have searches of more than {steps}{self._most_states} states or {DEAREST} actions: raise "
            "task.longest, lower task.blocks, task.packages or task.scramble, or take task.solver=astar with "
            "task.heuristic=misplaced",
        )

    def _draw(self, keys: NDArray[np.uint64], split: str) -> tuple[Examples, NDArray[np.bool_]]:
        """-> problems with their searches, and which of these have a fitting length."""
        numbers = (DOMAINS.index(self.domain), *self._movable(APART[self.domain][0]), self.cities)
        knobs = (*numbers, self.locations, self.planes, *(self.scramble or (-1, -1)))
        failed, values, ends, identity = draw_problems(knobs, *SPLITS[split], BINS, keys)
        if failed >= 0:
            raise ValueError(
                f"{MAX_REDRAWS} draws gave no problem of {self.domain} in the {split} split: there are too "
                "few for splits that share none; raise task.blocks, task.packages, task.locations or "
                "task.scramble"
            )
        return self._searched(Ragged(values, ends), identity, keys, self.longest)

    def _searched(
        self, stored: Ragged, identity: NDArray[np.uint64], keys: NDArray[np.uint64], longest: int | None
    ) -> tuple[Examples, NDArray[np.bool_]]:
        """-> stored problems with their searches, and which of these have up to `longest` steps."""
        most = self._most_states
        own = best = self._search(self._world(min(longest or most, most)), self._strategy, stored, keys)
        if self.solver not in SHORTEST_PATHS:
            best = self._search(self._world(most, "misplaced"), BestFirst().compiled(), stored, keys)
        examples = examples_of(identity, stored, own, best.measures[:, 2])
        short = examples.trace.lengths <= (longest or np.inf)
        return examples, own.solved & best.solved & short & writable(examples.trace, DEAREST)

    def parse(self, prompt: Integers) -> Integers:
        """The problem that a prompt's tokens write, as it is stored. ValueError if they write none."""
        return problem_of(self.codec, prompt, self.reaches, self._world(1))

    def _solved(self, problems: Ragged) -> Examples:
        """Problems that were read, with their searches. ValueError if one has none that fits."""
        identity = identities_of(problems)
        return fitting(*self._searched(problems, identity, identity, None), self._most_states)

    def _search(self, world: World, strategy: Strategy, stored: Ragged, keys: NDArray[np.uint64]) -> Searches:
        steps = min(MOST_ROWS, len(world.states.words) * (1 + self._degree)) + 2
        return solve(world, strategy, stored, keys, (len(self.columns), FIRST), steps)

    @property
    def changes(self) -> Mapping[str, Change]:
        """Small changes of its problems by name."""
        return changes_of(self.reaches)

    def resolved(self, problems: Ragged, keys: NDArray[np.uint64]) -> tuple[Examples, NDArray[np.bool_]]:
        """Changed problems with their searches, and which of these are as short as drawn ones."""
        return self._searched(problems, identities_of(problems), keys, self.longest)

    def _prompt_rows(self, problems: Ragged) -> Ragged:
        """Rows of prompts."""
        return Ragged(*prompt_rows(self._world(1), problems.values, problems.offsets))

    @property
    def _fits(self) -> dict[str, int]:
        """What the vocabulary can write, in the order of a stored problem's header."""
        return {"domains": len(DOMAINS) - 1, **self.reaches}

    def _space_for(self, examples: Examples, outputs: Ragged) -> World:
        """Room for all states that an output can name."""
        check_fit(self._fits, examples, outputs)
        return self._world(nameable(examples, outputs, self._degree))

    def solver_state(self, problem: Integers, trace: Integers) -> dict[str, Quantity]:
        """Where each thing is in the state that is closed next."""
        return board_states(trace, FIRST)

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with the search up to `step`."""
        return draw_plan(examples.problem[i], examples.trace[i], examples.solution[i], self.words, step)

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        plot_plan(ax, problem, trace, solution, self.words, bad)
