"""pass@k before and after post-training: of the same problems, with the limit of the run's evaluation."""

import csv
import json
import shutil

import pytest
import torch

from tests.helpers.runs import KEPT, figures_saved
from tests.posttraining.test_posttrain import rows_of, settings
from tracelab.loggers import Results
from tracelab.posttraining.experiment import posttrain
from tracelab.posttraining.passes import OF

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning"),  # of KEPT's task's knobs
    pytest.mark.filterwarnings("ignore:no update was made"),  # all completions are cut off
]
SHORT = ("budget.steps=1", "rollout.max_new=null", "held_out.problems=4", "eval.max_new=7")


@pytest.fixture
def source(tmp_path):
    shutil.copytree(KEPT, tmp_path / "source")
    return tmp_path / "source"


def measured(folder):
    """What both files are of: as many problems as their estimates have, all of which trackers are given."""
    both = {when: json.loads((folder / f"passes_{when}.json").read_text()) for when in ("before", "after")}
    assert all(found["pass@1"]["n"] == found[OF]["problems"] for found in both.values())
    tracked = {
        name: value for name, value in Results.of(folder).figures.items() if name.startswith("passes/")
    }
    assert tracked == {
        f"passes/{when}/{metric.replace('@', '-')}{after}": estimate[part]
        for when, found in both.items()
        for metric, estimate in found.items()
        if metric != OF
        for part, after in (("value", ""), ("low", "_low"), ("high", "_high"))
    }
    return [found[OF] for found in both.values()]


def test_before_and_after_are_of_the_same_problems(source, tmp_path):
    folder = tmp_path / "after"
    first = posttrain(settings(source, folder, *SHORT)).run
    assert measured(folder) == [{"seed": 0, "problems": 8}] * 2
    assert first.read_json("run.json")["max_new"] == 7, "rollouts and pass@k have the limit of the evaluation"
    assert 0 < float(rows_of(folder)[1]["rollout/tokens"]) <= 7
    assert all(float(row["val/tokens"]) <= 7 for row in rows_of(folder))

    others = ("eval.seed=1", "eval.problems=5", "eval.max_new=9")
    again = posttrain(settings(source, folder, *SHORT, *others)).run
    assert measured(folder) == [{"seed": 1, "problems": 5}] * 2
    assert again.read_json("run.json")["max_new"] == 7, "what was begun keeps its limit"

    path = folder / "passes_before.json"  # as an earlier version left it
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != OF}))
    posttrain(settings(source, folder, *SHORT))
    assert measured(folder) == [{"seed": 0, "problems": 8}] * 2

    moved = torch.load(source / "checkpoints" / "last.ckpt", weights_only=True)
    moved["progress"]["steps"] += 1
    torch.save(moved, source / "checkpoints" / "last.ckpt")
    with pytest.warns(UserWarning, match="pass@k before is of other problems"), figures_saved():
        posttrain(settings(source, folder, *SHORT, "eval.seed=2"))
    assert measured(folder) == [{"seed": 0, "problems": 8}, {"seed": 2, "problems": 8}]
    with (folder / "figures" / "pass_at_k.csv").open(newline="") as file:
        assert {row["when"] for row in csv.DictReader(file)} == {"after"}
