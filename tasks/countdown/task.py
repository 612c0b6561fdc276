"""Countdown: combine numbers by + - * / until the target is there; the trace is a best-first search.

Each number is used at most once (with `use_all`, exactly once), every result is a whole number from 1 to
`limit`, and divisions leave no remainder. A state is the multiset of numbers at hand. The task, depth-first
search with either heuristic and breadth-first search are after Stream of Search (Gandhi et al. 2024,
arXiv 2404.03683), but neither search nor text is theirs. Their depth-first search goes into a state as soon
as it is generated, writes the parent again when it comes back, meets states twice, sees a goal when it is
generated, and leaves out what is farther from the target than the target is large; here a closed state's
successors are all written before the search goes on, no state is met twice, a goal is seen when it is closed,
and nothing is left out. Their breadth-first search has a beam, ours has none. The heuristics are whole
numbers here (the mean distance to the target is rounded down, and neither exceeds `limit`). Neither is a
lower bound: greedy and A* order states by h and by g + h as the grammar says, and A* need not be optimal.

format=stream_of_search borrows some of that paper's words and is not its format: the target stands in the
prompt alone, not in each state; numbers are in ascending order, a result first, not in theirs; a number is
one word; how many operations were done stands for their list; the numbers that remain are named without the
result; there are no node numbers, no lines of moves and none for results that miss the target.

    create 3 * 8 = 24 5 c1 c8     close 5 24 c1 c8

Easy: operations=+- target_range=[10,50]. Medium: the defaults. Hard: numbers=4 longest=60. Optimal means the
fewest operations.

    python -m tracelab.show task=countdown task.solver=bfs index=3
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
from tracelab.core.types import BINS, MAX_REDRAWS, SPLITS, Column, Examples, Quantity
from tracelab.search.best_first.batch import COMPLEXITIES, Searches, examples_of, ragged, solve
from tracelab.search.best_first.reasons import NAMES
from tracelab.search.best_first.search import BestFirst, Strategy
from tracelab.search.best_first.states import board_states
from tracelab.search.completion import LEVELS, check_fit
from tracelab.tasks.countdown.drawing import LEGEND, draw_countdown, plot_countdown
from tracelab.tasks.countdown.draws import SIGNS, Knobs, draw_problems, held_out_targets
from tracelab.tasks.countdown.parsing import check_size, identities_of, problem_of
from tracelab.tasks.countdown.perturbations import changes_of
from tracelab.tasks.countdown.space import FIRST, HEURISTICS, RULES, Hand, new_hand, states_of
from tracelab.tasks.countdown.text import SOLUTION_WIDTH, codec_of, prompt_rows
from tracelab.tasks.shared.perturbing import Change, Perturbed
from tracelab.tasks.shared.redraws import Redrawn, check_longest, fitting, redrawn
from tracelab.tasks.shared.searching import Searching
from tracelab.tasks.shared.trees import PICTURE_LEGEND

FORMATS = ("compact", "stream_of_search")
TARGETS = ("seen", "held_out")
LARGEST = 1000  # number
MOST_STATES = 1 << 16  # that a reference search may meet; of up to five numbers it never meets more
UNGUIDED = ("bfs", "dfs", "dijkstra")


@dataclass(frozen=True)
class Countdown(Redrawn, Searching, Perturbed):
    """A Countdown distribution with its reference solver and its way of writing.

    numbers: how many, 2 to 6. number_range, target_range: what they are drawn from, both ends included.
    operations: some of "+-*/". use_all: must nothing be left but the target? limit: no result is larger.
    held_out: share of the targets that are kept for a test set of their own; targets: "seen" or
    "held_out". solver, tie_break: see `search.best_first`. heuristic: "sum" (mean distance to the target) or
    "multiply" (sum of distances to its nearest factor). format: one of FORMATS. longest: problems whose
    reference trace has more steps are drawn anew (None: none are). ood: further test sets, each the knobs
    that it changes. reach: how far the vocabulary goes, {number: largest} (default: to the highest limit in
    use, test sets included).
    """

    numbers: int = 3
    number_range: Sequence[int] = (1, 50)
    target_range: Sequence[int] = (10, 100)
    operations: str = SIGNS
    use_all: bool = True
    limit: int = 200
    held_out: float = 0.1
    targets: str = "seen"
    solver: str = "dfs"
    tie_break: str = "fifo"
    heuristic: str = "sum"
    format: str = "compact"
    longest: int | None = None
    ood: Sequence[Mapping[str, Any]] = ()
    reach: Mapping[str, int] | None = None

    name = "countdown"
    larger = "a wider task.number_range, more task.numbers, or a higher task.held_out"
    levels, reasons, complexities = LEVELS, NAMES, COMPLEXITIES
    legend, picture_legend = LEGEND, PICTURE_LEGEND
    fixed, farthest = ("format",), {"number": LARGEST}

    def __post_init__(self) -> None:
        one_of("task.heuristic", self.heuristic, HEURISTICS)
        one_of("task.format", self.format, FORMATS)
        one_of("task.targets", self.targets, TARGETS)
        BestFirst(self.solver, self.tie_break).compiled()
        if not 2 <= self.numbers <= 6:
            raise ValueError(f"task.numbers={self.numbers} must be in 2 to 6")
        if not 10 <= self.limit <= LARGEST:
            raise ValueError(f"task.limit={self.limit} must be in 10 to {LARGEST}")
        for knob, least in (("number_range", 1), ("target_range", 2)):
            ends = getattr(self, knob)
            if len(ends) != 2 or not least <= ends[0] <= ends[1] <= self.limit:
                raise ValueError(
                    f"task.{knob}={list(ends)} must be a range [low, high] from {least} to "
                    f"task.limit={self.limit}"
                )
        if not self.operations or set(self.operations) - set(SIGNS):
            raise ValueError(f"task.operations={self.operations!r} must be some of {SIGNS}")
        if not 0 <= self.held_out < 1 or not len(self._targets):
            raise ValueError(
                f"task.held_out={self.held_out} must be in [0, 1) and leave task.targets={self.targets} some "
                f"of the targets {list(self.target_range)}"
            )
        if self.format == "stream_of_search" and self.solver not in UNGUIDED:
            raise ValueError(
                f"task.format=stream_of_search writes no heuristic, by which task.solver={self.solver} is "
                f"judged: take task.format=compact or one of {', '.join(UNGUIDED)}"
            )
        check_longest(self.longest)
        self.test_sets()  # they, and reach, are checked where they are given

    @property
    def uses(self) -> dict[str, int]:
        """How far its numbers go."""
        return {"number": self.limit}

    @cached_property
    def _targets(self) -> NDArray[np.int64]:
        low, high = self.target_range
        held = held_out_targets(low, high, self.held_out)
        return low + np.flatnonzero(held == (self.targets == "held_out"))

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of a trace row: the operation that led to the state (creations alone), then its numbers."""
        size = self.reaches["number"] + 1
        return (
            Column("op", "op", 2),
            Column("a", "state", size),
            Column("sign", "state", len(SIGNS)),
            Column("b", "state", size),
            *(Column(f"n{k}", "state", size) for k in range(self.numbers)),
            Column("g", "cost", size),
            Column("h", "cost", size),
        )

    @cached_property
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""
        return codec_of(self.format, self.numbers, self.reaches["number"])

    @cached_property
    def _strategy(self) -> Strategy:
        return BestFirst(self.solver, self.tie_break).compiled()

    @property
    def _signs(self) -> int:
        """Which of SIGNS may be used, as bits."""
        return sum(1 << SIGNS.index(sign) for sign in set(self.operations))

    def _space(self, more: int = 0) -> Hand:
        """Room for a reference search, and for so many states besides."""
        rules, guided = np.zeros(RULES, np.int64), self.format == "compact"
        rules[2:7] = self.numbers, self.limit, self._signs, HEURISTICS.index(self.heuristic), guided
        space: Hand = new_hand(rules, min(states_of(self.numbers), MOST_STATES) + more)
        return space

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One solved problem per key, in `split`. ValueError if MAX_REDRAWS draws find none."""
        one_of("split", split, tuple(SPLITS))
        return redrawn(
            lambda some: self._draw(some, split),
            keys,
            f"have traces of more than task.longest={self.longest} steps, or searches that meet more than "
            f"{MOST_STATES} states: raise task.longest, lower task.numbers, or take task.solver=dfs or "
            "greedy",
        )

    def _draw(self, keys: NDArray[np.uint64], split: str) -> tuple[Examples, NDArray[np.bool_]]:
        """-> problems with their searches, and which of these have a fitting length."""
        low, high = self.number_range
        knobs = Knobs(self.numbers, low, high, self.limit, self.use_all, self._signs)
        failed, problems, identity = draw_problems(knobs, self._targets, *SPLITS[split], BINS, keys)
        if failed >= 0:
            raise ValueError(
                f"{MAX_REDRAWS} draws gave no {self.numbers} numbers in {list(self.number_range)} with a "
                f"{self.targets} target in {list(self.target_range)} that can be reached by "
                f"{self.operations} and belong to the {split} split: reach more targets by wider "
                "ranges or more operations or numbers, or take a lower task.held_out"
            )
        return self._searched(ragged(problems), identity, keys, self.longest)

    def _searched(
        self, stored: Ragged, identity: NDArray[np.uint64], keys: NDArray[np.uint64], longest: int | None
    ) -> tuple[Examples, NDArray[np.bool_]]:
        """-> stored problems with their searches, and which of these have up to `longest` steps."""
        own = best = self._search(self._strategy, stored, keys)
        if not self.use_all and self.solver not in ("bfs", "dijkstra"):  # using all takes as many operations
            best = self._search(BestFirst("bfs").compiled(), stored, keys)
        examples = examples_of(identity, stored, own, best.measures[:, 2])
        short = examples.trace.lengths <= (longest or np.inf)
        return examples, own.solved & best.solved & short

    def parse(self, prompt: Integers) -> Integers:
        """The problem that a prompt's tokens write, as it is stored. ValueError if they write none."""
        return problem_of(self.codec, prompt, self.numbers, self.limit, self.use_all)

    def _solved(self, problems: Ragged) -> Examples:
        """Problems that were read, with their searches. ValueError if one has none that fits."""
        identity = identities_of(problems)
        return fitting(*self._searched(problems, identity, identity, None), MOST_STATES)

    def _search(self, strategy: Strategy, stored: Ragged, keys: NDArray[np.uint64]) -> Searches:
        space, widths = self._space(), (len(self.columns), SOLUTION_WIDTH)
        steps = 2 * len(space.states.words) + 2  # none is created twice: g tells how many numbers are left
        return solve(space, strategy, stored, keys, widths, steps)

    @property
    def changes(self) -> Mapping[str, Change]:
        """Small changes of its problems by name."""
        return changes_of(self._targets, self.operations, self.limit)

    def resolved(self, problems: Ragged, keys: NDArray[np.uint64]) -> tuple[Examples, NDArray[np.bool_]]:
        """Changed problems with their searches, and which of these are as short as drawn ones."""
        return self._searched(problems, identities_of(problems), keys, self.longest)

    def _prompt_rows(self, problems: Ragged) -> Ragged:
        """Rows of prompts."""
        return Ragged(*prompt_rows(problems.values, problems.offsets))

    def check_written(self, problems: Ragged) -> None:
        """ValueError unless the vocabulary has words for all numbers."""
        largest, most = problems.values.max(initial=0), self.reaches["number"]
        if largest > most:
            raise ValueError(
                f"the number {largest} is beyond this task's vocabulary, which ends at {most}: take the task "
                "that drew the problem, or a higher task.reach"
            )

    def check_solved(self, problems: Ragged) -> None:
        """ValueError unless problems have as many numbers at most as the task's, and none above its limit."""
        check_size(problems, self.numbers, self.limit)

    def _space_for(self, examples: Examples, outputs: Ragged) -> Hand:
        """Room for all states that an output can name. ValueError if it cannot write the problems."""
        check_fit({}, examples, outputs)
        self.check_solved(examples.problem)
        return self._space(int(outputs.lengths.max(initial=0)))

    def test_sets(self) -> Mapping[str, Countdown]:
        """Out-of-distribution variants by name, with this task's vocabulary."""
        sets = super().test_sets()
        if not self.held_out or self.targets == "held_out":
            return sets
        own = replace(self, targets="held_out", ood=(), reach=self.reaches)
        return {"held_out_targets": own, **sets}

    def solver_state(self, problem: Integers, trace: Integers) -> dict[str, Quantity]:
        """The numbers of the state that is closed next."""
        return board_states(trace, FIRST)

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with the search up to `step`."""
        return draw_countdown(examples.problem[i], examples.trace[i], examples.solution[i], step)

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        plot_countdown(ax, problem, trace, solution, bad)
