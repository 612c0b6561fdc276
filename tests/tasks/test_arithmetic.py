"""Arithmetic: programs, both solvers, every reason; the derivation grammar through its first task."""

import re

import numpy as np
import pytest

from tests.oracles import arithmetic as oracle
from tracelab.core import rng
from tracelab.core.paths import CONF
from tracelab.core.ragged import Ragged
from tracelab.data.frozen import references
from tracelab.tasks.arithmetic import Arithmetic

SETTINGS = (
    {},
    {"solver": "backward", "operations": 6, "distractors": 0, "operators": ["add"]},
    {"tie_break": "random", "operations": [1, 12], "distractors": [0, 20], "edges": 1.0, "modulus": 23},
)


def drawn(n=200, **knobs):
    task = Arithmetic(**knobs)
    return task, task.generate(rng.keys(0, "train", 0, n, "problem"), "train")


@pytest.mark.parametrize("knobs", SETTINGS)
def test_programs_are_what_the_knobs_say(knobs):
    task, examples = drawn(**knobs)
    for i, problem in enumerate(examples.problem):
        definitions, modulus, query = oracle.read(problem)
        wanted = oracle.needed(definitions, query)
        assert modulus == task.modulus
        assert examples.solution[i][0, 1] == oracle.value(definitions, modulus, query)
        assert examples.complexity["needed"][i] == len(wanted) == len(examples.trace[i])
        low, high = np.broadcast_to(task.operations, 2)
        assert low <= len(wanted) <= high
        low, high = np.broadcast_to(task.distractors, 2)
        assert low <= len(definitions) - len(wanted) <= high
        used = {o for name in wanted for o in definitions[name][1] if not isinstance(o, int)}
        assert used == wanted - {query}, "each needed value is used"
    if len(set(np.ravel(task.operations))) > 1:
        assert len(set(examples.complexity["needed"])) > 1


def test_the_solvers_differ_and_both_are_valid():
    forward, examples = drawn()
    backward, others = drawn(solver="backward")
    shuffled, third = drawn(tie_break="random")
    assert np.array_equal(examples.problem.values, others.problem.values)
    for other in (others, third):
        assert not np.array_equal(examples.trace.values, other.trace.values)
        assert forward.judge_traces(examples, other.trace).all()
    assert backward.judge_traces(others, examples.trace).all()
    assert shuffled.judge_traces(third, examples.trace).all()


def test_identity_is_blind_to_names_and_order():
    _, examples = drawn(50)
    task = Arithmetic()
    from tracelab.core.jit import njit
    from tracelab.search.derivation.problem import identity, load

    @njit
    def identify(program, problem):
        load(program, problem)
        return identity(program)

    generator = np.random.default_rng(0)
    for i, problem in enumerate(examples.problem):
        names = generator.permutation(26)
        table = problem[4:].reshape(-1, 4).copy()
        for column in (0, 2, 3):
            table[:, column] = np.where(table[:, column] >= 0, names[table[:, column]], table[:, column])
        table = table[generator.permutation(len(table))]
        other = np.concatenate([[problem[0], 26, problem[2], names[problem[3]]], table.ravel()]).astype(
            np.int16
        )
        assert identify(task._system(), other) == examples.identity[i]
        other[5] = (other[5] + 1) % 3  # another operation
        assert identify(task._system(), other) != examples.identity[i]


CASE = np.array([4, 4, 10, 3, 0, 0, -6, -1, 1, 1, 0, -4, 2, 3, 0, -3, 3, 2, 1, 0], np.int16)
# A = 5, B = A + 3, C = A * 2 (not needed), D = B - A is asked for: 8 - 5 = 3


@pytest.mark.parametrize(
    ("trace", "solution", "local", "strict", "solved"),
    [
        ("let A 5 add B 5 3 8 sub D 8 5 3", "3", "ok", "ok", "ok"),
        ("let A 5 add B 5 3 8 sub D 8 5 3", "4", "ok", "solution_differs", "wrong_answer"),
        ("let A 5 add B 5 3 8 sub D 8 5 3", "3 3", "ok", "solution_differs", "too_much"),
        ("let A 5 add B 5 3 8 sub D 8 5 3", "", "ok", "solution_differs", "empty"),
        ("let A 5 add B 5 3 8 sub D 8 5 3", "A", "ok", "solution_differs", "syntax"),
        ("let A 5 add B 5 3 8 sub D 8 5 4", "4", "wrong_conclusion", "wrong_conclusion", "wrong_answer"),
        ("let A 6 add B 6 3 9 sub D 9 6 3", "3", "wrong_conclusion", "wrong_conclusion", "ok"),
        ("let A 5 add B 4 3 7", "3", "wrong_premise", "wrong_premise", "ok"),
        ("let A 5 sub B 5 3 2", "3", "wrong_rule", "wrong_rule", "ok"),
        ("add B 5 3 8", "3", "premise_missing", "premise_missing", "ok"),
        ("let A 5 let E 4", "3", "not_given", "not_given", "ok"),
        ("let A 5 let A 5 add B 5 3 8 sub D 8 5 3", "3", "ok", "repeated", "ok"),
        ("let A 5 mul C 5 2 0 add B 5 3 8 sub D 8 5 3", "3", "ok", "not_needed", "ok"),
        ("let A 5 add B 5 3 8 sub D 8 5 3 mul C 5 2 0", "3", "ok", "after_answer", "ok"),
        ("let A 5 add B 5 3 8", "3", "ok", "unanswered", "ok"),
        ("", "3", "empty", "empty", "ok"),
        ("let A A", "3", "syntax", "syntax", "ok"),
    ],
)
def test_every_reason(trace, solution, local, strict, solved):
    task, examples = drawn(1)
    one = type(examples)(**{**vars(examples), "problem": Ragged.of([CASE], dtype=np.int16)})
    words = " ".join(f"reasoning {trace} solution {solution} end".split())
    verdicts = task.judge(one, Ragged.of([task.codec.tokens_of(words)]))
    assert [task.reasons[r] for r in verdicts.trace_reason[0, 1:]] == [local, strict]
    assert task.reasons[verdicts.solution_reason[0]] == solved
    right, _, levels = oracle.judge(task, CASE, words.split())
    assert right == (solved == "ok")
    assert levels == dict(zip(task.levels, verdicts.trace_ok[0].tolist(), strict=True))


def test_no_stop_word_passes_nothing():
    task, examples = drawn(20)
    cut = Ragged.of([row[:-1] for row in references(task, examples)])
    verdicts = task.judge(examples, cut)
    assert not verdicts.trace_ok.any()
    assert not verdicts.solution_valid.any()
    assert {task.reasons[r] for r in verdicts.solution_reason} == {"truncated"}


def test_the_variants_are_harder():
    task = Arithmetic(ood=[{"operations": [10, 14]}, {"distractors": 8}])
    assert list(task.test_sets()) == ["operations_10_14", "distractors_8"]
    for variant in task.test_sets().values():
        examples = variant.generate(rng.keys(0, "ood", 0, 50, "problem"), "ood")
        assert task.judge(examples, references(variant, examples)).trace_ok.all()


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"solver": "sideways"}, r"task\.solver='sideways'"),
        ({"tie_break": "last"}, r"task\.tie_break='last'"),
        ({"operators": ["pow"]}, r"task\.operators='pow'"),
        ({"operators": []}, r"task\.operators is empty"),
        ({"edges": 2.0}, r"task\.edges=2\.0"),
        ({"modulus": 1}, r"task\.modulus=1 must be from 2"),
        ({"operations": 0}, r"task\.operations=0"),
        ({"operations": [5, 3]}, r"task\.operations=\[5, 3\]"),
        ({"distractors": "many"}, r"task\.distractors=many"),
        ({"reach": {"names": 5}}, r"task\.reach: names=5 is below the 12 in use"),
        ({"ood": [{"modulus": 7}]}, r"task\.ood: 'modulus' is no knob that may differ"),
    ],
)
def test_bad_knobs(knobs, message):
    with pytest.raises(ValueError, match=message):
        Arithmetic(**knobs)


def test_too_small_a_space():
    task = Arithmetic(operations=1, distractors=0, modulus=2)
    with pytest.raises(ValueError, match=r"20,?000 draws gave no problem.*task\.operations"):
        task.generate(rng.keys(0, "test", 0, 5, "problem"), "test")


def test_numbers_above_the_names_stay_as_they_are_under_other_names():
    task, examples = drawn(20, modulus=50)
    changed = task.perturb(examples, "rename", rng.keys(0, "train", 0, 20, "perturbation"))
    assert changed.identity.tolist() == examples.identity.tolist()


def test_the_docstring_and_the_yaml_say_what_edges_are_the_share_of():
    text = (CONF / "task" / "arithmetic.yaml").read_text(encoding="utf-8")
    for said in (Arithmetic.__doc__, text):
        words = " ".join(said.split())
        assert re.search(r"with operands 46 % have two names at (edges=)?0, 73 % at 0\.5", words)


@pytest.mark.parametrize(("edges", "two_names"), [(0, 0.46), (0.5, 0.73), (1, 1)])
def test_edges_are_the_share_that_the_docstring_says(edges, two_names):
    """Of needed definitions with operands those with two names; of distractors those that rest on others."""
    _, examples = drawn(1500, edges=edges)
    both, resting = [], []
    for problem in examples.problem:
        rows = {row[0]: row for row in problem[4:].reshape(-1, 4).tolist()}
        needed, front = set(), {int(problem[3])}
        while front:
            needed |= front
            front = {o for name in front for o in rows[name][2:] if o >= 0} - needed
        both += [min(row[2:]) >= 0 for name, row in rows.items() if name in needed and max(row[2:]) >= 0]
        resting += [max(row[2:]) >= 0 for name, row in rows.items() if name not in needed]
    assert np.mean(both) == pytest.approx(two_names, abs=0.02)
    assert np.mean(resting) == pytest.approx(edges, abs=0.04)
