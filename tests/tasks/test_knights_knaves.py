"""Knights and knaves: one solution by the truth table, sensible statements, the solver against a twin."""

from itertools import product

import numpy as np
import pytest

from tests.oracles import knights_knaves as oracle
from tracelab.core import rng
from tracelab.core.jit import njit
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.backtracking.problem import identity as canonical
from tracelab.search.backtracking.problem import load
from tracelab.search.backtracking.reasons import NAMES as REASONS
from tracelab.search.completion import LEVELS
from tracelab.tasks.knights_knaves import KnightsKnaves
from tracelab.tasks.knights_knaves.statements import CONNECTIVES, FALSE, IFF, NOT, TRUE, UNKNOWN, join

TASKS = [
    KnightsKnaves(),
    KnightsKnaves(people=3, depth=1),
    KnightsKnaves(people=8, depth=3),
    KnightsKnaves(people=7, depth=4, connectives=["iff", "not"]),
    KnightsKnaves(people=6, depth=1, connectives=["implies"]),
]


def puzzles(task, n=60, seed=0, split="train"):
    return task.generate(rng.keys(seed, split, 0, n, "problem"), split)


def islands(task, n=60):
    examples = puzzles(task, n)
    return examples, [oracle.Island(tuple(problem.tolist()), task.rule) for problem in examples.problem]


def parts_of(statement):
    """All parts, the statement itself included."""
    op, *parts = statement
    yield statement
    if op != "is":
        for part in parts:
            yield from parts_of(part)


def depth_of(statement):
    op, *parts = statement
    return 0 if op == "is" else 1 + max(map(depth_of, parts))


def table(statement, people):
    """The truth of a statement in each case."""
    cases = product(oracle.KINDS, repeat=len(people))
    return tuple(oracle.truth(statement, dict(zip(people, case, strict=True))) for case in cases)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.people}-{task.depth}")
def test_one_solution_by_the_truth_table(task):
    examples, found = islands(task, 40)
    for island, solution in zip(found, examples.solution, strict=True):
        (kinds,) = island.solutions()
        written = {oracle.NAMES[x // 2]: oracle.KINDS[x % 2] for x in solution[:, 1].tolist()}
        assert written == kinds


@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.people}-{task.depth}")
def test_statements_say_something(task):
    """No part is constant or says what one of two operands says; none fits its speaker always, or never."""
    _, found = islands(task, 20)
    used, depths = set(), set()
    for island in found:
        people = island.variables
        assert len(people) == task.people
        for speaker, statement in island.says.items():
            depths.add(depth_of(statement))
            fits = table(("iff", ("is", speaker, "knight"), statement), people)
            assert len(set(fits)) == 2
            for part in parts_of(statement):
                whole = table(part, people)
                assert len(set(whole)) == 2
                assert all(table(inner, people) != whole for inner in part[1:] if part[0] != "is")
                used.add(part[0])
    assert used == {"is", *task.connectives}
    assert depths == set(range(1, task.depth + 1))


def test_kinds_and_people_are_drawn_evenly():
    examples = puzzles(KnightsKnaves(), 2000)
    starts = np.isin(np.arange(len(examples.problem.values)), examples.problem.offsets[:-1])
    codes = examples.problem.values[~starts & (examples.problem.values < 64)]
    shares = np.bincount(codes, minlength=10) / len(codes)
    assert np.abs(shares - 0.1).max() < 0.01
    knaves = (examples.solution.values[:, 1] % 2).mean()
    assert 0.4 < knaves < 0.6


def test_kleenes_tables():
    values = {FALSE: False, UNKNOWN: None, TRUE: True}
    for connective, word in enumerate(CONNECTIVES):
        for a, b in product(values, repeat=2):
            kinds = {n: oracle.KINDS[values[v] is False] for n, v in (("A", a), ("B", b)) if v != UNKNOWN}
            atoms = [("is", name, "knight") for name in "AB"]
            wanted = oracle.truth((word, *(atoms[:1] if connective == NOT else atoms)), kinds)
            assert values[int(join(connective, a, b))] is wanted
    assert len(CONNECTIVES) - 1 == IFF


@pytest.mark.parametrize("rule", ["first", "most_constrained"])
def test_the_search_is_the_textbooks(rule):
    """A twin in plain Python records the same steps: first speaker, first person, knight before knave."""
    task = KnightsKnaves(people=6, rule=rule)
    examples, found = islands(task, 40)
    for island, rows in zip(found, examples.trace, strict=True):
        trace = Ragged(rows, np.array([0, len(rows)]))
        words = task.codec.words_of(task.codec.encode(task.codec.trace, trace)[0])
        steps = []
        assert extend(island, {}, steps)
        assert words == " ".join(steps)


def extend(island, kinds, steps):
    """Recursive search; steps as words."""
    while True:
        failed = island.conflicts(kinds)
        if failed:
            steps.append(f"conflict {min(speaker for _, speaker in failed)}")
            return False
        forced = island.consequences(kinds)
        if not forced:
            break
        speaker, name, place = min((s, n, oracle.KINDS.index(k)) for n, k, s in forced)
        kind = oracle.KINDS[place]
        steps.append(f"propagate {kind} {name} {speaker}")
        kinds = {**kinds, name: kind}
    if len(kinds) == len(island.variables):
        return True
    name = min(island.eligible(kinds))
    for op, kind in (("decide", "knight"), ("backtrack", "knave")):
        steps.append(f"{op} {kind} {name}")
        if extend(island, {**kinds, name: kind}, steps):
            return True
    return False


@njit
def loaded_identity(island, problem):
    load(island, problem)
    return canonical(island)


def identity(task, numbers):
    return loaded_identity(task._csp(), np.array(numbers, np.int16))


def codes_of(statement, names, draw):
    """Prefix codes with people renamed, and the operands of what is commutative in random order."""
    op, *parts = statement
    if op == "is":
        return [2 * names[oracle.NAMES.index(parts[0])] + oracle.KINDS.index(parts[1])]
    if op in ("and", "or", "iff") and draw.random() < 0.5:
        parts = parts[::-1]
    return [64 + CONNECTIVES.index(op), *(code for part in parts for code in codes_of(part, names, draw))]


def test_the_same_identity_under_renaming_and_exchange():
    task, draw = KnightsKnaves(), np.random.default_rng(0)
    examples, found = islands(task)
    for i, island in enumerate(found):
        names = draw.permutation(5).tolist()
        said = {names[k]: codes_of(island.says[n], names, draw) for k, n in enumerate(island.variables)}
        numbers = [5, *(code for k in range(5) for code in said[k])]
        assert identity(task, numbers) == examples.identity[i]
        assert oracle.Island(tuple(numbers), "first").solutions()
        said[0][-1] ^= 1
        assert identity(task, [5, *(code for k in range(5) for code in said[k])]) != examples.identity[i]
    assert len(np.unique(examples.identity)) == len(examples)


# A says B is a knave; B says A and C are knights; C says A is a knight or B is
PUZZLE = [3, 64, 2, 65, 0, 4, 66, 0, 2]


def verdict(text):
    task = KnightsKnaves(people=3)
    stored = Ragged(np.array(PUZZLE, np.int16), np.array([0, len(PUZZLE)]))
    trace, solution = (Ragged(np.empty((0, width), np.int32), np.zeros(2, np.int64)) for width in (3, 2))
    one = Examples(np.zeros(1, np.int64), np.zeros(1, np.uint64), stored, trace, solution, {})
    found = task.judge(one, Ragged.of([task.codec.tokens_of(text)]))
    reasons = {
        level: (REASONS[found.trace_reason[0, k]], int(found.trace_at[0, k]))
        for k, level in enumerate(LEVELS)
    }
    return {**reasons, "solution": REASONS[found.solution_reason[0]]}


@pytest.mark.parametrize(
    ("steps", "level", "reason", "at"),
    [
        ("propagate knave A A", "local", "does_not_follow", 0),
        ("decide knight A propagate knave C A", "local", "does_not_follow", 1),  # A does not speak of C
        ("decide knight A propagate knight B A", "local", "does_not_follow", 1),
        ("decide knight A conflict A", "local", "not_a_conflict", 1),
        ("decide knight A decide knight A", "local", "already_assigned", 1),
        ("decide knight A propagate knave B A backtrack knave A", "local", "no_conflict", 2),
        ("decide knight B", "strict", "wrong_variable", 0),
        ("decide knight A decide knight B", "strict", "propagation_missed", 1),
    ],
)
def test_the_first_bad_step_and_why(steps, level, reason, at):
    found = verdict(f"reasoning {steps} solution knight A end")
    assert found[level] == (reason, at)
    assert found["parses"] == ("ok", -1)
    assert found["solution"] == "incomplete"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("knight A knave B", "incomplete"),
        ("knight A knave B knave C knave C", "repeated"),
        ("knave A knave B knave C", "violated"),
        ("knight A knave B knave", "syntax"),
        ("knight A B", "syntax"),
        ("", "empty"),
    ],
)
def test_why_a_solution_is_rejected(words, reason):
    assert verdict(f"reasoning decide knight A solution {words} end")["solution"] == reason


def test_a_statement_that_is_false_already_forces_nothing_more():
    """From a contradiction everything would follow: it is a conflict, and nothing else."""
    found = verdict("reasoning decide knight A decide knight B propagate knave C A solution end")
    assert found["local"] == ("does_not_follow", 2)
    assert verdict("reasoning decide knight A decide knight B conflict A solution end")["local"] == ("ok", -1)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"people": 1}, "task.people=1 must be from 2 to 8"),
        ({"people": 9}, "task.people=9 must be from 2 to 8"),
        ({"ood": [{"people": 12}]}, "task.ood, {people: 12}: task.people=12 must be from 2 to 8"),
        ({"depth": 0}, "task.depth=0 must be from 1 to 4"),
        ({"ood": [{"depth": 5}]}, "task.ood, {depth: 5}: task.depth=5 must be from 1 to 4"),
        ({"connectives": ["xor"]}, "task.connectives='xor' is unknown"),
        ({"connectives": ["not"]}, "no puzzle has one solution; add and, or, implies or iff"),
        ({"connectives": []}, "no puzzle has one solution"),
        ({"rule": "last"}, "task.rule='last' is unknown"),
        ({"tie_break": "last"}, "task.tie_break='last' is unknown"),
        ({"max_steps": 0}, "task.max_steps=0 must be 1 or more"),
        ({"reach": {"people": 4}}, "task.reach: people=4 is below the 5 in use"),
        ({"reach": {"people": 9}}, "task.reach: people=9 is above 8"),
    ],
)
def test_impossible_knobs(knobs, message):
    with pytest.raises(ValueError, match=message):
        KnightsKnaves(**knobs)


def test_what_cannot_be_drawn_says_so():
    with pytest.raises(ValueError, match="20000 draws gave no problem of the test split: 2 people"):
        puzzles(KnightsKnaves(people=2, depth=1, connectives=["iff"]), 1, split="test")


def test_a_puzzle_beyond_the_vocabulary_is_refused():
    with pytest.raises(ValueError, match="6 people is beyond this task's vocabulary, which ends at 5"):
        KnightsKnaves().judge(puzzles(KnightsKnaves(people=6), 1), Ragged.of([[]]))


def test_test_sets():
    sets = KnightsKnaves(ood=[{"people": 4}, {"people": 6}, {"depth": 3}]).test_sets()
    assert {name: (t.people, t.depth, t.reach["people"]) for name, t in sets.items()} == {
        "4_people": (4, 2, 6),
        "6_people": (6, 2, 6),
        "depth_3": (5, 3, 6),
    }


def test_prompts_and_drawings():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    task = KnightsKnaves()
    examples, found = islands(task, 5)
    for i, island in enumerate(found):
        prompt = task.codec.words_of(task.prompts(examples)[i])
        assert prompt.split() == [
            word for name in island.variables for word in spoken(name, island.says[name])
        ]
        assert task.draw(examples, i).count("says:") == 5
        conflicts = np.flatnonzero(examples.trace[i][:, 0] == 2)
        assert all("!" in task.draw(examples, i, step=int(k) + 1) for k in conflicts)
        figure, ax = plt.subplots()
        for bad in (None, 0, 2, len(examples.trace[i])):
            task.plot(ax, examples.problem[i], examples.trace[i], examples.solution[i], bad)
        plt.close(figure)


def spoken(name, statement):
    """The words of a prompt."""

    def words(part):
        op, *rest = part
        return [rest[1], rest[0]] if op == "is" else [op, *(word for inner in rest for word in words(inner))]

    return [name, "says", *words(statement)]
