"""Metrics against hand-made tables, and outcomes through Parquet."""

from dataclasses import dataclass

import numpy as np
import pyarrow.parquet
import pytest
from scipy.stats import pearsonr

from tests.helpers.runs import small
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.core.stats import phi, wilson
from tracelab.decoding.completions import Completions
from tracelab.evaluation.figures import accuracy_and_validity
from tracelab.evaluation.outcomes import Judged, columns_of, table_of, write
from tracelab.metrics.base import Estimate, share
from tracelab.metrics.first_error import FirstError
from tracelab.metrics.joint import Joint
from tracelab.metrics.reasons import ReasonCounts
from tracelab.metrics.solution_accuracy import SolutionAccuracy
from tracelab.metrics.trace_validity import TraceValidity
from tracelab.report.command import main as report
from tracelab.runs.tables import print_trained
from tracelab.tasks.maze import Maze
from tracelab.training.experiment import train

LEVELS = ("parses", "local", "strict", "paper")


@pytest.fixture
def outcomes():
    """Ten completions: 6 valid solutions, 4 strictly valid traces, 3 both."""
    solution = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 0], bool)
    strict = np.array([1, 1, 1, 0, 0, 0, 1, 0, 0, 0], bool)
    columns = {
        "problem_key": np.arange(10),
        "solution_valid": solution,
        "solution_optimal": solution & (np.arange(10) < 4),
        "truncated": np.zeros(10, bool),
        "trace_steps": np.full(10, 8),
        "trace_strict_at": np.where(strict, -1, np.arange(10)),
        "solution_reason": np.where(solution, "ok", "illegal_move"),
        "trace_strict_reason": np.where(strict, "ok", np.where(np.arange(10) < 5, "wrong_g", "not_best")),
    }
    return columns | {f"trace_{level}": strict for level in LEVELS}


def test_shares(outcomes):
    estimates = SolutionAccuracy()(outcomes, LEVELS) | TraceValidity()(outcomes, LEVELS)
    assert estimates["solution_valid"].value == 0.6
    ends = estimates["solution_valid"].low, estimates["solution_valid"].high
    assert ends == pytest.approx([float(end) for end in wilson(6, 10)])
    assert estimates["solution_optimal"].value == 0.4
    assert estimates["trace_strict"].value == 0.4
    assert estimates["trace_strict_given_valid"].value == 0.5
    assert estimates["trace_strict_given_valid"].n == 6


def test_the_joint_table_sums_to_one_and_phi_is_pearsons(outcomes):
    joint = Joint()(outcomes, LEVELS)
    cells = ("both_valid", "only_solution_valid", "only_trace_valid", "neither_valid")
    assert [joint[c].value for c in cells] == [0.3, 0.3, 0.1, 0.3]
    expected = pearsonr(outcomes["solution_valid"], outcomes["trace_strict"]).statistic
    assert joint["phi"].value == pytest.approx(expected)


def test_phi_of_a_constant_verdict_is_null_not_zero(outcomes):
    outcomes["trace_strict"] = np.zeros(10, bool)
    assert Joint()(outcomes, LEVELS)["phi"].as_dict()["value"] is None
    assert np.isnan(phi([True, True, False], [False, False, False]))


def test_a_share_of_nothing_is_null(outcomes):
    outcomes["solution_valid"] = np.zeros(10, bool)
    given = TraceValidity()(outcomes, LEVELS)["trace_strict_given_valid"].as_dict()
    assert [given[k] for k in ("value", "n", "low", "high")] == [None, 0, None, None]


def test_share_before_the_first_error(outcomes):
    estimate = FirstError()(outcomes, LEVELS)["share_before_error"]
    before = [1, 1, 1, 3 / 8, 4 / 8, 5 / 8, 1, 7 / 8, 8 / 9, 8 / 9]  # steps 8 and 9 of 8: behind all of them
    assert estimate.value == pytest.approx(np.mean(before))


def test_reasons_are_shares_of_all_completions(outcomes):
    found = ReasonCounts()(outcomes, LEVELS)
    assert {k: v.value for k, v in found.items()} == {
        "solution:illegal_move": 0.4,
        "trace:not_best": 0.4,
        "trace:wrong_g": 0.2,
    }


def test_outcomes_survive_parquet(tmp_path):
    task = Maze(size=5, format="compact")
    examples = task.generate(rng.keys(0, "test", 0, 20, "problem"), "test")
    codec = task.codec
    whole = codec.assemble(
        Ragged(np.empty(0, np.int32), np.zeros(21, np.int64)),
        codec.encode(codec.trace, examples.trace),
        codec.encode(codec.solution, examples.solution),
    )
    cut = Ragged.of([row if i % 2 else row[:-1] for i, row in enumerate(whole.tokens)])
    logprobs = Ragged(np.zeros(len(cut.values), np.float32), cut.offsets)
    completions = Completions(cut, np.arange(20) % 2 == 0, np.zeros(20, np.float32), logprobs)
    judged = Judged(examples, completions, task.judge(examples, cut), np.zeros(20, np.int64))
    path = tmp_path / "outcomes.parquet"
    write(table_of(judged, task, {"run": "x", "split": "test"}), path)
    table = pyarrow.parquet.read_table(path)
    columns = columns_of(table)
    odd = np.arange(20) % 2 == 1
    np.testing.assert_array_equal(columns["solution_valid"], odd)
    np.testing.assert_array_equal(columns["trace_strict"], odd)
    np.testing.assert_array_equal(columns["trace_strict_at"] < 0, odd)
    assert set(columns["solution_reason"]) == {"ok", "truncated"}
    np.testing.assert_array_equal(columns["problem_key"], examples.identity)
    assert table["completion"][3].as_py() == cut[3].tolist()


@dataclass(frozen=True)
class TraceRatio:
    """A metric that a user adds: traces' lengths as multiples of the references'; and how many are longer."""

    def __call__(self, outcomes, levels):
        ratio = outcomes["trace_steps"] / outcomes["reference_steps"]
        longer = share(ratio > 1, outcomes["problem_key"], "too long", drawn=True)
        return {"trace_ratio": Estimate(float(ratio.mean()), len(ratio)), "longer": longer}


@pytest.mark.parametrize("others", ["trace=correct", "metric=[]"])
def test_a_new_metric_is_seen_everywhere(tmp_path, capsys, others):
    """In the table, the figure and the report; beside the others, or alone."""
    run = tmp_path / "run"
    new = "+metric.trace_ratio._target_=tests.metrics.test_metrics.TraceRatio"
    done = train(small(run, others, "budget.steps=2", "validate_problems=0", new))
    print_trained(done)
    printed = capsys.readouterr().out
    assert "trace ratio" in printed
    assert "too long" in printed
    assert ("solution valid" in printed) == (others != "metric=[]")
    drawn = (run / "figures" / "accuracy_and_validity.csv").read_text()
    assert ",longer," in drawn
    report([str(run), "--out", str(tmp_path / "page.html")])
    page = (tmp_path / "page.html").read_text()
    assert "trace ratio" in page
    assert "too long" in page


def test_a_share_that_some_test_sets_lack_is_drawn_for_the_others(tmp_path):
    """So is one without an interval; nothing of a trained run's figures fails for it."""
    known = share(np.array([True, False]), np.arange(2), "known", drawn=True).as_dict()
    nothing = share(np.zeros(0, bool), np.zeros(0), "known", drawn=True).as_dict()
    metrics = {"a": {"other": known}, "b": {"known": known, "other": known}, "c": {"known": nothing}}
    accuracy_and_validity(tmp_path / "figure", metrics, "title")
    rows = (tmp_path / "figure.csv").read_text().splitlines()[1:]
    assert sorted(row.split(",")[0] + row.split(",")[1] for row in rows) == ["aother", "bknown", "bother"]
