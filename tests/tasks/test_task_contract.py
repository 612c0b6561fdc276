"""What every task promises, whichever it is: each folder (or file) in `tasks/` is found and held to it."""

import inspect
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest
import yaml
from hydra.utils import instantiate

from tests.helpers.promises import assert_kept
from tests.helpers.runs import task_names
from tests.helpers.students import asking_none
from tracelab.core import rng
from tracelab.core.codec import SPECIALS
from tracelab.core.paths import CLONE, CONF
from tracelab.core.ragged import Ragged, offsets_of
from tracelab.core.types import BINS, SPLITS, UNKNOWN
from tracelab.tasks.shared.perturbing import ANEW, KEPT, MAPPED

# Small settings by module; a task that is not named here is built with its defaults.
SMALL = {
    "arithmetic": [
        {},
        {"operations": [2, 10], "tie_break": "random", "ood": [{"operations": 12}, {"distractors": [5, 6]}]},
        {"solver": "backward", "modulus": 23, "operators": ["add", "mul"], "edges": 0.9},
    ],
    "deduction": [
        {"ood": [{"depth": [5, 6]}, {"width": 3}, {"distractors": 9}]},
        {"solver": "backward", "tie_break": "random", "logic": ["and", "or", "not", "forall"], "width": 3},
        {"logic": ["or"], "width": 3, "depth": 4, "solver": "backward"},
        {"logic": ["forall"], "entities": 4, "depth": [2, 6], "tie_break": "random", "ood": [{"depth": 8}]},
    ],
    "game": [
        {"board": [3, 3], "line": 3, "ood": [{"left": 5}]},
        {"board": [3, 4], "line": 3, "left": [3, 5], "search": "alphabeta", "misere": True},
        {
            "game": "nim",
            "heaps": 6,
            "left": [3, 5],
            "ood": [{"left": 6, "search": "alphabeta"}, {"heaps": 7}],
        },
        {"game": "connect", "tie_break": "random", "telling": False, "reach": {"columns": 5}},
    ],
    "hops": [
        {"ood": [{"hops": 6}, {"distractors": [9, 12]}]},
        {"solver": "backward", "hops": [3, 7], "motifs": ["bridge", "converging"], "entities": 30},
        {"tie_break": "random", "hops": [1, 6], "distractors": [0, 3], "relations": 2, "pairings": 4},
    ],
    "maze": [
        {"size": 6},
        {"size": [5, 7], "generator": "searchformer", "solver": "dijkstra", "format": "searchformer"},
        {"size": 7, "generator": "braided", "solver": "dfs", "tie_break": "random", "format": "compact"},
        {"size": 5, "generator": "prim", "solver": "greedy", "ood": [{"generator": "dfs"}, {"size": 7}]},
    ],
    "sat": [
        {"variables": 5, "ratio": 4.2},
        {"variables": 6, "ratio": 2.5, "clause_size": 2, "rule": "most_constrained", "tie_break": "random"},
        {"variables": 7, "satisfiable": "no", "rule": "any", "tie_break": "random"},
        {"satisfiable": "natural", "ood": [{"variables": 9}, {"ratio": 3}, {"generator": "planted"}]},
    ],
    "knights_knaves": [
        {"people": 5, "depth": 1},
        {"people": 6, "rule": "most_constrained", "tie_break": "random"},
        {"people": 5, "connectives": ["iff", "and"], "rule": "any", "ood": [{"people": 7}, {"depth": 3}]},
        {"people": 8, "depth": 4, "tie_break": "random"},
    ],
    "sudoku": [
        {"size": 4, "clues": [5, 8], "rule": "any"},
        {"clues": [9, 10], "tie_break": "random", "ood": [{"size": 4}, {"clues": [14, 16]}]},
        {"rule": "first", "hidden_singles": True, "max_steps": 500},
        {"size": 9, "clues": 32},
    ],
    "countdown": [
        {"ood": [{"numbers": 4}, {"limit": 300, "target_range": [201, 300]}]},
        {
            "numbers": 4,
            "solver": "greedy",
            "heuristic": "multiply",
            "use_all": False,
            "number_range": [2, 20],
        },
        {"operations": "+-*", "solver": "bfs", "tie_break": "random", "format": "stream_of_search"},
        {"numbers": 4, "operations": "+-", "solver": "astar", "tie_break": "lifo", "longest": 40},
    ],
    "sliding_tiles": [
        {"ood": [{"scramble": [8, 14], "longest": 60}, {"shape": [2, 4]}]},
        {"solver": "greedy", "heuristic": "linear_conflict", "tie_break": "random", "format": "boards"},
        {"shape": [4, 4], "heuristic": "linear_conflict", "tie_break": "lifo"},
        {"shape": [2, 3], "scramble": None, "solver": "bfs", "longest": None},
    ],
    "sokoban": [
        {"ood": [{"boxes": 2, "pulls": [2, 6], "longest": 90}, {"size": [6, 7]}]},
        {"solver": "greedy", "tie_break": "random", "heuristic": "boxes", "boxes": 2, "deadlocks": False},
        {"size": [5, 8], "solver": "dijkstra", "format": "searchformer", "outer_walls": True, "longest": 200},
        {"solver": "bfs", "tie_break": "lifo", "reach": {"side": 9, "boxes": 3}, "longest": 150},
        {
            "boxes": 2,
            "walls": 2,
            "size": 6,
            "pulls": [2, 5],
            "longest": 200,
            "format": "published",
            "outer_walls": True,
            "heuristic": "open_docks",
            "deadlocks": "corners",
        },
    ],
    "planning": [
        {"ood": [{"blocks": 6, "longest": 160}, {"domain": "logistics", "packages": 1}]},
        {
            "domain": "logistics",
            "locations": 2,
            "solver": "greedy",
            "tie_break": "random",
            "format": "states",
        },
        {"blocks": [4, 6], "scramble": [1, 3], "solver": "bfs", "heuristic": "goals", "longest": 200},
        {"domain": "logistics", "packages": [1, 2], "cities": 3, "scramble": [1, 2], "reach": {"blocks": 3}},
    ],
    "graph_path": [
        {"nodes": 10, "ood": [{"generator": "grid", "grid": [4, 4]}, {"nodes": 14, "max_weight": 3}]},
        {"generator": "grid", "coordinates": True, "solver": "astar", "tie_break": "random", "max_weight": 2},
        {"generator": "star", "star": [3, 3], "solver": "dfs", "query": "last", "format": "plain"},
        {"generator": "two_targets", "nodes": 12, "layers": 4, "max_weight": 5, "solver": "dijkstra"},
    ],
}


def classes_of(name):
    """The tasks that a file offers."""
    module = import_module(f"tracelab.tasks.{name}")
    offers = ("generate", "prompts", "judge", "judge_traces", "test_sets", "draw")
    classes = [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__.startswith(module.__name__) and all(hasattr(kind, offer) for offer in offers)
    ]
    assert classes, f"tasks/{name} offers no task: its __init__ imports none"
    return classes


def settings_of(name):
    """(knobs, task) of each setting."""
    for kind in classes_of(name):
        for knobs in SMALL.get(name, [{}]):
            yield knobs, kind(**knobs)


def discover():
    """Every task in every setting."""
    for name in task_names():
        for knobs, task in settings_of(name):
            yield pytest.param(task, id=f"{name}-{'-'.join(map(str, knobs.values()))}")


@pytest.fixture(params=discover())
def task(request):
    return request.param


def draw(task, n=40, seed=0, split="train", start=0):
    return task.generate(rng.keys(seed, split, start, start + n, "problem"), split)


def completions(task, examples, trace=None):
    codec = task.codec
    trace = codec.encode(codec.trace, examples.trace if trace is None else trace)
    solution = codec.encode(codec.solution, examples.solution)
    return codec.assemble(Ragged.of([[]] * len(examples)), trace, solution).tokens


def parts(examples):
    """Everything that must be the same bytes, whatever the chunking."""
    for name in ("problem", "trace", "solution"):
        yield name, getattr(examples, name).values
        yield name, getattr(examples, name).lengths
    yield "identity", examples.identity
    yield from examples.complexity.items()


def assert_same(a, b):
    for (name, x), (_, y) in zip(parts(a), parts(b), strict=True):
        assert x.dtype == y.dtype, name
        assert np.array_equal(x, y), name


def test_same_key_same_bytes_in_any_chunking(task):
    whole = draw(task)
    assert_same(whole, draw(task))
    for size in (1, 7, 39):
        chunks = [draw(task, min(size, 40 - a), start=a) for a in range(0, 40, size)]
        assert_same(whole, type(whole).concat(chunks))
    assert_same(whole.take(np.arange(40)[::-1]).take(np.arange(40)[::-1]), whole)
    assert not np.array_equal(draw(task, seed=1).problem.values, whole.problem.values)


def test_an_empty_draw(task):
    nothing = draw(task, 0)
    assert len(nothing) == 0
    assert len(task.prompts(nothing)) == 0
    assert len(task.judge(nothing, Ragged.of([])).steps) == 0


def test_the_reference_solver_passes_every_verdict(task):
    examples = draw(task)
    verdicts = task.judge(examples, completions(task, examples))
    assert verdicts.trace_ok.all()
    assert (verdicts.trace_at == -1).all()
    assert verdicts.solution_valid.all()
    assert (verdicts.solution_reason == 0).all()
    assert verdicts.steps.tolist() == examples.trace.lengths.tolist()
    assert task.judge_traces(examples, examples.trace).all()
    assert verdicts.trace_reason.shape == (len(examples), len(task.levels))
    assert "strict" in task.levels
    assert task.reasons[0] == "ok"


def test_rows_to_tokens_to_rows(task):
    examples, codec = draw(task), task.codec
    for table, ragged in ((codec.trace, examples.trace), (codec.solution, examples.solution)):
        for rows, tokens in zip(ragged, codec.encode(table, ragged), strict=True):
            decoded, read = codec.decode(table, tokens)
            assert np.array_equal(decoded, rows)
            assert read == len(tokens)
            assert np.array_equal(codec.tokens_of(codec.words_of(tokens)), tokens)


def test_the_vocabulary_is_closed(task):
    codec = task.codec
    assert codec.vocabulary[: len(SPECIALS)] == SPECIALS
    assert len(set(codec.vocabulary)) == len(codec.vocabulary)
    assert not any(set(word) & set(" \t\n") for word in codec.vocabulary)
    for variant in (task, *task.test_sets().values()):
        examples = draw(variant, split="ood")
        assert variant.codec.vocabulary == codec.vocabulary
        for tokens in (variant.prompts(examples), completions(variant, examples)):
            assert tokens.values.min() >= 0
            assert tokens.values.max() < len(codec.vocabulary)
        assert variant.judge(examples, completions(variant, examples)).trace_ok.all()


def test_one_stop_word_at_the_end(task):
    for row in completions(task, draw(task)):
        assert (row == task.codec.stop).sum() == 1
        assert row[-1] == task.codec.stop


def test_columns_describe_the_rows(task):
    rows = draw(task).trace.values
    assert rows.shape[1] == len(task.columns)
    assert task.columns[0].role == "op"
    for values, column in zip(rows.T, task.columns, strict=True):
        assert column.role in ("op", "state", "cost")
        assert values.min() >= -1
        assert values.max() < column.size


def test_complexities_are_named(task):
    examples = draw(task)
    assert set(examples.complexity) == set(task.complexities)
    assert all(values.shape == (len(examples),) for values in examples.complexity.values())


def test_splits_are_disjoint(task):
    seen = {}
    for split, (low, high) in SPLITS.items():
        examples = draw(task, 60, split=split)
        bins = examples.identity % np.uint64(BINS)
        assert ((low <= bins) & (bins < high)).all()
        seen[split] = {row.tobytes() for row in examples.problem}, set(examples.identity.tolist())
    for a in seen:
        for b in seen:
            if a != b:
                assert not seen[a][0] & seen[b][0]
                assert not seen[a][1] & seen[b][1]


def test_the_same_identity_for_the_same_problem(task):
    examples = draw(task, 300)
    by_problem = {}
    for row, identity in zip(examples.problem, examples.identity, strict=True):
        assert by_problem.setdefault(row.tobytes(), int(identity)) == int(identity)


def damaged(task, examples, column, seed=0):
    """Each trace with one operand of a column changed to another of its values."""
    generator, rows = np.random.default_rng(seed), [row.copy() for row in examples.trace]
    for row in rows:
        at, size = generator.choice(np.flatnonzero(row[:, column] >= 0)), task.columns[column].size
        row[at, column] = (row[at, column] + generator.integers(1, size)) % size
    return Ragged(np.concatenate(rows), examples.trace.offsets)


def proved(task, examples, traces):
    """Does the task's oracle, where it has one, call each of these traces strictly valid?"""
    if find_spec(f"tests.oracles.{task.name}") is None:
        return False
    oracle = import_module(f"tests.oracles.{task.name}")
    words = [task.codec.words_of(row).split() for row in completions(task, examples, traces)]
    pairs = zip(examples.problem, words, strict=True)
    return all(oracle.judge(task, problem, text)[2]["strict"] for problem, text in pairs)


def test_mutated_traces_are_rejected(task):
    """A wrong cost always; another state or operation unless it makes a valid variant: which is rare,
    or proved by the oracle.
    """
    whole = draw(task, 200)
    for k, column in enumerate(task.columns):
        named = np.flatnonzero([(row[:, k] >= 0).any() for row in whole.trace])
        if len(named) == 0:  # a task may have no heuristic, a search no conflict, and columns for them
            continue
        examples = whole.take(named)
        traces = damaged(task, examples, k)
        ok = task.judge_traces(examples, traces)
        few = ok.mean() <= (0 if column.role == "cost" else 0.02)
        rows = np.flatnonzero(ok)
        assert few or (ok.mean() < 0.2 and proved(task, examples.take(rows), traces.take(rows))), column
        verdicts = task.judge(examples, completions(task, examples, traces))
        assert np.array_equal(verdicts.trace_ok[:, task.levels.index("strict")], ok)
        assert verdicts.solution_valid.all()  # the two verdicts are apart
        bad = verdicts.trace_reason > 0
        assert ((verdicts.trace_at >= 0) == bad).all()


def test_cut_traces_are_rejected(task):
    examples = draw(task)
    keep = np.ones(len(examples.trace.values), bool)
    keep[examples.trace.offsets[1:] - 1] = False
    shorter = Ragged(examples.trace.values[keep], offsets_of(examples.trace.lengths - 1))
    assert not task.judge_traces(examples, shorter).any()
    nothing = Ragged(examples.trace.values[:0], np.zeros(len(examples) + 1, np.int64))
    assert not task.judge_traces(examples, nothing).any()


def test_another_problems_trace_is_rejected(task):
    examples = draw(task, 200)
    donors = np.roll(np.arange(200), 1)
    ok = task.judge_traces(examples, examples.trace.take(donors))
    same = [np.array_equal(examples.problem[i], examples.problem[d]) for i, d in enumerate(donors)]
    assert ok[~np.array(same)].mean() < 0.05


def test_any_tokens_get_a_verdict(task):
    examples, generator = draw(task, 60), np.random.default_rng(0)
    size = len(task.codec.vocabulary)
    good = completions(task, examples)
    kinds = (
        lambda i: generator.integers(-size, 3 * size, generator.integers(50)),
        lambda i: good[i][: generator.integers(len(good[i]))],
        lambda i: np.repeat(good[i], 2),
        lambda i: np.array([], np.int64),
    )
    rows = [kinds[i % len(kinds)](i) for i in range(60)]
    verdicts = task.judge(examples, Ragged.of(rows, dtype=np.int64))
    assert not verdicts.trace_ok[:, task.levels.index("strict")].any()
    assert not verdicts.solution_valid[[i for i in range(60) if i % len(kinds) != 2]].any()
    assert verdicts.trace_reason.max() < len(task.reasons)
    assert verdicts.solution_reason.max() < len(task.reasons)


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "trace").glob("*.yaml")))
def test_every_treatment_can_be_had(task, name):
    """Prompts and solutions are written apart from them; only the traces may differ."""
    examples = draw(task, 60)
    keys = rng.keys(0, "train", 0, 60, "treatment")
    treatment = asking_none(instantiate(yaml.safe_load((CONF / "trace" / f"{name}.yaml").read_text())))
    treated = treatment(task, examples, keys)
    assert len(treated) == 60
    assert_kept(treatment.promise, task, examples, treated, completions)
    tokens = task.codec.assemble(task.prompts(examples), treated.trace, task.prompts(examples)).tokens.values
    assert tokens.min() >= 0
    assert tokens.max() < len(task.codec.vocabulary)


def test_detours_are_legal_and_of_no_use(task):
    """Without what was added they are the reference's search, and so is the solution."""
    if not hasattr(task, "detours"):
        pytest.skip("it offers none")
    examples, keys = draw(task, 30), rng.keys(0, "train", 0, 30, "treatment")
    wanted = examples.trace.lengths // 2
    rows, added = task.detours(examples, wanted, keys)
    verdicts = task.judge(examples, completions(task, examples, rows))
    assert verdicts.trace_ok[:, task.levels.index("local")].all()
    assert verdicts.solution_valid.all()
    more = rows.lengths - examples.trace.lengths
    assert (more <= 2 * wanted).all()
    assert more.sum() > 0
    assert (np.add.reduceat(added.values, added.offsets[:-1]) == more).all()
    for steps, new, reference in zip(rows, added, examples.trace, strict=True):
        kept = steps[~new]
        if "propagate" in task.codec.format.trace:  # what is propagated may be what is left, and earlier
            kept, reference = (np.sort(part[part[:, 0] % 2 > 0, 1]) for part in (kept, reference))
        assert (kept == reference).all()


def test_perturbed_problems_are_problems(task):
    """Where a task offers small changes: solved, different, keyed, and as their example's index says."""
    examples, keys = draw(task, 60), rng.keys(0, "train", 0, 60, "perturbation")
    for kind in getattr(task, "perturbations", ()):
        changed = task.perturb(examples, kind, keys)
        assert task.judge(changed, completions(task, changed)).trace_ok.all()
        assert task.judge_traces(changed, changed.trace).all()
        assert set(changed.complexity) == set(examples.complexity)
        assert (np.diff(changed.index) > 0).all()
        pairs = zip(changed.problem, changed.index, strict=True)
        assert not any(np.array_equal(problem, examples.problem[i]) for problem, i in pairs)
        one = changed.index[-1:]
        assert_same(
            changed.take(np.arange(len(changed))[-1:]), task.perturb(examples.take(one), kind, keys[one])
        )


def test_answers_and_complexity_go_as_a_change_says(task):
    """A solution that is kept or carried solves the changed problem, and is as good as it was."""
    examples, keys = draw(task, 40), rng.keys(0, "train", 0, 40, "perturbation")
    before = task.judge(examples, alone(task, examples.solution))
    for kind, change in getattr(task, "changes", {}).items():
        changed = task.perturb(examples, kind, keys)
        for name in change.same:
            assert (changed.complexity[name] == examples.complexity[name][changed.index]).all(), (kind, name)
        if change.answer == ANEW:
            continue
        carried = task.carried(examples, kind, keys).take(changed.index)
        solutions = examples.solution.take(changed.index)
        assert change.answer != KEPT or np.array_equal(carried.values, solutions.values)
        after = task.judge(changed, alone(task, carried))
        assert after.solution_valid.all(), kind
        assert (after.solution_optimal == before.solution_optimal[changed.index]).all(), kind


@pytest.mark.parametrize("name", task_names())
def test_a_page_says_what_small_changes_do_to_answers(name):
    """In any setting: there are two changes or more, and each stands where it belongs."""
    page = (CLONE / "docs" / "probes.md").read_text(encoding="utf-8").partition("## Solved or remembered?")[2]
    row = next(line for line in page.splitlines() if line.startswith(f"| {name} |"))
    cells = dict(zip((KEPT, MAPPED, ANEW), row.split("|")[2:], strict=False))
    for _, task in settings_of(name):
        assert len(task.changes) > 1
        for kind, change in task.changes.items():
            assert f"`{kind}`" in cells[change.answer]


def alone(task, solutions):
    """Solutions (rows) as completions without a trace."""
    nothing = Ragged.of([[]] * len(solutions))
    tokens = task.codec.encode(task.codec.solution, solutions)
    return task.codec.assemble(nothing, nothing, tokens).tokens


def test_what_the_solver_knows_has_one_shape(task):
    """Where a task says it: of its own trace, of another problem's, and of none."""
    examples = draw(task, 6)
    shapes = set()
    for i, problem in enumerate(examples.problem):
        for trace in (examples.trace[i], examples.trace[i - 1], examples.trace[i][:0]):
            known = task.solver_state(problem, trace) if hasattr(task, "solver_state") else {}
            for name, quantity in known.items():
                assert quantity.values.dtype == np.int64
                assert quantity.values.min() >= UNKNOWN
                assert len(quantity.values) == len(trace) + 1
                shapes.add((name, quantity.number, quantity.values.shape[1]))
    assert len(shapes) == len({name for name, *_ in shapes})


def test_drawing_never_fails(task):
    examples = draw(task, 5)
    for i in range(5):
        assert len(task.draw(examples, i).splitlines()) > 1
        for step in (0, 1, 10**6):
            assert task.draw(examples, i, step=step)


def test_tasks_are_values(task):
    """Equal knobs, equal tasks: a task can be rebuilt from a run's config."""
    assert replace(task) == task
    assert_same(draw(replace(task), 5), draw(task, 5))
