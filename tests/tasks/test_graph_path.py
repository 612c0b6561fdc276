"""Graph paths: what the generators promise, verdicts by hand and against the oracle, knobs that can't be."""

from collections import Counter
from dataclasses import replace
from itertools import product

import networkx as nx
import numpy as np
import pytest

from tests.helpers.garbling import KINDS, garble, mutate
from tests.helpers.task_checks import compare, references
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.search.best_first.batch import solve
from tracelab.search.best_first.reasons import NAMES
from tracelab.tasks.graph_path import GraphPath
from tracelab.tasks.graph_path.draws import EDGES, HEADER
from tracelab.tasks.graph_path.draws import canonical_hash as hash_of
from tracelab.tasks.graph_path.edges import new_desk
from tracelab.tasks.graph_path.perturbations import add_edge
from tracelab.tasks.graph_path.space import new_graph

KINDS_OF_GRAPHS = {
    "random": {"nodes": 12},
    "weighted": {"nodes": 12, "max_weight": 4},
    "one-way": {"nodes": 12, "density": 2.0, "directed": True},
    "grid": {"generator": "grid", "grid": [4, 3], "density": 1.1},
    "placed": {"generator": "grid", "grid": [3, 4], "density": 1.3, "coordinates": True, "max_weight": 3},
    "star": {"generator": "star", "star": [3, 4]},
    "both-ways star": {"generator": "star", "star": [4, 3], "directed": False},
    "dag": {"generator": "dag", "nodes": 12},
    "layered": {"generator": "dag", "nodes": 12, "layers": 4, "max_weight": 3},
    "two_targets": {"generator": "two_targets", "nodes": 14},
}


def problems(task, n, split="train", seed=0):
    return task.generate(rng.keys(seed, split, 0, n, "problem"), split)


def graph_of(numbers):
    """A stored problem as networkx sees it -> (graph, start, targets)."""
    graph = nx.DiGraph() if numbers[2] else nx.Graph()
    edges = numbers[HEADER : HEADER + 3 * numbers[EDGES]].reshape(-1, 3).tolist()
    graph.add_weighted_edges_from(edges)
    assert graph.number_of_edges() == len(edges), "no edge twice"
    assert not list(nx.selfloop_edges(graph))
    return graph, int(numbers[4]), {int(t) for t in numbers[5:7] if t >= 0}


# --- what the generators promise ---------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS_OF_GRAPHS)
def test_graphs_are_what_was_asked_for(kind):
    task = GraphPath(**KINDS_OF_GRAPHS[kind])
    examples = problems(task, 150)
    assert len(np.unique(examples.identity)) > 130
    for i, numbers in enumerate(examples.problem):
        graph, start, targets = graph_of(numbers)
        assert graph.number_of_nodes() == task.extent.nodes == numbers[0]
        assert graph.number_of_edges() == task.extent.edges
        assert nx.is_connected(graph.to_undirected())
        weights = [w for *_, w in graph.edges(data="weight")]
        assert min(weights) >= 1
        assert max(weights) <= task.max_weight
        reached = [t for t in targets if nx.has_path(graph, start, t)]
        assert len(reached) == 1
        assert len(targets) == (2 if kind == "two_targets" else 1)
        cost = nx.shortest_path_length(graph, start, reached[0], weight="weight")
        edges = nx.shortest_path_length(graph, start, reached[0])
        assert examples.complexity["optimal_cost"][i] == cost
        assert edges >= task.min_distance
        if kind in ("dag", "layered", "two_targets"):
            assert nx.is_directed_acyclic_graph(graph)


def test_a_star_is_arms_around_its_start():
    task = GraphPath(generator="star", star=[3, 4])
    for numbers in problems(task, 50).problem:
        graph, start, (goal,) = graph_of(numbers)
        arms = [n for n in graph if graph.out_degree(n) == 0]
        assert graph.out_degree(start) == len(arms) == 3
        assert goal in arms
        assert all(nx.shortest_path_length(graph, start, end) == 4 for end in arms)


def test_a_grid_lies_where_the_prompt_says():
    task = GraphPath(**KINDS_OF_GRAPHS["placed"])
    for numbers in problems(task, 50).problem:
        graph, *_ = graph_of(numbers)
        places = {a: (x, y) for a, x, y in numbers[HEADER + 3 * numbers[EDGES] :].reshape(-1, 3).tolist()}
        assert sorted(places.values()) == sorted(product(range(3), range(4)))
        assert all(
            abs(places[a][0] - places[b][0]) + abs(places[a][1] - places[b][1]) == 1 for a, b in graph.edges
        )


def test_a_layered_dag_leads_from_layer_to_layer():
    for numbers in problems(GraphPath(**KINDS_OF_GRAPHS["layered"]), 50).problem:
        graph, *_ = graph_of(numbers)
        layers = nx.bipartite.color(graph.to_undirected())  # neighbouring layers differ in colour
        assert set(layers.values()) == {0, 1}
        assert nx.dag_longest_path_length(graph, weight=None) <= 3


def test_two_targets_have_as_many_edges_into_them():
    """Nor does the order in which they are named tell which one is reached."""
    first = 0
    for numbers in problems(GraphPath(**KINDS_OF_GRAPHS["two_targets"]), 400).problem:
        graph, start, (a, b) = graph_of(numbers)
        assert graph.in_degree(a) == graph.in_degree(b)
        first += nx.has_path(graph, start, int(numbers[5]))
    assert 160 < first < 240


def test_labels_say_nothing():
    """Start and goal are equally often each label, and edges stand in any order."""
    task = GraphPath(generator="star", star=[2, 3], reach={"nodes": 10})
    numbers = np.stack(list(problems(task, 4000).problem))
    for column in (4, 5):
        counts = np.bincount(numbers[:, column], minlength=10)
        assert counts.min() > 300
        assert counts.max() < 500
    at_start = (numbers[:, HEADER::3] == numbers[:, [4]]).mean(axis=0)
    assert np.abs(at_start - 2 / 6).max() < 0.05  # two of six edges leave the start, wherever they stand


def test_the_prompt_holds_the_problem():
    for query, written in product(("first", "last"), ("compact", "plain")):
        task = GraphPath(nodes=8, max_weight=3, query=query, format=written)
        examples = problems(task, 20)
        for numbers, tokens in zip(examples.problem, task.prompts(examples), strict=True):
            words = task.codec.words_of(tokens).split()
            assert words.index("start") == (0 if query == "first" else len(words) - 4)
            assert words[words.index("start") + 1] == str(numbers[4])
            assert words[words.index("goal") + 1] == str(numbers[5])
            told = [w.removeprefix("c") for w in words if w not in ("start", "goal", "edge")]
            edges = told[2:] if query == "first" else told[:-2]
            assert edges == [str(n) for n in numbers[HEADER:]]


# --- identity ----------------------------------------------------------------------------------


def identity(task, edges, start, goal, order):
    """The canonical hash of a graph whose nodes are numbered anew."""
    desk = new_desk(task._knobs)
    for e, (a, b, w) in enumerate(edges):
        desk.edges[e] = order[a], order[b], w
    desk.labels[:] = np.arange(len(order))
    return int(hash_of(task._knobs, desk, order[start], order[goal], -1))


def test_a_problem_has_its_own_direction():
    """Whatever the task's is: costs and identity are those of the task that drew it."""
    examples = problems(GraphPath(**KINDS_OF_GRAPHS["one-way"]), 40)
    again = GraphPath(nodes=12, density=2.0).solved(examples.problem)
    costs = examples.complexity["optimal_cost"].tolist()
    assert again.complexity["optimal_cost"].tolist() == costs
    assert again.identity.tolist() == examples.identity.tolist()


@pytest.mark.parametrize("kind", ["random", "weighted", "one-way", "dag"])
def test_the_same_graph_under_any_labels(kind):
    """Relabelled and reordered: the same. A weight, a direction, an edge or an end changed: another."""
    task, draw = GraphPath(**KINDS_OF_GRAPHS[kind]), np.random.default_rng(0)
    for numbers in problems(task, 20).problem:
        edges = numbers[HEADER:].reshape(-1, 3).tolist()
        _, number = np.unique(np.array(edges)[:, :2], return_inverse=True)  # labels are no node numbers
        edges = [(*ab, w) for ab, (*_, w) in zip(number.reshape(-1, 2).tolist(), edges, strict=True)]
        same = [
            identity(task, draw.permutation(edges).tolist(), 0, 1, draw.permutation(task.extent.nodes))
            for _ in range(5)
        ]
        assert len(set(same)) == 1
        a, b, w = edges[0]
        other = [[(a, b, w + 1), *edges[1:]], [*edges[1:], (a, (b + 1) % task.extent.nodes, w)]]
        assert same[0] not in [identity(task, e, 0, 1, np.arange(task.extent.nodes)) for e in other]
        turned = identity(task, [(b, a, w), *edges[1:]], 0, 1, np.arange(task.extent.nodes))
        assert (turned == same[0]) != task._knobs.directed


def test_path_stars_differ_by_their_labels():
    examples = problems(GraphPath(generator="star", star=[2, 3]), 500)
    assert len(np.unique(examples.identity)) > 450


# --- verdicts ----------------------------------------------------------------------------------


def settings():
    """Every solver on every kind of graph, formats and tie-breaks in turn."""
    for k, (kind, solver) in enumerate(
        product(KINDS_OF_GRAPHS, ("astar", "dijkstra", "bfs", "dfs", "greedy"))
    ):
        knobs = KINDS_OF_GRAPHS[kind]
        if solver != "greedy" or "coordinates" in knobs:
            written, tie_break = ("compact", "plain")[k % 2], ("fifo", "lifo", "random")[k % 3]
            yield GraphPath(**knobs, solver=solver, format=written, tie_break=tie_break)


def test_the_oracle_agrees():
    """On reference completions, on mutants, on garbage."""
    draw, accepted = np.random.default_rng(0), Counter()
    for k, task in enumerate(settings()):
        examples = problems(task, 24, seed=k)
        own, vocabulary = references(task, examples), len(task.codec.vocabulary)
        verdicts = task.judge(examples, own)
        assert verdicts.trace_ok.all()
        assert verdicts.solution_valid.all()
        if task.solver in ("astar", "dijkstra") or (task.solver == "bfs" and task.max_weight == 1):
            assert verdicts.solution_optimal.all()
        rows = [garble(int(draw.integers(KINDS)), own[i], own[i - 1], task.codec, draw) for i in range(24)]
        for tokens in (
            own,
            Ragged.of([mutate(row, vocabulary, draw) for row in own]),
            Ragged.of(rows, np.int64),
        ):
            verdicts = task.judge(examples, tokens)
            compare("graph_path", task, examples, tokens, verdicts, np.arange(24))
            accepted.update(zip(task.levels, verdicts.trace_ok.sum(0).tolist(), strict=True))
    assert accepted["strict"] <= accepted["local"] <= accepted["parses"]


def test_other_orders_and_paths_are_judged_as_the_oracle_does():
    """Creations of one expansion in another order are right; a closing moved or another path is not."""
    draw, right = np.random.default_rng(1), 0
    for task in settings():
        examples = problems(task, 12, seed=9)
        rows = [row.copy() for row in examples.trace]
        for row in rows:
            at = int(draw.integers(1, len(row)))
            row[[at - 1, at]] = row[[at, at - 1]]
        moved = replace(examples, trace=Ragged(np.concatenate(rows), examples.trace.offsets))
        tokens = references(task, moved)
        verdicts = task.judge(examples, tokens)
        compare("graph_path", task, examples, tokens, verdicts, np.arange(12))
        right += int(verdicts.trace_ok[:, 2].sum())
    assert right > 30


# 3 - 1 - 4     the graph of the tests by hand: from 3 to 5, costs beside the edges
#  \     /      (3-1: 1, 1-4: 1, 4-5: 1, 3-2: 2, 2-5: 4)
#   2 - 5
HAND = [5, 5, 0, 0, 3, 5, -1, 3, 1, 1, 1, 4, 1, 4, 5, 1, 3, 2, 2, 2, 5, 4]
GOOD = (
    "reasoning close 3 c0 create 1 c1 create 2 c2 close 1 c1 create 4 c2 close 2 c2 create 5 c6 "
    "close 4 c2 create 5 c3 close 5 c3 solution 3 1 4 5 end"
)


def verdict(text):
    """Reason and place at every level; the oracle must agree."""
    task = GraphPath(nodes=6, density=1, max_weight=9, solver="dijkstra")
    (examples,) = (problems(task, 1),)
    examples = replace(
        examples, problem=Ragged.of([HAND], np.int16), complexity={"optimal_cost": np.array([3])}
    )
    tokens = Ragged.of([task.codec.tokens_of(text)])
    verdicts = task.judge(examples, tokens)
    compare("graph_path", task, examples, tokens, verdicts, np.array([0]))
    found = {
        level: (NAMES[verdicts.trace_reason[0, j]], int(verdicts.trace_at[0, j]))
        for j, level in enumerate(task.levels)
    }
    return found | {"solution": (NAMES[verdicts.solution_reason[0]], bool(verdicts.solution_optimal[0]))}


def test_a_good_completion_passes():
    found = verdict(GOOD)
    assert found == {**dict.fromkeys(("parses", "local", "strict"), ("ok", -1)), "solution": ("ok", True)}


@pytest.mark.parametrize(
    ("old", "new", "level", "reason", "at"),
    [
        ("create 4 c2", "create 0 c2", "local", "not_a_state", 4),  # no such node
        ("close 3 c0", "create 3 c0", "local", "nothing_closed", 0),
        ("create 4 c2", "create 5 c2", "local", "not_a_successor", 4),
        ("create 4 c2", "create 3 c2", "local", "already_closed", 4),
        ("create 5 c6 close 4 c2 create 5 c3", "create 5 c6 create 5 c6", "local", "no_improvement", 7),
        ("create 4 c2", "create 4 c3", "local", "wrong_g", 4),
        ("close 1 c1", "close 4 c1", "local", "not_open", 3),
        ("close 4 c2 create", "close 4 c3 create", "local", "cost_mismatch", 7),
        ("close 1 c1 create 4 c2 ", "", "strict", "not_best", 3),
        ("create 5 c6 close 4 c2 create 5 c3 close 5 c3", "create 5 c6 close 5 c6", "strict", "not_best", 7),
        ("create 2 c2 close 1 c1", "close 1 c1", "strict", "missing_successor", 2),
        ("create 5 c6 ", "", "strict", "missing_successor", 6),
        ("close 5 c3", "close 5 c3 close 5 c3", "local", "not_open", 10),
        (" close 5 c3", "", "strict", "goal_not_closed", 9),
        ("solution 3 1 4 5", "solution 3 2 5", "strict", "solution_differs", 10),
        ("create 4 c2", "create 4 2", "parses", "syntax", 4),
        ("create 4 c2", "edge 4 c2", "parses", "syntax", 4),
        (" end", "", "parses", "truncated", 10),
        (GOOD.split(" solution")[0], "reasoning", "parses", "empty", 0),
    ],
)
def test_the_first_bad_step_and_why(old, new, level, reason, at):
    assert GOOD.count(old) == 1
    found = verdict(GOOD.replace(old, new))
    assert found[level] == (reason, at)
    assert found["strict"] != ("ok", -1)


@pytest.mark.parametrize(
    ("solution", "reason", "optimal"),
    [
        ("3 1 4 5", "ok", True),
        ("3 2 5", "ok", False),  # fewer edges, dearer
        ("3 1 3 1 4 5", "ok", False),
        ("1 4 5", "wrong_start", False),
        ("0 4 5", "not_a_state", False),
        ("3 1 0", "not_a_state", False),
        ("3 4 5", "illegal_move", False),
        ("3 1 4", "goal_not_reached", False),
        ("3 1 4 5 c3", "syntax", False),
        ("", "empty", False),
    ],
)
def test_why_a_solution_is_rejected(solution, reason, optimal):
    found = verdict(GOOD.replace("3 1 4 5 end", f"{solution} end"))
    assert found["solution"] == (reason, optimal)
    assert found["local"] == ("ok", -1)


def test_the_unreachable_target_is_no_goal():
    task = GraphPath(**KINDS_OF_GRAPHS["two_targets"])
    examples = problems(task, 60)
    rows = []
    for numbers, tokens in zip(examples.problem, references(task, examples), strict=True):
        words = task.codec.words_of(tokens).split()
        goal, (other,) = words[-2], {str(t) for t in numbers[5:7]} - {words[-2]}
        rows.append(task.codec.tokens_of(" ".join(other if w == goal else w for w in words)))
    verdicts = task.judge(examples, Ragged.of(rows))
    assert not verdicts.solution_valid.any()
    assert not verdicts.trace_ok[:, 1:].any()


def test_of_two_targets_no_other_is_asked():
    task = GraphPath(**KINDS_OF_GRAPHS["two_targets"])
    with pytest.raises(ValueError, match="has one question alone"):
        task.ask_again(problems(task, 3), rng.keys(0, "train", 0, 3, "question"))


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"generator": "tree"}, "task.generator='tree' is unknown"),
        ({"solver": "ida"}, "solver='ida' is unknown"),
        ({"nodes": 1}, "take 2 to 200"),
        ({"grid": [4]}, "two whole numbers"),
        ({"generator": "star", "star": [3, 0]}, "two whole numbers"),
        ({"density": float("nan")}, r"task\.density=nan must be a finite number"),
        ({"nodes": 5, "density": 3.0}, "room for 10"),
        ({"generator": "grid", "grid": [3, 3], "density": 2.0}, "room for 12"),
        ({"generator": "dag", "directed": False}, "is directed"),
        ({"layers": 3}, "for a dag"),
        ({"generator": "dag", "layers": 4, "min_distance": 4}, "more than 3 edges"),
        ({"min_distance": 0}, "none fewer than 1"),
        ({"generator": "star", "min_distance": 6}, "more than 5 edges"),
        ({"coordinates": True}, "generator=grid"),
        ({"solver": "greedy"}, "needs a heuristic"),
        ({"max_weight": 0}, "must be in 1 to 200"),
        ({"reach": {"nodes": 9}}, "nodes=9 is below the 16 in use"),
        ({"reach": {"cost": 5}}, "cost=5 is below the 15 in use"),
        ({"ood": [{"nodes": 0}]}, "take 2 to 200"),
        ({"ood": [{"node": 20}]}, "'node' is no knob"),
        ({"ood": [{"format": "plain"}]}, "'format' is no knob"),
        ({"query": "middle"}, "task.query='middle' is unknown"),
    ],
)
def test_impossible_knobs_are_named(knobs, message):
    with pytest.raises(ValueError, match=message):
        GraphPath(**knobs)


def test_a_space_too_small_for_four_splits_is_an_error_not_a_loop():
    with pytest.raises(ValueError, match="raise the number of nodes"):
        problems(GraphPath(nodes=3, density=1, min_distance=2), 5, split="ood")


def test_a_graph_beyond_the_vocabulary_is_refused():
    large, small = GraphPath(nodes=20), GraphPath(nodes=10)
    with pytest.raises(ValueError, match="beyond this task's vocabulary"):
        small.judge(problems(large, 2), Ragged.of([[], []]))
    with pytest.raises(ValueError, match="1 outputs for 2 examples"):
        small.judge(problems(small, 2), Ragged.of([[]]))


def test_a_search_that_runs_out_of_room_is_an_error():
    """Compiled, too: nothing is written past the end."""
    task = GraphPath()
    examples = problems(task, 20)
    keys, graph = rng.keys(0, "train", 0, 20, "problem"), new_graph(task.words, task.extent.edges)
    whole = solve(graph, task._strategy, examples.problem, keys, (4, 2), 200)
    assert whole.traces.values.tolist() == examples.trace.values.tolist()
    for steps in (1, 3, int(examples.trace.lengths.max()) - 1):
        with pytest.raises(ValueError, match="give `solve` more `steps`"):
            solve(graph, task._strategy, examples.problem, keys, (4, 2), steps)


def test_an_edge_that_is_added_joins_nodes_that_none_joined_before():
    """In neither direction: no drawn graph has two opposite arcs."""
    task, changed = GraphPath(directed=True), 0
    for i, problem in enumerate(problems(task, 60).problem):
        made = add_edge(task.max_weight, problem, np.random.default_rng(i))
        if made is not None:
            ends = made.problem[HEADER:].reshape(-1, 3)[:, :2]
            assert len(np.unique(np.sort(ends, axis=1), axis=0)) == len(ends)
            changed += 1
    assert changed > 40
