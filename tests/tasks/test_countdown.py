"""Countdown: what the generator promises, what peers' checkers let pass, the oracle, bad knobs."""

from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from tests.helpers.task_checks import agrees, compare, verdicts_on
from tests.oracles import countdown as oracle
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.data import frozen
from tracelab.search.best_first.reasons import NAMES
from tracelab.tasks.countdown import Countdown


def problems(task, n, split="train", seed=0):
    return task.generate(rng.keys(seed, split, 0, n, "problem"), split)


# --- what the generator promises ---------------------------------------------------------------


@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"numbers": 2, "number_range": [1, 99], "target_range": [20, 60]},
        {"numbers": 4, "operations": "+-", "number_range": [3, 9], "target_range": [2, 20]},
        {"numbers": 4, "use_all": False, "number_range": [2, 20]},
        {"operations": "*/", "number_range": [1, 12], "target_range": [2, 100], "use_all": False},
    ],
)
def test_every_problem_has_a_solution(knobs):
    """By trying every sequence of operations; the complexity is the fewest that do."""
    task = Countdown(**knobs)
    examples = problems(task, 60)
    for i, stored in enumerate(examples.problem):
        rules, hand = oracle.read_problem(task, stored)
        assert oracle.fewest_operations(rules, hand) == examples.complexity["optimal_cost"][i] >= 1
        assert len(hand) == task.numbers
        assert task.number_range[0] <= min(hand)
        assert max(hand) <= task.number_range[1]
        assert task.target_range[0] <= rules.target <= task.target_range[1]


def test_targets_are_uniform():
    counts = Counter(
        problems(Countdown(held_out=0, target_range=[10, 29]), 4000).problem.values[::5].tolist()
    )
    assert set(counts) == set(range(10, 30))
    assert min(counts.values()) > 140
    assert max(counts.values()) < 260


@pytest.mark.parametrize(
    ("change", "hardest", "share"),
    [({"target_range": [101, 150]}, 139, 0.41), ({"number_range": [51, 100]}, 13, 0.27)],
)
def test_hard_targets_are_rarer_out_of_distribution_alone(change, hardest, share):
    """By so much as docs/tasks.md says: a target that 1,000 draws do not bring into the split is replaced."""
    task = Countdown(**change)
    for split, expected in (("train", 1), ("ood", share)):
        targets = Counter(problems(task, 8000, split).problem.values[::5].tolist())
        assert abs(targets[hardest] * len(targets) / 8000 - expected) < 0.2


def test_every_kind_of_solution_is_drawn():
    """Problems that only (a + b) * (c + d) and its like solve are among them."""
    task = Countdown(numbers=4, number_range=[2, 9], target_range=[60, 99], operations="+*")
    balanced = 0
    for stored in problems(task, 150).problem:
        rules, hand = oracle.read_problem(task, stored)
        balanced += not linear(rules, hand)
    assert balanced > 0


def linear(rules, hand):
    """Is there a solution that only ever goes on with its last result?"""
    reached = {(a, tuple(hand[:k] + hand[k + 1 :])) for k, a in enumerate(hand)}
    while reached:
        if any(value == rules.target and not rest for value, rest in reached):
            return True
        reached = {
            (result, rest[:k] + rest[k + 1 :])
            for value, rest in reached
            for k, other in enumerate(rest)
            for sign in rules.signs
            for pair in ((value, other), (other, value))
            if (result := rules.result(pair[0], sign, pair[1])) is not None
        }
    return False


def test_held_out_targets_are_in_their_test_set_alone():
    task = Countdown(held_out=0.2)
    held = task.test_sets()["held_out_targets"]
    seen = {int(p[0]) for split in ("train", "val", "test") for p in problems(task, 600, split).problem}
    others = {int(p[0]) for p in problems(held, 300, "ood").problem}
    assert len(others) == round(0.2 * 91)
    assert not seen & others
    again = replace(task, number_range=(2, 40), operations="+-", solver="bfs")
    assert again._targets.tolist() == task._targets.tolist(), "they go by the targets alone"


def test_the_same_numbers_in_another_order_are_the_same_problem():
    task = Countdown(number_range=[1, 6], target_range=[10, 20])
    examples = problems(task, 800)
    by_problem = {}
    for stored, identity in zip(examples.problem, examples.identity.tolist(), strict=True):
        assert by_problem.setdefault((stored[0], *sorted(stored[2:])), identity) == identity
    assert len(set(by_problem.values())) == len(by_problem)
    assert len(by_problem) < len({tuple(stored) for stored in examples.problem})


def test_longest_bounds_the_trace():
    task = Countdown(numbers=4, longest=45)
    assert (
        problems(task, 200).trace.lengths.max()
        <= 45
        < problems(replace(task, longest=None), 200).trace.lengths.max()
    )


def test_successors_stand_in_the_order_of_their_heuristic():
    for rows in problems(Countdown(), 50).trace:
        h = rows[rows[:, 0] == 0][:, -1][: np.argmax(rows[1:, 0] == 1)]
        assert (np.diff(h) >= 0).all()


def test_random_ties_say_nothing_of_the_problem():
    """Which successor is created last does not follow from the target, though one key makes both."""
    examples = problems(Countdown(tie_break="random"), 400)
    last = []
    for rows in examples.trace:
        h = rows[1 : 1 + np.argmax(rows[1:, 0] == 1), -1]
        last.append((h < h[-1]).mean())
    targets = examples.problem.values[examples.problem.offsets[:-1]]
    assert abs(np.corrcoef(targets, last)[0, 1]) < 0.2


# --- solutions ---------------------------------------------------------------------------------

# From 2, 3, 7 and 8 make 24. Whether all have to be used is a knob.
HAND = [24, 1, 2, 3, 7, 8]


def verdict(text, use_all=True, **knobs):
    """(reason, optimal) of a solution, and {level: (reason, place)}; the oracle must agree."""
    task = Countdown(numbers=4, use_all=use_all, **knobs)
    (examples,) = (problems(task, 1),)
    stored = Ragged.of([[HAND[0], use_all, *HAND[2:]]], np.int16)
    examples = replace(examples, problem=stored, complexity={"optimal_cost": np.array([3 if use_all else 1])})
    return verdicts_on("countdown", task, examples, text)


@pytest.mark.parametrize(
    ("solution", "all_used", "some_used"),
    [
        ("8 - 7 = 1 2 + 1 = 3 3 * 3 = 9", "goal_not_reached", "goal_not_reached"),
        ("8 / 2 = 4 7 - 3 = 4 4 * 4 = 16", "goal_not_reached", "goal_not_reached"),
        ("7 - 3 = 4 4 - 2 = 2 8 * 2 = 16", "goal_not_reached", "goal_not_reached"),
        ("7 + 2 = 9 9 - 8 = 1 1 * 3 = 3", "goal_not_reached", "goal_not_reached"),
        ("3 * 8 = 24", "goal_not_reached", "ok"),  # leaves 2 and 7 over
        ("3 * 8 = 24 7 - 2 = 5", "goal_not_reached", "ok"),
        ("8 - 2 = 6 7 - 3 = 4 6 * 4 = 24", "ok", "ok"),
        ("8 - 2 = 6 7 - 3 = 4 4 * 6 = 24", "ok", "ok"),
        ("7 - 3 = 4 8 - 2 = 6 4 * 6 = 24", "ok", "ok"),
        # what checkers of peers have let pass
        ("3 * 8 = 24 3 * 8 = 24", "illegal_move", "illegal_move"),  # numbers used twice
        ("8 + 8 = 16 16 + 8 = 24", "illegal_move", "illegal_move"),  # there is one 8
        ("3 * 8 = 24 24 + 7 = 31 31 - 7 = 24", "illegal_move", "illegal_move"),  # 7 is used up
        ("2 * * 3 = 8", "syntax", "syntax"),  # 2**3
        ("7 / / 2 = 3", "syntax", "syntax"),  # 7//2
        ("7 / 2 = 3 3 * 8 = 24", "illegal_move", "illegal_move"),  # no whole number
        ("8 / 3 = 2 2 * 7 = 14", "illegal_move", "illegal_move"),
        ("4 * 6 = 24", "illegal_move", "illegal_move"),  # foreign numbers
        ("24 * 1 = 24", "illegal_move", "illegal_move"),
        ("3 * 8 = 24 0 + 24 = 24", "illegal_move", "illegal_move"),
        ("7 + 2 = 10 10 + 8 = 18", "illegal_move", "illegal_move"),  # wrong sums
        ("3 * 8 = 25", "illegal_move", "illegal_move"),
        ("2 - 3 = 1 8 * 3 = 24", "illegal_move", "illegal_move"),  # the other way round
        ("2 + 3 + 7 = 12 2 * 12 = 24", "syntax", "syntax"),
        ("3 * 8", "syntax", "syntax"),
        ("24", "syntax", "syntax"),
        ("24 = 3 * 8", "syntax", "syntax"),
        ("", "empty", "empty"),
    ],
)
def test_solutions(solution, all_used, some_used):
    for use_all, reason in ((True, all_used), (False, some_used)):
        optimal = reason == "ok" and (use_all or solution == "3 * 8 = 24")
        assert verdict(f"reasoning solution {solution} end", use_all)[0] == (reason, optimal)


def test_rules_of_the_task_bind():
    """Operations that are not allowed, results that have no word, no stop word."""
    assert verdict("reasoning solution 3 * 8 = 24 end", False, operations="+-")[0][0] == "illegal_move"
    assert verdict("reasoning solution 7 * 8 = 56 56 * 3 = <|unk|> end", limit=100)[0][0] == "syntax"
    assert verdict("reasoning solution 8 - 2 = 6 7 - 3 = 4 6 * 4 = 24")[0][0] == "truncated"


def test_equal_numbers_need_two_copies():
    task = Countdown(numbers=3, number_range=[1, 20])
    (examples,) = (problems(task, 1),)
    for hand, solution, reason in (
        ([12, 1, 4, 4, 4], "4 + 4 = 8 8 + 4 = 12", "ok"),
        ([12, 1, 4, 4, 3], "4 + 4 = 8 8 + 4 = 12", "illegal_move"),
        ([16, 1, 4, 4, 1], "4 * 4 = 16 16 / 1 = 16", "ok"),
        ([16, 1, 4, 4, 1], "4 - 4 = 0 0 + 1 = 1", "illegal_move"),
    ):
        one = replace(examples, problem=Ragged.of([hand], np.int16))
        tokens = Ragged.of([task.codec.tokens_of(f"solution {solution} end")])
        verdicts = task.judge(one, tokens)
        assert NAMES[verdicts.solution_reason[0]] == reason
        compare("countdown", task, one, tokens, verdicts, np.array([0]))


# --- traces ------------------------------------------------------------------------------------

# From 2, 5 and 9 make 16, with + and - alone, depth first.
TRACE = (
    "reasoning close 2 5 9 c0 c10 create 5 + 9 = 14 2 c1 c8 create 2 + 9 = 11 5 c1 c8 "
    "create 9 - 2 = 7 5 c1 c10 create 2 + 5 = 7 9 c1 c8 create 9 - 5 = 4 2 c1 c13 create 5 - 2 = 3 9 c1 c10 "
    "close 14 2 c1 c8 create 2 + 14 = 16 c2 c0 create 14 - 2 = 12 c2 c4 close 16 c2 c0 "
    "solution 5 + 9 = 14 14 + 2 = 16 end"
)


def trace_verdict(text, solver="dfs"):
    task = Countdown(numbers=3, operations="+-", solver=solver)
    (examples,) = (problems(task, 1),)
    stored = Ragged.of([[16, 1, 9, 2, 5]], np.int16)
    examples = replace(examples, problem=stored, complexity={"optimal_cost": np.array([2])})
    return verdicts_on("countdown", task, examples, text)[1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("5 + 9 = 14 2 c1", "9 + 5 = 14 2 c1"),  # sums have no order
        ("close 14 2 c1", "close 2 14 c1"),  # nor have the numbers at hand
        (
            "create 5 + 9 = 14 2 c1 c8 create 2 + 9 = 11 5 c1 c8",
            "create 2 + 9 = 11 5 c1 c8 create 5 + 9 = 14 2 c1 c8",
        ),
    ],
)
def test_valid_variants_pass(old, new):
    assert set(trace_verdict(TRACE.replace(old, new)).values()) == {("ok", -1)}


@pytest.mark.parametrize(
    ("old", "new", "level", "reason", "at"),
    [
        ("create 2 + 9 = 11 5", "create 2 + 8 = 11 5", "local", "wrong_move", 2),  # another way to 11?
        ("create 2 + 9 = 11 5", "create 2 * 9 = 11 5", "local", "wrong_move", 2),
        ("create 2 + 9 = 11 5", "create 2 + 9 = 5 11", "local", "wrong_move", 2),  # the result comes first
        ("create 2 + 9 = 11 5", "create 2 + 9 = 11", "local", "not_a_successor", 2),
        ("create 2 + 9 = 11 5", "create 2 + 9 = 12 5", "local", "not_a_successor", 2),
        ("create 2 + 9 = 11 5", "create 5 + 9 = 14 2", "local", "no_improvement", 2),
        ("create 9 - 5 = 4 2 c1 c13", "create 9 - 5 = 4 2 c2 c13", "local", "wrong_g", 5),
        ("create 9 - 5 = 4 2 c1 c13", "create 9 - 5 = 4 2 c1 c12", "local", "wrong_h", 5),
        ("close 2 5 9 c0 c10", "close 2 5 8 c0 c10", "local", "not_open", 0),
        ("close 2 5 9 c0 c10", "close 2 5 9 c0 c11", "local", "cost_mismatch", 0),
        ("close 2 5 9 c0 c10", "close 0 5 9 c0 c10", "local", "not_a_state", 0),
        ("close 2 5 9 c0 c10 ", "", "local", "nothing_closed", 0),
        ("create 9 - 5 = 4 2 c1 c13 ", "", "strict", "missing_successor", 6),
        ("close 16 c2 c0", "close 12 c2 c4 close 16 c2 c0 close 11 5 c1 c8", "strict", "after_goal", 12),
        ("close 16 c2 c0", "close 11 5 c1 c8", "strict", "not_best", 10),
        (" close 16 c2 c0", "", "strict", "goal_not_closed", 10),
        (
            "solution 5 + 9 = 14 14 + 2 = 16",
            "solution 9 + 2 = 11 11 + 5 = 16",
            "strict",
            "solution_differs",
            11,
        ),
        ("create 2 + 9 = 11 5", "create 2 + 9 11 5", "parses", "syntax", 2),
        ("create 2 + 9 = 11 5", "create 2 + 9 = 11 5 5", "parses", "syntax", 2),
        ("close 2 5 9 c0 c10", "close c0 c10", "parses", "syntax", 0),
        (" end", "", "parses", "truncated", 11),
    ],
)
def test_the_first_bad_step_and_why(old, new, level, reason, at):
    assert TRACE.count(old) == 1
    found = trace_verdict(TRACE.replace(old, new))
    assert found[level] == (reason, at)
    assert found["strict"] != ("ok", -1)


def settings():
    """Solvers, heuristics, rules, formats and sizes."""
    for k, (solver, heuristic) in enumerate(
        product(("astar", "dijkstra", "bfs", "dfs", "greedy"), ("sum", "multiply"))
    ):
        use_all, tie_break = k % 3 > 0, ("fifo", "lifo", "random")[k % 3]
        numbers, operations = (4, "+-*") if k % 4 == 0 else (3, "+-*/")
        knobs = {"use_all": use_all, "tie_break": tie_break, "operations": operations, "numbers": numbers}
        yield Countdown(solver=solver, heuristic=heuristic, **knobs)
        if solver in ("bfs", "dfs"):
            yield Countdown(solver=solver, heuristic=heuristic, format="stream_of_search", **knobs)


def test_the_oracle_agrees():
    draw = np.random.default_rng(0)
    for k, task in enumerate(settings()):
        agrees("countdown", task, problems(task, 16, seed=k), draw)


def test_a_search_explores_what_the_oracle_can_reach():
    """Breadth first, all of it: as many states as there are multisets within reach."""
    task = Countdown(solver="bfs", operations="+-", target_range=[2, 20])
    examples = problems(task, 30)
    for stored, rows in zip(examples.problem, examples.trace, strict=True):
        rules, hand = oracle.read_problem(task, stored)
        level = {move[4] for move in rules.moves(hand)}
        created = [tuple(sorted(n for n in row[4:7] if n >= 0)) for row in rows if row[0] == 0]
        assert {hand for hand in created if len(hand) == 2} == level
        assert len(set(created)) == len(created)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"numbers": 1}, "must be in 2 to 6"),
        ({"numbers": 7}, "must be in 2 to 6"),
        ({"limit": 5000}, "must be in 10 to 1000"),
        ({"number_range": [0, 9]}, "from 1 to task.limit=200"),
        ({"number_range": [9, 3]}, "must be a range"),
        ({"target_range": [10, 900]}, "to task.limit=200"),
        ({"target_range": [1, 9]}, "from 2 to"),
        ({"operations": ""}, "must be some of"),
        ({"operations": "+^"}, "must be some of"),
        ({"held_out": 1.0}, r"must be in \[0, 1\)"),
        ({"held_out": 0.0, "targets": "held_out"}, "leave task.targets=held_out some"),
        ({"solver": "beam"}, "solver='beam' is unknown"),
        ({"heuristic": "product"}, "task.heuristic='product' is unknown"),
        ({"format": "stream_of_search", "solver": "greedy"}, "writes no heuristic"),
        ({"longest": 2}, "fewer than 3 steps"),
        ({"ood": [{"format": "compact"}]}, "'format' is no knob that may differ"),
        ({"reach": {"number": 100}}, "number=100 is below the 200 in use"),
        ({"ood": [{"numbers": 9}]}, "must be in 2 to 6"),
    ],
)
def test_impossible_knobs_are_named(knobs, message):
    with pytest.raises(ValueError, match=message):
        Countdown(**knobs)


def test_a_target_out_of_reach_is_an_error_not_a_loop():
    with pytest.raises(ValueError, match="reach more targets by wider ranges"):
        problems(Countdown(numbers=2, number_range=[1, 3], target_range=[90, 99]), 2)
    with pytest.raises(ValueError, match=r"raise task\.longest"):
        problems(Countdown(numbers=4, solver="bfs", longest=3), 2)


def test_a_problem_beyond_the_vocabulary_is_refused():
    with pytest.raises(ValueError, match="take the task that drew them"):
        Countdown(numbers=3).judge(problems(Countdown(numbers=4), 2), Ragged.of([[], []]))
    with pytest.raises(ValueError, match="1 outputs for 2 examples"):
        Countdown().judge(problems(Countdown(), 2), Ragged.of([[]]))


@pytest.mark.usefixtures("own_cache")
def test_a_test_set_larger_than_its_space_names_the_knobs():
    """Of ten targets that are held out there are some 400 problems."""
    own = {"seed": 0, "split": "ood", "name": "problem held_out_targets"}
    held_out = Countdown(targets="held_out")
    assert len(frozen.problems(held_out, count=256, **own)) == 256
    with pytest.raises(ValueError, match=r"only [34]\d\d distinct.*task\.number_range.*task\.held_out"):
        frozen.problems(held_out, count=512, **own)
