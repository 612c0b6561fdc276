"""A small trained run, and its model as a policy: for all tests of post-training."""

import pytest

from tests.helpers.runs import small
from tracelab.evaluation.judging import trained_model
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run
from tracelab.training.experiment import train


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """A run that writes traces now and then."""
    folder = tmp_path_factory.mktemp("source")
    larger = ("model.width=64", "data.train_size=2000", "budget.steps=200")
    pace = ("optim.schedule.decay=0.3", "data.short_first=0.3")
    train(small(folder, "trace=correct", "task.ood=[]", *larger, *pace))
    return folder


@pytest.fixture(scope="session")
def policy(source):
    run = Run.open(source)
    task = build_task(run.settings.task)
    return trained_model(run, task, "last", run.read_json("run.json")["context"]), task
