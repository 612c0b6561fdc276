"""The backtracking grammar: every reason by hand, every variant that it permits, and its own search."""

import time
from dataclasses import replace

import numpy as np
import pytest

from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.backtracking.problem import RULES
from tracelab.search.backtracking.reasons import NAMES
from tracelab.search.backtracking.search import TIE_BREAKS
from tracelab.search.completion import LEVELS
from tracelab.tasks.sat import Sat

TASK = Sat(variables=3, ratio=1, clause_size=2, satisfiable="natural", reach={"variables": 4, "clauses": 4})
OK = ("ok", -1)

# c1 not 1 or 2, c2 not 1 or not 2, c3 1 or 3
FORMULA = [3, 3, 2, 1, 1, 2, 1, 3, 0, 4]
GOOD = (
    "reasoning decide 1 propagate 2 c1 conflict c2 backtrack -1 propagate 3 c3 decide 2 solution -1 2 3 end"
)
STEPS = GOOD.removeprefix("reasoning ").split(" solution")[0]
# the four clauses of variables 1 and 2
CONTRADICTION = [2, 4, 2, 0, 0, 2, 0, 3, 1, 2, 1, 3]
PROOF = (
    "reasoning decide 1 propagate 2 c3 conflict c4 backtrack -1 propagate 2 c1 conflict c2 solution unsat end"
)


def one(problem):
    """Examples of one problem; judging reads nothing else."""
    stored = Ragged(np.array(problem, np.int16), np.array([0, len(problem)]))
    trace, solution = (Ragged(np.empty((0, width), np.int32), np.zeros(2, np.int64)) for width in (3, 2))
    return Examples(np.zeros(1, np.int64), np.zeros(1, np.uint64), stored, trace, solution, {})


def verdict(text, problem=FORMULA, task=TASK):
    """level -> (reason, first bad step); "solution" -> reason."""
    verdicts = task.judge(one(problem), Ragged.of([task.codec.tokens_of(text)]))
    found = {
        level: (NAMES[verdicts.trace_reason[0, k]], int(verdicts.trace_at[0, k]))
        for k, level in enumerate(LEVELS)
    }
    assert bool(verdicts.solution_valid[0]) == bool(verdicts.solution_optimal[0])
    return {**found, "solution": NAMES[verdicts.solution_reason[0]]}


def test_the_hand_made_traces_are_valid():
    valid = {**dict.fromkeys(LEVELS, OK), "solution": "ok"}
    assert verdict(GOOD) == valid
    assert verdict(PROOF, CONTRADICTION) == valid


@pytest.mark.parametrize(
    ("old", "new", "level", "reason", "at"),
    [
        # no legal step
        ("decide 2", "decide 4", "local", "no_such_variable", 5),
        ("propagate 3 c3", "propagate 4 c3", "local", "no_such_variable", 4),
        ("backtrack -1", "backtrack -4", "local", "no_such_variable", 3),
        ("decide 2", "decide 3", "local", "already_assigned", 5),
        ("propagate 3 c3", "propagate -1 c3", "local", "already_assigned", 4),
        ("propagate 3 c3", "propagate -3 c3", "local", "does_not_follow", 4),
        ("propagate 3 c3", "propagate 3 c2", "local", "does_not_follow", 4),
        ("propagate 3 c3", "propagate 3 c4", "local", "does_not_follow", 4),
        ("propagate 3 c3", "propagate 2 c1", "local", "does_not_follow", 4),
        ("conflict c2", "conflict c1", "local", "not_a_conflict", 2),
        ("conflict c2", "conflict c4", "local", "not_a_conflict", 2),
        ("conflict c2 ", "", "local", "no_conflict", 2),
        ("backtrack -1", "backtrack -3", "local", "wrong_decision", 3),
        ("backtrack -1", "backtrack 1", "local", "value_tried", 3),
        ("backtrack -1", "backtrack -1 backtrack 1", "local", "no_conflict", 4),
        # legal steps that are none of the search's
        ("conflict c2", "conflict c2 conflict c2", "strict", "conflict_left", 3),
        ("conflict c2", "conflict c2 decide 3 backtrack -3 conflict c2", "strict", "conflict_left", 3),
        ("conflict c2", "decide 3 conflict c2 backtrack -3 conflict c2", "strict", "conflict_missed", 2),
        ("propagate 3 c3", "decide 3", "strict", "propagation_missed", 4),
        (
            "propagate 2 c1 conflict c2",
            "decide 2 conflict c2 backtrack -2 conflict c1",
            "strict",
            "propagation_missed",
            1,
        ),
        (STEPS, "decide 2 decide 1 conflict c2 backtrack -1 propagate 3 c3", "strict", "wrong_variable", 0),
        (" decide 2", "", "strict", "unfinished", 5),
        (" backtrack -1 propagate 3 c3 decide 2", "", "strict", "unfinished", 3),
        ("-1 2 3 end", "-1 -2 3 end", "strict", "solution_differs", 6),
        ("-1 2 3 end", "unsat end", "strict", "solution_differs", 6),
        ("-1 2 3 end", "-1 2 end", "strict", "solution_differs", 6),
        ("-1 2 3 end", "-1 2 3 c1 end", "strict", "solution_differs", 6),
        # what does not parse
        ("decide 2", "decide", "parses", "syntax", 5),
        ("propagate 3 c3", "propagate 3", "parses", "syntax", 4),
        ("reasoning ", "", "parses", "syntax", 0),
        (" end", "", "parses", "truncated", 6),
        (GOOD.split(" solution")[0], "reasoning", "parses", "empty", 0),
    ],
)
def test_the_first_bad_step_and_why(old, new, level, reason, at):
    assert GOOD.count(old) == 1
    found = verdict(GOOD.replace(old, new))
    assert found[level] == (reason, at)
    for weaker in LEVELS[: LEVELS.index(level)]:
        assert found[weaker] == OK
    assert found["strict"] != OK


@pytest.mark.parametrize(
    ("more", "local", "strict"),
    [
        ("conflict c2", OK, "after_end"),
        ("backtrack 1", ("no_decision", 6), "after_end"),
    ],
)
def test_nothing_follows_a_refutation(more, local, strict):
    found = verdict(PROOF.replace(" solution", f" {more} solution"), CONTRADICTION)
    assert found["local"] == local
    assert found["strict"] == (strict, 6)


@pytest.mark.parametrize(
    ("problem", "words", "reason"),
    [
        (FORMULA, "3 -1 2", "ok"),  # in any order
        (FORMULA, "-1 -2 3", "ok"),
        (FORMULA, "1 2 3", "violated"),
        (FORMULA, "-1 2", "incomplete"),
        (FORMULA, "-1 2 3 -1", "repeated"),
        (FORMULA, "-1 2 3 1", "repeated"),
        (FORMULA, "-1 2 3 4", "no_such_variable"),
        (FORMULA, "unsat", "satisfiable"),
        (FORMULA, "unsat unsat", "syntax"),
        (FORMULA, "-1 2 3 unsat", "syntax"),
        (FORMULA, "-1 2 3 decide", "syntax"),
        (FORMULA, "", "empty"),
        (CONTRADICTION, "unsat", "ok"),
        (CONTRADICTION, "1 2", "violated"),
    ],
)
def test_why_a_solution_is_rejected(problem, words, reason):
    trace = GOOD.split("solution")[0]
    assert verdict(f"{trace}solution {words} end", problem)["solution"] == reason
    assert verdict(f"solution {words} end", problem)["solution"] == reason  # whatever the trace
    assert verdict(f"{trace}solution {words}", problem)["solution"] == "truncated"


def test_any_value_and_any_order_are_accepted():
    """Ties are free: of values, of pending propagations, of conflicts, of the rule's variables."""
    other = GOOD.replace("decide 2 solution -1 2 3", "decide -2 solution -1 -2 3")
    assert verdict(other)["strict"] == OK
    direct = "reasoning decide -1 propagate 3 c3 decide 2 solution -1 2 3 end"
    assert verdict(direct)["strict"] == OK
    either = GOOD.replace("propagate 2 c1 conflict c2", "propagate -2 c2 conflict c1")
    assert verdict(either)["strict"] == OK
    free = replace(TASK, rule="any")
    text = "reasoning decide 3 decide -1 decide 2 solution -1 2 3 end"
    assert verdict(text, task=free)["strict"] == OK
    assert verdict(text)["strict"] == ("wrong_variable", 0)


def test_two_verdicts_never_one():
    """A broken trace leaves the solution's verdict alone, and the other way round."""
    broken = verdict(GOOD.replace("propagate 2 c1", "propagate -3 c3"))
    assert broken["solution"] == "ok"
    assert broken["local"] == ("does_not_follow", 1)
    wrong = verdict(GOOD.replace("solution -1", "solution 1"))
    assert wrong["solution"] == "violated"
    assert wrong["local"] == OK


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("tie_break", TIE_BREAKS)
def test_every_search_is_accepted_under_its_rule_and_any(rule, tie_break):
    task = Sat(variables=7, rule=rule, tie_break=tie_break)
    examples = task.generate(rng.keys(3, "train", 0, 200, "problem"), "train")
    assert task.judge_traces(examples, examples.trace).all()
    assert Sat(variables=7, rule="any").judge_traces(examples, examples.trace).all()
    if (rule, tie_break) != ("any", "first"):
        others = [Sat(variables=7, rule=r) for r in RULES if r not in (rule, "any")]
        assert all(other.judge_traces(examples, examples.trace).mean() < 0.6 for other in others)


def test_searches_longer_than_the_limit_are_drawn_anew():
    keys = rng.keys(0, "train", 0, 300, "problem")
    long = Sat().generate(keys, "train").trace.lengths
    short = Sat(max_steps=30).generate(keys, "train").trace.lengths
    assert long.max() > 30
    assert short.max() <= 30
    with pytest.raises(ValueError, match=r"20000 draws .* change task.ratio, task.satisfiable or"):
        Sat(variables=8, satisfiable="no", max_steps=2).generate(keys, "train")


def test_time_is_near_linear():
    tokens = 300_000
    text = GOOD.replace("conflict c2", " ".join(["conflict c2"] * (tokens // 2)))
    verdict(GOOD)
    began = time.perf_counter()
    found = verdict(text)
    assert time.perf_counter() - began < 1.5
    assert found["local"] == OK
    assert found["strict"] == ("conflict_left", 3)
