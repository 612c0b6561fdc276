"""Two processes train the run that one process trains: DDP and FSDP, padded and packed, on the CPU."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import lightning
import pytest
import torch
from hydra.utils import instantiate

from tests.engine import CONTEXT, fit, learner, loader, sequences, trained_on
from tests.runs import config, small
from tracelab import processes
from tracelab.budget import Budget
from tracelab.checkpoint import Checkpoints, load_weights
from tracelab.data.batching import FixedLoader
from tracelab.loggers import CSV
from tracelab.optim.adamw import adamw
from tracelab.processes import most, together
from tracelab.training import train

CLONE = Path(__file__).parents[1]
LAYOUTS = {
    "padded": {"batch_tokens": 96},  # of two rows or of three, so shares are unequal
    "packed": {"batch_tokens": 384, "packing": 128},  # of three rows
}
ALONE, SHARED = {"devices": 1}, ("ddp", "fsdp")
TOKENS = 3500  # more than two epochs
ONE = ("optim=adamw", "trainer.precision=32-true", "trace=corrupted", "threads=1", "trainer.accelerator=cpu")


class Seen(lightning.Callback):
    """Writes what each process was trained on."""

    def __init__(self, folder):
        self.folder, self.steps = folder, []

    def on_train_batch_start(self, trainer, module, batch, _):
        self.steps.append(trained_on(batch))

    def on_train_end(self, trainer, module):
        (self.folder / f"seen-{trainer.global_rank}.json").write_text(json.dumps(self.steps))


def run(folder, layout, options):
    """Train a small model, with checkpoints and a log in a folder."""
    module = learner(Budget(tokens=TOKENS), optimizer=lambda model: adamw(model, lr=1e-2), trace_weight=0.5)
    folder.mkdir(exist_ok=True)
    fit(
        module,
        loader(**LAYOUTS[layout]),
        FixedLoader(sequences(11, seed=5), context=CONTEXT, **LAYOUTS[layout]),
        callbacks=[Checkpoints(folder, every=7), Seen(folder)],
        logger=CSV(folder / "metrics.csv"),
        log_every_n_steps=1,
        val_check_interval=9,
        gradient_clip_val=1.0,
        **options,
    )


def share_all(folder):
    """What each of the two processes does: all runs."""
    for name in SHARED:
        chosen = config("train", f"trainer={name}").trainer
        for layout in LAYOUTS:
            built = {part: instantiate(chosen[part]) for part in ("strategy", "plugins")}
            run(folder / f"{name}-{layout}", layout, {**built, "devices": 2})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of all runs: alone-padded, ddp-padded, ..."""
    folder = tmp_path_factory.mktemp("runs")
    for layout in LAYOUTS:
        run(folder / f"alone-{layout}", layout, ALONE)
    together(2, share_all, folder)
    return folder


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def assert_same_run(mine, theirs):
    a, b = rows(mine), rows(theirs)
    assert [row["step"] for row in a] == [row["step"] for row in b]
    for one, other in zip(a, b, strict=True):
        for name in one.keys() - {"train/tokens_per_second", "train/data_wait_ms"}:
            assert bool(one[name]) == bool(other[name]), name
            if one[name]:
                assert float(one[name]) == pytest.approx(float(other[name]), rel=1e-4), (one["step"], name)
    a, b = (load_weights(folder / "last.ckpt") for folder in (mine, theirs))
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", SHARED)
def test_losses_norms_and_weights_are_those_of_one_process(folder, name, layout):
    assert_same_run(folder / f"alone-{layout}", folder / f"{name}-{layout}")
