"""Sokoban: what the generator promises, heuristics and deadlocks against searches, reasons, the oracle."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from tests.helpers.task_checks import agrees, references, verdicts_on
from tests.oracles import sokoban as oracle
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.tasks.sokoban import Sokoban
from tracelab.tasks.sokoban.draws import canonical_hash
from tracelab.tasks.sokoban.yard import MOST_CELLS

SOLVERS = ("astar", "dijkstra", "bfs", "dfs", "greedy")
SEARCHFORMER = {
    "size": 7,
    "boxes": 2,
    "walls": 2,
    "pulls": [4, 20],
    "longest": None,
    "format": "searchformer",
    "outer_walls": True,
    "heuristic": "boxes",
}


def yards(task, n, split="train", seed=0):
    return task.generate(rng.keys(seed, split, 0, n, "problem"), split)


# --- what the generator promises ---------------------------------------------------------------


@pytest.mark.parametrize(
    "knobs",
    [{}, {"boxes": 2, "walls": 4, "pulls": [2, 9], "longest": 200}, {"size": [5, 7], "walls": 0}],
)
def test_every_problem_has_a_solution_of_the_stated_length(knobs):
    """By a plain breadth-first search that knows no deadlocks."""
    task = Sokoban(**knobs)
    examples = yards(task, 40)
    for i, stored in enumerate(examples.problem):
        yard = oracle.Yard(stored, task.heuristic, task.deadlocks)
        assert oracle.fewest_steps(tuple(stored.tolist())) == examples.complexity["optimal_cost"][i] >= 1
        assert len(yard.start[1]) == len(yard.docks) == task.boxes
        assert yard.start[1] != yard.docks
        assert yard.start[0] not in yard.start[1]
        inner = (task.sides[0] - 2) * (task.sides[1] - 2)
        assert len(yard.free) == inner - task.walls
        assert {yard.start[0], *yard.start[1], *yard.docks} <= yard.free


def test_searchformers_setting():
    """93 tokens of prompt, as theirs; the trace begins with the creation of the start."""
    task = Sokoban(**SEARCHFORMER)
    examples = yards(task, 8)
    assert set(task.prompts(examples).lengths) == {93}
    text = task.codec.words_of(references(task, examples)[0]).split()
    assert text[:3] == ["reasoning", "create", "worker"]
    assert text[3:5] == task.codec.words_of(task.prompts(examples)[0]).split()[1:3]
    assert text[5] == text[8] == "box"


def test_docks_boxes_and_walls_are_everywhere():
    """No inner cell is left out; but a box is in no corner, where it would be for ever."""
    examples = yards(Sokoban(size=6, walls=1), 2000)
    worker, box, dock = ({int(stored[part]) for stored in examples.problem} for part in (3, 4, 5))
    assert len(worker) == len(dock) == 16
    assert len(box) == 12


def test_longest_bounds_the_trace():
    task = Sokoban(longest=20)
    free = yards(replace(task, longest=None), 200).trace.lengths.max()
    assert yards(task, 200).trace.lengths.max() <= 20 < free


def turned(stored, turns, mirrored):
    """A stored problem turned and mirrored."""
    rows, columns, count = (int(n) for n in stored[:3])
    marks = np.zeros((1 + 2 * count + 1, rows * columns), np.int64)
    for k, cell in enumerate(stored[3 : 4 + 2 * count]):
        marks[k, cell] = 1
    marks[-1] = stored[4 + 2 * count :]
    pictures = [np.rot90(mark.reshape(rows, columns), turns) for mark in marks]
    pictures = [picture.T if mirrored else picture for picture in pictures]
    places = [int(np.argmax(picture)) for picture in pictures[:-1]]
    return np.array([*pictures[0].shape, count, *places, *pictures[-1].ravel()], np.int16)


def test_the_same_problem_turned_or_mirrored():
    for knobs in ({}, {"size": [5, 7], "boxes": 2}):
        examples = yards(Sokoban(**knobs), 20)
        for stored, identity in zip(examples.problem, examples.identity, strict=True):
            for turns, mirrored in product(range(4), (False, True)):
                other = turned(stored, turns, mirrored)
                assert canonical_hash(other, np.zeros(MOST_CELLS, np.int64)) == identity
        assert len(np.unique(examples.identity)) > 18


# --- searches ------------------------------------------------------------------------------------


def test_heuristics_are_consistent_lower_bounds():
    """On all states that can be reached, with what a breadth-first search from each finds."""
    for heuristic in ("boxes", "worker"):
        for stored in yards(Sokoban(size=5, walls=1, boxes=1, pulls=[1, 3]), 4).problem:
            yard = oracle.Yard(stored, heuristic, False)
            states, stack = {yard.start}, [yard.start]
            while stack:
                for after in yard.moves(stack.pop()):
                    if after not in states:
                        states.add(after)
                        stack.append(after)
            for state in states:
                assert all(yard.h(state) <= 1 + yard.h(after) for after in yard.moves(state))
                assert yard.h(state) >= 0
                assert not yard.solved(state) or yard.h(state) == 0


MARKS = {"worker": "@+", "boxes": "$*", "docks": ".*+"}
# To push the near box off its dock brings the nearest that is on none from the far end to the worker's side.
FALLS = """
##############
#      # #  ##
###  ##  #   #
##  *      $ #
##   # # #   #
#   . @ ##   #
##############
"""


@pytest.mark.parametrize(
    "knobs", [{}, {"solver": "greedy"}, {"heuristic": "boxes"}, {"boxes": 1, "reach": {"boxes": 2}}]
)
def test_the_cheapest_way_is_found_where_the_heuristic_falls_by_more_than_a_step(knobs):
    rows = FALLS.strip("\n").splitlines()
    cells = {mark: [k for k, c in enumerate("".join(rows)) if c in marks] for mark, marks in MARKS.items()}
    free = [int(c != "#") for c in "".join(rows)]
    places = [*cells["worker"], *cells["boxes"], *cells["docks"]]
    stored = [len(rows), len(rows[0]), 2, *places, *free]
    task = Sokoban(**{"size": [7, 14], "boxes": 2, "walls": 0, "longest": None, **knobs})
    examples = task.solved(Ragged.of([stored], np.int16))
    assert examples.complexity["optimal_cost"] == oracle.fewest_steps(tuple(stored)) == 27


def test_only_hopeless_states_are_left_out():
    """A search that knows dead cells finds as short ways as one that does not, and meets fewer states."""
    knobs = {"boxes": 2, "pulls": [2, 8], "longest": None}
    with_test, without = (yards(Sokoban(deadlocks=on, **knobs), 60) for on in (True, False))
    assert (with_test.complexity["optimal_cost"] == without.complexity["optimal_cost"]).all()
    assert with_test.complexity["generated"].sum() < without.complexity["generated"].sum()


def test_all_solvers_solve():
    for solver in SOLVERS:
        task = Sokoban(solver=solver, size=5, walls=1, pulls=[1, 4], longest=None, tie_break="random")
        examples = yards(task, 40)
        verdicts = task.judge(examples, references(task, examples))
        assert verdicts.solution_valid.all()
        assert verdicts.trace_ok.all()
        assert verdicts.solution_optimal.all() or solver in SOLVERS[3:]
        assert not verdicts.solution_optimal.all() or solver != "dfs"


# --- verdicts ------------------------------------------------------------------------------------

# #####
# #@$.#
# #   #
# #####
STORED = [4, 5, 1, 6, 7, 8, *[0] * 5, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, *[0] * 5]
TRACE = (
    "reasoning close 1,1 2,1 c0 c1 create 1,2 2,1 c1 c2 create 2,1 3,1 c1 c0 close 2,1 3,1 c1 c0 "
    "solution 2,1 end"
)


def verdict(text, **knobs):
    """(reason, optimal) of a solution, and {level: (reason, place)}; the oracle must agree."""
    task = Sokoban(**{"size": [4, 5], "walls": 0, **knobs})
    examples = yards(task, 1)
    examples = replace(
        examples, problem=Ragged.of([STORED], np.int16), complexity={"optimal_cost": np.array([1])}
    )
    return verdicts_on("sokoban", task, examples, text)


@pytest.mark.parametrize(
    ("solution", "reason", "optimal"),
    [
        ("2,1", "ok", True),
        ("1,2 1,1 2,1", "ok", False),
        ("1,2", "goal_not_reached", False),
        ("2,1 1,1", "ok", False),
        ("1,1", "illegal_move", False),  # stays
        ("1,0", "illegal_move", False),  # a wall
        ("2,2", "illegal_move", False),  # slantwise
        ("2,1 3,1", "illegal_move", False),  # the box has a wall behind it
        ("2,1 c1", "syntax", False),
        ("", "empty", False),
    ],
)
def test_solutions(solution, reason, optimal):
    assert verdict(f"reasoning solution {solution} end")[0] == (reason, optimal)


def test_valid_variants_pass():
    assert set(verdict(TRACE)[1].values()) == {("ok", -1)}
    swapped = TRACE.replace(
        "create 1,2 2,1 c1 c2 create 2,1 3,1 c1 c0", "create 2,1 3,1 c1 c0 create 1,2 2,1 c1 c2"
    )
    assert set(verdict(swapped)[1].values()) == {("ok", -1)}


@pytest.mark.parametrize(
    ("old", "new", "level", "reason", "at"),
    [
        ("create 1,2 2,1", "create 2,2 2,1", "local", "not_a_successor", 1),
        ("create 1,2 2,1", "create 1,2 3,1", "local", "not_a_successor", 1),
        ("create 1,2 2,1", "create 1,2 2,2", "local", "not_a_state", 1),  # dead: never comes up again
        ("create 1,2 2,1", "create 1,2 1,2", "local", "not_a_state", 1),
        ("create 1,2 2,1", "create 1,0 2,1", "local", "not_a_state", 1),
        ("create 1,2 2,1 c1", "create 1,2 2,1 c2", "local", "wrong_g", 1),
        ("create 1,2 2,1 c1 c2", "create 1,2 2,1 c1 c1", "local", "wrong_h", 1),
        ("close 2,1 3,1 c1 c0", "close 1,1 2,1 c0 c1", "local", "not_open", 3),
        ("close 2,1 3,1 c1 c0", "close 2,1 3,1 c1 c1", "local", "cost_mismatch", 3),
        ("close 1,1 2,1 c0 c1 ", "", "local", "nothing_closed", 0),
        ("create 1,2 2,1 c1 c2 ", "", "strict", "missing_successor", 2),
        ("close 2,1 3,1 c1 c0", "close 1,2 2,1 c1 c2", "strict", "not_best", 3),
        (" close 2,1 3,1 c1 c0", "", "strict", "goal_not_closed", 3),
        ("solution 2,1", "solution 1,2 1,1 2,1", "strict", "solution_differs", 4),
        ("create 1,2 2,1 c1", "create 1,2 c1", "parses", "syntax", 1),
        (" end", "", "parses", "truncated", 4),
    ],
)
def test_the_first_bad_step_and_why(old, new, level, reason, at):
    assert TRACE.count(old) == 1
    found = verdict(TRACE.replace(old, new))[1]
    assert found[level] == (reason, at)
    assert found["strict"] != ("ok", -1)


def settings():
    """Solvers, heuristics, ties, formats, numbers of boxes."""
    for k, (solver, heuristic) in enumerate(product(SOLVERS, ("boxes", "worker"))):
        yield Sokoban(
            size=((5, 6), 5, 6)[k % 3],
            boxes=1 + k % 2,
            walls=k % 3,
            pulls=[1, 3],
            solver=solver,
            heuristic=heuristic,
            tie_break=("fifo", "lifo", "random")[k % 3],
            format=("compact", "searchformer")[k // 2 % 2],
            deadlocks=k % 4 != 1,
            reach={"boxes": 3} if k % 4 == 0 else None,
            longest=300,
        )


def test_the_oracle_agrees():
    draw = np.random.default_rng(0)
    for k, task in enumerate(settings()):
        agrees("sokoban", task, yards(task, 12, seed=k), draw)


# --- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"size": 3}, "4 to 15"),
        ({"size": [6, 20]}, "4 to 15"),
        ({"boxes": 0}, "1 to 6"),
        ({"size": 4, "boxes": 2}, "need 5"),
        ({"walls": 23}, "take 0 to 22"),
        ({"pulls": [3, 1]}, "fewest, most"),
        ({"heuristic": "matching"}, "task.heuristic"),
        ({"format": "long"}, "task.format"),
        ({"solver": "idastar"}, "idastar"),
        ({"longest": 2}, "fewer than 3"),
        ({"reach": {"side": 6}}, "side=6 is below the 7 in use"),
        ({"reach": {"boxes": 7}}, "boxes=7 is above 6"),
        ({"format": "searchformer", "ood": [{"boxes": 2}]}, "same number of boxes"),
        ({"ood": [{"format": "searchformer"}]}, "no knob"),
    ],
)
def test_bad_knobs(knobs, message):
    with pytest.raises(ValueError, match=message):
        Sokoban(**knobs)


def test_what_cannot_be_drawn_ends_with_advice():
    with pytest.raises(ValueError, match=r"raise task.longest"):
        yards(Sokoban(longest=3, pulls=[5, 6]), 20)
    with pytest.raises(ValueError, match=r"larger task.size"):
        yards(Sokoban(size=4, walls=1, pulls=[50, 50]), 5)


def test_a_larger_yard_is_judged_by_the_task_that_drew_it():
    examples = yards(Sokoban(), 3)
    with pytest.raises(ValueError, match="take the task that drew it"):
        Sokoban(size=5).judge(examples, references(Sokoban(), examples))
