"""Problems graded by a trained model: bins are what it solves, controls are like them, files are whole."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
import torch

from tests.helpers.runs import small
from tests.runs.test_entry import run as command
from tracelab.core.types import BINS, SPLITS
from tracelab.data.frozen import drawn
from tracelab.data.jsonl import read_jsonl
from tracelab.evaluation.judging import judge_model, trained_model
from tracelab.probes import grading, unseen
from tracelab.probes.matching import lacking, matched
from tracelab.probes.settings import Grading
from tracelab.runs.build import build_task
from tracelab.runs.checkpoints import load_progress, save
from tracelab.runs.claims import claimed
from tracelab.runs.entry import compose
from tracelab.runs.folder import Run
from tracelab.runs.sets import prepare
from tracelab.runs.sets import test_sets as sets_of
from tracelab.runs.trained import settled
from tracelab.training.experiment import train

TINY = (
    "trace=solution_only",
    "task.format=compact",
    "task.generator=drunkards_walk",
    "task.ood=[]",
    "data.batch_tokens=1024",
    "data.train_size=300",
    "optim.schedule.warmup=10",
    "validate_every=1000",
    "budget.steps=200",
)
ASKED = ("problems=90", "bins=3", "samples=4", "seed=7")
NAMES = [f"{kind}_{k}" for kind in ("bin", "control") for k in range(3)]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(small(tmp_path_factory.mktemp("graded") / "run", *TINY)).run


def asked(run, *overrides):
    return compose(Grading, "grade", f"run={run.folder}", *ASKED, *overrides)


def graded(run, folder, *overrides):
    wanted = asked(run, *overrides)
    grading.check(run, wanted, folder)
    stamp = settled(run, wanted.checkpoint)
    grading.write(grading.of_run(run, wanted), folder, run, stamp)
    return folder


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    return graded(run, tmp_path_factory.mktemp("out") / "graded")


@pytest.fixture(scope="module")
def table(folder):
    return pl.read_parquet(folder / grading.PROBLEMS)


def column(table, file, name):
    return table.filter(file=file)[name].to_list()


def test_bins_are_ordered_by_pass_rate(folder, table):
    """All of an easier bin are solved as often as any of a harder one; the card counts ties at borders."""
    card = json.loads((folder / grading.CARD).read_text())
    assert table["file"].unique(maintain_order=True).to_list() == NAMES == list(card["files"])
    assert len(set(table["pass_rate"].to_list())) > 2, "the run solves some, sometimes"
    for border, (above, below) in zip(card["borders"], (NAMES[:2], NAMES[1:3]), strict=True):
        high, low = (column(table, name, "pass_rate") for name in (above, below))
        assert min(high) >= max(low)
        assert border["between"] == [above, below]
        assert border["pass_rate"] == [min(high), max(low)]
        same = min(high) == max(low)
        assert border["tied"] == ([high.count(min(high)), low.count(max(low))] if same else [0, 0])
    assert any(sum(border["tied"]) for border in card["borders"])
    for name, file in card["files"].items():
        assert file["problems"] == 30 == len(column(table, name, "line"))
        assert file["pass_rate"]["mean"] == pytest.approx(np.mean(column(table, name, "pass_rate")))
        assert file["complexity"]["mean"] == pytest.approx(np.mean(column(table, name, "expansions")))


def test_a_pass_rate_is_the_share_of_what_the_model_solves(run, tmp_path):
    """The files' problems, read and answered again, greedily."""
    out = graded(run, tmp_path / "greedy", "samples=1", "temperature=0", "problems=60")
    table, task = pl.read_parquet(out / grading.PROBLEMS), build_task(run.settings.task)
    model, record = (
        trained_model(run, task, "last", run.read_json("run.json")["context"]),
        run.read_json("run.json"),
    )
    for name in ("bin_0", "bin_2", "control_1"):
        read = read_jsonl(out / f"{name}.jsonl", task)
        judged = judge_model(model, task, read.examples, run.settings.eval, record["max_new"])
        assert judged.verdicts.solution_valid.tolist() == [p == 1 for p in column(table, name, "passes")]
    assert max(column(table, "bin_0", "passes")) == 1
    assert max(column(table, "bin_2", "passes")) == 0


def test_controls_are_of_the_same_complexity_and_other_problems(run, folder, table):
    """Problem for problem, as there are enough; chosen whatever the model solves."""
    for k in range(3):
        assert column(table, f"bin_{k}", "expansions") == column(table, f"control_{k}", "expansions")
    card = json.loads((folder / grading.CARD).read_text())
    assert card["controls"] == {"of_equal_complexity": 90, "furthest": 0.0}
    rates = [np.mean(column(table, name, "pass_rate")) for name in NAMES]
    assert rates[0] - rates[2] > 2 * (rates[3] - rates[5])
    other = grading.of_run(run, asked(run, "complexity=reference_steps"))
    steps = other.complexity.reshape(2, 90)
    assert other.card["measure"] == "reference_steps"
    assert other.complexity.tolist() == other.examples.trace.lengths.tolist()
    assert other.card["controls"]["of_equal_complexity"] == (steps[0] == steps[1]).sum()


def test_nothing_overlaps_with_what_the_run_knows(run, table):
    keys = table["problem_key"].to_numpy()
    assert len(np.unique(keys)) == 180
    assert (keys % np.uint64(BINS) < SPLITS["train"][1]).all(), "no validation, no test"
    trained = drawn(build_task(run.settings.task), 0, "train", "problem", 0, 300)
    assert set(keys.tolist()).isdisjoint(trained.identity.tolist())
    (tests,) = sets_of(run.settings, build_task(run.settings.task)).values()
    assert set(keys.tolist()).isdisjoint(tests[1].identity.tolist())
    again = unseen.draw(run, build_task(run.settings.task), asked(run), "expansions")
    assert again.trained_on + again.repeated > 0
    assert set(np.concatenate([again.examples.identity, again.controls.identity]).tolist()) == set(
        keys.tolist()
    )


def test_of_a_stream_all_that_came_is_known(run):
    """As many stretches as were begun."""
    task, data = build_task(run.settings.task), {**run.config["data"], "online": True, "train_size": 64}
    endless = Run(run.folder, {**run.config, "data": data})
    pieces = -(-load_progress(run.checkpoint())["examples"] // 64)
    stream = drawn(task, 0, "train", "problem", 0, 64 * pieces)
    assert unseen.trained_on(endless, "last").tolist() == np.unique(stream.identity).tolist()


def test_a_training_reads_them_all(run, folder, tmp_path):
    """The solver's traces and solutions, in the order of the files."""
    task = [word for word in TINY if word.startswith("task")]
    files = ",".join(f"{folder}/{name}.jsonl" for name in NAMES[:3])
    data = prepare(
        small(tmp_path, *task, f"data.files=[{files}]", "data.order=listed", "data.short_first=null")
    )
    assert len(data.train) == 90
    assert [file["left_out"] for file in data.card["read"]["files"]] == [0, 0, 0]
    assert data.card["splits"]["train"]["trace"]["strict"]["rate"] == 1


def test_equal_seeds_give_equal_bytes_in_another_process(run, folder, tmp_path):
    """By the command, on two devices; it prints what the files are. Another seed draws other problems."""
    words = (f"run={run.folder}", *ASKED, f"output={tmp_path}/again", "trainer.devices=2", "threads=1")
    done = command("tracelab.grade", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    ours = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert ours == {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()}
    assert set(ours) == {grading.CARD, grading.PROBLEMS, *(f"{name}.jsonl" for name in NAMES)}
    assert "control_2.jsonl" in done.stdout
    assert "expansions" in done.stdout
    other = unseen.draw(run, build_task(run.settings.task), asked(run, "seed=8"), "expansions")
    keys = pl.read_parquet(folder / grading.PROBLEMS)["problem_key"].to_list()
    assert len(set(other.examples.identity.tolist()) - set(keys)) > 60


def test_a_folder_is_whole_or_not_there(run, tmp_path, monkeypatch):
    """What fails while files are written leaves none of them."""
    found, stamp = grading.of_run(run, asked(run)), settled(run)
    with monkeypatch.context() as patch:
        patch.setattr(grading, "write_table", lambda *_: (_ for _ in ()).throw(OSError("gone")))
        with pytest.raises(OSError, match="gone"):
            grading.write(found, tmp_path / "out", run, stamp)
    assert not list(tmp_path.iterdir())
    grading.write(found, tmp_path / "out", run, stamp)
    grading.check(run, asked(run), tmp_path / "out")  # the same may be asked for again
    with pytest.raises(ValueError, match="holds something else than is asked for: take another output"):
        grading.check(run, asked(run, "seed=8"), tmp_path / "out")
    (tmp_path / "mine").mkdir()
    with pytest.raises(ValueError, match="take another output"):
        grading.check(run, asked(run), tmp_path / "mine")


def test_a_run_that_is_trained_meanwhile_grades_nothing(run, folder, tmp_path):
    """The card says of which weights it is; of others by now nothing is written, and nobody is asked."""
    assert json.loads((folder / grading.CARD).read_text())["judged"] == settled(run)
    moved = Run(shutil.copytree(run.folder, tmp_path / "moved"), run.config)
    stamp = settled(moved)
    found = grading.of_run(moved, asked(moved, "problems=6", "samples=1"))
    content = torch.load(moved.checkpoint(), weights_only=True)
    content["progress"]["steps"] += 1
    save(moved.checkpoint(), content)
    with pytest.raises(ValueError, match="was trained on while it was asked"):
        grading.write(found, tmp_path / "out", moved, stamp)
    with claimed(moved.folder):
        done = command(
            "tracelab.grade", f"run={moved.folder}", *ASKED, f"output={tmp_path}/out", cwd=tmp_path
        )
    assert "another process is training in" in done.stderr
    assert not (tmp_path / "out").exists()


def test_completions_are_as_long_as_the_evaluations(run):
    """Where the run is judged with another limit than it began with, pass rates are of that limit, too."""
    short = Run(run.folder, {**run.config, "eval": {**run.config["eval"], "max_new": 1}})
    assert not grading.of_run(short, asked(short, "problems=30", "samples=1")).passes.any()
    assert grading.of_run(run, asked(run, "problems=30", "samples=1")).passes.any()


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        (("problems=10",), "problems=10 make no bins=3 of equal size: take problems=12 or 9"),
        (("problems=2",), "of equal size: take problems=3$"),
        (("temperature=0",), "samples=4 completions that are the same"),
        (("complexity=typo",), "complexity='typo' is unknown; choose one of expansions"),
    ],
)
def test_what_cannot_be_graded_says_so(run, tmp_path, knobs, message):
    with pytest.raises(ValueError, match=message):
        grading.check(run, asked(run, *knobs), tmp_path / "out")


def test_runs_whose_problems_nobody_knows_say_so(run, tmp_path, monkeypatch):
    names = {**run.config["names"], "algorithm": "grpo"}
    for config in ({"names": names}, {"merge": {"base_model": "a"}}):
        with pytest.raises(ValueError, match="nobody knows which problems are new to it"):
            grading.check(Run(run.folder, {**run.config, **config}), asked(run), tmp_path / "out")
    data, trace = {**run.config["data"], "files": ["gone.jsonl"]}, run.config["trace"]
    lost = Run(run.folder, {**run.config, "data": data, "trace": trace})
    with pytest.raises(ValueError, match=r"data\.files=gone\.jsonl, which .* is gone"):
        unseen.trained_on(lost, "last")
    monkeypatch.setattr(unseen, "PATIENCE", 1)
    with pytest.raises(ValueError, match=r"that were drawn only .* are new: ask for fewer"):
        unseen.draw(run, build_task(run.settings.task), asked(run, "problems=150"), "expansions")


def test_the_nearest_is_taken_where_there_is_no_equal():
    wanted, pool = np.array([3.0, 3.0, 9.0, 1.0]), np.array([8.0, 3.0, 2.0, 100.0, 1.0, 1.0])
    for seed in range(5):
        rows = matched(wanted, pool, np.random.default_rng(seed))
        assert len(set(rows.tolist())) == 4
        assert sorted(pool[rows[:2]].tolist()) == [2.0, 3.0]
        assert pool[rows[2:]].tolist() == [8.0, 1.0]
        assert rows[3] == 4, "the first in the pool"
    assert {int(matched(wanted, pool, np.random.default_rng(seed))[0]) for seed in range(20)} == {1, 2}
    assert lacking(wanted, pool) == 2
    assert lacking(wanted, np.array([])) == 4
    assert lacking(wanted, np.repeat(wanted, 2)) == 0
