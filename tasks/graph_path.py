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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tracelab.tasks._graph_path_kernels as kernels
from tracelab.core.codec import Codec, Field, Format
from tracelab.core.knobs import one_of
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import BINS, MAX_REDRAWS, SPLITS, Column, Examples, Verdicts
from tracelab.search.batch import judge, judge_traces, solve
from tracelab.search.best_first import BestFirst
from tracelab.search.completion import LEVELS
from tracelab.search.reasons import NAMES
from tracelab.tasks._graph_path_drawing import LEGEND, PICTURE_LEGEND, draw_graph, plot_graph
from tracelab.tasks._graph_path_draws import GENERATORS, STAR, Knobs
from tracelab.tasks._graph_path_space import Graph, new_graph
from tracelab.tasks._variants import named

FORMATS = ("compact", "plain")
QUERIES = ("first", "last")
MEASURES = ("expansions", "generated", "optimal_cost")
MOST = 200  # nodes


@dataclass(frozen=True)
class GraphPath:
    """A graph distribution with its reference solver and its way of writing.

    generator: one of GENERATORS. nodes: how many (random, dag, two_targets). grid: (width, height). star:
    (arms, edges along each). density: edges per node, a spanning tree at least (not star). layers: of a dag
    or two_targets, edges lead from each to the next; 0 for none. directed: None for what the generator
    usually is. max_weight: edges cost 1 to this. min_distance: fewest edges from start to goal.
    coordinates: does the prompt place a grid's nodes? solver, tie_break: see `search.best_first`. format:
    "plain" has a word before each edge. query: do start and goal stand before the edges or behind them?
    labels: how many node words there are, costs: the largest cost that can be written (default: what the
    largest graph in use needs, test sets included). ood: the out-of-distribution test sets, each the
    knobs that it changes.
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
    labels: int | None = None
    costs: int | None = None
    ood: Sequence[Mapping[str, Any]] = ()

    name: str = field(default="graph_path", init=False)
    levels: tuple[str, ...] = field(default=LEVELS, init=False)
    reasons: tuple[str, ...] = field(default=NAMES, init=False)
    legend: str = field(default=LEGEND, init=False)
    picture_legend: str = field(default=PICTURE_LEGEND, init=False)
    complexities: tuple[str, ...] = field(default=MEASURES, init=False)

    def __post_init__(self) -> None:
        one_of("task.generator", self.generator, GENERATORS)
        one_of("task.format", self.format, FORMATS)
        one_of("task.query", self.query, QUERIES)
        BestFirst(self.solver, self.tie_break).compiled()
        for knob in ("grid", "star"):
            sides = getattr(self, knob)
            if len(sides) != 2 or min(sides) < 1 or not all(isinstance(side, int) for side in sides):
                raise ValueError(f"task.{knob}={list(sides)} must be two whole numbers, 1 or more each")
        if not 2 <= self.size <= MOST:
            raise ValueError(f"a {self.generator} graph of {self.size} nodes: take 2 to {MOST}")
        if not 1 <= self.max_weight <= MOST:
            raise ValueError(f"task.max_weight={self.max_weight} must be in 1 to {MOST}")
        self._check_shape()
        nodes, cost = self._most(lambda task: task.size), self._most(lambda task: task.highest)
        if self.labels is not None and self.labels < nodes:
            raise ValueError(f"task.labels={self.labels} are too few words for {nodes} nodes; raise it")
        if self.costs is not None and self.costs < cost:
            raise ValueError(
                f"task.costs={self.costs}: a path may cost up to {cost}; raise it or leave it out"
            )

    def _check_shape(self) -> None:
        kind, dag = self.generator, self.generator in ("dag", "two_targets")
        if dag and self.directed is False:
            raise ValueError(f"task.directed=false: a {kind} graph is directed; take task.generator=random")
        if self.layers and not (dag and 2 <= self.layers <= self.nodes):
            raise ValueError(f"task.layers={self.layers} is for a dag or two_targets: 2 to task.nodes, or 0")
        if self.coordinates and kind != "grid":
            raise ValueError(f"task.coordinates=true: a {kind} graph has none; take task.generator=grid")
        if self.solver == "greedy" and not self.coordinates:
            raise ValueError("task.solver=greedy needs a heuristic: take a grid with task.coordinates=true")
        if self.edges > self.pairs:
            raise ValueError(
                f"task.density={self.density} asks for {self.edges} edges, but a {kind} graph of {self.size} "
                f"nodes has room for {self.pairs}: lower it"
            )
        farthest = {"star": self.star[1], "grid": self.size - 1}.get(kind, self.nodes - 1)
        farthest = self.layers - 1 if self.layers else farthest
        if not 1 <= self.min_distance <= farthest:
            raise ValueError(
                f"task.min_distance={self.min_distance}: in a {kind} graph like this no shortest path has "
                f"more than {farthest} edges, and none fewer than 1"
            )

    @property
    def size(self) -> int:
        """How many nodes its graphs have."""
        if self.generator == "star":
            return 1 + self.star[0] * self.star[1]
        return self.grid[0] * self.grid[1] if self.generator == "grid" else self.nodes

    @property
    def edges(self) -> int:
        """How many edges its graphs have."""
        return (
            self.size - 1 if self.generator == "star" else max(self.size - 1, round(self.density * self.size))
        )

    @property
    def pairs(self) -> int:
        """How many pairs of nodes an edge may join."""
        width, height = self.grid
        if self.generator == "star":
            return self.size - 1
        if self.generator == "grid":
            return width * (height - 1) + height * (width - 1)
        if self.layers:
            sizes = np.bincount(np.arange(self.nodes) * self.layers // self.nodes)
            return int(sizes[:-1] @ sizes[1:])
        return self.nodes * (self.nodes - 1) // 2

    @property
    def highest(self) -> int:
        """No path costs more: through all nodes, at the highest weight."""
        return (self.size - 1) * self.max_weight

    def _most(self, measure: Callable[[GraphPath], int]) -> int:
        """The largest value of a measure in use, test sets included."""
        return max(measure(task) for task in (self, *self._variants().values()))

    @cached_property
    def words(self) -> int:
        """How many node words there are."""
        return self.labels or self._most(lambda task: task.size)

    @cached_property
    def dearest(self) -> int:
        """The largest cost that can be written."""
        return self.costs or self._most(lambda task: task.highest)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Of a trace row."""
        costs = self.dearest + 1
        return (
            Column("op", "op", 2),
            Column("node", "state", self.words),
            Column("g", "cost", costs),
            Column("h", "cost", costs),
        )

    @cached_property
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""
        words, written = self._format()
        return Codec(words, written, prompt_width=4, trace_width=4, solution_width=2)

    def _format(self) -> tuple[tuple[str, ...], Format]:
        """-> (the vocabulary's words, how rows are written)."""
        marks = ("start", "goal", "edge", "arc", "at", "reasoning", "create", "close", "solution", "end")
        nodes = tuple(str(n) for n in range(self.words))
        costs = tuple(f"c{n}" for n in range(self.dearest + 1))
        step = "{a} {g} {h}" if self.coordinates else "{a} {g}"
        edge = "{a} {b} {w}" if self.max_weight > 1 else "{a} {b}"
        if self.format == "plain":
            edge = ("arc " if self._knobs.directed else "edge ") + edge
        written = Format(
            fields={
                "a": Field(1, nodes),
                "b": Field(2, nodes),
                "w": Field(3, costs),
                "x": Field(2, nodes),
                "y": Field(3, nodes),
                "g": Field(2, costs),
                "h": Field(3, costs),
            },
            prompt={"start": "start {a}", "goal": "goal {a}", "edge": edge, "at": "at {a} {x} {y}"},
            trace={"create": f"create {step}", "close": f"close {step}"},
            solution={"node": "{a}"},
        )
        return (*marks, *nodes, *costs), written

    @cached_property
    def _strategy(self) -> Any:
        return BestFirst(self.solver, self.tie_break).compiled()

    @property
    def _knobs(self) -> Knobs:
        kind = GENERATORS.index(self.generator)
        directed = kind >= STAR if self.directed is None else self.directed
        return Knobs(
            kind,
            self.size,
            self.edges,
            self.grid[0],
            self.star[1],
            self.layers,
            directed,
            self.max_weight,
            self.min_distance,
            self.labels or self.size,
            self.coordinates,
        )

    def generate(self, keys: NDArray[np.uint64], split: str) -> Examples:
        """One solved problem per key, in `split`. ValueError if MAX_REDRAWS draws find none."""
        one_of("split", split, tuple(SPLITS))
        knobs = self._knobs._replace(labels=self.words)
        failed, problems, identity, least = kernels.draw_problems(knobs, *SPLITS[split], BINS, keys)
        if failed >= 0:
            raise ValueError(
                f"{MAX_REDRAWS} draws gave no {self.generator} graph of {self.size} nodes with a goal at "
                f"least {self.min_distance} edges from the start that belongs to the {split} split: there "
                "are too few such graphs for splits that share none (labels and order do not count); raise "
                "the number of nodes, take another task.density, a larger task.max_weight or a smaller "
                "task.min_distance"
            )
        problem = Ragged(problems.reshape(-1), np.arange(len(keys) + 1, dtype=np.int64) * problems.shape[1])
        room = knobs.nodes + 2 * knobs.edges + 2
        _, trace, solution, measures = solve(
            new_graph(self.words, knobs.edges), self._strategy, problem, keys, (4, 2), room
        )
        expansions, generated, _ = measures.T.copy()
        complexity = {"expansions": expansions, "generated": generated, "optimal_cost": least}
        return Examples(np.arange(len(keys)), identity, problem, trace, solution, complexity)

    def prompts(self, examples: Examples) -> Ragged:
        """Prompt tokens."""
        numbers, last = examples.problem, self.query == "last"
        rows, ends = kernels.prompt_rows(numbers.values, numbers.offsets, last, self.max_weight > 1)
        return self.codec.encode(self.codec.prompt, Ragged(rows, ends))

    def judge(self, examples: Examples, completions: Ragged) -> Verdicts:
        """Verdicts on completions: tokens after the prompt, up to and with the stop token."""
        self._check_fit(examples, completions)
        optimal = examples.complexity["optimal_cost"]
        return judge(self._space_for(examples), self._strategy, self.codec, examples, completions, optimal)

    def judge_traces(self, examples: Examples, traces: Ragged) -> NDArray[np.bool_]:
        """(n,): is each trace (rows) strictly valid for its problem and reference solution?"""
        self._check_fit(examples, traces)
        return judge_traces(self._space_for(examples), self._strategy, examples, traces)

    def _space_for(self, examples: Examples) -> Graph:
        """Room for the largest graph of a batch."""
        graph: Graph = new_graph(self.words, int(examples.problem.lengths.max(initial=0)) // 3)
        return graph

    def _check_fit(self, examples: Examples, outputs: Ragged) -> None:
        """One output per example, and graphs that this vocabulary can write: compiled code does not ask."""
        if len(examples) != len(outputs):
            raise ValueError(f"{len(outputs)} outputs for {len(examples)} examples: there must be one each")
        largest = kernels.largest_label(examples.problem.values, examples.problem.offsets)
        if largest >= self.words:
            raise ValueError(
                f"a graph with a node {largest} is beyond this task's vocabulary, which ends at "
                f"{self.words - 1}: judge it with the task that drew it"
            )

    def _variants(self) -> dict[str, GraphPath]:
        """The out-of-distribution tasks by name, with vocabularies of their own."""
        plain = replace(self, labels=None, costs=None, ood=()) if self.ood else self
        return {name: replace(plain, **change) for name, change in named(self).items()}

    def test_sets(self) -> Mapping[str, GraphPath]:
        """Out-of-distribution variants by name, with this task's vocabulary."""
        return {
            name: replace(variant, labels=self.words, costs=self.dearest)
            for name, variant in self._variants().items()
        }

    def draw(self, examples: Examples, i: int, step: int | None = None) -> str:
        """Example i as text for a terminal, with the search up to `step`."""
        return draw_graph(examples.problem[i], examples.trace[i], examples.solution[i], step)

    def plot(self, ax: Any, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
        """A problem with a trace and a solution on matplotlib axes; step `bad` is marked."""
        plot_graph(ax, problem, trace, solution, bad)
