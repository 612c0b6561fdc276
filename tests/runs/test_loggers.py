"""metrics.csv: columns that appear later, and rows that a resumed run takes over."""

import csv
import json
import os
import subprocess
import sys

import pytest

from tracelab import loggers
from tracelab.core.paths import CLONE
from tracelab.loggers import CSV


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_new_columns_are_added_to_old_rows(tmp_path):
    logger = CSV(tmp_path / "metrics.csv")
    logger.log_metrics({"a": 1.0}, 1)
    logger.log_metrics({"a": 2.0}, 2)
    logger.log_metrics({"b": 3.0}, 2)
    logger.log_metrics({"a": 4.0}, 3)
    assert read(tmp_path / "metrics.csv") == [
        {"step": "1", "a": "1.0", "b": ""},
        {"step": "2", "a": "2.0", "b": "3.0"},
        {"step": "3", "a": "4.0", "b": ""},
    ]


def test_a_resumed_run_keeps_what_was_before_its_checkpoint(tmp_path):
    first = CSV(tmp_path / "metrics.csv")
    for step in (10, 20, 30):
        first.log_metrics({"loss": float(step)}, step)
    CSV(tmp_path / "metrics.csv")  # opening alone loses nothing
    assert [row["step"] for row in read(tmp_path / "metrics.csv")] == ["10", "20", "30"]
    second = CSV(tmp_path / "metrics.csv")
    second.log_metrics({"loss": 0.5}, 20)
    assert [(row["step"], row["loss"]) for row in read(tmp_path / "metrics.csv")] == [
        ("10", "10.0"),
        ("20", "0.5"),
    ]


@pytest.mark.parametrize("torn", ["3", "30,", "30,0.", "30,0.5", "\0\0\0"])
def test_a_row_that_a_kill_has_torn_is_left_out(tmp_path, torn):
    path = tmp_path / "metrics.csv"
    first = CSV(path)
    for step in (10, 20):
        first.log_metrics({"loss": float(step)}, step)
    path.write_text(path.read_text() + torn)
    with pytest.warns(UserWarning, match="ends with a torn line"):
        resumed = CSV(path)
    resumed.log_metrics({"loss": 0.5}, 30)
    assert [row["step"] for row in read(path)] == ["10", "20", "30"]


def test_nothing_imports_wandb_unless_asked():
    code = (
        "import sys, tracelab.training.experiment, tracelab.evaluation.judging\n"
        "sys.exit('wandb' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# One process as a sweep's: two runs, the first of which is resumed, with what W&B has of each.
OFFLINE = """
import json, sys, wandb
from pathlib import Path
from tests.helpers.runs import small
from tracelab.training.experiment import train
kept, init = [], wandb.init
def begun(**given):
    run = init(**given)
    kept.append([run.id, run.name, given["mode"]])
    return run
wandb.init = begun
words = ("logger=wandb", "eval.problems=2", "validate_problems=0", "task.ood=[]", "threads=1", *sys.argv[2:])
for name, seed, steps in (("a", 0, 1), ("b", 1, 1), ("a", 0, 2)):
    run = train(small(Path(sys.argv[1]) / name, *words, f"seed={seed}", f"budget.steps={steps}"))
    assert wandb.run is None
print(json.dumps(kept))
"""


def tracked(folder, *words, **environment):
    command = [sys.executable, "-c", OFFLINE, str(folder), *words]
    environment = {**os.environ, "WANDB_API_KEY": "", "HOME": str(folder), **environment}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=CLONE, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1]), done.stderr


def test_each_run_is_one_of_wandbs_however_often_it_is_resumed(tmp_path):
    """And no job of a sweep writes into another's."""
    (a, b, again), _ = tracked(tmp_path)
    assert a[0] == again[0] != b[0]
    assert [a[1:], b[1:]] == [["a", "offline"], ["b", "offline"]]
    assert len(list((tmp_path / "a" / "wandb").glob("offline-run-*"))) == 2  # of one id
    (logged,) = (tmp_path / "b" / "wandb").glob("offline-run-*/*.wandb")
    assert b"short_first" in logged.read_bytes()  # the config is there


@pytest.mark.slow
def test_who_disables_it_has_none(tmp_path):
    (a, *_), _ = tracked(tmp_path, WANDB_MODE="disabled")
    assert a[2] == "disabled"
    assert not list(tmp_path.glob("*/wandb/*run*"))


@pytest.mark.slow
def test_a_key_without_a_network_goes_on_offline(tmp_path):
    key = {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"}
    _, said = tracked(tmp_path, "logger.wandb.patience=3", **key)
    assert "W&B does not answer" in said
    assert list((tmp_path / "a" / "wandb").glob("offline-run-*"))


def test_an_unknown_mode_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"logger\.wandb\.mode=never is unknown; choose one of online"):
        loggers.wandb("tracelab", str(tmp_path), "never")
