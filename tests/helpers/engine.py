"""Small models, made-up sequences and trainers for the tests of the engine."""

import itertools

import lightning
import numpy as np
import torch

from tracelab.batches.loader import FixedLoader, Loader
from tracelab.batches.packing import Packed
from tracelab.core.codec import Sequences
from tracelab.core.ragged import Ragged
from tracelab.models.gpt import GPT
from tracelab.optim.muon import MuonAdamW
from tracelab.optim.schedule import Linear
from tracelab.training.budget import Budget
from tracelab.training.budgeted import Recipe
from tracelab.training.learner import Learner

VOCABULARY, CONTEXT = 20, 48
TRAINER = {
    "accelerator": "cpu",
    "logger": False,
    "max_epochs": 1,
    "num_sanity_val_steps": 0,
    "check_val_every_n_epoch": None,
    "val_check_interval": 1000,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}

torch.set_num_threads(1)


def tiny(**changes):
    shape = {"layers": 2, "width": 32, "heads": 4, "kv_heads": 2, "mlp": 48, "qk_norm": True} | changes
    return GPT(VOCABULARY, CONTEXT, **shape)


def sequences(n=60, seed=0, longest=40):
    """Rows of 8..longest tokens: a prompt of 3, a trace, a solution of 4; every fifth has no trace."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(8, longest + 1, n)
    rows = Ragged.of([generator.integers(4, VOCABULARY, length) for length in lengths])
    trace = np.where(np.arange(n) % 5 == 0, 0, lengths - 7)
    return Sequences(rows, np.full(n, 3, np.int32), trace.astype(np.int32))


def learner(budget=None, model=None, **options):
    budget = budget or Budget(steps=10)
    schedule = options.pop("schedule", Linear(warmup=2))
    recipe = Recipe(options.pop("optimizer", MuonAdamW), schedule, budget)
    return Learner(model or tiny(), recipe, **options)


def loader(data=None, **options):
    data = data or sequences()
    return Loader(lambda k: data, **({"batch_tokens": 256, "context": CONTEXT} | options))


def validation():
    return FixedLoader(sequences(10, seed=5), batch_tokens=256, context=CONTEXT)


def trained_on(batch):
    """The sequences that something is predicted of, as tuples, of a padded or a packed batch."""
    if not isinstance(batch, Packed):
        row = batch.at // batch.tokens.shape[1]
        rows = row.unique().tolist()
        return [(*batch.tokens[r, :3].tolist(), *batch.targets[row == r].tolist()) for r in rows]
    found = []
    for tokens, targets, part, start in zip(*batch[:3], batch.documents.start, strict=True):
        for a, b in itertools.pairwise([*start.unique().tolist(), len(start)]):
            if part[a:b].any():
                found.append((*tokens[a:b].tolist(), targets[b - 1].item()))
    return found


def shares(monkeypatch, build, processes, n):
    """The first n batches of a loader, as each of several processes gets them."""
    for rank in range(processes):
        monkeypatch.setattr("tracelab.batches.loader._ranks", lambda rank=rank: (rank, processes))
        yield list(itertools.islice(build(), n))
    monkeypatch.undo()


def check_shares(monkeypatch, build, processes):
    """Do processes get shares of an epoch's batches that are the whole, once? build: of a loader."""
    steps = len(build()._planned(0)[1])
    alone = list(itertools.islice(build(), steps))
    of_each = list(shares(monkeypatch, build, processes, steps))
    for whole, *parts in zip(alone, *of_each, strict=True):
        together = [sequence for part in parts for sequence in trained_on(part)]
        assert sorted(together) == sorted(trained_on(whole))
        assert all((part.counts, part.after) == (whole.counts, whole.after) for part in parts)
    seen = [sequence for part in itertools.chain(*of_each) for sequence in trained_on(part)]
    assert len(seen) == len(set(seen)) == sum(batch.counts.examples for batch in alone)
    return of_each


def fit(module, train=None, val=None, *, callbacks=(), resume=None, **options):
    """Train the module; returns the trainer."""
    trainer = lightning.Trainer(**(TRAINER | options), callbacks=list(callbacks))
    trainer.fit(module, train or loader(), val or validation(), ckpt_path=resume, weights_only=True)
    return trainer
