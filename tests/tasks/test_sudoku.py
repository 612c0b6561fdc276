"""Sudokus: one solution each (python-sat), symmetries, the solver against a twin, reasons, knobs."""

import numpy as np
import pytest
from pysat.solvers import Minisat22

from tests.oracles import sudoku as oracle
from tracelab.core import rng
from tracelab.core.jit import njit
from tracelab.core.ragged import Ragged
from tracelab.search.backtracking.problem import identity as canonical
from tracelab.search.backtracking.problem import load
from tracelab.search.backtracking.reasons import NAMES
from tracelab.search.completion import LEVELS
from tracelab.tasks.sudoku import Sudoku
from tracelab.tasks.sudoku.draws import refined
from tracelab.tasks.sudoku.grid import BOXES, HEADER

SIZES = {
    4: Sudoku(size=4, clues=[4, 9]),
    6: Sudoku(clues=[9, 16]),
    9: Sudoku(size=9, clues=[26, 36], max_steps=900),
}


def sudokus(task, n=60, seed=0, split="train"):
    return task.generate(rng.keys(seed, split, 0, n, "problem"), split)


def clauses(size):
    """A digit a cell, and each digit in each unit; variable (y, x, d) is 1 + (y * size + x) * size + d."""
    rows, columns = BOXES[size]
    n = range(size)

    def variable(y, x, d):
        return 1 + (y * size + x) * size + d

    units = [[(y, x) for x in n] for y in n] + [[(y, x) for y in n] for x in n]
    units += [
        [(y + j, x + i) for j in range(rows) for i in range(columns)]
        for y in range(0, size, rows)
        for x in range(0, size, columns)
    ]
    some = [[variable(*cell, d) for cell in unit] for unit in units for d in n]
    one = [[-variable(y, x, d), -variable(y, x, e)] for y in n for x in n for d in n for e in range(d)]
    return some + one


@pytest.mark.parametrize("size", SIZES)
def test_one_solution_as_python_sat_says(size):
    examples = sudokus(SIZES[size])
    rules = clauses(size)
    for problem, solution in zip(examples.problem, examples.solution, strict=True):
        clues = [1 + k * size + int(d) - 1 for k, d in enumerate(problem[HEADER:]) if d]
        with Minisat22(bootstrap_with=rules) as solver:
            assert solver.solve(assumptions=clues)
            found = [v for v in solver.get_model() if v > 0]
            assert [(v - 1) % size for v in found] == solution[:, 1].tolist()
            solver.add_clause([-v for v in found])
            assert not solver.solve(assumptions=clues)


@pytest.mark.parametrize("size", SIZES)
def test_each_number_of_clues_is_as_likely(size):
    task = Sudoku(size=size, clues=[size + 4, size + 7]) if size < 9 else Sudoku(size=9, clues=[30, 33])
    examples = sudokus(task, 800)
    numbers, counts = np.unique(examples.complexity["clues"], return_counts=True)
    fewest, most = task.clues
    assert numbers.tolist() == list(range(fewest, most + 1))
    assert (np.abs(counts - 200) < 60).all()


@njit
def loaded_identity(grid, problem):
    load(grid, problem)
    return canonical(grid)


def identity(task, grid):
    return loaded_identity(task._csp(), np.array([len(grid), *grid.ravel()], np.int16))


def image(grid, draw):
    """A random image: digits renamed; rows, bands, columns, stacks moved; square boxes: mirrored."""
    size = len(grid)
    rows, columns = BOXES[size]
    names = np.concatenate([[0], 1 + draw.permutation(size)])
    bands = np.concatenate([b * rows + draw.permutation(rows) for b in draw.permutation(size // rows)])
    stacks = np.concatenate(
        [s * columns + draw.permutation(columns) for s in draw.permutation(size // columns)]
    )
    moved = names[grid][bands][:, stacks]
    return moved.T if rows == columns and draw.random() < 0.5 else moved


@pytest.mark.parametrize("size", [6, 9])
def test_the_same_identity_under_every_symmetry(size):
    task, draw = SIZES[size], np.random.default_rng(0)
    examples = sudokus(task, 20)
    for i, problem in enumerate(examples.problem):
        grid = np.array(problem[HEADER:]).reshape(size, size)
        assert all(identity(task, image(grid, draw)) == examples.identity[i] for _ in range(5))
        other = grid.copy()
        y, x = (int(p[0]) for p in np.nonzero(grid))
        other[y, x] = 0
        assert identity(task, image(other, draw)) != examples.identity[i]
    assert len(np.unique(examples.identity)) == 20


def test_no_sudoku_of_oblong_boxes_is_transposed():
    """A task of square ones may be asked to change it."""
    make, draw = Sudoku(size=4, clues=8).changes["transpose"].make, np.random.default_rng(0)
    assert make(np.array([6] + 36 * [0], np.int16), draw) is None
    assert make(np.array([4] + 16 * [0], np.int16), draw) is not None


def test_small_grids_are_the_same_under_renaming_alone():
    task, draw = SIZES[4], np.random.default_rng(0)
    examples = sudokus(task, 300)
    forms = {}
    for i, problem in enumerate(examples.problem):
        grid = np.array(problem[HEADER:]).reshape(4, 4)
        names = np.concatenate([[0], 1 + draw.permutation(4)])
        assert identity(task, names[grid]) == examples.identity[i]
        order = list(dict.fromkeys(grid[grid > 0].tolist()))
        form = tuple(order.index(d) + 1 if d else 0 for d in grid.ravel().tolist())
        assert forms.setdefault(int(examples.identity[i]), form) == form
    assert len(forms) == len(set(forms.values()))


@njit
def loaded_form(grid, problem):
    load(grid, problem)
    return refined(grid)


def test_small_test_sudokus_are_mostly_images_of_training_ones():
    """As docs/tasks.md says: up to all symmetries, by the identity that larger ones have."""
    task, forms = Sudoku(size=4, clues=[5, 8]), []
    for split, count in (("train", 3000), ("test", 1000)):
        drawn = task.generate(rng.keys(0, split, 0, count, "problem"), split)
        forms.append([loaded_form(task._csp(), problem) for problem in drawn.problem])
    assert np.isin(forms[1], forms[0]).mean() == pytest.approx(0.74, abs=0.02)


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("rule", ["first", "most_constrained"])
def test_the_search_is_the_textbooks(rule, hidden):
    """A twin in plain Python records the same steps: first cell, least digit."""
    task = Sudoku(clues=[9, 11], rule=rule, hidden_singles=hidden, max_steps=1000)
    examples = sudokus(task, 25)
    for problem, rows in zip(examples.problem, examples.trace, strict=True):
        trace = Ragged(rows, np.array([0, len(rows)]))
        words = task.codec.words_of(task.codec.encode(task.codec.trace, trace)[0])
        puzzle = oracle.Sudoku(tuple(problem.tolist()), rule, hidden)
        steps = []
        assert extend(puzzle, dict(puzzle.given), steps)
        assert words == " ".join(steps)


def extend(puzzle, assigned, steps):
    """Recursive search; steps as words."""

    def step(op, cell, digit):
        steps.append(f"{op} r{cell[0]}c{cell[1]} {digit}")

    while True:
        failed = puzzle.conflicts(assigned)
        if failed:
            y, x = min(cell for _, cell in failed)
            steps.append(f"conflict r{y}c{x}")
            return False
        forced = puzzle.consequences(assigned)
        if not forced:
            break
        naked = {(c, d) for c, d, _ in forced if len(puzzle.domain(assigned, c)) == 1}
        cell, digit = min(naked or {(c, d) for c, d, _ in forced})
        step("propagate", cell, digit)
        assigned[cell] = digit
    if len(assigned) == len(puzzle.variables):
        return True
    cell = min(puzzle.eligible(assigned))
    for k, digit in enumerate(sorted(puzzle.domain(assigned, cell))):
        step("backtrack" if k else "decide", cell, digit)
        if extend(puzzle, {**assigned, cell: digit}, steps):
            return True
    return False


def test_hidden_singles_spare_decisions():
    keys = rng.keys(0, "train", 0, 300, "problem")
    without, with_them = (
        Sudoku(hidden_singles=hidden).generate(keys, "train").complexity["decisions"].mean()
        for hidden in (False, True)
    )
    assert with_them < 0.2 * without


@pytest.fixture(scope="module")
def case():
    task = Sudoku(size=4, clues=7)
    examples = sudokus(task, 1)
    codec = task.codec
    trace, solution = (
        codec.encode(codec.trace, examples.trace),
        codec.encode(codec.solution, examples.solution),
    )
    grid = np.array(examples.problem[0][HEADER:]).reshape(4, 4)
    return task, examples, codec.words_of(trace[0]), codec.words_of(solution[0]), grid


def verdict(case, trace, solution):
    task, examples, _, _, _ = case
    text = f"reasoning {trace} solution {solution} end"
    found = task.judge(examples, Ragged.of([task.codec.tokens_of(text)]))
    reasons = {level: NAMES[found.trace_reason[0, k]] for k, level in enumerate(LEVELS)}
    return {**reasons, "solution": NAMES[found.solution_reason[0]]}


def test_a_decision_for_a_digit_that_the_row_has(case):
    _, _, trace, solution, grid = case
    y, x = (int(p[0]) for p in np.nonzero(grid == 0))
    taken = int(grid[y][grid[y] > 0][0]) if grid[y].any() else int(grid[:, x][grid[:, x] > 0][0])
    assert verdict(case, f"decide r{y + 1}c{x + 1} {taken}", solution)["local"] == "not_in_domain"
    clue = np.argwhere(grid > 0)[0] + 1
    assert verdict(case, f"decide r{clue[0]}c{clue[1]} 1", solution)["local"] == "already_assigned"
    assert verdict(case, f"conflict r{y + 1}c{x + 1}", solution)["local"] == "not_a_conflict"
    assert verdict(case, f"conflict r{clue[0]}c{clue[1]}", solution)["local"] == "not_a_conflict"
    assert verdict(case, trace, solution)["strict"] == "ok"


def test_why_a_solution_is_rejected(case):
    _, _, trace, solution, _ = case
    digits = solution.split()
    assert verdict(case, trace, " ".join(digits[:-1]))["solution"] == "incomplete"
    assert verdict(case, trace, " ".join([*digits, "1"]))["solution"] == "no_such_variable"
    assert verdict(case, trace, " ".join([*digits[:-1], "r1c1"]))["solution"] == "syntax"
    swap = {"1": "2", "2": "1", "3": "4", "4": "3"}
    renamed = verdict(case, trace, " ".join(swap[d] for d in digits))  # a sudoku, but not with these clues
    assert renamed["solution"] == "violated"
    assert renamed["strict"] == "solution_differs"
    assert verdict(case, trace, " ".join(["1"] * 16))["solution"] == "violated"


def test_the_prompt_is_the_grid():
    task = Sudoku(size=4, clues=5, reach={"size": 9})
    examples = sudokus(task, 3)
    for problem, tokens in zip(examples.problem, task.prompts(examples), strict=True):
        grid = np.array(problem[HEADER:]).reshape(4, 4)
        clues = [f"r{y + 1}c{x + 1} {grid[y, x]}" for y, x in np.argwhere(grid > 0)]
        assert task.codec.words_of(tokens) == " ".join(["4x4", *clues])
    assert task.judge_traces(examples, examples.trace).all()


def test_a_batch_may_mix_sizes():
    mixed = [
        sudokus(Sudoku(size=size, clues=clues, reach={"size": 9}), 10)
        for size, clues in ((4, 6), (9, 32), (6, 12))
    ]
    whole = type(mixed[0]).concat(mixed)
    assert Sudoku(size=9, clues=30).judge_traces(whole, whole.trace).all()


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"size": 5}, "task.size=5: choose one of 4, 6, 9"),
        ({"ood": [{"size": 16}]}, "task.ood, {size: 16}: task.size=16: choose one of 4, 6, 9"),
        ({"clues": 7}, "size 6 has no single solution with fewer than 8 clues"),
        ({"size": 9, "clues": [16, 30]}, "fewer than 17 clues"),
        ({"clues": [12, 10]}, r"the range is \[fewest, most\]"),
        ({"clues": 36}, "of 36 cells one at least is to be blank"),
        ({"size": 4, "clues": [4, 20]}, "take fewer clues"),
        ({"clues": 11.5}, "must be a whole number or a range"),
        ({"clues": [1, 2, 3]}, "must be a whole number or a range"),
        ({"ood": [{"clues": 3}]}, r"task.ood, {clues: 3}: task.clues=3: .* fewer than 8 clues"),
        ({"rule": "random"}, "task.rule='random' is unknown"),
        ({"tie_break": "lifo"}, "task.tie_break='lifo' is unknown"),
        ({"max_steps": 0}, "task.max_steps=0 must be 1 or more"),
        ({"reach": {"size": 4}}, "task.reach: size=4 is below the 6 in use"),
        ({"reach": {"size": 17}}, "task.reach: size=17 is above 16"),
    ],
)
def test_impossible_knobs(knobs, message):
    with pytest.raises(ValueError, match=message):
        Sudoku(**knobs)


def test_what_cannot_be_drawn_says_so():
    with pytest.raises(ValueError, match=r"20000 draws .* take more task.clues or task.max_steps"):
        sudokus(Sudoku(size=4, clues=5, max_steps=3), 1)


def test_a_sudoku_beyond_the_vocabulary_is_refused():
    with pytest.raises(ValueError, match=r"a problem of 6 rows is beyond .* which ends at 4"):
        Sudoku(size=4, clues=6).judge(sudokus(Sudoku(), 1), Ragged.of([[]]))


def test_test_sets():
    sets = Sudoku(ood=[{"size": 4}, {"clues": 9}, {"clues": [14, 16]}, {"size": 9, "clues": 40}]).test_sets()
    assert {name: (t.size, t.clues) for name, t in sets.items()} == {
        "4x4": (4, [4, 6]),
        "9_clues": (6, 9),
        "14_to_16_clues": (6, [14, 16]),
        "9x9_40_clues": (9, 40),
    }


def test_drawings():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    task = Sudoku(clues=9)
    examples = sudokus(task, 4)
    for i in range(4):
        assert task.draw(examples, i).count("+") >= 27
        conflicts = np.flatnonzero(examples.trace[i][:, 0] == 2)
        assert all("!" in task.draw(examples, i, step=int(k) + 1) for k in conflicts)
        for bad in (None, 0, 3, *(int(k) for k in conflicts), len(examples.trace[i])):
            figure, ax = plt.subplots()
            task.plot(ax, examples.problem[i], examples.trace[i], examples.solution[i], bad)
            plt.close(figure)
