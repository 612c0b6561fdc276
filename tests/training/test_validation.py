"""Held-out problems during training: what is logged is the model's, and training knows nothing of it."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes

from tests.helpers.engine import fit, learner
from tests.helpers.forked import FORKED
from tests.helpers.runs import figures_saved, small
from tracelab.data.frozen import references
from tracelab.evaluation import curves
from tracelab.evaluation.judging import judge_model, trained_model
from tracelab.runs.build import build_task
from tracelab.runs.checkpoints import load_weights
from tracelab.runs.columns import objectives
from tracelab.runs.entry import compose
from tracelab.runs.sets import problems
from tracelab.training import processes
from tracelab.training.budget import Budget
from tracelab.training.experiment import train
from tracelab.training.progress import ProgressLine
from tracelab.training.settings import Training
from tracelab.training.validation import HeldOut, Validation

N = 7
WORDS = (
    "task.size=4",
    "task.ood=[]",
    "data.batch_tokens=512",
    "eval.problems=4",
    "eval.max_new=null",
    "optim=adamw",
    "optim.optimizer.lr=1e-2",
    "optim.schedule.warmup=10",
    "trainer.precision=32-true",
    "threads=1",
    "budget.steps=120",
    "validate_every=40",
    "checkpoint_every=40",
    f"validate_problems={N}",
)
LEVELS = ("parses", "local", "strict", "paper")
STRICT = LEVELS.index("strict")
MACHINE = {  # what two runs of one config need not share
    *("val/seconds", "train/minutes", "train/tokens_per_second", "train/data_wait_ms"),
}


def rows_of(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: value for name, value in row.items() if name not in MACHINE} for row in rows]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that learns to write a trace, if not a valid one."""
    with figures_saved():
        return train(small(tmp_path_factory.mktemp("whole"), *WORDS)).run


def judged(run):
    """What its last checkpoint does with the first N problems of the validation set -> name: mean."""
    settings = run.settings
    task = build_task(settings.task)
    model = trained_model(run, task, "last", run.read_json("run.json")["context"])
    held_out = problems(settings, task, "val", settings.data.val_size).take(np.arange(N))
    limit = int(references(task, held_out).lengths.max()) * 3 // 2
    done = judge_model(model, task, held_out, settings.eval, limit)
    hard = np.argsort(held_out.trace.lengths, kind="stable")[-(N // 2) :]
    levels = zip(task.levels, done.verdicts.trace_ok.T, strict=True)
    return {
        "solution_valid": done.verdicts.solution_valid.mean(),
        "solution_optimal": done.verdicts.solution_optimal.mean(),
        **{f"trace_{level}": passed.mean() for level, passed in levels},
        "only_solution": (done.verdicts.solution_valid & ~done.verdicts.trace_ok[:, STRICT]).mean(),
        "hard_trace_strict": done.verdicts.trace_ok[hard, STRICT].mean(),
        "easy_trace_strict": np.delete(done.verdicts.trace_ok[:, STRICT], hard).mean(),
        "hard_solution_valid": done.verdicts.solution_valid[hard].mean(),
        "easy_solution_valid": np.delete(done.verdicts.solution_valid, hard).mean(),
        "truncated": done.completions.truncated.mean(),
        "tokens": done.completions.tokens.lengths.mean(),
    }


def assert_logged(row, wanted):
    for name, value in wanted.items():
        assert float(row[f"val/{name}"]) == pytest.approx(float(np.float32(value)), abs=1e-6), name


def test_what_is_logged_is_what_the_weights_of_that_step_do(whole):
    rows = curves.measured(rows_of(whole.folder))
    assert [row["step"] for row in rows] == ["39", "79", "119"]
    assert_logged(rows[-1], judged(whole))
    assert any(float(row["val/trace_parses"]) > 0 for row in rows)
    assert any(float(row["val/truncated"]) < 1 for row in rows)
    progress = whole.read_json("run.json")["progress"]
    assert float(rows[-1]["train/tokens"]) == progress["tokens"]
    assert all(float(row["val/problems"]) == N for row in rows)
    assert all(row["val/loss"] for row in rows)
    written = {name for name in rows_of(whole.folder)[0] if name.startswith("val/")}
    assert set(objectives(whole.config)) - set(MACHINE) == written


def test_training_knows_nothing_of_it(whole, tmp_path):
    without = train(small(tmp_path, *WORDS, "validate_problems=0")).run
    with_, without_ = (torch.load(run.checkpoint(), weights_only=True) for run in (whole, without))
    assert with_["state_dict"].keys() == without_["state_dict"].keys()
    for name, weight in with_["state_dict"].items():
        assert torch.equal(weight, without_["state_dict"][name]), name
    assert torch.equal(with_["torch_rng"], without_["torch_rng"])
    assert {**with_["progress"], "minutes": 0} == {**without_["progress"], "minutes": 0}
    assert not any("solution_valid" in name for row in rows_of(tmp_path) for name in row)
    assert not (tmp_path / "figures" / "learning.png").exists()
    assert without.read_json("run.json")["seconds"]["of that, held-out problems"] == 0


@pytest.mark.parametrize("call", [2, 3])  # at a checkpoint's step; after the last step
def test_a_resumed_run_has_the_rows_of_one_that_was_not(whole, tmp_path, monkeypatch, call):
    """It broke off between a checkpoint and the validation of the same step."""
    calls, measure = [], HeldOut.__call__

    def breaks(*arguments):
        calls.append(1)
        if len(calls) == call:
            raise RuntimeError("killed")
        return measure(*arguments)

    monkeypatch.setattr(HeldOut, "__call__", breaks)
    with pytest.raises(RuntimeError, match="killed"):
        train(small(tmp_path, *WORDS))
    assert len(curves.measured(rows_of(tmp_path))) == call - 1
    monkeypatch.undo()
    again = train(small(tmp_path, *WORDS))
    assert again.state == "resumed"
    assert rows_of(tmp_path) == rows_of(whole.folder)
    a, b = (load_weights(run.checkpoint(name)) for run in (whole, again.run) for name in ("last",))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_its_time_is_no_training_time(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("tracelab.training.learner.time", SimpleNamespace(perf_counter=lambda: clock[0]))

    def an_hour(*_):
        clock[0] += 3600
        return {"problems": 1, "solution_valid": 0.0}

    module = learner(Budget(steps=6))
    trainer = fit(module, callbacks=[Validation(an_hour)], val_check_interval=2)
    assert clock[0] == 3 * 3600
    assert module.progress.minutes == 0
    assert trainer.callback_metrics["train/minutes"] == 0


def test_the_shares_of_processes_add_up(whole):
    task = build_task(whole.settings.task)
    model = trained_model(whole, task, "last", whole.read_json("run.json")["context"])
    for n, world in ((5, 2), (1, 2), (6, 3)):
        held_out = HeldOut.of(whole.settings.eval, task, problems(whole.settings, task, "val", n), 40)
        alone = held_out(model)
        shares = [held_out(model, rank, world, lambda sums: sums) for rank in range(world)]
        together = {name: sum(share[name] for share in shares) for name in alone}
        different = {"seconds": 0, "problems": n}
        assert pytest.approx({**alone, **different}) == {**together, **different}


def test_two_processes(whole, tmp_path, monkeypatch):
    """Three problems for one, four for the other; the sums are of all."""
    monkeypatch.setattr(processes, "start_processes", FORKED)
    more = ("trainer=ddp", "trainer.accelerator=cpu", "budget.steps=122", f"ckpt_path={whole.checkpoint()}")
    run = train(small(tmp_path, *WORDS, *more)).run
    rows = curves.measured(rows_of(tmp_path))
    assert [row["step"] for row in rows] == ["119", "121"]
    assert_logged(rows[-1], judged(run))
    names = [name for name in rows[0] if name.startswith("val/")]
    before = curves.measured(rows_of(whole.folder))[-1]
    assert [float(rows[0][name]) for name in names] == pytest.approx(
        [float(before[name]) for name in names], rel=1e-4
    )


def test_shards_say_that_nothing_is_measured(tmp_path, capsys):
    words = ("trainer=fsdp", "trainer.accelerator=cpu", "trainer.devices=1", "budget.steps=2")
    train(small(tmp_path, *WORDS, *words))
    assert "not measured during training" in capsys.readouterr().err
    assert not any("solution_valid" in name for row in rows_of(tmp_path) for name in row)


IGNORED = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch, of its own parts
COMPILED = pytest.param(("compile=true",), marks=(pytest.mark.slow, IGNORED))


@pytest.mark.parametrize("more", [("data.packing=256",), COMPILED])
def test_packed_and_compiled(tmp_path, more):
    run = train(small(tmp_path, *WORDS, "budget.steps=4", "validate_every=3", *more)).run
    assert run.read_json("run.json").get("attention") == ("plain" if "packing" in more[0] else None)
    rows = curves.measured(rows_of(tmp_path))
    assert [row["step"] for row in rows] == ["2", "3"]
    assert_logged(rows[-1], judged(run))


def test_it_asks_for_no_more_tokens_than_evaluation(tmp_path):
    train(small(tmp_path, *WORDS, "budget.steps=1", "eval.max_new=9"))
    (row,) = curves.measured(rows_of(tmp_path))
    assert float(row["val/tokens"]) <= 9


def test_none_of_its_problems_is_of_a_test_set(whole):
    settings = compose(Training, "train", "task.size=5")
    task = build_task(settings.task)
    held_out = problems(settings, task, "val", settings.data.val_size)
    test = problems(settings, task, "test", 256)
    assert not set(held_out.identity) & set(test.identity)


def test_the_figure_and_its_numbers(whole):
    folder = whole.folder / "figures"
    assert all((folder / f"learning.{kind}").stat().st_size > 5000 for kind in ("png", "pdf"))
    with (folder / "learning.csv").open(newline="") as file:
        drawn = list(csv.DictReader(file))
    rows = curves.measured(rows_of(whole.folder))
    metrics = ["solution_valid", "solution_optimal", *(f"trace_{level}" for level in LEVELS)]
    assert [row["metric"] for row in drawn] == [metric for metric in metrics for _ in rows]
    assert {row["n"] for row in drawn} == {str(N)}
    for k, row in enumerate(drawn):
        logged = rows[k % len(rows)]
        assert float(row["value"]) == float(logged[f"val/{row['metric']}"])
        assert float(row["tokens"]) == float(logged["train/tokens"])
        assert float(row["low"]) <= float(row["value"]) <= float(row["high"])


def test_the_figure_says_of_how_many_problems():
    """validate_problems may change over a resume."""
    assert curves.share_of(np.array([8, 8])) == "share of 8 held-out problems"
    assert curves.share_of(np.array([8, 8, 1024])) == "share of 8 to 1,024 held-out problems"


def test_the_figure_shows_where_a_teacher_goes_on_to_other_problems(tmp_path, monkeypatch):
    lines, labels = [], []
    monkeypatch.setattr(Axes, "axvline", lambda _, x, **__: lines.append(x))
    monkeypatch.setattr(Axes, "set_ylabel", lambda _, text, **__: labels.append(text))
    rows = "1e6,8,0.5,0.0\n2e6,8,0.9,0.0\n3e6,8,0.1,1.0\n"
    (tmp_path / "metrics.csv").write_text(f"train/tokens,val/problems,val/solution_valid,val/level\n{rows}")
    curves.learning(tmp_path / "learning", tmp_path / "metrics.csv", "a title")
    assert (lines, labels) == ([3.0], ["share of 8 held-out problems of its level"])


def test_seconds_are_those_of_all_validations(whole):
    with (whole.folder / "metrics.csv").open(newline="") as file:
        seconds = [float(row["val/seconds"]) for row in csv.DictReader(file) if row["val/seconds"]]
    recorded = json.loads((whole.folder / "run.json").read_text())["seconds"]
    assert [*recorded] == ["training", "of that, held-out problems", "judging", "in all"]
    assert recorded["of that, held-out problems"] == pytest.approx(sum(seconds))
    assert 0 < recorded["of that, held-out problems"] < recorded["training"]


def test_the_progress_line_has_both(whole, capsys):
    def measured(*_):
        return {"problems": 8, "solution_valid": 0.875, "trace_strict": 0.5}

    fit(learner(Budget(steps=2)), callbacks=[Validation(measured), ProgressLine()], val_check_interval=2)
    assert "  right 88%  strict 50%  " in capsys.readouterr().err.splitlines()[-1]
