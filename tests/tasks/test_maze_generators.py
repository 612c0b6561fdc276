"""Mazes are what their generators promise, counted with plain Python and networkx."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from scipy.stats import chisquare

from tests.helpers import maze_oracle as oracle
from tests.helpers.full_checks import graph_of, problems
from tracelab.core import rng
from tracelab.core.types import BINS, SPLITS
from tracelab.tasks.maze import FORMATS, Maze
from tracelab.tasks.maze.draws import canonical_hash, symmetry_hashes
from tracelab.tasks.maze.layouts import GENERATORS, TREES, draw_layout, wall_counts
from tracelab.tasks.maze.text import prompt_rows

TREE_NAMES = [GENERATORS[k] for k in TREES]
RECORD = Path(__file__).parents[1] / "data" / "published_generators.json"
PUBLISHED = json.loads(RECORD.read_text())["generators"]  # counted in mazes that the authors' code drew
SIZES = [*range(3, 13), [3, 9], [9, 3], [12, 5], [4, 30]]


def mazes(n, seed=0, split="train", **knobs):
    return [oracle.read_problem(row) for row in problems(Maze(**knobs), n, seed, split).problem]


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_maze_can_be_solved(generator, size):
    for maze in mazes(40, generator=generator, size=size):
        assert maze.start != maze.goal
        assert maze.goal in maze.distances()
        assert [maze.width, maze.height] == (size if isinstance(size, list) else [size, size])
        if generator != "searchformer":
            assert maze.distances().keys() == maze.free


@pytest.mark.parametrize("generator", GENERATORS)
def test_the_largest_size(generator):
    task = Maze(generator=generator, size=200)
    examples = problems(task, 1)
    maze = oracle.read_problem(examples.problem[0])
    assert maze.distances()[maze.goal] == examples.complexity["optimal_cost"][0]
    assert task.judge_traces(examples, examples.trace).all()


@pytest.mark.parametrize("generator", TREE_NAMES)
@pytest.mark.parametrize("lattice", ["even", "odd"])
@pytest.mark.parametrize("size", [4, 5, 8, 11, [5, 12]], ids=str)
def test_perfect_mazes_are_spanning_trees(generator, lattice, size):
    parity = ["even", "odd"].index(lattice)
    for maze in mazes(30, generator=generator, size=size, lattice=lattice):
        assert nx.is_tree(graph_of(maze))
        rooms = {(x, y) for x in range(parity, maze.width, 2) for y in range(parity, maze.height, 2)}
        assert rooms <= maze.free
        assert len(maze.free) == 2 * len(rooms) - 1  # one passage less than rooms
        for x, y in maze.free - rooms:  # a passage lies between two rooms
            assert (x - parity) % 2 != (y - parity) % 2


def test_the_published_counts_of_cells():
    for maze in mazes(20, generator="wilson", size=30):
        assert len(maze.free) == 449
        assert maze.width * maze.height - len(maze.free) == 451


@pytest.mark.parametrize(("generator", "even"), [("wilson", 0.5), ("braided", 0.5), ("dfs", 1.0)])
def test_random_lattices_are_drawn_by_a_coin(generator, even):
    drawn = mazes(400, generator=generator, size=9, lattice="random")
    on_even = [all((x, y) in m.free for x in range(0, 9, 2) for y in range(0, 9, 2)) for m in drawn]
    on_odd = [all((x, y) in m.free for x in range(1, 9, 2) for y in range(1, 9, 2)) for m in drawn]
    assert all(a != b for a, b in zip(on_even, on_odd, strict=True))
    assert abs(np.mean(on_even) - even) < 0.08


def layouts(n, **knobs):
    """How often each layout comes up in n draws, before any is refused for its split."""
    task, random = Maze(**knobs), np.array([11], np.uint64)
    free, found = np.empty(task.shape[0] * task.shape[1], np.uint8), Counter()
    for _ in range(n):
        draw_layout(task._knobs, random, free)
        found[free.tobytes()] += 1
    return found


@pytest.mark.parametrize(
    ("size", "lattice", "trees"), [(5, "even", 192), (5, "odd", 4), ([3, 7], "even", 56)], ids=str
)
def test_wilson_is_uniform_over_spanning_trees(size, lattice, trees):
    """3x3 rooms have 192 spanning trees, 2x2 have 4, 2x4 have 56 (Kirchhoff's theorem)."""
    found = layouts(100 * trees, generator="wilson", size=size, lattice=lattice)
    assert len(found) == trees
    assert chisquare(list(found.values())).pvalue > 1e-3


def test_kruskal_and_prim_reach_every_spanning_tree():
    for generator in ("kruskal", "prim"):
        assert len(layouts(4000, generator=generator, size=5, lattice="even")) == 192


def test_backtracking_makes_depth_first_trees():
    """From room 0, an edge that the tree leaves out joins a room to one of its ancestors."""
    lattice = nx.grid_2d_graph(3, 3)
    found = layouts(2000, generator="dfs", size=5, lattice="even")
    for layout in found:
        free = np.frombuffer(layout, np.uint8).reshape(5, 5)
        tree = nx.Graph((a, b) for a, b in lattice.edges if free[a[0] + b[0], a[1] + b[1]])
        above = {room: set(nx.shortest_path(tree, (0, 0), room)) for room in lattice}
        assert all(a in above[b] or b in above[a] for a, b in lattice.edges)
    assert len(found) > 8


def test_the_generators_differ_as_they_should():
    """Backtracking makes long corridors, Prim many dead ends; Wilson and Kruskal lie between."""
    ends = {g: np.mean([oracle.dead_ends(m) for m in mazes(200, generator=g, size=21)]) for g in TREE_NAMES}
    assert ends["dfs"] < ends["wilson"] < ends["prim"]
    assert ends["dfs"] < ends["kruskal"] < ends["prim"]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("size", [5, 9, [6, 13]], ids=str)
def test_braided_mazes_have_cycles(share, size):
    for maze in mazes(40, generator="braided", size=size, braid=share, lattice="even"):
        columns, rows = (maze.width + 1) // 2, (maze.height + 1) // 2
        walls = columns * (rows - 1) + rows * (columns - 1) - (columns * rows - 1)
        graph = graph_of(maze)
        extra = graph.number_of_nodes() - (2 * columns * rows - 1)
        assert extra == max(1, round(share * walls))
        assert nx.is_connected(graph)
        assert len(nx.cycle_basis(graph)) == extra


@pytest.mark.parametrize("coverage", [0.05, 0.3, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("size", [3, 10, [7, 12]], ids=str)
def test_a_drunkard_covers_exactly_the_share(coverage, size):
    for maze in mazes(30, generator="drunkards_walk", size=size, coverage=coverage):
        assert len(maze.free) == max(2, int(coverage * maze.width * maze.height))
        assert nx.is_connected(graph_of(maze))


def test_shares_of_cells_are_whole_where_their_product_falls_short():
    assert 0.29 * 100 < 29
    assert wall_counts(100, (0.29, 0.58)) == (29, 58)
    assert wall_counts(49, (0.3, 0.5)) == (14, 24)


def test_prompts_of_large_mazes_are_the_same_whether_compiled_or_not():
    """A cell's number is more than the 16 bits of what is stored."""
    free = np.ones(190 * 190, np.int16)
    free[[5, -5]] = 0
    stored = np.concatenate([np.array([190, 190, 3, 188, 9, 189], np.int16), free])
    offsets = np.array([0, len(stored)])
    plain = getattr(prompt_rows, "py_func", prompt_rows)(stored, offsets, 190, False)[0]
    assert (plain == prompt_rows(stored, offsets, 190, False)[0]).all()
    assert plain[:, 1].tolist() == [188 * 190 + 3, 189 * 190 + 9, 5, 190 * 190 - 5]


@pytest.mark.parametrize("size", [5, 10, 20, [6, 14]], ids=str)
@pytest.mark.parametrize("density", [None, (0.3, 0.5), (0.0, 0.1), (0.25, 0.25)], ids=str)
def test_searchformers_density_and_length(size, density):
    walls = set()
    for maze in mazes(60, generator="searchformer", size=size, density=density):
        cells = maze.width * maze.height
        walls.add(cells - len(maze.free))
        assert maze.distances()[maze.goal] >= max(maze.width, maze.height) - 1
    low, high = wall_counts(cells, density)
    assert low <= min(walls) <= max(walls) <= high
    assert len(walls) > min(high - low, 60) // 4  # drawn from the range, not one value


def test_the_published_rule_of_walls():
    """Three to five for each whole ten cells; a named density is of all cells, as it always was."""
    assert wall_counts(900, None) == wall_counts(900, (0.3, 0.5)) == (270, 450)
    assert wall_counts(49, None) == (12, 20)
    assert wall_counts(49, (0.3, 0.5)) == (14, 24)


@pytest.mark.parametrize("measured", PUBLISHED, ids=lambda m: f"{m['generator']}-{m['size']}")
def test_means_and_spreads_are_those_of_the_published_generators(measured):
    """Of their code's mazes, counted there: within four standard errors, and spreads within a tenth."""
    n = 200 if measured["size"] > 7 else 4000
    found = problems(Maze(generator=measured["generator"], size=measured["size"]), n).complexity
    ours = {
        "walls": measured["size"] ** 2 - found["free_cells"],
        "moves": found["optimal_cost"],
        "dead_ends": found["dead_ends"],
    }
    for name, values in ours.items():
        mean, spread = measured[name]
        error = spread * np.sqrt(1 / n + 1 / measured["mazes"])
        assert abs(values.mean() - mean) <= 4 * error + 1e-9, name
        assert abs(values.std() - spread) <= 0.1 * spread + (1e-9 if n == 4000 else 0.1 * spread), name


@pytest.mark.parametrize("generator", GENERATORS)
def test_the_least_distance_is_honoured(generator):
    found = [m.distances()[m.goal] for m in mazes(100, generator=generator, size=9, min_distance=8)]
    assert min(found) >= 8
    assert len(set(found)) > 1


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("size", [5, [9, 6]], ids=str)
def test_measures_against_plain_counts(generator, size):
    task = Maze(generator=generator, size=size, braid=0.5)
    examples = problems(task, 60)
    for i in range(len(examples)):
        maze = oracle.read_problem(examples.problem[i])
        found = {name: values[i] for name, values in examples.complexity.items()}
        assert found["free_cells"] == len(maze.free)
        assert found["dead_ends"] == pytest.approx(oracle.dead_ends(maze))
        assert found["optimal_cost"] == maze.distances()[maze.goal]
        paths = nx.all_shortest_paths(graph_of(maze), maze.start, maze.goal)
        assert found["optimal_paths"] == sum(1 for _ in paths)
        ops = examples.trace[i][:, 0]
        assert found["expansions"] == (ops == 1).sum()
        assert found["generated"] == (ops == 0).sum() + 1  # the start counts, created or not


def hash_of(maze):
    hashes = symmetry_hashes(maze.width, maze.height)
    cells = [(x, y) for y in range(maze.height) for x in range(maze.width)]
    free = np.array([cell in maze.free for cell in cells], np.uint8)
    return int(canonical_hash(hashes, free, cells.index(maze.start), cells.index(maze.goal)))


@pytest.mark.parametrize("size", [5, [7, 4]], ids=str)
def test_the_hash_is_of_the_maze_up_to_symmetry(size):
    seen = {}
    for maze in mazes(300, generator="searchformer", size=size, min_distance=1):
        images = {oracle.image(maze, s) for s in range(8)}
        assert len({hash_of(image) for image in images}) == 1
        seen.setdefault(hash_of(maze), set()).add(frozenset(images))
    assert all(len(classes) == 1 for classes in seen.values())  # nothing else hashes to the same


def test_the_hash_sees_every_part():
    """Start and goal swapped, or any one cell walled up: another hash, unless it is a mirror image."""
    for maze in mazes(3, generator="free_space", size=[6, 5], seed=3):
        others = [replace(maze, start=maze.goal, goal=maze.start)]
        others += [replace(maze, free=maze.free - {p}) for p in maze.free - {maze.start, maze.goal}]
        hashes = {}
        for other in others:
            key = frozenset(oracle.image(other, s) for s in range(8))
            hashes.setdefault(hash_of(other), set()).add(key)
        assert all(len(classes) == 1 for classes in hashes.values())
        same = [other for other in others if hash_of(other) == hash_of(maze)]
        assert all(any(oracle.image(maze, s) == other for s in range(8)) for other in same)


INTERPRETED = """
from tracelab.core import jit
jit.interpret()
from tests.helpers.full_checks import problems
from tracelab.tasks.maze import Maze
print(*problems(Maze(generator="free_space", size=SIZE), 1).problem[0][:6])
"""


@pytest.mark.parametrize("size", [20, 200])
def test_large_mazes_are_the_same_in_plain_python(size):
    """Its sums of narrow integers overflow: these have more cells than a byte or an int16 counts."""
    code = INTERPRETED.replace("SIZE", str(size))
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    compiled = problems(Maze(generator="free_space", size=size), 1).problem[0]
    assert done.stdout.split() == [str(number) for number in compiled[:6]], done.stderr[-2000:]


def test_identity_is_the_hash():
    examples = problems(Maze(size=[5, 8]), 20)
    for i in range(20):
        assert int(examples.identity[i]) == hash_of(oracle.read_problem(examples.problem[i]))


@pytest.mark.parametrize("generator", ["wilson", "free_space"])
def test_splits_own_their_hashes(generator):
    seen = {}
    for split, (low, high) in SPLITS.items():
        examples = problems(Maze(generator=generator, size=7), 300, split=split)
        bins = examples.identity % np.uint64(BINS)
        assert ((low <= bins) & (bins < high)).all()
        drawn = [oracle.read_problem(row) for row in examples.problem]
        seen[split] = {min(image_key(maze, s) for s in range(8)) for maze in drawn}
    for a in seen:
        for b in seen:
            assert a == b or not seen[a] & seen[b]


def image_key(maze, symmetry):
    image = oracle.image(maze, symmetry)
    return image.width, image.height, image.start, image.goal, tuple(sorted(image.free))


def test_splits_have_different_streams():
    keys = {split: set(rng.keys(0, split, 0, 1000, "problem").tolist()) for split in SPLITS}
    assert len(set.union(*keys.values())) == 1000 * len(SPLITS)


def test_arms_share_their_problems():
    """Same keys, same problems: whatever the solver, the tie-break and the format."""
    for generator in ("wilson", "searchformer"):
        first = problems(Maze(generator=generator, size=8), 30)
        for knobs in (
            *({"solver": s} for s in ("dijkstra", "bfs", "dfs", "greedy")),
            *({"tie_break": t} for t in ("lifo", "random")),
            *({"format": f} for f in FORMATS),
        ):
            other = problems(Maze(generator=generator, size=8, **knobs), 30)
            assert np.array_equal(other.problem.values, first.problem.values), knobs
            assert np.array_equal(other.identity, first.identity), knobs
            for name in ("optimal_cost", "optimal_paths", "dead_ends", "free_cells"):
                assert np.array_equal(other.complexity[name], first.complexity[name]), (knobs, name)


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"generator": "hedge"}, r"task.generator='hedge' is unknown.*wilson"),
        ({"solver": "idastar"}, r"solver='idastar' is unknown.*astar"),
        ({"tie_break": "coin"}, r"tie_break='coin' is unknown.*lifo"),
        ({"format": "prose"}, r"task.format='prose' is unknown.*compact"),
        ({"lattice": "both"}, r"task.lattice='both' is unknown.*random"),
        (
            {"ood": [{"generator": "hedge"}]},
            r"task.ood, {generator: hedge}: task.generator='hedge' is unknown",
        ),
        ({"size": 2}, "no side may be below 3"),
        ({"size": [9, 2]}, "no side may be below 3"),
        ({"size": 201}, "no side may be above 200"),
        ({"size": 0}, "no side may be below 3"),
        ({"size": [3, 4, 5]}, r"a whole number or \[width, height\]"),
        ({"size": 7.5}, r"a whole number or \[width, height\]"),
        ({"size": "30"}, r"a whole number or \[width, height\]"),
        ({"ood": [{"size": 500}]}, r"task.ood, {size: 500}: task.size=500: no side may be above 200"),
        ({"size": 9, "reach": {"side": 8}}, "task.reach: side=8 is below the 9 in use"),
        (
            {"size": 5, "reach": {"side": 8}, "ood": [{"size": [4, 9]}]},
            "task.reach: side=8 is below the 9 in use",
        ),
        ({"size": 3, "lattice": "odd"}, "one room"),
        ({"size": 9, "min_distance": 81}, "no shortest path of more than 48 moves"),
        ({"size": 9, "min_distance": 17, "generator": "free_space"}, "no shortest path of more than 16"),
        ({"size": 9, "min_distance": 40, "generator": "drunkards_walk"}, "no shortest path of more than 39"),
        ({"size": 9, "min_distance": 0}, "must be 1 or more"),
        ({"size": 9, "min_distance": -5, "generator": "searchformer"}, "must be 1 or more"),
        ({"density": [0.5, 0.3]}, "task.density.*must be a range"),
        ({"density": [0.3, 1.0]}, "task.density.*must be a range"),
        ({"density": [0.3]}, "task.density.*must be a range"),
        ({"coverage": 0}, r"task.coverage=0 must be in \(0, 1\]"),
        ({"coverage": 1.1}, "task.coverage=1.1 must be"),
        ({"braid": -0.1}, "task.braid=-0.1 must be"),
    ],
    ids=str,
)
def test_impossible_knobs_are_named(knobs, words):
    with pytest.raises(ValueError, match=words):
        Maze(**knobs)


@pytest.mark.parametrize("split", ["val", "test", "ood"])
def test_a_split_that_cannot_be_disjoint(split):
    """All twelve problems, up to symmetry, of a free 3x3 happen to belong to the training set."""
    task = Maze(generator="free_space", size=3)
    assert len(np.unique(problems(task, 500).identity)) == 12
    words = f"the {split} split: a split that can't be made disjoint.*take a larger task.size"
    with pytest.raises(ValueError, match=words):
        problems(task, 1, split=split)


def test_knobs_that_no_draw_meets():
    with pytest.raises(ValueError, match=r"20000 draws gave no searchformer maze of 6x6.*task.density"):
        problems(Maze(generator="searchformer", size=6, density=[0.75, 0.75], min_distance=8), 1)


def test_an_unknown_split_is_named():
    with pytest.raises(ValueError, match="split='dev' is unknown; choose one of train, val, test, ood"):
        Maze(size=5).generate(rng.keys(0, "dev", 0, 1, "problem"), "dev")


def test_out_of_distribution_sets_share_the_vocabulary():
    task = Maze(
        size=7,
        ood=[
            {"generator": "dfs"},
            {"generator": "searchformer"},
            {"size": 5},
            {"size": [9, 4]},
            {"size": 5, "generator": "prim"},
        ],
    )
    sets = task.test_sets()
    assert set(sets) == {"dfs", "searchformer", "wilson_5x5", "wilson_9x4", "prim_5x5"}
    for other in sets.values():
        assert other.codec.vocabulary == task.codec.vocabulary
        examples = problems(other, 5, split="ood")
        assert other.judge_traces(examples, examples.trace).all()
        assert task.judge_traces(examples, examples.trace).all()  # sizes may even be mixed
