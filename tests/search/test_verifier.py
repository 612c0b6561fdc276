"""The verifier's verdicts, by hand and against the oracle; `full_checks.py` does this at full size."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers import full_checks, garbling
from tests.helpers import maze_oracle as oracle
from tests.helpers.full_checks import as_tokens, completions, problems
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.best_first.judge import LEVELS
from tracelab.search.best_first.reasons import NAMES
from tracelab.tasks.maze import FORMATS, Maze

# S 1 2     the maze of the tests by hand: start 0,0, goal 2,0, walls at 1,1
# 3 # 5     (6 7 8 is the lower row); two ways, the upper one is the shorter
# 6 7 8
RING = [3, 3, 0, 0, 2, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1]
GOOD = (
    "reasoning close 0 0 c0 c2 create 1 0 c1 c1 create 0 1 c1 c3 close 1 0 c1 c1 create 2 0 c2 c0 "
    "close 2 0 c2 c0 solution plan 0 0 plan 1 0 plan 2 0 end"
)


def ring(**knobs):
    task = Maze(generator="free_space", size=3, format="paper", **knobs)
    (examples,) = (problems(task, 1),)
    problem = Ragged.of([RING], dtype=np.int16)
    return task, replace(examples, problem=problem, complexity={"optimal_cost": np.array([2])})


def verdict(text, **knobs):
    """Reason and place at every level; the oracle must agree."""
    task, examples = ring(**knobs)
    tokens = Ragged.of([as_tokens(task, text)], dtype=np.int64)
    verdicts = task.judge(examples, tokens)
    full_checks.compare(task, examples, tokens, verdicts, np.array([0]))
    found = {
        level: (NAMES[verdicts.trace_reason[0, j]], int(verdicts.trace_at[0, j]))
        for j, level in enumerate(LEVELS)
    }
    found["solution"] = NAMES[verdicts.solution_reason[0]], bool(verdicts.solution_optimal[0])
    return found


OK = ("ok", -1)


def test_a_good_completion_passes():
    found = verdict(GOOD)
    assert found == {**dict.fromkeys(LEVELS, OK), "solution": ("ok", True)}


@pytest.mark.parametrize(
    ("old", "new", "level", "reason", "at"),
    [
        # a step that is not legal after those before it
        ("create 0 1 c1 c3", "create 1 1 c1 c3", "local", "not_a_state", 2),
        ("close 0 0 c0 c2", "create 0 0 c0 c2", "local", "nothing_closed", 0),
        ("create 0 1 c1 c3", "create 0 2 c1 c4", "local", "not_a_successor", 2),
        ("create 2 0 c2 c0", "create 0 0 c2 c2", "local", "already_closed", 4),
        ("create 0 1 c1 c3", "create 1 0 c1 c1", "local", "no_improvement", 2),
        ("create 0 1 c1 c3", "create 0 1 c2 c3", "local", "wrong_g", 2),
        ("create 0 1 c1 c3", "create 0 1 c1 c2", "local", "wrong_h", 2),
        ("close 1 0 c1 c1", "close 2 0 c1 c1", "local", "not_open", 3),
        ("close 1 0 c1 c1", "close 0 0 c0 c2", "local", "not_open", 3),
        ("close 1 0 c1 c1", "close 1 0 c2 c1", "local", "cost_mismatch", 3),
        ("close 0 0 c0 c2", "close 0 0 c1 c2", "local", "cost_mismatch", 0),
        # legal steps that are no A*
        ("close 1 0", "close 0 1 c1 c3 create 0 2 c2 c4 close 1 0", "strict", "not_best", 3),
        ("create 0 1 c1 c3 ", "", "strict", "missing_successor", 2),
        ("close 2 0 c2 c0", "close 2 0 c2 c0 create 2 1 c3 c1", "strict", "after_goal", 6),
        (" close 2 0 c2 c0", "", "strict", "goal_not_closed", 5),
        ("plan 1 0 ", "", "strict", "solution_differs", 6),
        ("plan 2 0 end", "plan 2 0 plan 1 0 plan 2 0 end", "strict", "solution_differs", 6),
        ("plan 2 0 end", "plan 2 0 plan end", "strict", "solution_differs", 6),
        ("plan 2 0 end", "plan 2 0 c5 end", "strict", "solution_differs", 6),
        (" solution plan 0 0 plan 1 0 plan 2 0", "", "strict", "solution_differs", 6),
        # what does not parse
        ("create 0 1 c1 c3", "create 0 c1 c3", "parses", "syntax", 2),
        ("create 0 1 c1 c3", "create 0 1 c1", "parses", "syntax", 2),
        ("create 0 1 c1 c3", "create 0 1 1 c3", "parses", "syntax", 2),
        ("reasoning ", "", "parses", "syntax", 0),
        ("reasoning ", "reasoning reasoning ", "parses", "syntax", 0),
        (" solution", "", "parses", "syntax", 6),
        (" end", "", "parses", "truncated", 6),
        (GOOD.split(" solution")[0], "", "parses", "empty", 0),
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
    ("old", "new", "reason"),
    [
        ("plan 0 0 plan 1 0", "plan 1 0", "wrong_start"),
        ("plan 1 0 plan 2 0 end", "plan 2 0 end", "illegal_move"),
        ("plan 1 0 plan 2 0", "plan 1 1 plan 2 0", "not_a_state"),
        ("plan 1 0 plan 2 0 end", "plan 1 0 end", "goal_not_reached"),
        ("plan 2 0 end", "plan 2 0 7 end", "syntax"),
        ("plan 2 0 end", "plan 2 0 solution plan 2 0 end", "syntax"),
        ("plan 2 0 end", "plan 2 0", "truncated"),
        ("plan 0 0 plan 1 0 plan 2 0 ", "", "empty"),
        ("solution plan 0 0 plan 1 0 plan 2 0 ", "", "empty"),
    ],
)
def test_why_a_solution_is_rejected(old, new, reason):
    assert GOOD.count(old) == 1
    assert verdict(GOOD.replace(old, new))["solution"] == (reason, False)


def test_two_verdicts_never_one():
    """A broken trace leaves the solution's verdict alone, and the other way round."""
    assert verdict(GOOD.replace("c1 c3", "c8 c8"))["solution"] == ("ok", True)
    longer = verdict(GOOD.replace("plan 1 0", "plan 0 1 plan 0 2 plan 1 2 plan 2 2 plan 2 1"))
    assert longer["solution"] == ("ok", False)  # valid, not optimal
    assert longer["local"] == OK
    assert longer["strict"] == ("solution_differs", 6)


def test_any_tie_break_is_accepted():
    swapped = GOOD.replace("create 1 0 c1 c1 create 0 1 c1 c3", "create 0 1 c1 c3 create 1 0 c1 c1")
    for tie_break in ("fifo", "lifo", "random"):
        assert verdict(swapped, tie_break=tie_break)["strict"] == OK


def test_after_the_stop_word_nothing_counts():
    found = verdict(GOOD + " close close <|pad|> <|pad|> end")
    assert found == {**dict.fromkeys(LEVELS, OK), "solution": ("ok", True)}


@pytest.mark.parametrize(
    ("old", "new", "reason", "at"),
    [
        ("create 0 1 c1 c3", "create 0 1 c1 c8", "ok", -1),  # h as written
        ("create 0 1 c1 c3", "create 0 1 c8 c3", "ok", -1),  # g as written
        ("create 0 1 c1 c3 ", "", "ok", -1),  # not every successor
        ("create 0 1 c1 c3", "create 1 0 c1 c1", "ok", -1),  # created again at the same cost
        ("close 2 0 c2 c0", "close 2 0 c2 c0 create 2 1 c3 c1", "ok", -1),  # after the goal
        ("plan 1 0", "plan 0 1", "ok", -1),  # of the plan, its length alone
        ("plan 1 0 ", "", "solution_differs", 6),
        ("plan 2 0 end", "plan 2 0 plan end", "ok", -1),  # a plan that does not parse is the plan's fault
        ("plan 0 0 plan 1 0 plan 2 0 ", "", "ok", -1),  # and so is none
        ("close 1 0", "plan 1 1 close 1 0", "ok", -1),  # parts before a step are no plan
        ("plan 2 0 end", "plan 2 0 7 end", "syntax", 6),
        ("plan 2 0 end", "plan <|eos|> end", "syntax", 6),
        ("create 0 1", "create create 0 1", "syntax", 2),
        ("create 0 1", "solution create 0 1", "ok", -1),  # dropped wherever it stands
        ("create 0 1", "reasoning create 0 1", "syntax", 2),
        ("close 0 0 c0 c2", "create 0 0 c0 c2 close 0 0 c0 c2", "nothing_closed", 0),
        ("close 1 0 c1 c1", "close 1 0 c1 c2", "cost_mismatch", 3),
        ("close 1 0 c1 c1", "close 0 1 c1 c3", "not_best", 3),
        ("create 0 1 c1 c3", "create 0 2 c1 c3", "not_a_successor", 2),
        (" close 2 0 c2 c0", "", "goal_not_closed", 5),
        (" end", "", "truncated", 6),
    ],
)
def test_the_published_rules(old, new, reason, at):
    assert GOOD.count(old) == 1
    assert verdict(GOOD.replace(old, new))["paper"] == (reason, at)


COUNTED = """
import numpy as np
from tracelab.core import jit
jit.interpret()
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.search.best_first import judge
from tracelab.tasks.maze import Maze
from tracelab.tasks.sliding_tiles import SlidingTiles

calls, own = [], judge.judge_paper
judge.judge_paper = lambda *given: calls.append(None) or own(*given)
for task in (Maze(size=5), SlidingTiles()):
    examples = task.generate(rng.keys(0, "train", 0, 3, "problem"), "train")
    verdicts = task.judge(examples, Ragged.of([[task.codec.stop]] * 3))
    assert verdicts.trace_reason.shape == (3, len(task.levels)) and not verdicts.trace_ok.any()
    print(len(calls))
"""


def test_the_published_rules_are_applied_for_mazes_alone():
    """Kernels are plain Python in this process, so that calls can be counted."""
    done = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True)
    assert done.stdout.split() == ["3", "3"], done.stderr


def test_searchformers_dialect_creates_the_start():
    task = Maze(generator="free_space", size=3, format="searchformer")
    examples = problems(task, 30)
    good = [task.codec.words_of(row) for row in completions(task, examples)]
    assert all(text.startswith("create") for text in good)
    late = Ragged.of([as_tokens(task, text.split(" ", 5)[5]) for text in good])
    verdicts = task.judge(examples, late)
    assert {NAMES[r] for r in verdicts.trace_reason[:, LEVELS.index("local")]} == {"not_open"}


@pytest.mark.parametrize("name", FORMATS)
def test_tokens_outside_the_vocabulary_get_a_verdict(name):
    """At every place of a good completion: never read out of bounds, never taken for a word."""
    task = Maze(size=4, format=name)
    examples = problems(task, 1)
    good = completions(task, examples)[0].astype(np.int64)
    vocabulary = len(task.codec.vocabulary)
    for outside in (-1, -vocabulary, vocabulary, 10**9, 2**32, -(2**40)):
        rows = [np.insert(good, k, outside) for k in range(len(good))]
        rows += [np.concatenate([good[:k], [good[k] + 2**32], good[k + 1 :]]) for k in range(len(good))]
        many = examples.take(np.zeros(len(rows), np.int64))
        tokens = Ragged.of(rows, dtype=np.int64)
        verdicts = task.judge(many, tokens)
        assert not verdicts.trace_ok[:, :3].all(axis=1).any()
        assert not verdicts.trace_ok[:, LEVELS.index("strict")].any()
        full_checks.compare(task, many, tokens, verdicts, np.arange(len(rows)))


def test_rows_are_not_trusted_either():
    task = Maze(size=5)
    examples = problems(task, 40)
    assert task.judge_traces(examples, examples.trace).all()
    draw = np.random.default_rng(0)
    for column, values in ((0, [-1, 2, 7]), (1, [-1, 25, 2**31 - 1]), (2, [-1, 25]), (3, [-1, 2**31 - 1])):
        rows = [row.copy() for row in examples.trace]
        for row in rows:
            row[draw.integers(len(row)), column] = draw.choice(values)
        damaged = Ragged(np.concatenate(rows), examples.trace.offsets)
        assert not task.judge_traces(examples, damaged).any()
    assert not task.judge_traces(examples, Ragged(examples.trace.values[:0], np.zeros(41, np.int64))).any()


def test_no_completions_no_verdicts():
    task = Maze(size=5)
    examples = problems(task, 3).take(np.array([], np.int64))
    nothing = Ragged.of([])
    assert task.judge(examples, nothing).trace_ok.shape == (0, len(LEVELS))
    assert task.judge_traces(examples, examples.trace).shape == (0,)
    assert len(task.prompts(examples)) == 0


def test_a_batch_may_mix_sizes():
    large = Maze(size=9, format="compact")
    small = Maze(size=[5, 4], format="compact", reach={"side": 9})
    mixed = Examples.concat([problems(small, 20), problems(large, 20), problems(small, 20, seed=1)])
    order = np.random.default_rng(0).permutation(60)
    mixed = mixed.take(order)
    assert large.judge(mixed, completions(large, mixed)).trace_ok.all()
    assert large.judge_traces(mixed, mixed.trace).all()


def test_a_maze_beyond_the_vocabulary_is_refused():
    examples = problems(Maze(size=9), 2)
    with pytest.raises(ValueError, match="9 columns is beyond this task's vocabulary"):
        Maze(size=5).judge(examples, Ragged.of([[], []]))
    with pytest.raises(ValueError, match="1 outputs for 2 examples"):
        Maze(size=9).judge(examples, Ragged.of([[]]))


def test_a_verdict_depends_on_its_own_completion_alone():
    task = Maze(generator="braided", size=7)
    examples = problems(task, 60)
    draw, good = np.random.default_rng(0), completions(task, examples)
    rows = [garbling.garble(k % garbling.KINDS, good[k], good[k - 1], task.codec, draw) for k in range(60)]
    whole = task.judge(examples, Ragged.of(rows, dtype=np.int64))
    for k in range(60):
        alone = task.judge(examples.take(np.array([k])), Ragged.of([rows[k]], dtype=np.int64))
        assert alone.trace_reason[0].tolist() == whole.trace_reason[k].tolist()
        assert alone.trace_at[0].tolist() == whole.trace_at[k].tolist()
        assert alone.solution_reason[0] == whole.solution_reason[k]


def test_the_oracle_rejects_what_it_should():
    """The judge of the judge: its own search passes, and needs each creation."""
    for row in problems(Maze(generator="braided", size=7), 10).problem:
        maze = oracle.read_problem(row)
        steps, path = oracle.search(maze, "astar", "lifo", creates_start=False)
        good = oracle.write(steps, path, "paper").split()
        assert oracle.judge(maze, good, "astar", "paper")["strict"] is None
        for k in (k for k, step in enumerate(steps) if step[0] == "create"):
            text = oracle.write(steps[:k] + steps[k + 1 :], path, "paper")
            assert oracle.judge(maze, text.split(), "astar", "paper")["strict"] is not None


# The full-size checks in small; `python -m tests.helpers.full_checks` runs them in full.


def test_correct_traces_are_accepted():
    full_checks.check_correct(4_000, per_task=10)


def test_mutants_are_rejected():
    full_checks.check_mutations(10_000)


def test_costs_are_optimal():
    full_checks.check_optimal(400)


def test_adversarial_sequences_get_the_oracles_verdict():
    counts = full_checks.check_garbage(6_000)
    assert len(counts["strict_reasons"]) >= 17  # the sequences reach nearly every rule


def test_time_is_near_linear():
    assert full_checks.check_time(300_000)["slowest_seconds"] < 1
