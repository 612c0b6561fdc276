"""The evaluation of a run: what is checked before it, what stays of it when a metric fails, and its speed."""

import time

import pyarrow.parquet as pq
import pytest

from tests.helpers.runs import KEPT
from tracelab.evaluation import judging
from tracelab.evaluation.judging import evaluate
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run
from tracelab.runs.sets import test_sets as sets_of
from tracelab.runs.settings import Sampling
from tracelab.tasks.maze import Maze

pytestmark = pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")  # of KEPT's task's knobs


class Faulty:
    """A metric of one's own that fails on what it is given."""

    def __call__(self, outcomes, levels):
        return outcomes["no such column"]


def judged_by(**metrics):
    """KEPT, with other metrics, and what `evaluate` asks for beside it: three problems of its test sets."""
    run = Run.open(KEPT)
    run = Run(run.folder, {**run.config, "metric": metrics, "eval": {**run.config["eval"], "problems": 3}})
    return run, run.settings.eval, sets_of(run.settings, build_task(run.settings.task))


def test_a_level_that_there_is_not_is_refused_before_the_model_is_asked(tmp_path):
    wrong = {"_target_": "tracelab.metrics.first_error.FirstError", "level": "locl"}
    with pytest.raises(ValueError, match="level='locl' is unknown; choose one of parses"):
        evaluate(*judged_by(first_error=wrong), tmp_path, lambda *_: pytest.fail("it is asked"))
    assert not list(tmp_path.iterdir())


def test_outcomes_stay_where_a_metric_fails(tmp_path):
    """Without figures of other outcomes beside them."""
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(KeyError, match="no such column"):
        evaluate(*judged_by(mine={"_target_": f"{__name__}.Faulty"}), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["outcomes.parquet"]
    assert set(pq.read_table(tmp_path / "outcomes.parquet")["index"].to_pylist()) == {0, 1, 2}


def test_the_speed_of_sampling_is_that_of_sampling(monkeypatch):
    """Judging, whose clock runs here alone, takes none of its time."""
    clock = [0.0]

    class Slow(Maze):
        def judge(self, examples, completions):
            clock[0] += 100
            return super().judge(examples, completions)

    run, _, tests = judged_by()
    examples = next(iter(tests.values()))[1]
    task = Slow(size=5, format="compact", ood=[])
    model = judging.trained_model(run, task, "last", run.read_json("run.json")["context"])
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    _, speed = judging.outcomes(model, {"slow": (task, examples)}, Sampling(problems=3), 20, {})
    assert clock[0] == 100
    assert speed["seconds"] == 0
    assert speed["new_tokens"] > 0
