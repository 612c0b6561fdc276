"""What runs are called, and whom they go back to, by their folders' config.yaml and run.json alone."""

import json
import shutil

import pytest
import yaml

from tests.helpers.runs import KEPT
from tracelab.runs.arms import arms_of
from tracelab.runs.folder import Run
from tracelab.runs.identity import lineage

pytestmark = pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")  # of KEPT's task's knobs


@pytest.fixture
def lay(tmp_path):
    """A function that lays out a run of this name, with these knobs in its config."""

    def laid(name, record=None, **knobs):
        folder = tmp_path / name
        shutil.copytree(KEPT, folder, ignore=shutil.ignore_patterns("*.parquet", "checkpoints"))
        config = yaml.safe_load((folder / "config.yaml").read_text())
        (folder / "config.yaml").write_text(yaml.safe_dump({**config, "run_dir": str(folder), **knobs}))
        (folder / "run.json").write_text(json.dumps({"id": name, **(record or {})}))
        return Run.open(folder)

    return laid


def test_the_current_folder_is_no_source_of_runs_that_name_none(lay, monkeypatch):
    run, other = lay("run"), lay("other", {"ancestors": ["first"]})
    for place in (run, other):
        monkeypatch.chdir(place.folder)
        assert lineage(run) == ["run"]


@pytest.mark.parametrize("knob", ["run", "init_from"])
def test_a_source_is_looked_for_where_it_is_said_to_lie_alone(lay, monkeypatch, knob):
    """Of runs that noted no ancestors. One that is gone lies not in the folder that it lay in."""
    source, last = lay("source"), lay("last", **{knob: "../source/checkpoints/last.ckpt"})
    gone, own = lay("gone", **{knob: "nowhere"}), lay("own", **{knob: "."})
    monkeypatch.chdir(source.folder)
    assert lineage(last) == ["last", "source"]
    assert lineage(own) == ["own", "source"]
    assert lineage(gone) == ["gone"]
    monkeypatch.chdir(own.folder)
    assert lineage(own) == ["own"]


def test_knobs_of_one_last_word_are_told_apart_where_arms_would_have_one_name():
    def config(**knobs):
        return {"names": {"trace": "correct"}, "trace": {"_target_": "correct"}, "seed": 0, **knobs}

    half, tenth, other = config(a={"rate": 0.5}), config(a={"rate": 0.1}), config(b={"rate": 0.5})
    assert arms_of([half, other, tenth]) == ["correct a.rate=0.5", "correct b.rate=0.5", "correct a.rate=0.1"]
    assert arms_of([half, tenth, tenth]) == ["correct rate=0.5", "correct rate=0.1", "correct rate=0.1"]
    sized = config(b={"rate": 0.5, "size": 8})
    assert arms_of([half, sized, tenth]) == [
        "correct rate=0.5",
        "correct rate=0.5 size=8",
        "correct rate=0.1",
    ]
