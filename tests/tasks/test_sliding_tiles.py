"""Sliding tiles: what the generator promises, heuristics against tables, reasons, the oracle, bad knobs."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from tests.helpers.names import share_under_other_names
from tests.helpers.task_checks import agrees, compare, references, verdicts_on
from tests.oracles import sliding_tiles as oracle
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.tasks.sliding_tiles import DEEPEST, SlidingTiles
from tracelab.tasks.sliding_tiles.draws import canonical_hash
from tracelab.tasks.sliding_tiles.space import MOST_CELLS

CONF = Path(__file__).resolve().parents[2] / "conf" / "task"
SOLVERS = ("astar", "dijkstra", "bfs", "dfs", "greedy")


def puzzles(task, n, split="train", seed=0):
    return task.generate(rng.keys(seed, split, 0, n, "problem"), split)


# --- what the generator promises ---------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (3, 2), (2, 4)])
def test_all_boards_that_lead_to_the_goal_are_drawn_alike(shape):
    """Within a split, whose share of the boards is fixed; and solutions are as short as the table says."""
    task = SlidingTiles(shape=shape, scramble=None, goal="ordered", longest=None, heuristic="linear_conflict")
    n = 300 if shape == (2, 4) else 2000
    examples = puzzles(task, n)
    count = shape[0] * shape[1]
    table = oracle.distances(*shape, (*range(1, count), 0), 40)
    drawn = [tuple(row[2 : 2 + count].tolist()) for row in examples.problem]
    assert [table[board] for board in drawn] == examples.complexity["optimal_cost"].tolist()
    if shape == (2, 3):
        counts = np.unique([hash(board) for board in drawn], return_counts=True)[1]
        assert len(counts) > 0.8 * len(table)
        assert counts.max() < 25


def test_scrambles_stay_within_their_moves():
    for low, high in ((1, 1), (4, 9)):
        task = SlidingTiles(scramble=(low, high), longest=None)
        assert puzzles(task, 300).complexity["optimal_cost"].max() <= high
    assert set(puzzles(SlidingTiles(scramble=(3, 3)), 50).complexity["optimal_cost"]) == {3}


def test_goals_are_drawn_or_ordered():
    goals = {tuple(row[11:].tolist()) for row in puzzles(SlidingTiles(), 200).problem}
    assert len(goals) > 190
    ordered = puzzles(SlidingTiles(goal="ordered", scramble=(6, 20), longest=None), 50)
    assert {tuple(row[11:].tolist()) for row in ordered.problem} == {(1, 2, 3, 4, 5, 6, 7, 8, 0)}


def identity(shape, cells, goal):
    boards = np.zeros((2, MOST_CELLS), np.int64)
    boards[0, : len(cells)], boards[1, : len(cells)] = cells, goal
    return int(canonical_hash(*shape, boards[0], boards[1], np.zeros_like(boards)))


@pytest.mark.parametrize("shape", [(2, 3), (3, 3), (4, 2)])
def test_the_same_puzzle_turned_or_mirrored(shape):
    rows, columns = shape
    draw, all_kinds = np.random.default_rng(0), set()
    for _ in range(20):
        board, goal = draw.permutation(rows * columns), draw.permutation(rows * columns)
        same = {identity(shape, board, goal)}
        for turns in range(4):
            turned = [np.rot90(cells.reshape(shape), turns) for cells in (board, goal)]
            for pair in (turned, [cells.T for cells in turned]):
                same.add(identity(pair[0].shape, pair[0].ravel(), pair[1].ravel()))
        assert len(same) == 1
        all_kinds |= same | {identity(shape, goal, board), identity(shape, draw.permutation(board), goal)}
    assert len(all_kinds) > 50  # of 60; a few coincide by chance


def test_heuristics_are_consistent_lower_bounds():
    """Against the table of all boards of 2 x 3 and 3 x 2, and of 3 x 3 within fourteen moves."""
    for shape, limit in (((2, 3), 30), ((3, 2), 30), ((3, 3), 14)):
        goal = tuple(np.random.default_rng(3).permutation(shape[0] * shape[1]).tolist())
        table, better = oracle.distances(*shape, goal, limit), 0
        for heuristic in ("manhattan", "linear_conflict"):
            puzzle = oracle.Puzzle((*shape, *goal, *goal), heuristic)
            h = {board: puzzle.h(board) for board in table}
            assert h[goal] == 0
            assert all(h[board] <= moves for board, moves in table.items())
            assert all(h[a] <= 1 + h[b] for a in h for _, b in puzzle.moves(a) if b in h)
            better = sum(h.values()) - better
        assert better > 0


def test_the_heuristic_that_is_written_is_the_oracles():
    for heuristic in ("manhattan", "linear_conflict", "none"):
        task = SlidingTiles(heuristic=heuristic, format="boards", scramble=(8, 16), longest=None)
        for stored, rows in zip(*(puzzles(task, 40).problem, puzzles(task, 40).trace), strict=True):
            puzzle = oracle.Puzzle(stored, heuristic)
            assert [puzzle.h(tuple(row[2:11].tolist())) for row in rows] == rows[:, -1].tolist()


def test_longest_bounds_the_trace():
    task = SlidingTiles(longest=15, scramble=(4, 12))
    free = replace(task, longest=None)
    assert puzzles(task, 200).trace.lengths.max() <= 15 < puzzles(free, 200).trace.lengths.max()


def test_shortest_paths_are_short_and_all_solvers_solve():
    for solver in SOLVERS:
        task = SlidingTiles(solver=solver, shape=(2, 3), scramble=(3, 9), longest=None, tie_break="random")
        examples = puzzles(task, 60)
        table = [oracle.fewest_moves(oracle.Puzzle(row, "none")) for row in examples.problem]
        assert examples.complexity["optimal_cost"].tolist() == table
        verdicts = task.judge(examples, references(task, examples))
        assert verdicts.solution_valid.all()
        assert verdicts.solution_optimal.all() == (solver in SOLVERS[:3])


def default():
    """The task that conf/task/sliding_tiles.yaml sets up."""
    knobs = OmegaConf.to_container(OmegaConf.load(CONF / "sliding_tiles.yaml"))
    return SlidingTiles(**{name: value for name, value in knobs.items() if name != "_target_"})


def test_searches_too_deep_for_words_are_drawn_anew():
    task = SlidingTiles(shape=(2, 4), solver="dfs", longest=None)
    examples = puzzles(task, 20)
    assert 100 < examples.trace.values[:, -2].max() <= DEEPEST
    assert task.judge(examples, references(task, examples)).trace_ok.all()


def test_the_default_test_sets_are_drawn_at_the_size_of_an_evaluation():
    for variant in default().test_sets().values():
        examples = puzzles(variant, 2000, "ood")
        assert examples.trace.lengths.max() <= variant.longest


# --- verdicts ------------------------------------------------------------------------------------

TRACE = (
    "reasoning close 1 2 3 _ 4 5 c0 c2 create 1 c1 c3 create 4 c1 c1 close 1 2 3 4 _ 5 c1 c1 "
    "create 2 c2 c2 create 5 c2 c0 close 1 2 3 4 5 _ c2 c0 solution 4 5 end"
)


def verdict(text, **knobs):
    """(reason, optimal) of a solution, and {level: (reason, place)}; the oracle must agree."""
    task = SlidingTiles(shape=(2, 3), **knobs)
    stored = Ragged.of([[2, 3, 1, 2, 3, 0, 4, 5, 1, 2, 3, 4, 5, 0]], np.int16)
    examples = replace(puzzles(task, 1), problem=stored, complexity={"optimal_cost": np.array([2])})
    return verdicts_on("sliding_tiles", task, examples, text)


@pytest.mark.parametrize(
    ("solution", "reason", "optimal"),
    [
        ("4 5", "ok", True),
        ("1 1 4 5", "ok", False),
        ("4 5 5 5", "ok", False),
        ("4", "goal_not_reached", False),
        ("5 4", "illegal_move", False),
        ("3 4 5", "illegal_move", False),
        ("_ 4 5", "illegal_move", False),
        ("4 5 c1", "syntax", False),
        ("", "empty", False),
    ],
)
def test_solutions(solution, reason, optimal):
    assert verdict(f"reasoning solution {solution} end")[0] == (reason, optimal)


@pytest.mark.parametrize(
    ("old", "new"),
    [("", ""), ("create 1 c1 c3 create 4 c1 c1", "create 4 c1 c1 create 1 c1 c3")],
)
def test_valid_variants_pass(old, new):
    assert set(verdict(TRACE.replace(old, new))[1].values()) == {("ok", -1)}


@pytest.mark.parametrize(
    ("old", "new", "level", "reason", "at"),
    [
        ("create 4 c1 c1", "create 5 c1 c1", "local", "wrong_move", 2),
        ("create 4 c1 c1", "create _ c1 c1", "local", "wrong_move", 2),
        ("create 4 c1 c1", "create 1 c1 c3", "local", "no_improvement", 2),
        ("create 4 c1 c1", "create 4 c2 c1", "local", "wrong_g", 2),
        ("create 4 c1 c1", "create 4 c1 c2", "local", "wrong_h", 2),
        ("close 1 2 3 4 _ 5", "close 1 2 3 4 5 _", "local", "not_open", 3),
        ("close 1 2 3 4 _ 5", "close 1 2 3 4 4 5", "local", "not_a_state", 3),
        ("close 1 2 3 4 _ 5", "close 1 2 3 4 _", "local", "not_a_state", 3),
        ("close 1 2 3 4 _ 5 c1 c1", "close 1 2 3 4 _ 5 c1 c2", "local", "cost_mismatch", 3),
        ("close 1 2 3 _ 4 5 c0 c2 ", "", "local", "nothing_closed", 0),
        ("create 1 c1 c3 ", "", "strict", "missing_successor", 2),
        ("close 1 2 3 4 _ 5 c1 c1", "close _ 2 3 1 4 5 c1 c3", "strict", "not_best", 3),
        (" close 1 2 3 4 5 _ c2 c0", "", "strict", "goal_not_closed", 6),
        ("solution 4 5", "solution 1 1 4 5", "strict", "solution_differs", 7),
        ("create 4 c1 c1", "create 4 c1", "parses", "syntax", 2),
        (" end", "", "parses", "truncated", 7),
    ],
)
def test_the_first_bad_step_and_why(old, new, level, reason, at):
    assert TRACE.count(old) == 1
    found = verdict(TRACE.replace(old, new))[1]
    assert found[level] == (reason, at)
    assert found["strict"] != ("ok", -1)


def settings():
    """Solvers, heuristics, ties, formats and shapes."""
    for k, solver in enumerate(SOLVERS):
        for m, heuristic in enumerate(("manhattan", "linear_conflict", "none")):
            yield SlidingTiles(
                shape=((2, 3), (3, 3), (2, 2))[m],
                scramble=(2, 9) if m else None,
                solver=solver,
                heuristic=heuristic,
                tie_break=("fifo", "lifo", "random")[(k + m) % 3],
                format=("compact", "boards")[(k + m) % 2],
                longest=None if m != 1 else 300,
                reach={"cells": 9} if (k + m) % 2 else None,
            )


def test_the_oracle_agrees():
    draw = np.random.default_rng(0)
    for k, task in enumerate(settings()):
        agrees("sliding_tiles", task, puzzles(task, 12, seed=k), draw)


def test_every_arrangement_of_a_small_board_is_judged_like_the_oracle():
    """All boards of 2 x 2 in the place of one that is closed."""
    for cells in permutations(("1", "2", "3", "_")):
        task = SlidingTiles(shape=(2, 2), format="boards", scramble=(2, 4))
        examples = puzzles(task, 1)
        text = task.codec.words_of(references(task, examples)[0])
        head, _, rest = text.partition(" create ")
        second = rest.index("close ") + len("close ")
        tail = rest[second:].split()
        other = f"{head} create {rest[:second]}{' '.join(cells)} {' '.join(tail[4:])}"
        tokens = Ragged.of([task.codec.tokens_of(other)])
        compare("sliding_tiles", task, examples, tokens, task.judge(examples, tokens), np.array([0]))


# --- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"shape": [1, 5]}, "2 or more each"),
        ({"shape": [4, 5]}, "16 cells at most"),
        ({"scramble": [5, 2]}, "fewest, most"),
        ({"scramble": [0, 2]}, "fewest, most"),
        ({"heuristic": "pattern"}, "task.heuristic"),
        ({"goal": "any"}, "task.goal"),
        ({"format": "long"}, "task.format"),
        ({"solver": "idastar"}, "idastar"),
        ({"longest": 2}, "fewer than 3"),
        ({"reach": {"cells": 4}}, "cells=4 is below the 9 in use"),
        ({"reach": {"cells": 17}}, "cells=17 is above 16"),
        ({"ood": [{"goal_board": 1}]}, "no knob"),
        ({"ood": [{"format": "boards"}]}, "no knob"),
    ],
)
def test_bad_knobs(knobs, message):
    with pytest.raises(ValueError, match=message):
        SlidingTiles(**knobs)


def test_what_cannot_be_drawn_ends_with_advice():
    with pytest.raises(ValueError, match=r"raise task.longest"):
        puzzles(SlidingTiles(scramble=(12, 12), longest=4, solver="bfs"), 20)
    with pytest.raises(ValueError, match=r"larger task.shape"):
        puzzles(SlidingTiles(shape=(2, 2), scramble=(1, 1)), 50, "val")


def test_a_larger_board_is_judged_by_the_task_that_drew_it():
    examples = puzzles(SlidingTiles(), 3)
    small = SlidingTiles(shape=(2, 3))
    with pytest.raises(ValueError, match="take the task that drew it"):
        small.judge(examples, references(SlidingTiles(), examples))


def test_test_problems_are_trained_on_under_other_names():
    """What docs/tasks.md says: no puzzle is in both splits, and nearly all are but for the tiles' names."""

    def unnamed(problem):
        n = int(problem[0] * problem[1])
        place = {tile: k for k, tile in enumerate(problem[2 + n :].tolist())}
        return place[0], *(place[tile] for tile in problem[2 : 2 + n].tolist())

    assert share_under_other_names(SlidingTiles(), unnamed, 20_000) > 0.9
