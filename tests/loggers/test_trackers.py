"""Each tracker has what metrics.csv has and the results, in one run of its own, and fails no run of ours."""

import csv
import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from omegaconf import OmegaConf

from tests.helpers.forked import run
from tests.helpers.runs import SMALL, small
from tracelab import loggers
from tracelab.core.paths import CLONE
from tracelab.loggers import Results, tracker
from tracelab.training.checks import check
from tracelab.training.experiment import train

INSTALLED = [name for name in ("wandb", "tensorboard", "mlflow") if find_spec(name)]
FILES = ("metrics.json", "outcomes.parquet")

# One process as a sweep's: `a`, another run, `a` once more with a longer budget, and one that fails: its
# metrics.json can't be written.
SWEEP = """
import json, sys, wandb
from pathlib import Path
from tests.helpers.runs import small
from tracelab.training.experiment import train
folder, chosen, *more = sys.argv[1:]
kept, init = [], wandb.init
def begun(**given):
    run = init(**given)
    kept.append([run.id, run.name, given["mode"]])
    return run
wandb.init = begun
few = ("eval.problems=4", "validate_every=2", "validate_problems=4", "task.ood=[]", "threads=1")
words = (f"logger=[{chosen}]", *few, *more)
(Path(folder) / "failed" / "metrics.json").mkdir(parents=True)
for name, seed, steps in (("a", 0, 4), ("b", 1, 2), ("a", 0, 6), ("failed", 2, 2)):
    try:
        run = train(small(Path(folder) / name, *words, f"seed={seed}", f"budget.steps={steps}"))
    except OSError:
        assert name == "failed"
    assert wandb.run is None
print(json.dumps(kept))
"""


def tracked(folder, *words, **environment):
    """What W&B was asked for by the runs of a sweep, and what was said."""
    home = {"WANDB_API_KEY": "", "HOME": str(folder), "MLFLOW_TRACKING_URI": str(folder / "mlruns")}
    home["TRACELAB_FORMATS"] = "png"
    done = run("-c", SWEEP, str(folder), *words, cwd=CLONE, env={**home, **environment})
    assert done.returncode == 0, done.stderr[-2000:]
    assert "takes no more" not in done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1]), done.stderr


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """The runs' folders, and what W&B was asked for."""
    folder = tmp_path_factory.mktemp("sweep")
    return folder, tracked(folder, ",".join(INSTALLED))[0]


def logged(folder):
    """Rows of metrics.csv: (step, name) -> number."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    cells = {(int(row["step"]), name): value for row in rows for name, value in row.items() if name != "step"}
    return {at: float(value) for at, value in cells.items() if value}


def test_metrics_csv_is_written_beside_them(sweep):
    folder, _ = sweep
    assert {name for _, name in logged(folder / "a")} >= {"train/loss", "val/solution_valid", "train/used"}
    assert logged(folder / "a")[5, "train/used"] == 1
    assert len({step for step, _ in logged(folder / "a")}) == 3


def test_results_have_all_that_a_run_has_found(sweep):
    folder = sweep[0] / "a"
    results = Results.of(folder)
    (estimates,) = json.loads((folder / "metrics.json").read_text())["test sets"].values()
    wanted = estimates["solution_valid"]
    found = [results.figures[f"test/wilson/solution_valid{after}"] for after in ("", "_low", "_high")]
    assert found == [wanted["value"], wanted["low"], wanted["high"]]
    assert len(results.pictures) == len(list((folder / "figures").glob("*.png"))) == 4
    assert results.step == 6


def test_of_wandb_each_run_is_one_however_often_it_is_resumed(sweep):
    """And no job of a sweep writes into another's."""
    folder, (a, b, again, failed) = sweep
    assert a[0] == again[0]
    assert len({a[0], b[0], failed[0]}) == 3
    assert [a[1:], b[1:]] == [["a", "offline"], ["b", "offline"]]
    assert len(list((folder / "a" / "wandb").glob("offline-run-*"))) == 2  # of one id


def test_wandb_has_it_all(sweep):
    from tests.helpers import wandb_file

    folder = sweep[0]
    paths = sorted((folder / "a" / "wandb").glob("offline-run-*/*.wandb"))
    seen = {}
    for row in (row for path in paths for row in wandb_file.rows(path)):
        seen |= {(row.get("trainer/global_step"), name): value for name, value in row.items()}
    for at, value in logged(folder / "a").items():
        assert seen[at] == pytest.approx(value, rel=1e-6), at
    results = Results.of(folder / "a")
    found = wandb_file.summary(paths[-1])
    assert {name: found[name] for name in results.figures} == pytest.approx(results.figures)
    pictures = [f"figures/{picture.name}" for picture in results.pictures]
    assert wandb_file.artifacts(paths[-1]) == [sorted((*pictures, *FILES))]
    assert b"short_first" in paths[0].read_bytes()  # the config is there


@pytest.mark.skipif("tensorboard" not in INSTALLED, reason="the extra `trackers` is not installed")
def test_tensorboard_has_it_all(sweep):
    """Once each, though the run was resumed."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = sweep[0] / "a"
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0, "scalars": 0})
    events.Reload()
    seen = {
        name: {event.step: event.value for event in events.Scalars(name)} for name in events.Tags()["scalars"]
    }
    for (step, name), value in logged(folder).items():
        assert seen[name][step] == pytest.approx(value, rel=1e-5), (step, name)
    assert len(events.Scalars("train/loss")) == len(seen["train/loss"])
    results = Results.of(folder)
    assert {name: seen[name][6] for name in results.figures} == pytest.approx(results.figures, rel=1e-5)
    assert set(events.Tags()["images"]) == {f"figures/{picture.stem}" for picture in results.pictures}


@pytest.mark.skipif("tensorboard" not in INSTALLED, reason="the extra `trackers` is not installed")
def test_steps_that_are_taken_again_replace_those_of_tensorboard(tmp_path):
    """All but the first: a figure of before, at the step that is gone on from, stays."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from tracelab.loggers.on_tensorboard import TensorBoard

    folder = tmp_path / "tensorboard"
    for begun, steps, more in ((None, (5, 10, 15, 20), 0.0), (10, (10, 15, 20), 0.5)):
        tracker = TensorBoard(folder)
        tracker.config = {}
        logger = tracker.begin(begun)
        for step in steps:
            logger.log_metrics({"train/loss": step + more}, step)
        logger.finalize("success")
    events = EventAccumulator(str(folder))
    events.Reload()
    seen = [(event.step, event.value) for event in events.Scalars("train/loss")]
    assert seen == [(5, 5.0), (10, 10.0), (10, 10.5), (15, 15.5), (20, 20.5)]


@pytest.mark.skipif("mlflow" not in INSTALLED, reason="the extra `trackers` is not installed")
def test_mlflow_has_it_all(sweep, monkeypatch):
    """In one run of its store, though it was resumed; and a run that fails is a failed one there."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.tracking import MlflowClient

    folder = sweep[0]
    client = MlflowClient(f"file:{folder / 'mlruns'}")
    (experiment,) = client.search_experiments(filter_string="name = 'tracelab'")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert {name: run.info.status for name, run in runs.items()} == {
        "a": "FINISHED",
        "b": "FINISHED",
        "failed": "FAILED",
    }
    mine = runs["a"].info.run_id
    histories = {name: client.get_metric_history(mine, name) for _, name in logged(folder / "a")}
    for (step, name), value in logged(folder / "a").items():
        at = [metric.value for metric in histories[name] if metric.step == step]
        assert any(value == pytest.approx(other) for other in at), (step, name)
    results = Results.of(folder / "a")
    assert {name: runs["a"].data.metrics[name] for name in results.figures} == pytest.approx(results.figures)
    assert {item.path for item in client.list_artifacts(mine)} == {"figures", *FILES}
    assert len(client.list_artifacts(mine, "figures")) == len(results.pictures)
    config = OmegaConf.load(folder / "a" / "config.yaml")
    assert runs["a"].data.params["data/short_first"] == str(config.data.short_first)


@pytest.mark.skipif("mlflow" not in INSTALLED, reason="the extra `trackers` is not installed")
def test_mlflow_knows_how_a_run_ended(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    from mlflow.tracking import MlflowClient

    client, found = MlflowClient(f"file:{tmp_path / 'store'}"), []
    for status in ("interrupted", "failed", "training", "evaluated"):
        mine = loggers.mlflow("tracelab", str(tmp_path), str(tmp_path / "store"))
        mine.log_metrics({"loss": 1.0}, 1)
        run = mine.inner.run_id
        loggers.finish([mine], status)
        found.append((run, client.get_run(run).info.status))
    assert len({run for run, _ in found}) == 1
    assert [status for _, status in found] == ["KILLED", "FAILED", "RUNNING", "FINISHED"]


def test_a_run_that_fails_says_so(sweep):
    assert json.loads((sweep[0] / "failed" / "run.json").read_text())["status"] == "failed"


@pytest.mark.parametrize("name", INSTALLED)
def test_a_tracker_that_fails_is_left_alone(name, tmp_path):
    """Its folder is a file: nothing can be written there."""
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    place = {"wandb": ("tracelab", str(blocked)), "tensorboard": (str(blocked / "in"),)}
    mine = getattr(loggers, name)(*place.get(name, ("tracelab", str(blocked), str(blocked))))
    with pytest.warns(
        UserWarning, match=rf"logger={name} takes no more of this run \(\w+: .*the run goes on"
    ):
        mine.log_metrics({"loss": 1.0}, 1)
    mine.log_metrics({"loss": 1.0}, 2)  # which says nothing more
    loggers.finish([mine], "evaluated")


def test_a_run_goes_on_without_a_tracker_that_fails(tmp_path):
    (tmp_path / "wandb_id.txt").mkdir()
    asked = small(tmp_path, "logger=wandb", "budget.steps=2", "eval.problems=2", "validate_problems=0")
    with pytest.warns(UserWarning, match="logger=wandb takes no more"):
        assert train(asked).metrics is not None
    assert (tmp_path / "metrics.csv").is_file()


@pytest.mark.parametrize("name", ["wandb", "tensorboard", "mlflow"])
def test_a_missing_library_is_said_before_anything_is_computed(name, tmp_path, monkeypatch):
    monkeypatch.setattr(tracker, "find_spec", lambda label: None)
    with pytest.raises(
        ValueError, match=rf"{name} is not installed; it is in the extra `trackers`: python -m"
    ):
        check(small(tmp_path / "never", f"logger={name}"))
    assert not (tmp_path / "never").exists()


def by_two_processes(folder):
    """Train a run there by two processes."""
    few = ("eval.problems=2", "task.ood=[]", "budget.steps=4", "validate_every=2", "validate_problems=0")
    shared = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.precision=32-true", "threads=1")
    command = [sys.executable, "-m", "tracelab.train", *SMALL, *few, *shared, f"run_dir={folder / 'run'}"]
    home = {"WANDB_MODE": "offline", "HOME": str(folder), "MLFLOW_TRACKING_URI": str(folder / "mlruns")}
    words = [*command, f"logger=[{','.join(INSTALLED)}]"]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **home}, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "takes no more" not in done.stderr


@pytest.mark.slow
def test_one_of_two_processes_logs(tmp_path, monkeypatch):
    """Each row once, to one run of each tracker, which has the results as well."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.tracking import MlflowClient
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from tests.helpers import wandb_file

    by_two_processes(tmp_path)
    folder = tmp_path / "run"
    losses = [step for step, name in logged(folder) if name == "train/loss"]
    assert len(set(losses)) == len(losses) > 1
    files = sorted((folder / "wandb").glob("offline-run-*/*.wandb"))
    assert len({path.stem for path in files}) == 1
    rows = [row for path in files for row in wandb_file.rows(path)]
    assert [row["trainer/global_step"] for row in rows if "train/loss" in row] == losses
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == losses
    client = MlflowClient(f"file:{tmp_path / 'mlruns'}")
    (experiment,) = client.search_experiments(filter_string="name = 'tracelab'")
    (only,) = client.search_runs([experiment.experiment_id])
    assert only.info.status == "FINISHED"
    assert [metric.step for metric in client.get_metric_history(only.info.run_id, "train/loss")] == losses
    assert "test/wilson/solution_valid" in only.data.metrics


@pytest.mark.slow
def test_who_disables_it_has_none(tmp_path):
    (a, *_), _ = tracked(tmp_path, "wandb", WANDB_MODE="disabled")
    assert a[2] == "disabled"
    assert not list(tmp_path.glob("*/wandb/*run*"))


@pytest.mark.slow
def test_a_key_without_a_network_goes_on_offline(tmp_path):
    key = {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"}
    _, said = tracked(tmp_path, "wandb", "logger.wandb.patience=3", **key)
    assert "W&B does not answer" in said
    assert list((tmp_path / "a" / "wandb").glob("offline-run-*"))


def test_an_unknown_mode_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"logger\.wandb\.mode=never is unknown; choose one of online"):
        loggers.wandb("tracelab", str(tmp_path), "never")
