"""The examples of docs/new_*.md run as they stand on their pages: a metric, a section, an algorithm.

A task is in tests/tasks/test_new_task.py, a treatment in tests/traces/test_traces.py.
"""

from dataclasses import fields

import numpy as np
import pytest
import torch
import yaml
from hydra.utils import instantiate

from tests.helpers.pages import module_of
from tests.helpers.runs import KEPT, post_training
from tracelab.algorithms.base import Batch
from tracelab.core.files import read_json
from tracelab.report import sections
from tracelab.report.study import study_of
from tracelab.runs.entry import compose
from tracelab.training.settings import Training


def config_of(root, group):
    """What the page's YAML holds."""
    (path,) = (root / "conf" / group).glob("*.yaml")
    return yaml.safe_load(path.read_text())


def searched(root):
    """The override by which Hydra finds a page's YAML."""
    return f"hydra.searchpath=[file://{root / 'conf'}]"


def test_a_metric(tmp_path, monkeypatch):
    """Its share is right, and a run's config takes it."""
    module_of("new_metric.md", tmp_path, monkeypatch)
    metric = instantiate(config_of(tmp_path, "metric")["complete"])
    outcomes = {"truncated": np.array([True, False, False, False]), "problem_key": np.arange(4)}
    assert metric(outcomes, ("strict",))["complete"].value == 0.75
    composed = compose(Training, "train", searched(tmp_path), "metric=[joint,complete]")
    assert set(composed.metric) == {"joint", "complete"}


@pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")  # KEPT's, of its task's knobs
def test_a_section(tmp_path, monkeypatch):
    """It is found, stands in a place of its own, and shows what the run took, its data beside it."""
    module = module_of("new_section.md", tmp_path, monkeypatch)
    (found,) = (section for section in sections.every() if section.place == module.PLACE)
    assert found.name == "cost"
    study = study_of([KEPT], tmp_path / "page.html")
    study.data.mkdir()
    part = found.make(study)
    (row,) = (study.data / "cost.csv").read_text().splitlines()[1:]
    tokens = read_json(KEPT / "run.json")["progress"]["tokens"]
    assert str(tokens) in row.split(",")
    assert f"{tokens:,}" in part


@pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")
def test_an_algorithm(tmp_path, monkeypatch):
    """Likelier after a step is what was better than its group, and less likely what was worse."""
    module = module_of("new_algorithm.md", tmp_path, monkeypatch)
    config = config_of(tmp_path, "algorithm")
    assert config.keys() - {"_target_"} == {field.name for field in fields(module.Signs)}
    algorithm = instantiate(config)
    advantages = algorithm.advantages(torch.tensor([[3.0, 1.0, 0.9, 0.9], [0.5, 0.5, 0.5, 0.5]]))
    assert advantages.tolist() == [[1, -1, -1, -1], [0, 0, 0, 0]]
    mask, logprobs = torch.ones(8, 3, dtype=torch.bool), torch.zeros(8, 3, requires_grad=True)
    weights = algorithm.weights(mask, advantages.flatten(), 3)
    algorithm.loss(Batch(logprobs, torch.zeros(8, 3), advantages.flatten(), mask, weights)).loss.backward()
    torch.testing.assert_close(logprobs.grad, -advantages.reshape(8, 1) / 24 + torch.zeros(8, 3))
    composed = post_training(f"run={KEPT}", f"run_dir={tmp_path}", searched(tmp_path), "algorithm=signs")
    assert composed.algorithm == config
