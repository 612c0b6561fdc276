"""The examples of docs/new_*.md and of docs/extend.md run as they stand on their pages.

A metric, a section, an algorithm, code outside the clone.
A task is in tests/tasks/test_new_task.py, a treatment in tests/traces/test_traces.py.
"""

import re
import shlex
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest
import torch
import yaml
from hydra.utils import instantiate

from tests.helpers.pages import DOCS, blocks_of, module_of
from tests.helpers.runs import KEPT, post_training
from tracelab.algorithms.base import Batch
from tracelab.core.files import read_json
from tracelab.report import sections
from tracelab.report.study import study_of
from tracelab.runs.entry import compose
from tracelab.runs.trust import TRUST, is_known
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
    (command,) = [block.code for block in blocks_of(DOCS / "new_metric.md") if block.language == "console"]
    *_, chosen = shlex.split(command)
    composed = compose(Training, "train", searched(tmp_path), chosen)
    by_itself = compose(Training, "train").metric
    assert set(composed.metric) == {*by_itself, "complete"}


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


def test_code_outside_the_clone(tmp_path, monkeypatch):
    """docs/extend.md's layout, with the class of docs/new_treatment.md: shown, and trusted if one says so."""
    lab = tmp_path / "my_lab"
    (lab / "my_conf" / "trace").mkdir(parents=True)
    (source,) = [block.code for block in blocks_of(DOCS / "new_treatment.md") if block.language == "python"]
    (lab / "my_lab.py").write_text(source, encoding="utf-8")
    page = (DOCS / "extend.md").read_text(encoding="utf-8")
    (target,) = re.findall(r"reversed.yaml +# (_target_: .*)", page)
    (lab / "my_conf" / "trace" / "reversed.yaml").write_text(f"{target}\n", encoding="utf-8")
    (command,) = [block.code for block in blocks_of(DOCS / "extend.md") if block.language == "console"]
    words = [sys.executable, *shlex.split(command)[2:]]
    done = subprocess.run([*words, "task.size=5"], cwd=lab, capture_output=True, text=True, check=True)
    assert re.search(r"trace local +\w+ at step 0", done.stdout)
    component = target.partition(": ")[2]
    assert not is_known("trace", component)
    monkeypatch.setenv(TRUST, "my_lab")
    assert is_known("trace", component)
