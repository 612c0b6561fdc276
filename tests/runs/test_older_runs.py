"""Runs of earlier versions: a folder that was written before the modules had today's places is still of use.

tests/data/run_0.1 is a run of seconds (`tests.helpers.runs.SMALL`, trace=swapped) without its figures.
"""

import json
import shutil

import polars as pl
import pytest
from omegaconf import OmegaConf

from tests.helpers import forked
from tests.helpers.runs import KEPT, small
from tests.posttraining.test_posttrain import settings
from tracelab import analysis
from tracelab.evaluation.judging import evaluate
from tracelab.posttraining.experiment import posttrain
from tracelab.probes import interventions
from tracelab.report.command import main as report
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run
from tracelab.runs.sets import test_sets as sets_of
from tracelab.runs.treatments import build_treatment
from tracelab.training.experiment import train

pytestmark = pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")  # of its task's knobs


@pytest.fixture
def run(tmp_path):
    return Run.open(shutil.copytree(KEPT, tmp_path / "run"))


def test_it_is_evaluated_as_it_was(run):
    """The same problems, completions and verdicts: the same data, model and decoding."""
    before = run.read_json("metrics.json")
    task = build_task(run.settings.task)
    evaluate(run, run.settings.eval, sets_of(run.settings, task), run.folder)
    now = run.read_json("metrics.json")
    assert now["test sets"].keys() == before["test sets"].keys()
    for name, metrics in before["test sets"].items():
        for metric in ("solution_valid", "trace_parses", "trace_strict"):
            assert now["test sets"][name][metric].items() >= metrics[metric].items()


def test_it_is_analysed_and_reported(run, tmp_path):
    table = analysis.load(run.folder).select("treatment", "solution_valid").collect()
    assert set(table["treatment"]) == {"swapped"}
    assert len(table) == len(pl.read_parquet(run.folder / "outcomes.parquet"))
    report([str(run.folder), "--out", str(tmp_path / "page.html")])
    assert "trace viewer" in (tmp_path / "page.html").read_text()


def test_it_is_asked_further_questions(run):
    build_treatment(run.settings.trace)
    imposed = interventions.of_run(run, problems=4)
    assert "filler" in set(imposed["intervention"].to_pylist())


def test_it_is_post_trained(run, tmp_path):
    done = posttrain(settings(run.folder, tmp_path / "after", "budget.steps=1"))
    assert done.state == "finished"
    assert json.loads((tmp_path / "after" / "run.json").read_text())["status"] == "evaluated"


def test_copies_of_a_greedy_completion_are_refused_where_they_are_asked_for(run, tmp_path):
    """An older run that asked for them is still read."""
    copies, says = "eval.samples=8", "eval.temperature=0 gives eval.samples=8 completions that are the same"
    with pytest.raises(ValueError, match=says):
        train(small(tmp_path / "new", copies))
    with pytest.raises(ValueError, match=says):
        posttrain(settings(run.folder, tmp_path / "after", copies))
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "after").exists()
    done = forked.run("-m", "tracelab.evaluate", f"run={run.folder}", copies, cwd=tmp_path)
    assert done.returncode == 1
    assert says in done.stderr
    assert not (run.folder / "evaluations").exists()
    asked = OmegaConf.merge(run.config, {"eval": {"samples": 8}})
    OmegaConf.save(asked, run.folder / "config.yaml")
    assert Run.open(run.folder).settings.eval.samples == 8
