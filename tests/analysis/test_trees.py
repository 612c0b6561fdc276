"""What stands on an error, where the error is planted: exactly what rests on it."""

from dataclasses import replace
from types import SimpleNamespace

import networkx as nx
import numpy as np
import polars as pl
import pytest

from tests.analysis.test_provenance import computing, in_words
from tests.helpers.written import completed, outcomes
from tests.helpers.written import study as study_of
from tests.oracles import arithmetic as oracle
from tests.tasks.test_deduction import PLACES
from tests.tasks.test_deduction import case as theory
from tracelab.analysis.trees import levels, sound, steps, trees
from tracelab.core.ragged import Ragged
from tracelab.data.frozen import drawn, references
from tracelab.report.sections.trees import section
from tracelab.tasks.arithmetic import Arithmetic
from tracelab.tasks.deduction import Deduction
from tracelab.tasks.hops import Hops
from tracelab.tasks.maze import Maze

N = 40
TASK = Arithmetic()
COMPUTING = "task:\n  _target_: tracelab.tasks.arithmetic.Arithmetic\n"


def planted(problem, trace, at):
    """A trace with a wrong value in row `at`, from which the rest is computed rightly."""
    definitions, modulus, _ = oracle.read(problem)
    rows, said = trace.copy(), {}
    for r, row in enumerate(rows):
        rule, operands = definitions[oracle.name_of(row[1])]
        numbers = [o if isinstance(o, int) else said[o] for o in operands]
        if rule != "let":
            row[2:4] = numbers
        row[4] = (oracle.RULES[rule](numbers[0], numbers[-1]) + (r == at)) % modulus
        said[oracle.name_of(row[1])] = int(row[4])
    return rows


def graph_of(problem, trace):
    """Steps, with an edge from each to those that use it."""
    definitions, _, _ = oracle.read(problem)
    place = {oracle.name_of(row[1]): r for r, row in enumerate(trace)}
    graph = nx.DiGraph()
    graph.add_nodes_from(place.values())
    for name, r in place.items():
        graph.add_edges_from((place[o], r) for o in definitions[name][1] if not isinstance(o, int))
    return graph


@pytest.fixture(scope="module")
def wrong():
    """Examples, which step of each is wrong, and their outcomes."""
    examples, draw = drawn(TASK, 0, "test", "problem", 0, N), np.random.default_rng(0)
    at = draw.integers(examples.trace.lengths)
    traces = [planted(*parts) for parts in zip(examples.problem, examples.trace, at, strict=True)]
    rows = TASK.codec.encode(TASK.codec.trace, Ragged.stack(traces, 5))
    return examples, at, outcomes(TASK, examples, completed(TASK, rows, examples.solution))


def test_what_rests_on_a_planted_error_stands_on_it_and_nothing_else_does(wrong):
    examples, at, known = wrong
    found = steps(known.lazy(), TASK)
    for i, (problem, trace) in enumerate(zip(examples.problem, examples.trace, strict=True)):
        graph, root = graph_of(problem, trace), len(trace) - 1
        roles = dict.fromkeys(nx.descendants(graph, at[i]), "standing") | {at[i]: "wrong"}
        mine = found.filter(index=i)
        assert mine["role"].to_list() == [roles.get(r, "sound") for r in range(len(trace))]
        far = nx.single_target_shortest_path_length(graph, root)
        assert mine["depth"].to_list() == [dict(far)[r] for r in range(len(trace))]
        below = [nx.dag_longest_path_length(graph.subgraph({r, *nx.ancestors(graph, r)})) for r in graph]
        assert mine["height"].to_list() == [below[list(graph).index(r)] for r in range(len(trace))]


def test_trees_and_groups_count_it(wrong):
    examples, _, known = wrong
    found = steps(known.lazy(), TASK)
    counted = trees(found).sort("index")
    assert counted["nodes"].to_list() == examples.trace.lengths.tolist()
    assert counted["wrong"].to_list() == [1] * N
    assert (counted["sound"] + counted["standing"] + 1 == counted["nodes"]).all()
    planted_at = found.filter(role="wrong").sort("index")
    for name in ("first_depth", "deepest_depth"):
        assert counted[name].to_list() == planted_at["depth"].to_list()
    for name in ("first_height", "deepest_height"):
        assert counted[name].to_list() == planted_at["height"].to_list()
    (row,) = sound(counted).to_dicts()
    assert (row["answered"], row["faulty"], row["accuracy_faulty"], row["accuracy_sound"]) == (1, 1, 1, None)
    assert (row["n"], row["n_trees"], row["seeds"]) == (N, N, 1)
    assert row["sound"] == pytest.approx(counted["sound"].sum() / counted["nodes"].sum())
    assert row["first_depth"] == pytest.approx(planted_at["depth"].mean())
    by_level = levels(found)
    assert by_level["n"].sum() == examples.trace.lengths.sum()
    assert (by_level["wrong"] * by_level["n"]).sum() == pytest.approx(N)
    assert np.allclose(by_level.select(pl.sum_horizontal("sound", "wrong", "standing")), 1)


def test_completions_without_steps_are_counted(wrong):
    """They have no tree: of half the completions the trace is empty, of another run's all are."""
    examples, _, known = wrong
    empty = completed(TASK, Ragged.of([[]] * N), examples.solution)
    some = pl.concat([known[: N // 2], outcomes(TASK, examples, empty)[N // 2 :]])
    found = steps(pl.concat([some, outcomes(TASK, examples, empty, "silent")]).lazy(), TASK)
    assert found["step"].null_count() == N // 2 + N
    counted = trees(found)
    assert counted["index"].to_list() == [*range(N), *range(N)]
    assert (counted["nodes"] == 0).sum() == N // 2 + N
    half, nothing = sound(counted).sort("arm").to_dicts()
    assert (half["answered"], half["n"], half["n_trees"], half["seeds"]) == (0.5, N, N // 2, 1)
    assert half["sound"] == sound(counted.filter(pl.col("nodes") > 0))["sound"].item()
    assert (nothing["answered"], nothing["n"], nothing["n_trees"], nothing["seeds"]) == (0, N, 0, 1)
    assert nothing["sound"] is None
    assert levels(found)["arm"].unique().to_list() == ["plain"]


def test_of_two_errors_the_first_and_the_deepest():
    """In a chain: the first is the deeper one where the steps come in order."""
    found = pl.DataFrame(
        {
            **dict.fromkeys(("run", "arm", "split"), "x"),
            **dict.fromkeys(("seed", "problem_key", "index"), 0),
            "solution_valid": False,
            "step": range(5),
            "role": ["sound", "wrong", "wrong", "standing", "aside"],
            "depth": [2, 1, 2, 0, None],
            "height": [0, 1, 0, 2, None],
        }
    )
    (row,) = trees(found).to_dicts()
    assert (row["nodes"], row["sound"], row["wrong"], row["standing"], row["height"]) == (4, 1, 2, 1, 2)
    assert (row["first_depth"], row["first_height"]) == (1, 1)
    assert (row["deepest_depth"], row["deepest_height"]) == (2, 0)


def test_of_errors_equally_far_the_one_nearest_the_leaves():
    """In whatever order they were written."""
    for heights in ([1, 0], [0, 1]):
        found = pl.DataFrame(
            {
                **dict.fromkeys(("run", "arm", "split"), "x"),
                **dict.fromkeys(("seed", "problem_key", "index"), 0),
                "solution_valid": False,
                "step": range(4),
                "role": ["sound", "wrong", "wrong", "standing"],
                "depth": [2, 1, 1, 0],
                "height": [0, *heights, 2],
            }
        )
        (row,) = trees(found).to_dicts()
        assert (row["deepest_depth"], row["deepest_height"]) == (1, 0)
        assert row["first_height"] == heights[0]


@pytest.mark.parametrize(
    "task", [TASK, Hops(), Deduction(), Deduction(solver="backward", width=3, logic=["and", "or"])], ids=str
)
def test_a_reference_trace_is_sound(task):
    """Of what is derived the tree has what the solution rests on: but of deduction all steps."""
    examples = drawn(task, 0, "test", "problem", 0, N)
    found = steps(outcomes(task, examples, references(task, examples)).lazy(), task)
    assert len(found) == examples.trace.lengths.sum()
    assert set(found["role"]) == ({"sound", "aside"} if task.name == "deduction" else {"sound"})
    assert found.filter(depth=0)["index"].n_unique() == len(found.filter(depth=0))


# A = 5, B = A + 3, C = A * 2, D = B - A, of which D is asked for
ARITHMETIC = {
    "let A 5 mul C 5 2 1 add B 5 3 8 sub D 8 5 3": "sound aside sound sound",  # what is wrong is not used
    "let A 6 let A 5 add B 5 3 8 sub D 8 5 3": "aside sound sound sound",  # said again before it is used
    "let A 5 add B 5 3 8 let A 6 sub D 8 6 2": "sound sound wrong standing",
    "let A 5 add B 4 3 7 sub D 7 5 2": "sound wrong standing",  # not the value that was said
    "add B 5 3 8 let A 5 sub D 8 5 3": "wrong sound standing",  # before what it rests on
    "let A 5 add B 5 3 8": "aside aside",  # no step answers
    "let A 5 add B 5 3 8 sub D 8 5 3 sub D 8 5 4": "sound sound aside wrong",
}
# A and B hold; r0: A and B then C; r1: C then D; r2: E then D; r3: B then F
DEDUCTION = {
    "apply r0 C apply r1 D": "sound sound",
    "apply r2 E apply r0 C apply r1 D": "aside sound sound",
    "apply r3 C apply r1 D": "wrong standing",
    "apply r1 D apply r0 C": "wrong aside",
}
NOTHING = {
    "fail E": "sound",
    "try r2 E": "aside",
    "try r2 E fail E": "wrong standing",
}


@pytest.mark.parametrize(
    ("name", "written"), [("arithmetic", ARITHMETIC), ("proof", DEDUCTION), ("unknown", NOTHING)]
)
def test_roles_that_are_known_by_construction(name, written):
    cases = {
        "arithmetic": (computing, " solution 3 end"),
        "proof": (lambda: theory(PLACES["D"], "forward"), " solution r0 C r1 D end"),
        "unknown": (lambda: theory(PLACES["E"], "backward"), " solution unknown end"),
    }
    case, ends = cases[name]
    task, examples = case()
    texts = [f"reasoning {trace}{ends}" for trace in written]
    texts = texts if name == "arithmetic" else [in_words(text) for text in texts]
    several = replace(examples.take(np.zeros(len(texts), int)), index=np.arange(len(texts)))
    tokens = Ragged.of([task.codec.tokens_of(text) for text in texts])
    found = steps(outcomes(task, several, tokens).lazy(), task)
    for k, roles in enumerate(written.values()):
        assert found.filter(index=k)["role"].to_list() == roles.split(), texts[k]


def test_a_task_that_has_no_tree_says_so():
    with pytest.raises(ValueError, match="task maze has no `tree`"):
        steps(pl.LazyFrame(), Maze(size=5))
    assert section(SimpleNamespace(task=lambda: Maze(size=5))) is None


@pytest.mark.filterwarnings("ignore:.*an older spelling")
def test_a_section_of_the_report_shows_it(tmp_path):
    """A run that writes the reference's derivations but for one value each."""

    def write(task, asked):
        rows = [planted(p, t, 0) for p, t in zip(asked.problem, asked.trace, strict=True)]
        return completed(task, task.codec.encode(task.codec.trace, Ragged.stack(rows, 5)), asked.solution)

    found = study_of(tmp_path, 12, write, COMPUTING)
    page = section(found)
    written = pl.read_csv(tmp_path / "study_data" / "trees.csv")
    assert set(written["split"]) == set(found.splits)
    for row in sound(trees(steps(found.table, found.task()))).iter_rows(named=True):
        assert f"{100 * row['sound']:.1f} <small>" in page
