"""Planning: what the generator promises, heuristics against tables, reasons, the oracle, PDDL, bad knobs."""

from collections import Counter
from dataclasses import replace
from itertools import groupby, permutations, product

import numpy as np
import pytest

from tests.helpers.names import share_under_other_names
from tests.helpers.task_checks import agrees, references, verdicts_on
from tests.oracles import planning as oracle
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.tasks.planning import Planning
from tracelab.tasks.planning.draws import draw_problems
from tracelab.tasks.planning.from_pddl import read_plan, read_problem
from tracelab.tasks.planning.layout import followed, layout_of, stored_of
from tracelab.tasks.planning.pddl import TEXTS, plan_text, problem_text

SOLVERS = ("astar", "dijkstra", "bfs", "dfs", "greedy")
DOMAINS = ("blocksworld", "logistics")
SMALL = {"domain": "logistics", "packages": 1, "locations": 2}


def problems(task, n, split="train", seed=0):
    return task.generate(rng.keys(seed, split, 0, n, "problem"), split)


# --- what the generator promises ---------------------------------------------------------------


def test_all_states_of_blocks_are_drawn_alike():
    """Of three blocks there are 13, of four 73 (Slaney and Thiebaux 2001)."""
    for blocks, states, n in ((3, 13, 1300), (4, 73, 3000)):
        task = Planning(blocks=blocks, heuristic="none", longest=None, solver="greedy")
        _, stored, ends, _ = drawn(task, n)
        starts = Counter(tuple(stored[a + 7 : a + 7 + blocks].tolist()) for a in ends[:-1])
        assert len(starts) == states
        assert max(starts.values()) < 2.2 * n / states


def drawn(task, n):
    knobs = (0, task.blocks, task.blocks, task.cities, task.locations, task.planes, -1, -1)
    return draw_problems(knobs, 0, 32, 32, rng.keys(0, "train", 0, n, "problem"))


@pytest.mark.parametrize("domain", DOMAINS)
def test_scrambles_stay_within_their_moves(domain):
    """A block is moved with two actions; a package with at most eleven between two cities."""
    task = Planning(domain=domain, scramble=(1, 2), packages=2)
    costs = problems(task, 60).complexity["optimal_cost"]
    assert costs.max() <= (4 if domain == "blocksworld" else 22)
    moved = problems(replace(task, scramble=(1, 1)), 40)
    for problem in moved.problem:
        puzzle = oracle.Puzzle(problem, "none")
        assert (
            sum(puzzle.goal.get(t, at) != at for t, at in zip(puzzle.things, puzzle.start, strict=True)) == 1
        )


def test_counts_are_those_of_the_knobs():
    task = Planning(domain="logistics", cities=3, locations=2, planes=2, packages=[1, 2], longest=200)
    headers = {tuple(problem[:7].tolist()) for problem in problems(task, 20).problem}
    assert headers == {(1, 0, 6, 3, 3, 2, packages) for packages in (1, 2)}


@pytest.mark.parametrize("knobs", [{"blocks": 4}, SMALL, {**SMALL, "cities": 1, "planes": 0, "packages": 2}])
def test_heuristics_are_consistent_lower_bounds(knobs):
    """On all states of some problems, of the oracle, which has the task's; and shortest plans are as short as
    their table says.
    """
    task = Planning(**knobs, longest=None)
    examples = problems(task, 3)
    for problem, cost in zip(examples.problem, examples.complexity["optimal_cost"], strict=True):
        sums = []
        for heuristic in ("misplaced", "goals"):
            puzzle = oracle.Puzzle(problem, heuristic)
            table = oracle.all_states(puzzle)
            h = {state: puzzle.h(state) for state in table}
            far = [state for state in table if not puzzle.solves(state)]
            ours = bounds_of(replace(task, heuristic=heuristic), problem, puzzle, far)
            assert ours == [h[state] for state in far]
            assert table[puzzle.start] == cost
            assert all(h[state] == 0 for state, moves in table.items() if moves == 0)
            assert all(h[s] <= 1 + h[after] for s in h for after in puzzle.actions(s).values())
            sums.append(sum(h.values()))
        assert sums[0] > sums[1]


def bounds_of(task, problem, puzzle, states):
    """h of each of these states: that in the first step of the task's search from there."""
    objects = puzzle.things + (["table", "hand"] if puzzle.of_blocks else puzzle.locations)
    stored = np.repeat(problem[None], len(states), 0)
    half = len(puzzle.things)
    stored[:, -2 * half : -half] = [[objects.index(place) for place in state] for state in states]
    examples = task.solved(Ragged.of(list(stored), np.int16))
    return [int(trace[0, -1]) for trace in examples.trace]


def test_a_goal_of_vehicles_and_a_start_in_the_hand():
    """What is never drawn, and can be read: partial goals, too. The oracle writes the same h."""
    read = [
        "init a hand init b table init c b goal b c",
        "init a b init b table init c a goal a c goal b table",
    ]
    task = Planning(blocks=3, longest=None)
    stored = [task.parse(task.codec.tokens_of(text)) for text in read]
    examples = task.solved(Ragged.of(stored, np.int16))
    agrees("planning", task, examples, np.random.default_rng(0))
    task = Planning(**SMALL, longest=None)
    text = (
        "in-city l1 city1 in-city l2 city1 in-city l3 city2 in-city l4 city2 airport l1 airport l3 "
        "init t1 l2 init t2 l3 init a1 l1 init p1 t1 goal t2 l4 goal a1 l3 goal p1 l4"
    )
    examples = task.solved(Ragged.of([task.parse(task.codec.tokens_of(text))], np.int16))
    agrees("planning", task, examples, np.random.default_rng(0))


def test_shortest_paths_are_short_and_all_solvers_solve():
    for solver in SOLVERS:
        for knobs in ({"blocks": 3}, {**SMALL, "cities": 1, "planes": 0, "locations": 4}):
            task = Planning(**knobs, solver=solver, longest=None, tie_break="random")
            examples = problems(task, 12)
            best = [oracle.fewest_actions(oracle.Puzzle(row, "goals")) for row in examples.problem]
            assert examples.complexity["optimal_cost"].tolist() == best
            verdicts = task.judge(examples, references(task, examples))
            assert verdicts.solution_valid.all()
            assert verdicts.solution_optimal.all() or solver in SOLVERS[3:]


# --- verdicts ------------------------------------------------------------------------------------

TRACE = (
    "reasoning close table a table c0 c4 create unstack b a c1 c3 create pick-up c c1 c5 "
    "close table hand table c1 c3 create stack b c c2 c4 create put-down b c2 c2 "
    "close table table table c2 c2 create pick-up a c3 c1 create pick-up c c3 c3 "
    "close hand table table c3 c1 create stack a b c4 c0 create stack a c c4 c2 "
    "close b table table c4 c0 solution unstack b a put-down b pick-up a stack a b end"
)


def verdict(text, **knobs):
    """(reason, optimal) of a solution, and {level: (reason, place)}; the oracle must agree."""
    task = Planning(blocks=3, **knobs)
    stored = Ragged.of([[0, 3, 0, 0, 0, 0, 0, 3, 0, 3, 1, 3, 3]], np.int16)
    examples = replace(problems(task, 1), problem=stored, complexity={"optimal_cost": np.array([4])})
    return verdicts_on("planning", task, examples, text)


@pytest.mark.parametrize(
    ("solution", "reason", "optimal"),
    [
        ("unstack b a put-down b pick-up a stack a b", "ok", True),
        ("pick-up c put-down c unstack b a put-down b pick-up a stack a b", "ok", False),
        ("unstack b a put-down b", "goal_not_reached", False),
        ("pick-up a stack a b", "illegal_move", False),
        ("unstack b c", "illegal_move", False),
        ("unstack b", "illegal_move", False),
        ("unstack b a put-down b a", "illegal_move", False),
        ("unstack b a a", "syntax", False),
        ("stack table hand", "illegal_move", False),
        ("", "empty", False),
    ],
)
def test_solutions(solution, reason, optimal):
    assert verdict(f"reasoning solution {solution} end")[0] == (reason, optimal)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("create stack b c c2 c4 create put-down b c2 c2", "create put-down b c2 c2 create stack b c c2 c4"),
    ],
)
def test_valid_variants_pass(old, new):
    assert set(verdict(TRACE.replace(old, new))[1].values()) == {("ok", -1)}


@pytest.mark.parametrize(
    ("old", "new", "level", "reason", "at"),
    [
        ("create pick-up c c1", "create pick-up b c1", "local", "wrong_move", 2),
        ("create unstack b a", "create unstack b c", "local", "wrong_move", 1),
        ("create stack b c c2", "create stack b a c2", "local", "already_closed", 4),
        ("create stack a c c4 c2", "create stack a b c4 c0", "local", "no_improvement", 11),
        ("create put-down b c2 c2", "create put-down b c3 c2", "local", "wrong_g", 5),
        ("create put-down b c2 c2", "create put-down b c2 c3", "local", "wrong_h", 5),
        ("close table hand table c1 c3", "close table table hand c1 c5", "strict", "not_open", 3),
        ("close table hand table", "close table table table", "local", "not_open", 3),
        ("close table hand table", "close table hand hand", "local", "not_a_state", 3),
        ("close table hand table", "close table c b", "local", "not_a_state", 3),
        ("close table hand table", "close table hand b", "local", "not_a_state", 3),
        ("close table hand table", "close table hand", "local", "not_a_state", 3),
        ("close table hand table c1 c3", "close table hand table c1 c2", "local", "cost_mismatch", 3),
        ("close table a table c0 c4 ", "", "local", "nothing_closed", 0),
        ("create pick-up c c1 c5 ", "", "strict", "missing_successor", 2),
        ("close table hand table c1 c3", "close table a hand c1 c5", "strict", "not_best", 3),
        (" close b table table c4 c0", "", "strict", "goal_not_closed", 12),
        ("solution unstack", "solution pick-up c put-down c unstack", "strict", "solution_differs", 13),
        ("create put-down b c2", "create put-down c2", "parses", "syntax", 5),
        (" end", "", "parses", "truncated", 13),
    ],
)
def test_the_first_bad_step_and_why(old, new, level, reason, at):
    assert TRACE.count(old) == 1
    found = verdict(TRACE.replace(old, new))[1]
    assert found[level] == (reason, at)
    assert found["strict"] != ("ok", -1)


def settings():
    """Solvers, heuristics, ties, formats and domains."""
    for k, solver in enumerate(SOLVERS):
        for m, heuristic in enumerate(("misplaced", "goals", "none")):
            yield Planning(
                **({"blocks": 3 + m % 2} if (k + m) % 2 else SMALL),
                solver=solver,
                heuristic=heuristic,
                scramble=(1, 2) if m else None,
                tie_break=("fifo", "lifo", "random")[(k + m) % 3],
                format=("compact", "states")[k % 2],
                longest=300,
                reach={"blocks": 5, "packages": 2} if k % 2 else None,
            )


def test_the_oracle_agrees():
    draw = np.random.default_rng(0)
    for k, task in enumerate(settings()):
        agrees("planning", task, problems(task, 8, seed=k), draw)


# --- PDDL ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=DOMAINS)
def planned(request):
    """(domain, task, examples)"""
    task = Planning(domain=request.param, longest=None, scramble=(1, 2))
    return request.param, task, problems(task, 6)


def begun(task, examples):
    """The problems that are left after the first action of each plan."""
    layouts = [layout_of(problem) for problem in examples.problem]
    both = zip(layouts, examples.solution, strict=True)
    starts = [followed(layout, task.words, solution)[1] for layout, solution in both]
    left = [replace(layout, start=start) for layout, start in zip(layouts, starts, strict=True)]
    return task.solved(Ragged.of([stored_of(layout) for layout in left], np.int16))


def test_what_is_written_is_read(planned):
    """Problems of the prompt's own words, starts in the hand among them, and plans."""
    _, task, examples = planned
    for some in (examples, begun(task, examples)):
        solutions = task.codec.encode(task.codec.solution, some.solution)
        for problem, rows, tokens in zip(some.problem, some.solution, solutions, strict=True):
            read, names = read_problem(problem_text(problem))
            assert read.tolist() == problem.tolist()
            assert all(ours == theirs for ours, theirs in names.items())
            assert read_plan(plan_text(problem, rows, task.words)) == task.codec.words_of(tokens)


def grounded(folder, domain, problem):
    """A problem as pyperplan grounds it."""
    grounding = pytest.importorskip("pyperplan.grounding", reason="pip install 'tracelab[test]' brings it")
    from pyperplan.pddl.parser import Parser

    (folder / "domain.pddl").write_text(TEXTS[domain])
    (folder / "problem.pddl").write_text(problem_text(problem))
    parser = Parser(str(folder / "domain.pddl"), str(folder / "problem.pddl"))
    return grounding.ground(parser.parse_problem(parser.parse_domain()))


def test_plans_are_plans_to_another_planner_and_none_of_its_is_shorter(planned, tmp_path):
    """pyperplan applies our actions one by one; its breadth-first search finds plans as short."""
    domain, task, examples = planned
    for i, (problem, solution) in enumerate(zip(examples.problem, examples.solution, strict=True)):
        theirs = grounded(tmp_path, domain, problem)
        from pyperplan.search import breadth_first_search

        actions = {action.name: action for action in theirs.operators}
        state = theirs.initial_state
        for line in plan_text(problem, solution, task.words).splitlines():
            assert actions[line].applicable(state)
            state = actions[line].apply(state)
        assert theirs.goal_reached(state)
        found = [action.name for action in breadth_first_search(theirs)]
        assert len(found) == examples.complexity["optimal_cost"][i] == len(solution)
        tokens = task.codec.tokens_of(f"solution {read_plan(' '.join(found))} end")
        verdicts = task.judge(examples.take(np.array([i])), Ragged.of([tokens]))
        assert verdicts.solution_valid.all()
        assert verdicts.solution_optimal.all()


def test_moves_are_those_of_the_other_planner(planned, tmp_path):
    """Of each state that the reference closes: as many actions as are applicable, no more."""
    domain, _, examples = planned
    problem = examples.problem[0]
    theirs, puzzle = grounded(tmp_path, domain, problem), oracle.Puzzle(problem, "none")
    state = theirs.initial_state
    own = puzzle.start
    for _ in range(6):
        after = theirs.get_successor_states(state)
        moving = [
            (action, reached) for action, reached in after if reached != state
        ]  # to drive to where it is
        assert len(moving) == len(puzzle.actions(own))
        action, state = moving[len(moving) // 2]
        own = next(
            reached
            for move, reached in puzzle.actions(own).items()
            if read_plan(action.name) == " ".join(word for word in move if word)
        )


@pytest.mark.slow
def test_plans_are_valid_to_a_public_validator(planned):
    """And without their last action they are not."""
    up = pytest.importorskip("unified_planning.io", reason="pip install 'tracelab[test]' brings it")
    from unified_planning.engines import SequentialPlanValidator, ValidationResultStatus

    domain, task, examples = planned
    for problem, solution in zip(examples.problem, examples.solution, strict=True):
        reader = up.PDDLReader()
        theirs = reader.parse_problem_string(TEXTS[domain], problem_text(problem))
        lines = plan_text(problem, solution, task.words).splitlines()
        for kept, status in ((lines, "VALID"), (lines[:-1], "INVALID")):
            plan = reader.parse_plan_string(theirs, "\n".join(kept))
            found = SequentialPlanValidator().validate(theirs, plan).status
            assert found == getattr(ValidationResultStatus, status)


FOREIGN = """
; four blocks, typed, in capitals, as the competition's files have them
(DEFINE (PROBLEM BLOCKS-4-0) (:DOMAIN BLOCKS)
 (:OBJECTS D B A C - block)
 (:INIT (CLEAR C) (CLEAR A) (CLEAR B) (CLEAR D) (ONTABLE C) (ONTABLE A) (ONTABLE B) (ONTABLE D) (HANDEMPTY))
 (:goal (AND (ON D C) (ON C B) (ON B A))))
"""
UNTYPED = """(define (problem p) (:domain logistics-strips) (:objects pkg tru1 tru2 ap1 ap2 pos plane c1 c2)
 (:init (obj pkg) (truck tru1) (truck tru2) (airplane plane) (city c1) (city c2) (location ap1) (airport ap1)
  (location ap2) (airport ap2) (location pos) (in-city ap1 c1) (in-city pos c1) (in-city ap2 c2)
  (at tru1 pos) (at tru2 ap2) (at plane ap2) (at pkg pos))
 (:goal (at pkg ap2)))"""


def test_others_problems_are_read():
    """Partial goals and others' names; the plan is written in these."""
    task = Planning(blocks=4, longest=None)
    problem, names = read_problem(FOREIGN)
    assert names == {"a": "d", "b": "b", "c": "a", "d": "c"}
    examples = task.solved(Ragged.of([problem], np.int16))
    assert examples.complexity["optimal_cost"].tolist() == [6]
    plan = plan_text(problem, examples.solution[0], task.words, names)
    assert plan.splitlines()[-1] == "(stack d c)"
    assert task.codec.words_of(task.prompts(examples)[0]).endswith("goal a d goal b c goal d b")
    task = Planning(**SMALL, longest=None)
    problem, names = read_problem(UNTYPED)
    examples = task.solved(Ragged.of([problem], np.int16))
    assert examples.complexity["optimal_cost"].tolist() == [7]
    assert names["p1"] == "pkg"
    solution = read_plan(plan_text(problem, examples.solution[0], task.words, names), names)
    assert solution == task.codec.words_of(task.codec.encode(task.codec.solution, examples.solution)[0])


def test_what_no_heuristic_bounds_is_refused():
    """The way into a vehicle, and that of an airplane which is at no airport."""
    with pytest.raises(ValueError, match="in a vehicle is no goal"):
        read_problem(UNTYPED.replace("(:goal (at pkg ap2))", "(:goal (in pkg tru1))"))
    with pytest.raises(ValueError, match=r"a1 cannot be at l\d, which has no airport: put it at one"):
        read_problem(UNTYPED.replace("(at plane ap2)", "(at plane pos)"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("(CLEAR C) ", "", r"\(clear d\) is missing"),
        ("(CLEAR C)", "(CLEAR C) (HOLDING C)", "in two places"),
        ("(ONTABLE C)", "(ON C A)", r"\(clear c\) is too much"),
        ("(ONTABLE C) (ONTABLE A)", "(ON C A) (ON A C)", "stands on itself"),
        ("(ON B A)", "(CLEAR A)", r"\(clear c\) says of no thing"),
        ("(ON B A)", "(NOT (ON B A))", "no fact"),
        ("(ON D C) (ON C B) (ON B A)", "(ONTABLE A)", "nothing to do"),
        ("- block", "- pyramid", "pyramid"),
        ("(ONTABLE C)", "", "does not say of each thing where it is"),
        ("(:goal", "(:metric", "no PDDL problem"),
        ("(AND (ON D C) (ON C B) (ON B A))", "()", "not one fact or one"),
        ("(AND (ON D C) (ON C B) (ON B A))", "(on d c) (on c b)", "not one fact or one"),
        ("(AND (ON D C) (ON C B) (ON B A))", "handempty", "not one fact or one"),
        ("(:goal", "(:goal (on a b)) (:goal", r"2 parts \(:goal"),
        ("(:INIT", "(:init (clear a)) (:INIT", r"2 parts \(:init"),
        ("(HANDEMPTY))", "(HANDEMPTY)", "never closed"),
        ("D B A C", "D B A C " + " ".join(f"x{k}" for k in range(9)), "13 blocks"),
    ],
)
def test_what_this_task_does_not_write_is_named(old, new, message):
    assert FOREIGN.count(old) == 1
    with pytest.raises(ValueError, match=message):
        read_problem(FOREIGN.replace(old, new))


# --- test sets, bad input ---------------------------------------------------------------------------


def test_a_test_set_may_be_the_other_domain():
    """With one vocabulary; knobs of the other domain are not in a name."""
    task = Planning(ood=[{"domain": "logistics", "packages": 1}, {"blocks": 6, "packages": 3}])
    assert list(task.test_sets()) == ["logistics_packages_1", "blocks_6"]
    other = task.test_sets()["logistics_packages_1"]
    examples = problems(other, 20, "ood")
    assert task.judge(examples, references(other, examples)).trace_ok.all()


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"domain": "gripper"}, "task.domain"),
        ({"blocks": 13}, "task.blocks=13 must be from 2 to 12"),
        ({"blocks": 1}, "task.blocks=1 must be from 2 to 12"),
        ({"packages": 0}, "task.packages"),
        ({"planes": 0}, "task.planes"),
        ({"locations": 20}, "40 locations"),
        ({"cities": 1, "locations": 1, "planes": 0}, "1 locations"),
        ({"cities": 6, "locations": 4, "packages": 5}, "more than 12"),
        ({"scramble": [3, 1]}, "fewest, most"),
        ({"heuristic": "landmarks"}, "task.heuristic"),
        ({"format": "long"}, "task.format"),
        ({"longest": 2}, "fewer than 3"),
        ({"solver": "ff"}, "ff"),
        ({"reach": {"blocks": 4}}, "blocks=4 is below the 5 in use"),
        ({"reach": {"blocks": 13}}, "blocks=13 is above 12"),
        ({"ood": [{"packages": 3}]}, "changes nothing of blocksworld"),
        ({"ood": [{"format": "states"}]}, "no knob"),
    ],
)
def test_bad_knobs(knobs, message):
    with pytest.raises(ValueError, match=message):
        Planning(**knobs)


def test_what_cannot_be_drawn_ends_with_advice():
    with pytest.raises(ValueError, match=r"raise task.longest"):
        problems(Planning(longest=3, heuristic="none"), 20)
    with pytest.raises(ValueError, match=r"raise task.blocks"):
        problems(Planning(blocks=2), 20, "val")


def test_a_larger_problem_is_judged_by_the_task_that_drew_it():
    large = Planning(longest=200)
    examples = problems(large, 3)
    with pytest.raises(ValueError, match="take the task that drew it"):
        Planning(blocks=4).judge(examples, references(large, examples))


def unnamed(problem):
    """Blocks by towers of the start, the least goal over the orders of towers that are as high."""
    n = int(problem[1])
    start, goal = problem[7 : 7 + n].tolist(), problem[7 + n : 7 + 2 * n].tolist()
    above = {under: k for k, under in enumerate(start) if under < n}
    towers = [[k] for k, under in enumerate(start) if under >= n]
    for tower in towers:
        while tower[-1] in above:
            tower.append(above[tower[-1]])
    towers.sort(key=len)
    forms = []
    for groups in product(*(permutations(same) for _, same in groupby(towers, len))):
        order = [block for group in groups for tower in group for block in tower]
        forms.append([order.index(goal[b]) if goal[b] < n else n for b in order])
    return tuple(map(len, towers)), tuple(min(forms))


def test_test_problems_are_trained_on_under_other_names():
    """What docs/tasks.md says: no problem is in both splits, and nearly all are but for the blocks' names."""
    assert share_under_other_names(Planning(), unnamed, 12_000) > 0.98
