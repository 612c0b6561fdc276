"""Two processes train the run that one process trains: DDP and FSDP, padded and packed, on the CPU."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import lightning
import pytest
import torch
from hydra.utils import instantiate
from torch.multiprocessing.spawn import start_processes

from tests.helpers.engine import CONTEXT, VOCABULARY, fit, learner, loader, sequences, tiny, trained_on
from tests.helpers.forked import FORKED
from tests.helpers.hearing import hear
from tests.helpers.runs import SMALL, small
from tests.training.test_resume import StopAt
from tracelab.batches.loader import FixedLoader
from tracelab.data.frozen import arm, drawn
from tracelab.data.jsonl import write_jsonl
from tracelab.loggers import CSV
from tracelab.optim.adamw import adamw
from tracelab.runs.checkpoints import load_progress, load_weights
from tracelab.runs.entry import compose
from tracelab.runs.signals import passed_on
from tracelab.tasks.maze import Maze
from tracelab.traces.correct import Correct
from tracelab.training import processes
from tracelab.training.budget import Budget
from tracelab.training.checkpoint import Checkpoints
from tracelab.training.experiment import train
from tracelab.training.processes import own_environment, together
from tracelab.training.settings import Training
from tracelab.training.shards import shard

CLONE = Path(__file__).parents[2]
LAYOUTS = {
    "padded": {"batch_tokens": 96},  # of two rows or of three, so shares are unequal
    "packed": {"batch_tokens": 384, "packing": 128},  # of three rows
}
SHARED = ("ddp", "fsdp")
TOKENS = 3500  # more than two epochs


class Seen(lightning.Callback):
    """Writes what each process is trained on in each step."""

    def __init__(self, folder):
        self.folder = folder

    def on_train_batch_start(self, trainer, module, batch, _):
        path = self.folder / f"seen-{module.progress.steps}-{trainer.global_rank}.json"
        path.write_text(json.dumps(trained_on(batch)))


class CtrlC(lightning.Callback):
    """Reaches one process alone, in the midst of its fourth step."""

    def on_before_optimizer_step(self, trainer, *_):
        if trainer.global_step == 3 and trainer.global_rank == 1:
            signal.raise_signal(signal.SIGINT)


def run(folder, layout, *callbacks, resume=None, **options):
    """Train a small model, with checkpoints and a log in a folder."""
    module = learner(Budget(tokens=TOKENS), optimizer=lambda model: adamw(model, lr=1e-2), trace_weight=0.5)
    folder.mkdir(exist_ok=True)
    fit(
        module,
        loader(**LAYOUTS[layout]),
        FixedLoader(sequences(11, seed=5), context=CONTEXT, **LAYOUTS[layout]),
        callbacks=[*callbacks, Checkpoints(folder, every=5), Seen(folder)],
        logger=CSV(folder / "metrics.csv"),
        log_every_n_steps=1,
        val_check_interval=6,
        gradient_clip_val=1.0,
        resume=resume,
        **options,
    )


def take_part(folder):
    """What each of two processes does: every run, crashing after step 8 and resumed after step 5."""
    for name in SHARED:
        trainer = compose(Training, "train", f"trainer={name}").trainer
        chosen = {part: trainer[part] for part in ("devices", "strategy")}

        def parts(chosen=chosen):
            return {**instantiate(chosen, _convert_="all"), "plugins": own_environment()}

        for layout in LAYOUTS:
            place = folder / f"{name}-{layout}"
            with pytest.raises(RuntimeError, match="crash"):
                run(place, layout, StopAt(8, RuntimeError("crash")), **parts())
            run(place, layout, resume=place / "last.ckpt", **parts())
    with pytest.raises(SystemExit):
        run(folder / "interrupted", "padded", CtrlC(), **parts())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of all runs: alone-padded, ddp-padded, ..."""
    folder = tmp_path_factory.mktemp("runs")
    for layout in LAYOUTS:
        run(folder / f"alone-{layout}", layout)
    together(2, take_part, folder)
    return folder


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def assert_same_figures(path, other, tolerance):
    a, b = rows(path), rows(other)
    assert [row["step"] for row in a] == [row["step"] for row in b]
    for one, two in zip(a, b, strict=True):
        for name in one.keys() - {
            "train/tokens_per_second",
            "train/data_wait_ms",
            "train/minutes",
            "val/seconds",
        }:
            assert bool(one[name]) == bool(two[name]), name
            if one[name]:
                assert float(one[name]) == pytest.approx(float(two[name]), rel=tolerance), (one["step"], name)


def assert_same_weights(path, other, **tolerance):
    a, b = load_weights(path), load_weights(other)
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], **tolerance)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", SHARED)
def test_losses_norms_and_weights_are_those_of_one_process(folder, name, layout):
    alone, shared = folder / f"alone-{layout}", folder / f"{name}-{layout}"
    assert_same_figures(alone / "metrics.csv", shared / "metrics.csv", 1e-5)
    assert_same_weights(alone / "last.ckpt", shared / "last.ckpt", rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", SHARED)
def test_budgets_count_all_processes(folder, name, layout):
    alone, shared = (load_progress(folder / f"{way}-{layout}" / "last.ckpt") for way in ("alone", name))
    assert {**alone, "minutes": 0} == {**shared, "minutes": 0}
    assert shared["tokens"] >= TOKENS


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", SHARED)
def test_no_example_twice_in_an_epoch(folder, name, layout):
    steps = len(loader(**LAYOUTS[layout])._planned(0)[1])
    expected = sorted(row.tolist() for row in sequences().tokens)
    for epoch in range(2):
        seen = []
        for step in range(epoch * steps, (epoch + 1) * steps):
            parts = [
                json.loads((folder / f"{name}-{layout}" / f"seen-{step}-{rank}.json").read_text())
                for rank in range(2)
            ]
            seen += parts[0] + parts[1]
        assert sorted(seen) == expected


def test_a_signal_that_reaches_one_process_stops_all_after_the_same_step(folder):
    assert load_progress(folder / "interrupted" / "last.ckpt")["steps"] == 4


def fail(raises):
    """In the second process; the first waits for ever."""
    if os.environ["LOCAL_RANK"] == "0":
        signal.pause()
    if raises:
        raise ValueError("of two\nlines")
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("raises", "says"),
    [
        (True, r"of 2 processes failed: ValueError: of two\nlines$"),
        (False, "terminated with signal SIGKILL$"),
    ],
)
def test_the_failure_of_one_process_ends_all(monkeypatch, raises, says):
    monkeypatch.setattr(processes, "PATIENCE", 0.5)
    monkeypatch.setattr(processes, "start_processes", FORKED)
    with pytest.raises(RuntimeError, match=says):
        together(2, fail, raises)


def wait(first):
    """Until a signal comes, with no handler for it; the last process to begin has the first told."""
    if os.environ["LOCAL_RANK"] == "1":
        os.kill(first, signal.SIGUSR1)
    signal.pause()


def test_processes_that_are_told_to_stop_before_they_train(monkeypatch):
    """They have not failed: there is nothing to save."""
    monkeypatch.setattr(processes, "PATIENCE", 0.5)
    monkeypatch.setattr(processes, "start_processes", FORKED)
    assert not together(2, wait, os.getpid())


def told(first):
    """As a training that a signal meets in its last validation: what it has is saved, and it ends."""
    with passed_on(list) as came:
        if os.environ["LOCAL_RANK"] == "1":
            os.kill(first, signal.SIGUSR1)
        while not came:
            time.sleep(0.01)


def test_processes_that_were_told_to_stop_at_the_end_are_not_finished(monkeypatch, tmp_path):
    """Else the evaluation would begin, though time is up."""
    monkeypatch.setattr(processes, "start_processes", FORKED)
    assert not together(2, told, os.getpid())
    assert together(2, len, "two")


def test_processes_do_not_hear_that_time_is_up(monkeypatch):
    """The run's own process does, and passes on what stops them."""
    monkeypatch.setattr(processes, "start_processes", partial(start_processes, start_method="spawn"))
    together(1, hear)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()


def test_devices_are_how_many_or_which():
    for devices, count in {"1": 1, "4": 4, "[2]": 1, "[0,3]": 2}.items():
        assert processes.wished(compose(Training, "train", f"trainer.devices={devices}").trainer) == count


def test_what_is_refused(tmp_path):
    with pytest.raises(ValueError, match="take optim=adamw"):
        train(small(tmp_path / "a", "trainer=fsdp"))
    with pytest.raises(ValueError, match="say how many devices"):
        train(small(tmp_path / "b", "trainer=ddp", "trainer.devices=auto"))


# the command

COMMON = ("trainer.precision=32-true", "trainer.accelerator=cpu", "trace=corrupted", "threads=1")


@pytest.fixture
def mesh():
    """One process that shares with nobody."""
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield torch.distributed.init_device_mesh("cpu", (1,))
    torch.distributed.destroy_process_group()


def test_shards_are_float32_and_gathered_in_the_format_of_products(mesh):
    """And the loss is that of the model whose weights autocast casts."""
    whole, shared = tiny(), tiny()
    shared.products = torch.bfloat16
    seen = []
    shared.blocks[0].qkv.register_forward_pre_hook(lambda layer, _: seen.append(layer.weight.dtype))
    shard(shared, mesh, compiled=False)
    tokens = torch.arange(40).view(2, 20) % VOCABULARY
    with torch.autocast("cpu", torch.bfloat16):
        losses = [model.logits(model.hidden(tokens)).square().mean() for model in (whole, shared)]
    for loss in losses:
        loss.backward()
    assert seen == [torch.bfloat16]
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-2, atol=0)
    for mine, theirs in zip(shared.parameters(), whole.parameters(), strict=True):
        assert mine.dtype == mine.grad.dtype == torch.float32
        largest = theirs.grad.abs().max()
        assert largest > 0
        assert (mine.grad.full_tensor() - theirs.grad).abs().max() < 0.1 * largest


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("trainer=ddp", "optim=muon"),
        ("trainer=ddp", "optim=adamw", "data.online=true"),
        ("trainer=fsdp", "optim=adamw", "data.packing=512", "validate_problems=0"),
    ],
)
def test_a_run_of_two_processes(tmp_path, words):
    alone = train(small(tmp_path / "alone", *COMMON, *words[1:]))
    shared = train(small(tmp_path / "shared", *COMMON, *words))
    assert_same_figures(alone.run.folder / "metrics.csv", shared.run.folder / "metrics.csv", 1e-3)
    assert_same_weights(alone.run.checkpoint(), shared.run.checkpoint(), rtol=1e-2, atol=1e-4)
    assert shared.state == "finished"
    assert shared.metrics["wilson"]["solution_valid"]["n"] == 24
    files = [sorted(path.name for path in trained.run.folder.rglob("*")) for trained in (alone, shared)]
    assert files[0] == files[1]


@pytest.mark.slow
@pytest.mark.parametrize("by", ["order", "teacher"])
def test_what_comes_when_is_the_same_for_two_processes(tmp_path, by):
    """Files in an order, and a teacher that goes on by held-out accuracy."""
    mazes = Maze(size=5, format="compact", ood=[])
    for which in range(2):
        examples = drawn(mazes, which, "train", "problem", 0, 40)
        write_jsonl(tmp_path / f"{which}.jsonl", mazes, arm(mazes, Correct(), examples, 0, "train")[0])
    words = {
        "order": (f"data.files=[{tmp_path}/0.jsonl,{tmp_path}/1.jsonl]", "data.order=listed"),
        "teacher": ("data.teacher={knob:size,values:[4,5],bound:0.0}", "task.reach={side:5}"),
    }[by]
    size = ("task.size=5", "task.format=compact", "task.ood=[]", "eval.problems=4")
    words = (*COMMON[:2], *words, *size, "threads=1", "data.short_first=null", "validate_problems=4")
    alone = train(small(tmp_path / "alone", *words))
    shared = train(small(tmp_path / "shared", *words, "trainer=ddp"))
    assert_same_figures(alone.run.folder / "metrics.csv", shared.run.folder / "metrics.csv", 1e-3)
    assert_same_weights(alone.run.checkpoint(), shared.run.checkpoint(), rtol=1e-2, atol=1e-4)


@pytest.mark.slow
def test_ctrl_c_leaves_a_checkpoint_and_no_process(tmp_path):
    folder = tmp_path / "run"
    checkpoint = folder / "checkpoints" / "last.ckpt"
    words = [*SMALL, *COMMON, "trainer=ddp", "budget.steps=400", f"run_dir={folder}"]
    command = [sys.executable, "-m", "tracelab.train", *words]
    environment = {**os.environ, "PYTHONPATH": str(CLONE / "src")}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE) as process:
        while not checkpoint.exists() and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()  # ends when all that hold it have ended
    assert b"nothing is lost" in said
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    assert load_progress(checkpoint)["steps"] < 400
    again = train(small(tmp_path / "again", *COMMON, "budget.steps=400", f"ckpt_path={checkpoint}"))
    assert again.state == "resumed"  # by one process


@pytest.mark.slow
def test_shards_go_on_as_shards_however_many(tmp_path):
    words = (*COMMON, "optim=adamw", "eval.problems=2")
    first = train(small(tmp_path / "first", *words, "trainer=fsdp"))
    longer = (*words, "budget.steps=16", f"ckpt_path={first.run.checkpoint()}")
    with pytest.raises(ValueError, match="was written with trainer=fsdp"):
        train(small(tmp_path / "other", *longer))
    both = [
        train(small(tmp_path / str(devices), *longer, "trainer=fsdp", f"trainer.devices={devices}"))
        for devices in (1, 2)
    ]
    assert_same_weights(*(run.run.checkpoint() for run in both), rtol=1e-2, atol=1e-4)
