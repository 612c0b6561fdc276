"""Linear probes find what is there and nothing else; labels are those of a search replayed by other means."""

import networkx as nx
import numpy as np
import polars as pl
import pytest
import torch

from tracelab.analysis.states import best, scores
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.core.types import UNKNOWN
from tracelab.data.frozen import references
from tracelab.models.gpt import GPT
from tracelab.models.places import capture
from tracelab.probe import Probing
from tracelab.probes.linear import halves, most_varied, of_problems, scored
from tracelab.probes.moments import BEGIN, END, activations, moments_of, quantities
from tracelab.probes.states import States
from tracelab.runs.build import build_task
from tracelab.runs.entry import compose
from tracelab.search.best_first.search import CLOSE
from tracelab.training.settings import Training

PROBLEMS, EACH, WIDTH = 60, 10, 16


def drawn(name, *overrides, n=12):
    task = build_task(compose(Training, "train", f"task={name}", *overrides).task)
    return task, task.generate(rng.keys(0, "train", 0, n, "problem"), "train")


# --- probes --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted():
    """(problems, kinds of step, noise) of moments, and a generator."""
    random = np.random.default_rng(0)
    problems = np.repeat(np.arange(PROBLEMS), EACH)
    kinds = random.integers(0, 40, len(problems))
    return problems, kinds, random.normal(size=(len(problems), WIDTH)).astype(np.float32), random


def figures(x, labels, number, problems, kinds):
    train = halves(problems.astype(np.uint64), np.random.default_rng(1))
    found = scored(x, labels[:, None], number, train, kinds, np.random.default_rng(2))
    sums = {name: values.sum() for name, values in vars(found).items()}
    assert {i for i, _ in of_problems(found, problems)} == set(problems[~train].tolist())
    ours, known = sums["right"] / sums["of"], sums["known_right"] / sums["known_of"]
    return ours, known - sums["control"] / sums["control_of"], sums["majority"] / sums["of"]


@pytest.mark.parametrize("number", [False, True])
def test_what_lies_along_a_direction_is_found(planted, number):
    problems, kinds, noise, random = planted
    labels = random.integers(0, 9 if number else 3, len(problems))
    directions = random.normal(size=(labels.max() + 1, WIDTH))
    planted = labels[:, None] * directions[:1] if number else directions[labels]
    score, selectivity, _ = figures(
        noise * 0.2 + 2 * planted.astype(np.float32), labels, number, problems, kinds
    )
    assert score > 0.95
    assert selectivity > 0.3


@pytest.mark.parametrize("number", [False, True])
def test_in_noise_nothing_is_found(planted, number):
    problems, kinds, noise, random = planted
    score, selectivity, majority = figures(
        noise, random.integers(0, 2, len(problems)), number, problems, kinds
    )
    assert abs(score - majority) < 0.15
    assert abs(selectivity) < 0.2


def test_what_varies_by_problem_alone_is_not_learned(planted):
    """Though what is read says which problem it is: tested are others."""
    problems, kinds, noise, random = planted
    who = np.eye(PROBLEMS, dtype=np.float32)[problems]
    label = random.permutation(np.arange(PROBLEMS) % 2)[problems]
    score, *_ = figures(np.hstack([who, 0.1 * noise]), label, False, problems, kinds)
    assert abs(score - 0.5) < 0.2


def test_steps_known_by_heart_are_no_selectivity(planted):
    """A probe that sees which kind of step it is learns the control task as well."""
    problems, kinds, _, random = planted
    label = random.integers(0, 2, kinds.max() + 1)[kinds]
    score, selectivity, _ = figures(np.eye(40, dtype=np.float32)[kinds], label, False, problems, kinds)
    assert score > 0.95
    assert selectivity < 0.1


def test_kinds_that_were_not_trained_on_are_no_selectivity(planted):
    """What knows all steps by heart is not selective, though it fails the control task at new kinds."""
    problems, kinds, _, random = planted
    train = halves(problems.astype(np.uint64), np.random.default_rng(1))
    kinds = np.where(train, kinds % 20, kinds)  # half of the tested kinds are new
    known = ~train & np.isin(kinds, kinds[train])
    label = random.integers(0, 2, 40)[kinds]
    found = scored(
        np.eye(40, dtype=np.float32)[kinds], label[:, None], False, train, kinds, np.random.default_rng(2)
    )
    assert found.tested.tolist() == (~train).astype(float).tolist()
    assert found.known.tolist() == found.known_of.tolist() == found.control_of.tolist() == known.tolist()
    assert 0.3 < found.known.sum() / found.tested.sum() < 0.7
    assert found.known_right.sum() == found.control.sum() == found.known.sum()
    assert not found.control[~known].any()
    none = scored(
        np.eye(40, dtype=np.float32)[kinds], label[:, None], False, train, kinds + 40 * ~train, random
    )
    assert none.known.sum() == none.control_of.sum() == 0
    assert none.right.sum() == found.right.sum()


def test_entities_that_never_vary_are_not_asked_for():
    labels = np.array([[0, 0, 1, UNKNOWN], [0, 1, 1, UNKNOWN], [0, 0, 0, 5], [0, 1, 1, 5]])
    everywhere = np.ones(4, np.bool_)
    assert most_varied(labels, False, everywhere, 3) == [1, 2]
    assert most_varied(labels, False, everywhere, 1) == [1]


# --- labels --------------------------------------------------------------------------------------------


def graph_of(problem):
    """A maze's free cells and moves, and its start and goal."""
    width, height, *ends = (int(n) for n in problem[:6])
    cells = problem[6:].reshape(height, width)
    graph = nx.grid_2d_graph(width, height)
    graph.remove_nodes_from([(x, y) for x, y in graph if not cells[y, x]])
    return graph, tuple(ends[:2]), tuple(ends[2:])


def test_a_mazes_cells_are_open_and_closed_as_in_a_replay():
    """Of A*: what is closed is as far from the start as it can be; what is open lies beside it."""
    task, examples = drawn("maze", "task.size=5", "task.generator=kruskal")
    for problem, trace in zip(examples.problem, examples.trace, strict=True):
        graph, start, goal = graph_of(problem)
        far = nx.single_source_shortest_path_length(graph, start)
        state = task.solver_state(problem, trace)
        status, g, h, coming = (state[name].values for name in ("status", "g", "h", "next"))
        closed = [(row[1] % task.stride, row[1] // task.stride) for row in trace if row[0] == CLOSE]
        for t in range(len(trace) + 1):
            done = closed[: sum(trace[:t, 0] == CLOSE)]
            beside = {near for cell in done[: -1 if done[-1:] == [goal] else None] for near in graph[cell]}
            last_complete = t == len(trace) or trace[t, 0] == CLOSE
            for x, y in graph:
                cell = y * task.stride + x
                expected = 2 if (x, y) in done else 1 if (x, y) in beside else 0
                if last_complete or expected == 2:
                    assert status[t, cell] == expected
                if status[t, cell]:
                    assert g[t, cell] >= far[x, y] if status[t, cell] == 1 else g[t, cell] == far[x, y]
                    assert h[t, cell] == abs(x - goal[0]) + abs(y - goal[1])
            following = closed[len(done) :]
            expected = following[0][1] * task.stride + following[0][0] if following else UNKNOWN
            assert coming[t, 0] == expected


def test_a_formulas_variables_are_assigned_as_its_clauses_say():
    """What is propagated stands alone in its clause, a conflict's clause is false, the end solves it."""
    task, examples = drawn("sat")
    backtracked = 0
    for problem, trace, solution in zip(examples.problem, examples.trace, examples.solution, strict=True):
        clauses = problem[4:].reshape(problem[1], problem[2])
        value = task.solver_state(problem, trace)["value"].values
        for t, (op, literal, clause) in enumerate(trace):
            others = [other for other in clauses[clause] if other != literal] if clause >= 0 else []
            assert all(value[t, other // 2] == 1 - other % 2 for other in others)
            assert op == 2 or value[t + 1, literal // 2] == literal % 2
            backtracked += op == 3
        if solution[0, 0] == 0:
            assert value[-1, : problem[0]].tolist() == [literal % 2 for literal in solution[:, 1]]
    assert backtracked, "this test needs a search that goes back"


def test_a_derivations_values_are_those_of_its_definitions():
    task, examples = drawn("arithmetic")
    for problem, trace in zip(examples.problem, examples.trace, strict=True):
        definitions = {row[0]: row[1:] for row in problem[4:].reshape(-1, 4).tolist()}

        def worth(operand, definitions=definitions, modulus=int(problem[2])):
            if operand < 0:
                return -1 - operand
            rule, left, right = definitions[operand]
            a, b = worth(left), worth(right) if rule else 0
            return (a, a + b, a - b, a * b)[rule] % modulus

        state = task.solver_state(problem, trace)
        for t in range(len(trace) + 1):
            known = np.flatnonzero(state["known"].values[t])
            assert set(known) == set(trace[:t, 1])
            assert [worth(int(name)) for name in known] == state["value"].values[t, known].tolist()


# --- moments -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def read():
    """Graph paths with their reference solver's texts, and moments of them."""
    task, examples = drawn("graph_path")
    prompts, texts = task.prompts(examples), references(task, examples)
    return task, examples, prompts, texts, moments_of(task, prompts, texts, steps=3, seed=0, room=10_000)


def test_a_moment_is_where_so_many_steps_are_taken(read):
    task, examples, prompts, texts, moments = read
    assert len(moments.text) == 2 * 3 * len(examples)
    for i, word, at, taken in zip(moments.text, moments.word, moments.at, moments.taken, strict=True):
        text = texts[i][: word + 1 - len(prompts[i])]
        assert len(task.codec.read_completion(text)[0]) == taken
        assert (task.codec.words_of(text[-1:]) in ("create", "close")) == (at == 0)
    found = quantities(task, examples, moments.traces, moments)
    own = [
        task.solver_state(p, t)["status"].values
        for p, t in zip(examples.problem, examples.trace, strict=True)
    ]
    expected = [own[i][taken] for i, taken in zip(moments.text, moments.taken, strict=True)]
    assert np.array_equal(found["status"].values, expected)
    shorter = quantities(task, examples, [trace[:1] for trace in examples.trace], moments)
    assert (shorter["status"].values[moments.taken > 1] == UNKNOWN).all()


@pytest.mark.parametrize("at", [BEGIN, END])
def test_steps_that_were_read_and_are_known_by_heart_are_no_selectivity(at):
    """At a step's first word the steps before it were read; what is told by the last of them, by heart."""
    task, examples = drawn("knights_knaves", "task.people=3", n=60)
    prompts, texts = task.prompts(examples), references(task, examples)
    moments = moments_of(task, prompts, texts, steps=12, seed=0, room=10_000)
    here, last = np.flatnonzero(moments.at == at), []
    for i, word in zip(moments.text[here], moments.word[here], strict=True):
        text = texts[i][: word + 1 - len(prompts[i])]
        rows = task.codec.read_completion(text)[0]
        last.append((*(rows[-1] if len(rows) else [UNKNOWN] * 3), text[-1] if at == BEGIN else UNKNOWN))
    steps, step = np.unique(np.array(last)[:, :3], axis=0, return_inverse=True)
    read = np.unique(np.array(last), axis=0, return_inverse=True)[1].ravel()
    x = np.hstack([np.eye(read.max() + 1)[read], np.eye(len(steps))[step.ravel()]]).astype(np.float32)
    label = np.random.default_rng(0).integers(0, 2, len(steps))[step.ravel()]
    kinds = moments.kind[here]
    assert len({*zip(read, kinds, strict=True)}) == len({*read}) == len({*kinds})
    score, selectivity, _ = figures(x, label, False, moments.text[here], kinds)
    assert score > 0.9
    assert abs(selectivity) < 0.05


def test_what_the_model_has_there_is_what_it_has_without_a_batch(read):
    _, _, prompts, texts, moments = read
    texts = prompts.joined(texts)
    texts = Ragged(texts.values % 20, texts.offsets)
    model = GPT(20, 512, layers=2, width=32, heads=4, kv_heads=2, mlp=48).eval()
    found = activations(model, texts, moments, ["embed", "blocks.1"])
    for k in range(0, len(moments.text), 7):
        tokens = torch.from_numpy(texts[int(moments.text[k])].astype(np.int64))[None]
        with torch.no_grad(), capture(model, "embed", "blocks.1") as seen:
            model(tokens)
        for place, values in found.items():
            there = seen.whole(place)[0, moments.word[k]].numpy()
            np.testing.assert_allclose(values[k], there, rtol=1e-3, atol=1e-4)


# --- the command ---------------------------------------------------------------------------------------


def test_a_probe_is_named_as_a_word_or_as_a_choice():
    asked = compose(Probing, "probe", "states", "run=x", "probe.steps=3")
    assert asked == compose(Probing, "probe", "probe=states", "run=x", "probe.steps=3")
    assert asked.probe["steps"] == 3


def test_knobs_that_are_none():
    with pytest.raises(ValueError, match=r"probe.traces='mine' is unknown; choose one of own, reference"):
        States(traces=["mine"])
    for knob in ("traces", "searches"):
        with pytest.raises(ValueError, match=rf"probe.{knob}=\[\] asks for nothing: take some of"):
            States(**{knob: []})
    with pytest.raises(ValueError, match="has no solver_state"):
        next(States().rows(None, type("Task", (), {"name": "x"})(), None, "own", {}))


def test_scores_are_ratios_over_problems():
    row = {"split": "s", "trace": "own", "search": "text", "quantity": "q", "number": False, "at": "end"}
    sums = [
        {"place": place, "of": 4.0, "right": right, "majority": 2.0, "control": 1.0, "control_of": 2.0}
        | {"tested": 4.0, "known": 2.0, "known_of": 2.0, "known_right": 2.0}
        for place, right in (("clock", 2.0), ("blocks.0", 3.0), ("blocks.1", 4.0))
    ]
    keys = [{"run": run, "problem_key": key} for run in "ab" for key in range(5)]
    table = pl.LazyFrame([{**row, **one, **key} for one in sums for key in keys])
    found = best(scores(table, by=("split",)))
    (only,) = found.iter_rows(named=True)
    assert only["place"] == "blocks.1"
    assert (only["score"], only["majority"], only["clock"], only["selectivity"]) == (1, 0.5, 0.5, 0.5)
    assert only["score_high"] == 1 > only["score_low"] > 0.5
    assert (only["problems"], only["seeds"]) == (5, 2)
    assert (only["known"], only["control"]) == (0.5, 0.5)
    for less in (table.filter(pl.col("problem_key") < 4), table.drop("tested", "known")):
        row = scores(less, by=("split",)).row(0, named=True)
        assert row["selectivity"] is row["selectivity_low"] is None
        assert row["known"] == (None if "known" not in less.collect_schema() else 0.5)


def test_selectivity_where_steps_begin_is_of_files_that_have_kinds_of_what_was_read():
    row = {"split": "s", "trace": "own", "search": "text", "quantity": "q", "number": False, "place": "embed"}
    sums = dict.fromkeys(("of", "right", "majority", "control_of", "tested", "known", "known_of"), 2.0)
    sums |= {"known_right": 2.0, "control": 1.0, "run": "a"}
    keys = [{"at": at, "problem_key": key} for at in ("begin", "end") for key in range(5)]
    older = pl.LazyFrame([{**row, **sums, **key} for key in keys])
    newer = older.with_columns(kinds=pl.lit("read"), run=pl.lit("b"))
    for table, expected in (
        (older, [None, 0.5]),
        (newer, [0.5, 0.5]),
        (pl.concat([older, newer], how="diagonal_relaxed"), [None, 0.5]),
    ):
        found = scores(table, by=("split",))
        assert found["at"].to_list() == ["begin", "end"]
        assert found["selectivity"].to_list() == found["control"].to_list() == expected
        assert found["known"].to_list() == [None if value is None else 1 for value in expected]
        assert found["score"].to_list() == [1, 1]
