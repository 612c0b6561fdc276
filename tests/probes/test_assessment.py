"""Valid traces and damaged twins: what a model that knows nothing, and one that has learned, say of them."""

import numpy as np
import polars as pl
import pytest
import torch

from tests.helpers.runs import small
from tests.runs.test_entry import run as command
from tracelab.analysis import assessment
from tracelab.core.ragged import Ragged
from tracelab.evaluation.outcomes import write
from tracelab.probes.assessment import assess, of_run, twins
from tracelab.probes.imposing import opening
from tracelab.probes.tested import tested as model_and_sets
from tracelab.runs.folder import Run
from tracelab.traces.base import reference
from tracelab.training.experiment import train

WORDS = ("trace=correct", "task.ood=[]", "budget.steps=80", "validate_problems=0", "threads=1")
KEEPS = ("state", "cost", "order", "op")  # the number of words


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that has learned a little, with its pairs."""
    run = train(small(tmp_path_factory.mktemp("assessed"), *WORDS)).run
    write(of_run(run, rates=(0.1, 1.0)), run.folder / assessment.FILE)
    return Run.open(run.folder)


@pytest.fixture(scope="module")
def asked(run):
    return model_and_sets(run)


def test_who_has_learned_valid_traces_finds_them_likelier(run):
    found = assessment.of_file(run.folder / assessment.FILE)
    assert set(found["kind"]) == {*KEEPS, "drop", "insert"}
    assert set(found["rate"]) == {0.1, 1.0}
    for name in assessment.FIGURES:
        assert found.filter(pl.col("kind") == "order", rate=1.0)[f"{name}_low"].item() > 0.5
    assert (found["n"] + found["left_out"] == 24).all()
    assert found.filter(pl.col("kind").is_in(KEEPS))["longer"].to_list() == [0.0] * 8
    assert (found.filter(kind="insert")["longer"] > 0).all()
    assert (found.filter(kind="drop")["longer"] < 0).all()


def test_who_knows_nothing_ties_but_for_length(asked):
    """All tokens are as likely: per token and at the first change it is a tie, and the shorter whole wins."""
    ((task, examples),) = asked.tests.values()
    weights = {name: weight.clone() for name, weight in asked.model.state_dict().items()}
    with torch.no_grad():
        for weight in asked.model.parameters():
            weight.zero_()
    try:
        for damage, pairs in assess(asked.model, task, examples, seed=0, rates=(1.0,)):
            about = {"split": "wilson", "run": "r", "kind": damage.kind, "rate": damage.rate}
            keys = examples.identity[pairs.pop("row")]
            table = pl.DataFrame({**pairs, "problem_key": keys}).with_columns(
                pl.lit(value).alias(name) for name, value in about.items()
            )
            (row,) = assessment.by_damage(table.lazy(), by=["split"]).iter_rows(named=True)
            assert row["per_token"] == row["first"] == 0.5
            assert row["whole"] == {"drop": 0.0, "insert": 1.0}.get(damage.kind, 0.5)
            assert row["nats"] == 0
            assert row["seeds"] == 1
    finally:
        asked.model.load_state_dict(weights)


def test_likelihoods_are_the_models(run, asked):
    """Of one pair, read alone and token by token."""
    ((task, examples),) = asked.tests.values()
    found = pl.read_parquet(run.folder / assessment.FILE).filter(kind="drop", rate=1.0)
    (treated,) = [treated for _, treated in twins(task, examples, asked.sampling.seed, [1.0], ["drop"])]
    row = 2
    (at,) = np.flatnonzero(examples.index == found["index"][row])
    prompt = task.prompts(examples)[int(at)]
    known = {}
    for name, traces in (("valid", reference(task, examples)), ("twin", treated.trace)):
        trace = opening(task, traces)[int(at)]
        tokens = torch.from_numpy(np.concatenate([prompt, trace]).astype(np.int64))[None]
        with torch.no_grad():
            logprobs = asked.model.logits(asked.model.hidden(tokens[:, :-1])).log_softmax(-1)[0]
        of_trace = logprobs[len(prompt) - 1 :].gather(1, tokens[0, len(prompt) :, None])[:, 0]
        assert found[f"{name}_logprob"][row] == pytest.approx(float(of_trace.sum()), rel=1e-4)
        assert found[f"{name}_tokens"][row] == len(trace)
        known[name] = trace.tolist(), of_trace
    same = found["same_before"][row]
    one, other = known["valid"][0], known["twin"][0]
    assert one[:same] == other[:same]
    assert one[same] != other[same]
    for name, (_, logprobs) in known.items():
        assert found[f"{name}_first"][row] == pytest.approx(float(logprobs[same]), rel=1e-4)


def test_twins_that_are_legal_at_first_are_told(asked):
    """By reading each twin up to its first other step: no step of that is bad where the pair is legal."""
    ((task, examples),) = asked.tests.values()
    local, several = task.levels.index("local"), set()
    for damage, pairs in assess(asked.model, task, examples, 0, rates=(0.1,)):
        (treated,) = [found for _, found in twins(task, examples, 0, [0.1], [damage.kind])]
        for row, wrong in zip(pairs["row"], pairs["first_wrong"], strict=True):
            valid, twin = examples.trace[int(row)].tolist(), treated.rows[int(row)].tolist()
            same = next(k for k in range(len(valid) + 1) if valid[k : k + 1] != twin[k : k + 1])
            begun = task.codec.encode(task.codec.trace, Ragged.of([np.array(twin[: same + 1])]))
            bad = task.judge(examples.take(np.array([row])), opening(task, begun)).trace_at[0, local]
            assert wrong == (bad == same)
            several.add((damage.kind, bool(wrong)))
    assert {("drop", False), ("drop", True), ("state", True)} <= several


def test_twins_that_are_legal_at_first_do_not_count_there():
    pairs = {"valid_first": [-1.0, -1.0, -3.0], "twin_first": [-2.0, -2.0, -1.0]}
    pairs |= {"first_wrong": [True, True, False], "problem_key": [0, 1, 2], "left_out": [0] * 3}
    for name in ("valid", "twin"):
        pairs |= {f"{name}_logprob": [-4.0] * 3, f"{name}_tokens": [2] * 3}
    table = pl.LazyFrame(pairs).with_columns(
        pl.lit(value).alias(name)
        for name, value in {"split": "s", "kind": "drop", "rate": 0.1, "run": "r"}.items()
    )
    (row,) = assessment.by_damage(table, by=["split"]).iter_rows(named=True)
    assert (row["first"], row["first_n"], row["first_legal"], row["n"]) == (1, 2, 1, 3)
    (row,) = assessment.by_damage(table.drop("first_wrong"), by=["split"]).iter_rows(named=True)
    assert (row["first"], row["first_n"], row["first_legal"]) == (pytest.approx(2 / 3), 3, None)


def test_what_cannot_be_asked(asked, monkeypatch, capsys):
    ((task, examples),) = asked.tests.values()
    with pytest.raises(ValueError, match=r"trace\.kind='shift' is unknown; choose one of state"):
        next(assess(asked.model, task, examples, 0, kinds=["shift"]))
    one = examples.take(np.arange(1))
    kinds = {damage.kind for damage, _ in twins(task, one, 0, [1.0])}
    assert kinds == {*KEEPS, "drop"}
    assert "insert is left out: " in capsys.readouterr().err
    monkeypatch.setattr(asked.model, "context", 3)
    assert all(len(pairs["row"]) == 0 for _, pairs in assess(asked.model, task, examples, 0))


def test_the_command(run, tmp_path):
    done = command(
        "tracelab.assess", f"run={run.folder}", "problems=4", "kinds=[order]", "rates=[1]", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "at first change" in done.stdout
    assert set(pl.read_parquet(run.folder / assessment.FILE)["kind"]) == {"order"}
