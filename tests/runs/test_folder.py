"""A run's folder: what is one, what is damaged in it, whose commit it is, and who may write there."""

import fcntl
import os
import subprocess

import pytest

from tests.helpers.runs import KEPT, small
from tracelab.runs.claims import claimed
from tracelab.runs.folder import Run, runs_at, runs_below
from tracelab.runs.machine import commit_of


def test_other_tools_configs_are_no_runs(tmp_path):
    """W&B writes files/config.yaml into a run's folder."""
    asked = small(tmp_path / "runs" / "mine")
    Run.start(asked).write_json("run.json", {})
    for name in ("config.yaml", "run.json"):
        stranger = tmp_path / "runs" / "mine" / f"of-{name}" / name
        stranger.parent.mkdir()
        stranger.write_text("{}")
    mine = tmp_path / "runs" / "mine"
    assert [run.folder for run in runs_at([tmp_path / "runs"])] == [mine]
    assert runs_below(tmp_path) == [mine]
    with pytest.raises(ValueError, match=r"is no run's folder: it does not hold config\.yaml and run\.json"):
        Run.open(mine / "of-config.yaml")


def test_a_damaged_record_or_config_is_named(tmp_path):
    run = Run.start(small(tmp_path))
    (tmp_path / "run.json").touch()
    with pytest.raises(ValueError, match=r"run\.json is damaged"):
        run.read_json("run.json")
    (tmp_path / "config.yaml").write_text("")
    with pytest.raises(ValueError, match=r"config\.yaml is damaged"):
        Run.open(tmp_path)


def test_a_run_of_an_earlier_version_is_one():
    assert runs_below(KEPT.parent) == [KEPT]


def test_the_commit_is_the_projects_own(tmp_path):
    """Installed within somebody's clone, the package is at no commit."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    (tmp_path / "site-packages" / "tracelab").mkdir(parents=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    assert commit_of(tmp_path) == commit.strip()
    assert commit_of(tmp_path / "site-packages" / "tracelab") is None


def test_without_locks_a_warning_is_enough(tmp_path, monkeypatch):
    def unknown(*_):
        raise OSError(37, os.strerror(37))

    monkeypatch.setattr(fcntl, "lockf", unknown)
    with pytest.warns(UserWarning, match="cannot be locked"), claimed(tmp_path):
        pass
