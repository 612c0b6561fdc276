"""What a run's metrics.json and the analysis of its outcomes both say is one number."""

import json

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hydra.utils import instantiate

from tests.helpers.runs import small
from tracelab import analysis
from tracelab.analysis.confidence import calibrations
from tracelab.analysis.joint import first_errors, reasons
from tracelab.analysis.loading import levels_of
from tracelab.analysis.stability import NO_WORDS, per_problem, stability
from tracelab.core.paths import CONF
from tracelab.evaluation.outcomes import metrics_of
from tracelab.runs.entry import compose
from tracelab.training.experiment import train
from tracelab.training.settings import Training

LEVELS = ("parses", "strict")
SAMPLES = 4
BY = ["run", "split"]
ENDS = ("", "_low", "_high")
METRICS = "metric=[" + ",".join(sorted(path.stem for path in CONF.glob("metric/*.yaml"))) + "]"
ALONE = {"pass@2", f"pass@{SAMPLES}"}  # in metrics.json only; so are the reasons of solutions


def made(seed, valid=0.6, strict=0.5, problems=30):
    """Outcomes of two test sets with verdicts at random: SAMPLES of each problem, few answers, so that there
    are ties; two of the problems are one.
    """
    draw, n = np.random.default_rng(seed), 2 * problems * SAMPLES
    index = np.tile(np.repeat(np.arange(problems), SAMPLES), 2)
    answer = draw.integers(0, 3, n)
    solution = (answer == 0) if valid == 0.6 else np.full(n, bool(valid))
    passes, steps = draw.random(n) < strict, draw.integers(0, 9, n)
    columns = {
        "run": ["a run"] * n,
        "arm": ["correct"] * n,
        "seed": np.zeros(n, np.int64),
        "split": ["wilson"] * (n // 2) + ["dfs"] * (n // 2),
        "index": index,
        "problem_key": np.minimum(index, problems - 2).astype(np.uint64) + 2**63,
        "sample": np.tile(np.arange(SAMPLES), 2 * problems),
        "solution_valid": solution,
        "solution_optimal": solution & (draw.random(n) < 0.5),
        "solution_reason": np.where(solution, "ok", "illegal_move"),
        "solution_hash": answer.astype(np.uint64),
        "trace_hash": draw.integers(0, 3, n).astype(np.uint64),
        "trace_steps": steps,
        "truncated": ~solution & (draw.random(n) < 0.5),
        "mean_logprob": -draw.random(n),
    }
    for level in LEVELS:
        bad = np.array(["syntax", "wrong_g"])[draw.integers(0, 2, n)]
        columns |= {
            f"trace_{level}": passes,
            f"trace_{level}_reason": np.where(passes, "ok", bad),
            f"trace_{level}_at": pa.array(draw.integers(0, 10, n), mask=passes),
        }
    return pa.table(columns)


def all_metrics():
    return {name: instantiate(metric) for name, metric in compose(Training, "train", METRICS).metric.items()}


def of_analysis(table, levels):
    """Test set -> name in metrics.json -> (value, low, high) by the analysis of one run's outcomes."""
    found = {}

    def add(frame, name, columns):
        for row in frame.iter_rows(named=True):
            found.setdefault(row["split"], {})[name] = tuple(row[column] for column in columns)

    shares = ("value", "low", "high")
    for column in ("solution_valid", "solution_optimal", "truncated", *(f"trace_{k}" for k in levels)):
        add(analysis.rates(table, column, BY), column, shares)
    add(analysis.rates(table, "solution_valid", BY), "pass@1", shares)
    for level in levels:
        given = analysis.given(table, [level], BY).filter(of="trace")
        add(given, f"trace_{level}_given_valid", shares)
    joint = analysis.joint(table, "strict", BY)
    add(joint, "phi", ["phi"])
    for name in ("both", "only_solution", "only_trace", "neither"):
        add(joint.with_columns(share=pl.col(name) / pl.col("n")), f"{name}_valid", ["share"])
    for (reason,), part in reasons(table, "strict", BY).group_by("reason"):
        add(part, f"trace:{reason}", shares)
    add(first_errors(table, "strict", BY), "share_before_error", [f"share_before_error{e}" for e in ENDS])
    add(stability(table, "strict", BY), f"maj@{SAMPLES}", [f"maj{end}" for end in ENDS])
    return found


def check_same(metrics, table, levels):
    """Whatever is in a run's metrics, but for ALONE, is in the analysis, with the same numbers."""
    found = of_analysis(table, levels)
    assert metrics.keys() == found.keys()
    for split, estimates in metrics.items():
        shared = {name for name in estimates if not name.startswith("solution:")}
        assert shared - found[split].keys() == ALONE
        assert found[split].keys() <= shared
        for name, known in found[split].items():
            wanted = [estimates[name][field] for field in ("value", "low", "high")][: len(known)]
            same = wanted if None in wanted else pytest.approx(wanted, rel=1e-12, abs=1e-12)
            assert list(known) == same, name


@pytest.mark.parametrize("verdicts", [{}, {"valid": 0}, {"valid": 1}, {"strict": 0}, {"strict": 1}])
@pytest.mark.parametrize("seed", [0, 1])
def test_made_outcomes(seed, verdicts):
    """Verdicts at random; or one that is always the same: then phi, or a share of nothing, is unknown."""
    table = made(seed, **verdicts)
    check_same(metrics_of(table, all_metrics(), LEVELS), pl.from_arrow(table).lazy(), LEVELS)


def test_a_trained_run(tmp_path):
    """Its metrics.json, against its outcomes as they are loaded."""
    samples = f"eval.samples={SAMPLES}", "eval.temperature=1", "budget.steps=40", "model.width=64"
    train(small(tmp_path / "run", METRICS, *samples))
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())["test sets"]
    table = analysis.load(tmp_path)
    check_same(metrics, table, levels_of(table))


def test_accuracy_beside_the_two_confidences():
    table = made(2)
    metrics, lazy = metrics_of(table, all_metrics(), LEVELS), pl.from_arrow(table).lazy()
    _, summary = calibrations(lazy, BY)
    for split, estimates in metrics.items():
        for confidence, name in (("probability", "solution_valid"), ("vote", f"maj@{SAMPLES}")):
            (accuracy,) = summary.filter(split=split, confidence=confidence)["accuracy"]
            assert accuracy == pytest.approx(estimates[name]["value"])


def test_each_run_votes_for_itself():
    """The majorities of two runs, pooled, are the mean of each one's."""
    runs = [pl.from_arrow(made(seed)).with_columns(run=pl.lit(f"run {seed}")) for seed in (3, 4)]
    both = pl.concat(runs).lazy()
    pooled = stability(both, by=["split"]).row(0, named=True)
    each = stability(both, by=["run", "split"]).filter(split=pooled["split"])
    assert pooled["maj"] == pytest.approx(each["maj"].mean())
    assert pooled["n"] == each["n"].sum() == 60
    assert pooled["samples"] == SAMPLES


def test_a_copy_of_a_run_says_nothing_new():
    """Intervals count problems, not votes: as independent ones, they would be narrower by 1 - 1/√2."""
    run = pl.from_arrow(made(3))
    twice = pl.concat([run, run.with_columns(run=pl.lit("its copy"))])
    once, copied = (stability(frame.lazy(), by=["split"]) for frame in (run, twice))
    for name in ("maj", "faithful", "silent_failure"):
        widths = [frame[f"{name}_high"] - frame[f"{name}_low"] for frame in (once, copied)]
        assert copied[name].to_list() == pytest.approx(once[name].to_list())
        assert (widths[1] / widths[0]).is_between(0.85, 1.01).all()


def test_ties_count_by_what_each_may_win():
    table = pl.from_arrow(made(5)).lazy()
    tied = per_problem(table, by=["run"]).filter(pl.col("vote") == 0.5)
    assert set(tied["vote_correct"]) == {0.0, 0.5, 1.0}


def samples_of(traces, answers, reasons):
    """One problem's samples, with the hashes of their traces and answers, and why answers are wrong."""
    n = len(traces)
    table = pl.from_arrow(made(0)).head(n)
    return table.with_columns(
        run=pl.lit("a run"),
        index=pl.lit(0, pl.Int64),
        problem_key=pl.lit(2, pl.UInt64),
        trace_hash=pl.Series(traces, dtype=pl.UInt64),
        solution_hash=pl.Series(answers, dtype=pl.UInt64),
        solution_reason=pl.Series(reasons),
        solution_valid=pl.Series([reason == "ok" for reason in reasons]),
        trace_steps=pl.lit(3, pl.Int64),
        mean_logprob=pl.lit(-0.01),
    ).lazy()


def test_traces_without_a_solution_agree_where_they_are_the_same():
    """Also in outcomes of versions that gave them all one hash."""
    cut = ["truncated"] * 4
    told = samples_of([1, 2, 3, 4], [5, 6, 7, 8], cut)
    older = samples_of([NO_WORDS] * 4, [5, 6, 7, 8], cut)
    some = samples_of([NO_WORDS] * 4, [5, 5, 5, 8], cut)
    for table, agree in ((told, 0.25), (older, 0.25), (some, 0.75)):
        assert per_problem(table, by=["run"])["traces_agree"].to_list() == [agree]


@pytest.mark.parametrize(
    ("reason", "sure"), [("illegal_move", 1), ("truncated", 0), ("syntax", 0), ("empty", 0)]
)
def test_what_is_no_answer_is_no_sure_one(reason, sure):
    """It is wrong, but a completion that was cut off has said nothing that the model could be sure of."""
    table = samples_of([1] * 4, [5] * 4, [reason] * 4)
    assert stability(table, by=["run"])["silent_failure"].to_list() == [sure]
    found = calibrations(table, by=["run"])[1]
    assert found["sure_wrong"].to_list() == [sure, sure]
    assert found["answered"].to_list() == [sure, sure]
    assert found["accuracy"].to_list() == [0, 0]
