"""A changed maze is changed in one thing, can be solved, and is solved and hashed like any other."""

import numpy as np
import pytest

from tests.helpers import maze_oracle as oracle
from tests.helpers.full_checks import completions, problems
from tests.tasks.test_maze_generators import hash_of
from tracelab.core import rng
from tracelab.tasks.maze import Maze
from tracelab.tasks.maze.layouts import GENERATORS

SIZES = [7, [5, 8]]
KINDS = Maze(size=5).perturbations


def changed(task, kind, n=60, seed=0):
    """Pairs (maze, changed maze), and the changed examples."""
    examples = problems(task, n)
    found = task.perturb(examples, kind, rng.keys(seed, "train", 0, n, "perturbation"))
    before = [oracle.read_problem(examples.problem[i]) for i in found.index]
    after = [oracle.read_problem(problem) for problem in found.problem]
    return list(zip(before, after, strict=True)), found


def turned(maze, times):
    """Clockwise, a quarter each time: transposed, then left and right exchanged."""
    for _ in range(times):
        maze = oracle.image(oracle.image(maze, 4), 1)
    return maze


# --- geometry ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_one_thing_changes(generator, size):
    task = Maze(generator=generator, size=size)
    for before, after in changed(task, "move_goal")[0]:
        assert (after.free, after.start) == (before.free, before.start)
        assert after.goal not in (before.goal, before.start)
    for before, after in changed(task, "open_wall")[0]:
        assert (after.start, after.goal) == (before.start, before.goal)
        (opened,) = after.free - before.free
        assert before.free < after.free
        assert set(after.neighbours(opened)) & before.distances().keys()  # a search comes upon it
    for before, after in changed(task, "close_wall")[0]:
        assert (after.start, after.goal) == (before.start, before.goal)
        (closed,) = before.free - after.free
        assert after.free < before.free
        assert closed in before.distances()
    for before, after in changed(task, "mirror")[0]:
        assert after == oracle.image(before, 1)
    for before, after in changed(task, "rotate")[0]:
        assert after == turned(before, 1 if before.width == before.height else 2)
    for before, after in changed(task, "relabel")[0]:
        assert (after.start, after.goal, after.free) == (before.goal, before.start, before.free)


@pytest.mark.parametrize(
    ("kind", "size", "times"), [("rotate", 6, 4), ("rotate", [5, 8], 2), ("mirror", [5, 8], 2)]
)
def test_turned_and_mirrored_often_enough_it_is_the_same(kind, size, times):
    task = Maze(generator="searchformer", size=size, min_distance=2)
    examples = after = problems(task, 40)
    for turn in range(times):
        after = task.perturb(after, kind, np.zeros(len(after), np.uint64))
        same = np.array_equal(after.problem.values, examples.take(after.index).problem.values)
        assert same == (turn == times - 1)
    assert len(after) > 30  # but for the symmetric ones


def test_every_wall_and_every_goal_can_be_drawn():
    task = Maze(generator="searchformer", size=4, min_distance=1)
    one = problems(task, 1).take(np.zeros(600, np.int64))
    maze, keys = oracle.read_problem(one.problem[0]), rng.keys(0, "train", 0, 600, "perturbation")
    found = {kind: [oracle.read_problem(p) for p in task.perturb(one, kind, keys).problem] for kind in KINDS}
    reached = maze.distances().keys()
    assert {m.goal for m in found["move_goal"]} == reached - {maze.goal, maze.start}
    every = {(x, y) for x in range(4) for y in range(4)}
    walls = {p for p in every - maze.free if set(maze.neighbours(p)) & reached}
    assert set().union(*(m.free - maze.free for m in found["open_wall"])) == walls
    closed = {p for p in reached - {maze.start, maze.goal} if _connected(maze, p)}
    assert set().union(*(maze.free - m.free for m in found["close_wall"])) == closed


def _connected(maze, without):
    fewer = oracle.Maze(maze.width, maze.height, maze.start, maze.goal, maze.free - {without})
    return maze.goal in fewer.distances()


def test_a_maze_without_such_a_change_is_left_out():
    corridor = Maze(size=[9, 3], generator="wilson", lattice="odd")  # one row of rooms
    assert len(changed(corridor, "close_wall")[1]) < 60
    assert len(changed(Maze(size=6, generator="free_space"), "open_wall")[1]) == 0
    tight = Maze(size=[3, 3], generator="wilson", lattice="even", min_distance=6)
    pairs, _ = changed(tight, "close_wall", 20)
    assert all(len(before.free) > len(before.distances()) for before, _ in pairs)


# --- solved like any other -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "task",
    [
        Maze(size=7, format="compact"),
        Maze(
            size=[5, 8], generator="searchformer", solver="dijkstra", tie_break="lifo", format="searchformer"
        ),
        Maze(size=6, generator="braided", solver="dfs", min_distance=4),
    ],
    ids=lambda task: task.generator,
)
def test_it_is_solved_as_the_oracle_solves_it(task, kind):
    pairs, examples = changed(task, kind, 40)
    written = completions(task, examples)
    for i, (before, after) in enumerate(pairs):
        steps, path = oracle.search(after, task.solver, task.tie_break, task.format == "searchformer")
        assert task.codec.words_of(written[i]) == oracle.write(steps, path, task.format)
        figures = {name: values[i] for name, values in examples.complexity.items()}
        assert figures["optimal_cost"] == after.distances()[after.goal] >= task.least_distance
        assert figures["free_cells"] == len(after.free)
        assert figures["expansions"] == sum(step[0] == "close" for step in steps)
        assert int(examples.identity[i]) == hash_of(after)
        assert after != before
    assert task.judge(examples, written).trace_ok.all()
    assert task.judge_traces(examples, examples.trace).all()


def test_an_unknown_change_is_named():
    with pytest.raises(ValueError, match="perturbation='shift' is unknown; choose one of move_goal"):
        Maze(size=5).perturb(problems(Maze(size=5), 2), "shift", np.zeros(2, np.uint64))
