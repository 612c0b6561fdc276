"""Runs in their places in a law: which of them others begin with, and what a law may not pool in silence."""

import json
import shutil
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from tests.helpers.runs import KEPT
from tracelab.analysis import efforts
from tracelab.analysis.package import package
from tracelab.runs.arms import described

pytestmark = pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")  # of KEPT's task's knobs
SIZE = "data.train_size"


def placed(folder, size, init_from=None, **told):
    """A run's folder: KEPT's with so many problems, begun with another's weights. told: of its record."""
    shutil.copytree(KEPT, folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config |= {"run_dir": str(folder), "init_from": None if init_from is None else str(init_from)}
    config["data"]["train_size"] = size
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | told))


@pytest.fixture
def lay(tmp_path):
    """Two runs that begin with a third, in folders that they note."""
    folder = tmp_path / "lay"
    placed(folder / "start", 400, id="start")
    for size in (10, 30):
        placed(folder / f"on-{size}", size, folder / "start", id=f"on-{size}", ancestors=["start"])
    return folder


def places(folder):
    return dict(efforts.places(folder, against=SIZE).select("x", "law").rows())


def test_starts_are_known_wherever_runs_lie(lay, tmp_path):
    """Where they lay; as a package; and moved."""
    assert places(lay)[0] == efforts.BEGUN
    package([lay], tmp_path / "packed")
    lay.rename(tmp_path / "moved")
    for folder in (tmp_path / "packed", tmp_path / "moved"):
        shares = efforts.shares(folder, against=SIZE).filter(figure="solution_valid")
        assert shares["x"].to_list() == [0, 10, 30]
        assert shares.filter(x=0).select("law", "run").row(0) == (efforts.BEGUN, str(folder / "start"))


def test_a_start_is_where_it_lay_unless_another_lies_there(lay):
    """A copy of it that was trained for longer has its id; a run of another id is no start."""
    placed(lay / "longer", 500, id="start")
    assert efforts.places(lay, against=SIZE).filter(x=0)["run"].to_list() == [str(lay / "start")]
    record = json.loads((lay / "start" / "run.json").read_text())
    (lay / "start" / "run.json").write_text(json.dumps(record | {"id": "another"}))
    assert efforts.places(lay, against=SIZE).filter(x=0)["run"].to_list() == [str(lay / "longer")]


def test_older_runs_noted_no_ancestors(lay):
    """Of these the place is believed."""
    for folder in lay.iterdir():
        record = json.loads((folder / "run.json").read_text())
        record.pop("ancestors", None)
        (folder / "run.json").write_text(
            json.dumps(record | ({"id": None} if folder.name == "start" else {}))
        )
    assert [*places(lay)] == [0, 10, 30]


def test_what_a_law_pools_is_named():
    """Treatments and rates that `by` does not tell apart would count as seeds. With all of them it is silent,
    and of what makes no other arm.
    """
    known = {}
    for seed, (trace, rate) in enumerate((("correct", 0.007), ("swapped", 0.02))):
        for size in (10, 100, 1000):
            config = deepcopy(described(KEPT)) | {"seed": seed, "validate_problems": seed}
            config["names"]["trace"], config["trace"] = trace, {"_target_": f"tracelab.traces.{trace}"}
            config["optim"]["optimizer"]["lr"], config["data"]["train_size"] = rate, size
            known[Path(f"nowhere/{trace}-{size}")] = config
    told = r"the law 'task=maze' differ in optim.optimizer.lr, names.trace, .* by=\[names.task,(.*)\]$"
    with pytest.warns(UserWarning, match=told):
        assert efforts.arranged(known, SIZE, ["names.task"])["law"].n_unique() == 1
    apart = efforts.arranged(known, SIZE, ["names.task", "optim.optimizer.lr", "names.trace"])
    assert apart["law"].n_unique() == 2
