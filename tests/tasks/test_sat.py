"""Satisfiability: the formulas, their truth, and the solver against python-sat, truth tables and a twin."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from pysat.solvers import Minisat22

from tests.oracles import sat as oracle
from tracelab.core import rng
from tracelab.core.jit import njit
from tracelab.core.paths import CONF
from tracelab.core.ragged import Ragged
from tracelab.search.backtracking.problem import identity as canonical
from tracelab.search.backtracking.problem import load
from tracelab.tasks.sat import Sat
from tracelab.tasks.sat.formula import GENERATORS, HEADER


def formulas(task, n=100, seed=0, split="train"):
    return task.generate(rng.keys(seed, split, 0, n, "problem"), split)


def clauses_of(problem):
    literals = [-(x // 2 + 1) if x % 2 else x // 2 + 1 for x in problem[HEADER:].tolist()]
    size = int(problem[2])
    return [literals[k : k + size] for k in range(0, len(literals), size)]


@pytest.mark.parametrize(
    "task", [Sat(satisfiable="natural"), Sat(variables=20, satisfiable="natural", max_steps=2000)]
)
def test_satisfiable_as_python_sat_says(task):
    examples = formulas(task)
    for i, problem in enumerate(examples.problem):
        with Minisat22(bootstrap_with=clauses_of(problem)) as solver:
            assert solver.solve() == bool(problem[3]) == bool(examples.complexity["satisfiable"][i])
    shares = examples.complexity["satisfiable"].mean()
    assert 0.05 < shares < 0.95


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_clauses_have_distinct_variables(generator, size):
    task = Sat(variables=5, clause_size=size, generator=generator, satisfiable="natural")
    examples = formulas(task)
    for problem in examples.problem:
        assert problem[:3].tolist() == [5, 20, size]
        for clause in clauses_of(problem):
            assert len({abs(x) for x in clause}) == size
    if generator == "planted":
        assert examples.complexity["satisfiable"].all()


def test_literals_are_drawn_evenly():
    values = np.concatenate([p[HEADER:] for p in formulas(Sat(satisfiable="natural"), 1000).problem])
    counts = np.bincount(values, minlength=16) / len(values)
    assert np.abs(counts - 1 / 16).max() < 0.004


def test_planted_formulas_hide_their_solution_fairly():
    """Both values of a variable stand in planted clauses about as often, over all formulas."""
    values = np.concatenate(
        [p[HEADER:] for p in formulas(Sat(generator="planted", satisfiable="yes"), 1000).problem]
    )
    assert abs((values % 2).mean() - 0.5) < 0.02


@pytest.mark.parametrize(("wanted", "low", "high"), [("balanced", 0.4, 0.6), ("yes", 1, 1), ("no", 0, 0)])
def test_the_share_of_satisfiable_formulas(wanted, low, high):
    share = formulas(Sat(satisfiable=wanted), 400).complexity["satisfiable"].mean()
    assert low <= share <= high


def test_the_same_identity_under_every_renaming():
    """Names of variables, which literal is the negated one, order of clauses and within them."""
    task, draw = Sat(variables=6), np.random.default_rng(0)
    examples = formulas(task, 30)
    seen = set()
    for i, problem in enumerate(examples.problem):
        clauses = problem[HEADER:].reshape(-1, 3)
        names, flips = draw.permutation(6), draw.integers(0, 2, 6)
        renamed = 2 * names[clauses // 2] + (clauses % 2 ^ flips[clauses // 2])
        for row in renamed:
            draw.shuffle(row)
        draw.shuffle(renamed)
        assert identity(task, [*problem[:HEADER], *renamed.ravel()]) == examples.identity[i]
        changed = renamed.copy()
        changed[0, 0] ^= 1
        seen.add(identity(task, [*problem[:HEADER], *changed.ravel()]) == examples.identity[i])
    assert seen == {False}


def identity(task, numbers):
    return loaded_identity(task._csp(), np.array(numbers, np.int16))


@njit
def loaded_identity(formula, problem):
    load(formula, problem)
    return canonical(formula)


def test_small_formulas_are_told_apart():
    """All formulas of two clauses over three variables: as many identities as classes under renaming."""
    task = Sat(variables=3, ratio=0.67, clause_size=2, satisfiable="natural")
    every = [(2 * a + s, 2 * b + t) for a, b in combinations(range(3), 2) for s in (0, 1) for t in (0, 1)]
    classes, identities = {}, {}
    for pair in combinations(every, 2):
        numbers = [3, 2, 2, 1, *pair[0], *pair[1]]
        identities.setdefault(identity(task, numbers), set()).add(pair)
        classes.setdefault(canonical_form(pair), set()).add(pair)
    assert sorted(map(sorted, classes.values())) == sorted(map(sorted, identities.values()))


def canonical_form(clauses):
    """The least image under all renamings and flips, by trying them all."""
    images = []
    for names in permutations(range(3)):
        for flips in range(8):
            image = [
                tuple(sorted(2 * names[x // 2] + (x % 2 ^ (flips >> x // 2 & 1)) for x in clause))
                for clause in clauses
            ]
            images.append(tuple(sorted(image)))
    return min(images)


@pytest.mark.parametrize("rule", ["first", "most_constrained"])
def test_the_search_is_the_textbooks(rule):
    """A twin in plain Python records the same steps: first clause, first variable, true before false."""
    task = Sat(variables=6, rule=rule)
    examples = formulas(task, 60)
    for problem, rows in zip(examples.problem, examples.trace, strict=True):
        trace = Ragged(rows, np.array([0, len(rows)]))
        words = task.codec.words_of(task.codec.encode(task.codec.trace, trace)[0])
        assert words == " ".join(dpll(oracle.Formula(tuple(problem.tolist()), rule)))


def dpll(formula):
    """Steps as words, recursively."""
    words = []

    def number(name):
        return int(name[1:])

    def literal(variable, value):
        return str(variable) if value else f"-{variable}"

    def extend(assigned):
        while True:
            failed = formula.conflicts(assigned)
            if failed:
                words.extend(["conflict", min((name for _, name in failed), key=number)])
                return False
            forced = formula.consequences(assigned)
            if not forced:
                break
            variable, value, name = min(forced, key=lambda step: number(step[2]))
            words.extend(["propagate", literal(variable, value), name])
            assigned = {**assigned, variable: value}
        if len(assigned) == len(formula.variables):
            return True
        variable = min(formula.eligible(assigned))
        words.extend(["decide", literal(variable, True)])
        if extend({**assigned, variable: True}):
            return True
        words.extend(["backtrack", literal(variable, False)])
        return extend({**assigned, variable: False})

    extend({})
    return words


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        (
            {"clause_size": 9},
            r"task.clause_size=9 is above task.variables=8: a clause's variables",
        ),
        (
            {"ood": [{"variables": 2}]},
            r"task.ood, {variables: 2}: task.clause_size=3 is above task.variables=2",
        ),
        ({"variables": 0}, r"task.variables=0 must be from 1 to 100"),
        ({"variables": 101}, r"task.variables=101 must be from 1 to 100"),
        ({"clause_size": 0}, r"task.clause_size and task.max_steps must be 1 or more"),
        ({"ratio": 0.01}, r"task.ratio=0.01 gives no clause"),
        ({"ratio": float("nan")}, r"task.ratio=nan must be a finite number"),
        ({"ratio": float("inf")}, r"task.ratio=inf must be a finite number"),
        ({"variables": 100, "ratio": 400.0}, r"task.ratio=400.0 gives more than 32,767 clauses .*lower it"),
        ({"ratio": 0.8, "satisfiable": "no"}, r"task.satisfiable=no can't be had: fewer than 8 clauses"),
        ({"generator": "planted", "satisfiable": "balanced"}, r"satisfiable=balanced can't be had"),
        ({"generator": "horn"}, r"task.generator='horn' is unknown; choose one of uniform, planted"),
        ({"rule": "vsids"}, r"task.rule='vsids' is unknown"),
        ({"tie_break": "fifo"}, r"task.tie_break='fifo' is unknown"),
        ({"satisfiable": "maybe"}, r"task.satisfiable='maybe' is unknown"),
        ({"ood": [{"generator": "x"}]}, r"task.ood, {generator: x}: task.generator='x' is unknown"),
        ({"ood": [{"clause_size": 2}]}, "task.ood: 'clause_size' is no knob that may differ"),
        ({"reach": {"variables": 7}}, r"task.reach: variables=7 is below the 8 in use"),
        ({"reach": {"clauses": 7}}, r"task.reach: clauses=7 is below the 32 in use"),
    ],
)
def test_impossible_knobs(knobs, message):
    with pytest.raises(ValueError, match=message):
        Sat(**knobs)


def test_what_cannot_be_drawn_says_so():
    keys = rng.keys(0, "train", 0, 1, "problem")
    with pytest.raises(ValueError, match="20000 draws gave no problem of the train split: 30 variables"):
        Sat(variables=30, ratio=1.0, satisfiable="no").generate(keys, "train")
    with pytest.raises(ValueError, match="split='exam' is unknown"):
        Sat().generate(keys, "exam")


def test_a_formula_beyond_the_vocabulary_is_refused():
    examples = formulas(Sat(variables=9), 2)
    with pytest.raises(ValueError, match="a problem of 9 variables is beyond this task's vocabulary"):
        Sat().judge(examples, Ragged.of([[], []]))
    with pytest.raises(ValueError, match="1 outputs for 2 examples"):
        Sat(variables=9).judge(examples, Ragged.of([[]]))


def test_the_prompt_is_the_formula():
    task = Sat(variables=4, ratio=2, satisfiable="yes", ood=[{"variables": 5}])
    examples = formulas(task, 3)
    for problem, tokens in zip(examples.problem, task.prompts(examples), strict=True):
        lines = [f"c{c + 1} {' '.join(map(str, clause))}" for c, clause in enumerate(clauses_of(problem))]
        assert task.codec.words_of(tokens) == " ".join(["variables 4", *lines])


def test_drawings():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    task = Sat()
    examples = formulas(task, 4)
    for i in range(4):
        assert task.draw(examples, i).count("c") >= 32
        assert "assigned: 1?" in task.draw(examples, i, step=1)
        figure, ax = plt.subplots()
        task.plot(ax, examples.problem[i], examples.trace[i], examples.solution[i], 3)
        task.plot(ax, examples.problem[i], examples.trace[i][:0], examples.solution[i][:0], None)
        plt.close(figure)


@pytest.mark.parametrize("seed", range(10))
def test_the_test_sets_can_be_drawn(seed):
    """Those of the YAML, in the size that runs draw: with few clauses hardly a formula is unsatisfiable."""
    task = instantiate(OmegaConf.load(CONF / "task" / "sat.yaml"), _convert_="all")
    for name, variant in task.test_sets().items():
        examples = variant.generate(rng.keys(seed, "ood", 0, 512, f"problem {name}"), "ood")
        share = examples.complexity["satisfiable"].mean()
        assert share == 1 if name == "planted" else abs(share - 0.5) < 0.1
