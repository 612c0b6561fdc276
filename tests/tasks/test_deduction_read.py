"""Theories that no tower gives, read as files are: several proofs of one query, circles of rules."""

import numpy as np
import pytest

from tests.oracles import deduction as oracle
from tracelab.core.ragged import Ragged
from tracelab.data.frozen import references
from tracelab.tasks.deduction import Deduction
from tracelab.tasks.deduction.text import atom_name

ATOMS = 8


def read(task, words):
    return task.solved(Ragged.of([task.parse(task.codec.tokens_of(words))], np.int16))


def drawn_theory(draw, logic, rounds=False):
    """Any rules among few atoms, from those before to those behind; rounds: in any direction."""
    join = [name for name in ("and", "or") if name in logic]
    rules = []
    for k in range(int(draw.integers(6, 13))):
        order = draw.permutation(ATOMS) if rounds else np.sort(draw.permutation(ATOMS)[:4])[::-1]
        head, *body = (atom_name(a) for a in order[: 2 + int(draw.integers(3 if join else 1))])
        between = f" {join[draw.integers(len(join))]} " if join else ""
        rules.append(f"r{k} {between.join(body)} then {head}")
    facts = {int(a) for a in draw.integers(0, 3, 2)}
    asked = int(draw.integers(3, ATOMS))
    return " ".join([*rules, *(f"fact {atom_name(a)}" for a in sorted(facts)), f"prove {atom_name(asked)}"])


@pytest.mark.parametrize("logic", [[], ["and"], ["or"], ["and", "or"]])
@pytest.mark.parametrize("solver", ["forward", "backward"])
@pytest.mark.parametrize("tie_break", ["first", "random"])
def test_with_several_proofs_the_solution_is_one_of_them(logic, solver, tie_break):
    task = Deduction(logic=logic, solver=solver, tie_break=tie_break)
    draw = np.random.default_rng(0)
    for _ in range(60):
        problem = task.parse(task.codec.tokens_of(drawn_theory(draw, logic)))
        theory = oracle.read(task, problem)
        if solver == "forward" and oracle.saturated(theory) == theory.facts:
            with pytest.raises(ValueError, match="the search takes no step"):
                task.solved(Ragged.of([problem], np.int16))
            continue
        examples = task.solved(Ragged.of([problem], np.int16))
        verdicts = task.judge(examples, references(task, examples))
        assert verdicts.solution_valid.all()
        assert verdicts.trace_ok.all()
        if theory.query in oracle.saturated(theory):
            best = oracle.shortest(theory)
            assert examples.complexity["proof"][0] == best
            assert verdicts.solution_optimal[0] == (len(examples.solution[0]) == best)


def test_what_is_asked_is_no_fact():
    """Of another entity it may be one."""
    a, b = atom_name(0), atom_name(1)
    with pytest.raises(ValueError, match="what is asked is a fact"):
        read(Deduction(logic=[]), f"r0 {a} then {b} fact {b} prove {b}")
    task = Deduction(logic=["forall"], entities=2)
    examples = read(task, f"r0 {a} x then {b} x fact {b} A fact {a} B prove {b} B")
    assert task.judge(examples, references(task, examples)).trace_ok.all()
    with pytest.raises(ValueError, match="what is asked is a fact"):
        read(task, f"r0 {a} x then {b} x fact {a} B fact {b} A prove {b} A")


def test_the_shortest_proof_does_not_go_round_in_a_circle():
    draw = np.random.default_rng(1)
    task = Deduction(logic=["and", "or"])
    for _ in range(80):
        problem = task.parse(task.codec.tokens_of(drawn_theory(draw, task.logic, rounds=True)))
        theory = oracle.read(task, problem)
        if oracle.saturated(theory) == theory.facts:
            continue
        examples = task.solved(Ragged.of([problem], np.int16))
        if theory.query in oracle.saturated(theory):
            assert examples.complexity["proof"][0] == oracle.shortest(theory)
        assert task.judge(examples, references(task, examples)).solution_valid.all()


def test_a_proof_is_optimal_where_none_is_shorter():
    a, b, c = (atom_name(k) for k in range(3))
    task = Deduction(logic=[])
    examples = read(task, f"r0 {a} then {b} r1 {b} then {c} r2 {a} then {c} fact {a} prove {c}")
    written = [f"solution r0 {b} r1 {c} end", f"solution r2 {c} end"]
    for words, best in zip(written, [False, True], strict=True):
        verdicts = task.judge(examples, Ragged.of([task.codec.tokens_of(words)]))
        assert verdicts.solution_valid[0]
        assert verdicts.solution_optimal[0] == best


def test_a_theory_of_too_many_proofs_has_a_bound_of_the_shortest():
    """Each of ten levels is proved in two ways from each of two atoms: the search is given up."""
    task = Deduction(logic=["and"], reach={"atoms": 80, "labels": 120})
    rules = [
        f"r{k + n} {atom_name(x)} and {atom_name(y)} then {atom_name(z)}"
        for level in range(14)
        for n, k in enumerate([4 * level] * 4)
        for x, y, z in [(2 * level + n % 2, 2 * level + 1 - n // 2 % 2, 2 * level + 2 + n // 2)]
    ]
    facts = f"fact {atom_name(0)} fact {atom_name(1)}"
    examples = read(task, f"{' '.join(rules)} {facts} prove {atom_name(28)}")
    verdicts = task.judge(examples, references(task, examples))
    assert verdicts.solution_optimal[0]
    assert examples.complexity["proof"][0] == len(examples.solution[0])


def circles(theory):
    """Is there a literal, no fact, that a chain of rules leads back to?"""
    edges = {(r.head, p) for r in theory.rules for p in r.premises if not {r.head, p} & theory.facts}
    while True:
        more = edges | {(a, d) for a, b in edges for c, d in edges if b == c}
        if more == edges:
            return any(a == b for a, b in edges)
        edges = more


def test_backward_reads_no_circles_and_judges_the_rest_right():
    """What it reads, it solves by searches that the verifier accepts, with the right answer."""
    draw, seen = np.random.default_rng(2), set()
    task, forward = Deduction(logic=["and", "or"], solver="backward"), Deduction(logic=["and", "or"])
    for k in range(60):
        words = drawn_theory(draw, task.logic, rounds=k % 3 == 0)
        problem = forward.parse(forward.codec.tokens_of(words))
        seen.add(rounded := circles(oracle.read(forward, problem)))
        if rounded:
            with pytest.raises(ValueError, match=r"in a circle.*task\.solver=forward"):
                read(task, words)
        else:
            verdicts = task.judge(back := read(task, words), references(task, back))
            assert verdicts.trace_ok.all()
            assert verdicts.solution_valid.all()
    assert seen == {True, False}


def test_a_circle_of_one_entity_and_one_through_a_fact():
    a, b, c = (atom_name(k) for k in range(3))
    task = Deduction(logic=["forall"], solver="backward", entities=2)
    circle = f"r0 {a} A then {b} A r1 {b} %s then {a} %s fact {c} A prove {b} A"
    assert task.parse(task.codec.tokens_of(circle % ("B", "B"))).size
    for of in ("A", "x"):
        with pytest.raises(ValueError, match="in a circle"):
            task.parse(task.codec.tokens_of(circle % (of, of)))
    assert task.parse(task.codec.tokens_of(circle.replace("fact", f"fact {a} A fact") % ("A", "A"))).size
