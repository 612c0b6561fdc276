"""The compiled search records, step for step, what a textbook search does."""

import numpy as np
import pytest

from tests.helpers import maze_oracle as oracle
from tests.helpers.full_checks import completions, problems
from tracelab.search.best_first.search import SOLVERS
from tracelab.tasks.maze import FORMATS, Maze
from tracelab.tasks.maze.layouts import GENERATORS


def texts(task, examples):
    return [task.codec.words_of(row) for row in completions(task, examples)]


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("tie_break", ["fifo", "lifo"])
def test_word_for_word_the_textbook(generator, solver, tie_break):
    """With fifo and A*, this is the published generator's rule: the first of those with least f."""
    for size in (4, 9, [7, 12]):
        for name in FORMATS:
            task = Maze(generator=generator, size=size, solver=solver, tie_break=tie_break, format=name)
            examples = problems(task, 8, seed=1)
            for i, text in enumerate(texts(task, examples)):
                maze = oracle.read_problem(examples.problem[i])
                steps, path = oracle.search(maze, solver, tie_break, name == "searchformer")
                assert text == oracle.write(steps, path, name)


@pytest.mark.parametrize("solver", SOLVERS)
def test_random_ties_vary_and_stay_valid(solver):
    task = Maze(generator="free_space", size=6, solver=solver, tie_break="random")
    examples = problems(task, 60)
    kept = problems(Maze(generator="free_space", size=6, solver=solver), 60)
    for i, text in enumerate(texts(task, examples)):
        maze = oracle.read_problem(examples.problem[i])
        assert oracle.judge(maze, text.split(), solver, "paper")["strict"] is None
    differ = [not np.array_equal(a, b) for a, b in zip(examples.trace, kept.trace, strict=True)]
    assert np.mean(differ) > 0.7


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("tie_break", ["fifo", "lifo", "random"])
def test_solutions(solver, tie_break):
    """A*, Dijkstra and breadth-first search are optimal on unit costs; the others need not be."""
    for generator in ("drunkards_walk", "free_space", "braided"):
        task = Maze(generator=generator, size=10, solver=solver, tie_break=tie_break)
        examples = problems(task, 40)
        lengths = examples.solution.lengths - 1
        best = examples.complexity["optimal_cost"]
        assert (lengths == best).all() if solver in ("astar", "dijkstra", "bfs") else (lengths >= best).all()


def test_the_solvers_differ_where_they_should():
    steps = {}
    for solver in SOLVERS:
        examples = problems(Maze(generator="free_space", size=15, solver=solver, min_distance=10), 50)
        steps[solver] = examples.complexity["expansions"].mean()
    assert steps["greedy"] <= steps["astar"] < steps["dijkstra"]
    assert steps["bfs"] == pytest.approx(steps["dijkstra"], rel=0.05)  # the same on unit costs, up to ties


def test_prompts_name_the_maze():
    for name in ("paper", "searchformer"):
        for size in (5, [4, 9]):
            task = Maze(generator="drunkards_walk", size=size, format=name)
            examples = problems(task, 20)
            for i, row in enumerate(task.prompts(examples)):
                maze = oracle.read_problem(examples.problem[i])
                assert oracle.read_prompt(task.codec.words_of(row), *task.shape) == maze


def test_compact_prompts_name_the_maze():
    task = Maze(generator="searchformer", size=[4, 9], format="compact")
    examples = problems(task, 20)
    for i, row in enumerate(task.prompts(examples)):
        maze = oracle.read_problem(examples.problem[i])
        words = task.codec.words_of(row).split()
        assert words[0::2][:2] == ["start", "goal"]
        points = [tuple(int(n) for n in word.split(",")) for word in (words[1], words[3], *words[4:])]
        assert points[:2] == [maze.start, maze.goal]
        walls = [(x, y) for y in range(maze.height) for x in range(maze.width) if (x, y) not in maze.free]
        assert points[2:] == walls  # row by row
