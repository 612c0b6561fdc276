"""Graph paths: find a way from a start to a goal through a graph; the trace is a best-first search.

The prompt lists the edges in random order, with labels that carry no information. Generators:

    random       a connected graph: a random spanning tree and further edges (not exactly the uniform
                 G(n, m) under connectedness: trees weigh more)
    grid         a lattice, edges removed but connected; with coordinates in the prompt A* and greedy have
                 the Manhattan distance to the goal as their heuristic
    star         the path-star of Bachmann and Nagarajan 2024 (arXiv 2403.06963); their path length
                 counts nodes, so it is one more than `star`'s
    dag          a directed acyclic graph, layered if you like
    two_targets  as in ProsQA (Hao et al. 2024, arXiv 2412.06769): a DAG whose start reaches one of two
                 targets; the prompt names both

Without coordinates there is no heuristic: h is not written, and A* is Dijkstra. Two problems are the
same if they differ in labels and order alone (colour refinement); path-stars, which are all the same
graph, if they differ in order alone.

Easy: the defaults with nodes=8. Medium: the defaults. Hard: nodes=30, max_weight=9, solver=dijkstra.

    python -m tracelab.show task=graph_path task.generator=star index=3
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import Codec
from tracelab.core.knobs import finite, one_of
from tracelab.core.older import reads_older
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import BINS, MAX_REDRAWS, SPLITS, Column, Examples, Quantity
from tracelab.search.best_first.batch import COMPLEXITIES, examples_of, ragged, solve
from tracelab.search.best_first.reasons import NAMES
from tracelab.search.best_first.search import BestFirst, Strategy
from tracelab.search.best_first.states import numbered_states
from tracelab.search.completion import LEVELS, check_fit
from tracelab.tasks.graph_path.drawing import LEGEND, PICTURE_LEGEND, draw_graph, plot_graph
from tracelab.tasks.graph_path.draws import draw_problems
from tracelab.tasks.graph_path.edges import GENERATORS, STAR, Knobs
from tracelab.tasks.graph_path.extent import MOST, Extent, extent_of
from tracelab.tasks.graph_path.parsing import examined, problem_of
from tracelab.tasks.graph_path.perturbations import changes_of, other_target
from tracelab.tasks.graph_path.space import Graph, largest_label, new_graph
from tracelab.tasks.graph_path.text import codec_of, prompt_rows
from tracelab.tasks.shared.perturbing import Change, Make, Perturbed
from tracelab.tasks.shared.searching import Searching

FORMATS = ("compact", "plain")
QUERIES = ("first", "last")


@reads_older(labels="reach.nodes", costs="reach.cost")
@dataclass(frozen=True)
class GraphPath(Searching, Perturbed):
    """A graph distribution with its reference solver and its way of writing.

    generator: one of GENERATORS. nodes: how many (random, dag, two_targets). grid: (width, height). star:
    (arms, edges along each). density: edges per node, a spanning tree at least (not star). layers: of a dag
    or two_targets, edges lead from each to the next; 0 for none. directed: None for what the generator
    usually is. max_weight: edges cost 1 to this. min_distance: fewest edges from start to goal.
    coordinates: does the prompt place a grid's nodes? solver, tie_break: see `search.best_first`. format:
    "plain" has a word before each edge. query: do start and goal stand before the edges or behind them?
    ood: the out-of-distribution test sets, each the knobs that it changes. reach: how far the vocabulary
    goes, {nodes: words for them, cost: the largest that can be written} (default: what the largest graph in
    use needs, test sets included).
    """

    generator: str = "random"
    nodes: int = 16
    grid: Sequence[int] = (4, 4)
    star: Sequence[int] = (3, 5)
    density: float = 1.5
    layers: int = 0
    directed: bool | None = None
    max_weight: int = 1
    min_distance: int = 2
    coordinates: bool = False
    solver: str = "bfs"
    tie_break: str = "fifo"
    format: str = "compact"
    query: str = "first"
    ood: Sequence[Mapping[str, Any]] = ()
    reach: Mapping[str, int] | None = None

    name = "graph_path"
    levels, reasons, complexities = LEVELS, NAMES, COMPLEXITIES
    legend, picture_legend = LEGEND, PICTURE_LEGEND
    fixed, farthest = ("format",), {"cost": MOST**2}

    def __post_init__(self) -> None:
        one_of("task.generator", self.generator, GENERATORS)
        one_of("task.format", self.format, FORMATS)
        one_of("task.query", self.query, QUERIES)
        BestFirst(self.solver, self.tie_break).compiled()
        finite("task.density", self.density)
        if not 1 <= self.max_weight <= MOST:
            raise ValueError(f"task.max_weight={self.max_weight} must be in 1 to {MOST}")
        self._check_kind()
        assert self.reaches, "test sets and reach are checked where they are given"

    def _check_kind(self) -> None:
        """The generator has such graphs, and the solver such a heuristic."""
        kind, farthest = self.generator, self.extent.farthest
        if kind in ("dag", "two_targets") and self.directed is False:
            raise ValueError(f"task.directed=false: a {kind} graph is directed; take task.generator=random")
        if self.coordinates and kind != "grid":
            raise ValueError(f"task.coordinates=true: a {kind} graph has none; take task.generator=grid")
        if self.solver == "greedy" and not self.coordinates:
            raise ValueError("task.solver=greedy needs a heuristic: take a grid with task.coordinates=true")
        if not 1 <= self.min_distance <= farthest:
            raise ValueError(
                f"task.min_distance={self.min_distance}: in a {kind} graph like this no shortest path has "
                f"more than {farthest} edges, and none fewer than 1"
            )

    @cached_property
    def extent(self) -> Extent:
        """How large its graphs are."""
        return extent_of(self.generator, self.nodes, self.grid, self.star, self.density, self.layers)

    @property
    def in_distribution(self) -> str:
        """The name of its own test set."""
        return self.generator

    @property
    def uses(self) -> dict[str, int]:
        """How far its graphs go. No path costs more than one through all nodes, at the highest weight."""
        return {"nodes": self.extent.nodes, "cost": (self.extent.nodes - 1) * self.max_weight}

    @property
    def words(self) -> int:
        """How many node words there are."""
        return self.reaches["nodes"]

    @property
    def dearest(self) -> int:
        """The largest cost that can be written."""
        return self.reaches["cost"]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of a trace row."""
        costs = (Column(name, "cost", self.dearest + 1) for name in "gh")
        return (Column("op", "op", 2), Column("node", "state", self.words), *costs)

    @cached_property
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""
        return codec_of(
            self.words,
            self.dearest,
            plain=self.format == "plain",
            weighted=self.max_weight > 1,
            directed=self._knobs.directed,
            guided=self.coordinates,
        )

    @cached_property
    def _strategy(self) -> Strategy:
        return BestFirst(self.solver, self.tie_break).compiled()

    @property
    def _knobs(self) -> Knobs:
        kind = GENERATORS.index(self.generator)
        directed = kind >= STAR if self.directed is None else self.directed
        return Knobs(
            kind,
            self.extent.nodes,
            self.extent.edges,
            self.grid[0],
            self.star[1],
            self.layers,
            directed,
            self.max_weight,
            self.min_distance,
            self.words,
            self.coordinates,
        )

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One solved problem per key, in `split`. ValueError if MAX_REDRAWS draws find none."""
        one_of("split", split, tuple(SPLITS))
        knobs = self._knobs
        failed, problems, identity, least = draw_problems(knobs, *SPLITS[split], BINS, keys)
        if failed >= 0:
            raise ValueError(
                f"{MAX_REDRAWS} draws gave no {self.generator} graph of {knobs.nodes} nodes with a goal at "
                f"least {self.min_distance} edges from the start that belongs to the {split} split: there "
                "are too few such graphs for splits that share none (labels and order do not count); raise "
                "the number of nodes, take another task.density, a larger task.max_weight or a smaller "
                "task.min_distance"
            )
        return self._searched(ragged(problems), identity, keys, least, knobs)

    def _searched(
        self,
        stored: Ragged,
        identity: NDArray[np.uint64],
        keys: NDArray[np.uint64],
        least: NDArray[np.int64],
        knobs: Knobs,
    ) -> Examples:
        """Stored problems with their searches. least: costs of the cheapest paths."""
        graph, steps = new_graph(self.words, knobs.edges), knobs.nodes + 2 * knobs.edges + 2
        return examples_of(identity, stored, solve(graph, self._strategy, stored, keys, (4, 2), steps), least)

    def parse(self, prompt: Integers) -> Integers:
        """The problem that a prompt's tokens write, as it is stored. ValueError if they write none."""
        return problem_of(self.codec, prompt, self._knobs, self.query == "last")

    def _solved(self, problems: Ragged) -> Examples:
        """Problems that were read, with their searches. ValueError if no path leads to a goal."""
        nodes, edges = (int(problems.values[problems.offsets[:-1] + h].max(initial=1)) for h in range(2))
        knobs = self._knobs._replace(nodes=nodes, edges=edges)
        identity, least = examined(knobs, problems.values, problems.offsets)
        return self._searched(problems, identity, identity, least, knobs)

    @property
    def changes(self) -> Mapping[str, Change]:
        """Small changes of its problems by name."""
        return changes_of(self.words, self.max_weight, any_edge=self.generator == "random")

    @property
    def other_question(self) -> Make | None:
        """How another target is asked for; of two targets there is no other."""
        return None if self.generator == "two_targets" else other_target

    def _prompt_rows(self, problems: Ragged) -> Ragged:
        """Rows of prompts."""
        last = self.query == "last"
        return Ragged(*prompt_rows(problems.values, problems.offsets, last, self.max_weight > 1))

    def check_written(self, problems: Ragged) -> None:
        """ValueError unless the vocabulary has words for all nodes of these graphs."""
        largest = largest_label(problems.values, problems.offsets)
        if largest >= self.words:
            raise ValueError(
                f"a graph with a node {largest} is beyond this task's vocabulary, which ends at "
                f"{self.words - 1}: take the task that drew it, or a higher task.reach"
            )

    def _space_for(self, examples: Examples, outputs: Ragged) -> Graph:
        """Room for the largest graph of a batch. ValueError if the vocabulary cannot write it."""
        check_fit({}, examples, outputs)
        self.check_written(examples.problem)
        graph: Graph = new_graph(self.words, int(examples.problem.lengths.max(initial=0)) // 3)
        return graph

    def solver_state(self, problem: Integers, trace: Integers) -> dict[str, Quantity]:
        """Nodes: unseen, open or closed, with their costs."""
        return numbered_states(trace, self.words)

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with the search up to `step`."""
        return draw_graph(examples.problem[i], examples.trace[i], examples.solution[i], step)

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        plot_graph(ax, problem, trace, solution, bad)
