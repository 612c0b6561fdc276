"""Stored problems that a task cannot write or solve are refused, before compiled code reads beyond tables; of
none comes nothing.
"""

import numpy as np
import pytest

from tests.helpers.runs import task_names
from tests.tasks.test_task_contract import classes_of
from tracelab.core import rng

# By task: knobs of one that draws problems, and of one whose vocabulary is too small for these.
BEYOND = {
    "arithmetic": [({"operations": 20, "distractors": 10}, {})],
    "countdown": [
        ({"numbers": 3, "limit": 400, "target_range": [301, 400]}, {"numbers": 3}),
    ],
    "deduction": [({"depth": 5}, {"depth": 2, "distractors": 0})],
    "game": [
        ({"board": [3, 4], "line": 3, "left": 4}, {"board": [3, 3], "line": 3, "left": 4}),
        ({"game": "nim", "heaps": 5, "left": 6}, {"game": "nim", "heaps": 3, "left": 5}),
    ],
    "graph_path": [({"nodes": 16}, {"nodes": 15})],
    "hops": [({"hops": 6}, {"hops": 3})],
    "knights_knaves": [({"people": 5}, {"people": 3})],
    "maze": [({"size": 9}, {"size": 5})],
    "planning": [
        ({"blocks": 4}, {"blocks": 3}),
        ({"domain": "logistics", "packages": 3}, {"domain": "logistics", "packages": 1}),
        ({"domain": "logistics"}, {"blocks": 4}),
    ],
    "sat": [({"variables": 8}, {"variables": 5})],
    "sliding_tiles": [({"shape": [3, 3]}, {"shape": [2, 3]})],
    "sokoban": [({"size": 8, "boxes": 2, "longest": None}, {"size": 6, "boxes": 1})],
    "sudoku": [({"size": 6}, {"size": 4, "clues": 6})],
}
# Knobs of tasks whose vocabulary does write the problems of the first, but which have no such problems.
ANOTHERS = {
    "countdown": [
        ({"numbers": 3}, {"numbers": 2}),
        ({"numbers": 2, "limit": 200, "target_range": [121, 200]}, {"limit": 120, "reach": {"number": 200}}),
    ],
    "maze": [
        ({"size": 9}, {"size": 5, "reach": {"side": 9}}),
        ({"size": 5}, {"size": 9}),
        ({"size": [5, 7]}, {"size": [7, 5]}),
    ],
}


def pairs_of(table):
    """(task that draws, task that is asked) of each entry, named by the first's knobs."""
    for name, entries in table.items():
        (kind,) = classes_of(name)
        for drawn, asked in entries:
            both = tuple(kind(ood=(), **knobs) for knobs in (drawn, asked))
            yield pytest.param(both, id=f"{name}-{'-'.join(map(str, drawn.values()))}")


@pytest.fixture(params=pairs_of(BEYOND))
def beyond(request):
    return request.param


@pytest.fixture(params=pairs_of({**BEYOND, **ANOTHERS}))
def anothers(request):
    return request.param


def drawn(task):
    return task.generate(rng.keys(0, "train", 0, 3, "problem"), "train")


def test_every_task_is_asked():
    assert set(BEYOND) == set(task_names())


def test_a_problem_beyond_the_vocabulary_is_refused(beyond):
    """By all that reads problems: the message says how to mend it."""
    large, small = beyond
    examples, keys = drawn(large), rng.keys(0, "train", 0, 3, "ties")
    wanted = np.full(3, 4)
    asked = {
        "solved": (examples.problem,),
        "prompts": (examples,),
        "judge_traces": (examples, examples.trace),
        "detours": (examples, wanted, keys),
        "alternatives": (examples, keys),
        "needed": (examples, examples.trace, examples.solution),
        "provenance": (examples, examples.trace, examples.solution),
        "perturb": (examples, next(iter(small.changes)), keys),
    }
    for name, given in asked.items():
        with pytest.raises(ValueError, match=r"take the task that drew (it|them|the problem)"):
            getattr(small, name)(*given)


def test_a_problem_that_the_task_has_not_is_refused(anothers):
    """Also where the vocabulary can write it."""
    theirs, task = anothers
    problems = drawn(theirs).problem
    with pytest.raises(ValueError, match=r"take the task that drew (it|them|the problem)"):
        task.solved(problems)


def test_problems_that_fit_are_solved_and_written(beyond):
    """By the task that drew them, as they were."""
    large, _ = beyond
    examples = drawn(large)
    again = large.solved(examples.problem)
    assert again.identity.tolist() == examples.identity.tolist()
    assert large.prompts(again).values.tolist() == large.prompts(examples).values.tolist()


@pytest.mark.parametrize("name", task_names())
def test_of_no_examples_comes_nothing(name):
    (kind,) = classes_of(name)
    task, none, wanted = kind(ood=()), np.zeros(0, np.uint64), np.zeros(0, np.int64)
    examples = task.generate(none, "train")
    assert len(task.alternatives(examples, none)) == 0
    assert [len(part) for part in task.detours(examples, wanted, none)] == [0, 0]
    assert [len(part) for part in task.needed(examples, examples.trace, examples.solution)] == [0, 0]
    assert len(task.provenance(examples, examples.trace, examples.solution)) == 0
    assert len(task.solved(examples.problem)) == 0
    assert not any(len(task.perturb(examples, change, none)) for change in task.perturbations)
