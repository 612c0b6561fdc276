"""Small models, made-up sequences and trainers for the tests of the engine."""

import lightning
import numpy as np
import torch

from tracelab.budget import Budget
from tracelab.core.codec import Sequences
from tracelab.core.ragged import Ragged
from tracelab.data.batching import FixedLoader, Loader
from tracelab.learner import Learner
from tracelab.models.gpt import GPT
from tracelab.optim.muon import MuonAdamW
from tracelab.optim.schedule import Linear

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
    return Learner(model or tiny(), options.pop("optimizer", MuonAdamW), schedule, budget, **options)


def loader(data=None, **options):
    data = data or sequences()
    return Loader(lambda k: data, **({"batch_tokens": 256, "context": CONTEXT} | options))


def validation():
    return FixedLoader(sequences(10, seed=5), batch_tokens=256, context=CONTEXT)


def fit(module, train=None, val=None, *, callbacks=(), resume=None, **options):
    """Train the module; returns the trainer."""
    trainer = lightning.Trainer(**(TRAINER | options), callbacks=list(callbacks))
    trainer.fit(module, train or loader(), val or validation(), ckpt_path=resume, weights_only=True)
    return trainer
