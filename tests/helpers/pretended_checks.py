"""What runs on a pretended GPU, and what that says: figures by check, for `tests/house/test_pretended.py`.

Each check is a function; one that raises is told with its traceback.
"""

from __future__ import annotations

import traceback
import warnings
from collections import Counter
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn
from torch._dynamo.utils import counters
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention.flex_attention import flex_attention
from torch.utils._python_dispatch import TorchDispatchMode

from tracelab.algorithms.grpo import GRPO
from tracelab.batches.documents import Documents
from tracelab.batches.packing import Packed
from tracelab.batches.padding import Counts
from tracelab.core import rng
from tracelab.core.paths import PACKAGE
from tracelab.core.ragged import Ragged
from tracelab.decoding.continuous import Batch, Queue
from tracelab.decoding.logprobs import Micro, token_figures
from tracelab.decoding.stepping import Steps, Wish
from tracelab.models import attention
from tracelab.models.gpt import GPT
from tracelab.optim.adamw import adamw
from tracelab.optim.muon import MuonAdamW
from tracelab.optim.schedule import Linear
from tracelab.posttraining.updates import Part, Updater, Updates
from tracelab.training.budget import Budget
from tracelab.training.budgeted import Recipe
from tracelab.training.learner import Learner
from tracelab.training.losses import chunk_of, packed_loss

GPU = torch.device("cuda", 0)
VOCABULARY, CONTEXT, ROWS, LENGTH = 40, 512, 2, 512
WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2")  # operations that ask the device
EVERY = 50  # steps between lines of the log
WEIGHTS = {"trace": 0.5, "solution": 1.0}


class Copies(TorchDispatchMode):
    """What goes from host to device or back, and what waits, by where it is asked for."""

    def __init__(self):
        super().__init__()
        self.seen = Counter()

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        name = function.__name__.split(".")[0]
        if name in WAITS and arguments[0].device.type == "cuda":
            self.seen[f"{place()} waits"] += 1
        if name == "_local_scalar_dense":
            return 1.0  # a fake tensor has no value
        if name == "_pin_memory":
            return arguments[0]  # and no memory
        out = function(*arguments, **(options or {}))
        if name in ("_to_copy", "copy_"):
            source = arguments[name == "copy_"].device.type
            if source != out.device.type:
                self.seen[f"{place()} {source} to {out.device.type}"] += 1
        return out

    def taken(self):
        """What was seen since it was last asked."""
        seen, self.seen = dict(self.seen), Counter()
        return seen


def place():
    """The innermost function of ours that is running, or torch's backward pass."""
    frames = traceback.extract_stack()
    ours = [frame for frame in frames if Path(frame.filename).resolve().is_relative_to(PACKAGE)]
    return f"{Path(ours[-1].filename).stem}.{ours[-1].name}" if ours else "torch"


@contextmanager
def counted():
    """Fake tensors, whose copies are counted."""
    with FakeTensorMode(allow_non_fake_inputs=True), Copies() as copies:
        yield copies


def on_gpu(model, dtype=None):
    """The model with fake weights there."""
    moved = {}
    for module in model.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                like = {"dtype": dtype or weight.dtype, "device": GPU}
                new = moved.setdefault(id(weight), nn.Parameter(torch.empty(weight.shape, **like)))
                module._parameters[name] = new
        for name, buffer in module._buffers.items():
            module._buffers[name] = torch.empty(buffer.shape, dtype=dtype or buffer.dtype, device=GPU)
    return model


def made(**shape):
    shape = {"layers": 2, "width": 64, "heads": 4, "kv_heads": 2, "mlp": 96, "qk_norm": True} | shape
    return GPT(VOCABULARY, CONTEXT, **shape)


def packed(edges=65, rows=ROWS, length=LENGTH):
    """A packed batch there."""
    counts = Counts(1000, 500, 4, 100_000, 300)
    tokens = torch.zeros(rows, length, dtype=torch.int64, device=GPU)
    start = torch.zeros(rows, length, dtype=torch.int32, device=GPU)
    documents = Documents(start, torch.zeros(edges, dtype=torch.int32, device=GPU))
    return Packed(tokens, tokens, tokens.to(torch.int8), documents, counts)


def reduced():
    return torch.autocast("cuda", torch.bfloat16)


def kinds(model):
    """Where gradients are, and in which format."""
    return sorted({f"{weight.grad.device} {weight.grad.dtype}" for weight in model.parameters()})


def graphs():
    """Graphs that were compiled since the last call."""
    found = counters["stats"]["unique_graphs"]
    counters.clear()
    return found


def compiled(function, backend="aot_eager", **options):
    """torch.compile without a compiler."""
    torch._dynamo.reset()
    graphs()
    return torch.compile(function, backend=backend, **options)


# the checks


class Alone(Learner):
    """A learner whose trainer is no more than it asks for between lines of the log."""

    trainer = SimpleNamespace(
        log_every_n_steps=EVERY,
        train_dataloader=SimpleNamespace(),
        fit_loop=SimpleNamespace(_should_accumulate=lambda: False),
        should_stop=False,
        optimizers=[],
        world_size=1,
    )


def losses(kernel):
    """A packed batch's loss, forward and backward -> what was copied, and the kinds of gradients."""
    with counted() as copies:
        model = on_gpu(made())
        model.kernel = kernel
        batch = packed()
        copies.taken()
        with reduced():
            total, _ = packed_loss(model, WEIGHTS, *batch[:4])
        total.backward()
        return {"copies": copies.taken(), "gradients": kinds(model)}


def compiled_losses(kernel):
    """Graphs of packed batches, forward and backward: the first, another, and one of more documents."""
    with FakeTensorMode():
        model = on_gpu(made(layers=1))
        model.kernel = kernel
        learner = Alone(model, Recipe(adamw, Linear(), Budget(steps=1000)))
        learner._compiles, learner._packed = True, compiled(packed_loss, dynamic=False, fullgraph=True)
        found = []
        for edges in (65, 65, 129):
            with reduced():
                loss, _ = learner.loss(packed(edges))
            loss.backward()
            found.append(graphs())
        return {"graphs": found, "gradients": kinds(model)}


def check_plain():
    return losses("plain")


def check_varlen():
    return losses("varlen")


def check_flex_compiled():
    return compiled_losses("flex")


def check_varlen_compiled():
    return compiled_losses("varlen")


def check_policy():
    """Graphs of log-probabilities of padded batches of several shapes: n tokens of (B, T)."""
    with FakeTensorMode():
        model = on_gpu(made(layers=1))
        figures, found = compiled(token_figures, dynamic=True, backend="eager"), []
        for B, T, n in ((4, 64, 30), (7, 72, 41), (3, 8, 5)):
            tokens = torch.zeros(B, T, dtype=torch.int64, device=GPU)
            at = torch.zeros(n, dtype=torch.int64, device=GPU)
            with reduced():
                figures(model, tokens, at, at, 0.7, True)[0].sum().backward()
            found.append(graphs())
        return {"graphs": found}


def check_blocks():
    """Blocks compiled one by one, as FSDP has them: graphs of two steps."""
    with FakeTensorMode():
        model = on_gpu(made())
        model.kernel = "flex"
        compiled(packed_loss)
        found = []
        for block in model.blocks:
            block.compile(backend="aot_eager")
        for _ in range(2):
            with reduced():
                packed_loss(model, WEIGHTS, *packed()[:4])[0].backward()
            found.append(graphs())
        return {"graphs": found}


def steps(optimizer):
    """Copies and waits of the learner's steps."""
    with counted() as copies:
        model = on_gpu(made())
        model.kernel = "varlen"
        learner = Alone(model, Recipe(optimizer, Linear(), Budget(steps=1000)), attention="varlen")
        learner._on_gpu = True
        optimizer = learner.configure_optimizers()
        learner.trainer.optimizers = [optimizer]
        batch = packed()
        found = []
        for step in range(2):
            copies.taken()
            optimizer.zero_grad()
            with reduced():
                loss = learner.training_step(batch, step)
            loss.backward()
            learner.configure_gradient_clipping(optimizer, 1.0)
            optimizer.step()
            learner.progress.steps += 1
            found.append(copies.taken())
        return {"copies": found}


def check_muon():
    return steps(MuonAdamW)


def check_adamw():
    return steps(adamw)


def sampling(temperature, dtype):
    """Copies and waits of what decoding in slots is made of, on a model in a format."""
    generator = np.random.default_rng(0)
    prompts = Ragged.of([generator.integers(4, VOCABULARY, n) for n in generator.integers(2, 150, 12)])
    keys = rng.keys(0, "sampling", 0, 24, "tokens").reshape(12, 2)
    with counted() as copies, torch.no_grad():
        model, found = on_gpu(made(), dtype), {}
        batch = Batch(model, Queue(prompts, keys, np.full(12, 50)), 24, 256, Wish.of(3, temperature, GPU))
        run = Steps(model, batch.slots, batch.rows, batch.wish, compiled=False)
        run.records = False
        copies.taken()
        batch._admit()
        found["admission"] = copies.taken()
        run.run(24, 256, 2)
        found["steps"] = copies.taken()
        batch.live[5:] = False
        batch._shrink()
        run.run(len(batch.sample), 256, 2)
        return found | {"rows": len(batch.sample), "kernel": batch.kernel, "shrinking": copies.taken()}


def check_sampling():
    return sampling(0.7, None)


def check_greedy():
    return sampling(0.0, torch.bfloat16)


def check_chunks():
    """Tokens of a chunk of logits, of the mazes' vocabulary and of a large one; on a CPU."""
    with FakeTensorMode():
        hidden = torch.empty(1, device=GPU)
        return {"chunks": [chunk_of(944, hidden), chunk_of(150_000, hidden), chunk_of(944, torch.empty(1))]}


def check_mixed():
    """A tensor of the host among those of the device fails, so that the others prove something."""
    with FakeTensorMode():
        try:
            torch.zeros(3, device=GPU) + torch.zeros(3)
        except RuntimeError as error:
            return {"error": str(error)}
        return {}


def check_flex_alone():
    """A model that isn't compiled attends by a compiled kernel: warnings, and graphs of its attention."""
    attention.fused = cache(lambda: compiled(flex_attention, dynamic=False))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with FakeTensorMode(), reduced():
            model = on_gpu(made())
            model.kernel = "flex"
            packed_loss(model, WEIGHTS, *packed()[:4])[0].backward()
    said = [str(warning.message) for warning in caught]
    return {"graphs": graphs(), "warnings": said, "gradients": kinds(model)}


def check_update():
    """Copies and waits of an update made of three micro-batches."""
    B, T, S = 2, 8, 24
    with counted() as copies:
        model = on_gpu(made())
        optimizer = adamw(model)
        names = {"knobs": Updates(), "reference": None, "optimizer": optimizer, "forward": token_figures}
        more = {"backward": torch.Tensor.backward, "max_new": T, "temperature": 1.0}
        updater = Updater(model, GRPO(), **names, **more)
        whole = torch.ones(B, T, dtype=torch.bool, device=GPU)
        number = torch.zeros(B * T, dtype=torch.int64, device=GPU)
        tokens = torch.zeros(B, S, dtype=torch.int64, device=GPU)
        micro = Micro(number[:B], tokens, number, number, whole)
        figures = torch.zeros(B, T, device=GPU)
        part = Part(micro, figures, figures[:, 0], whole, figures, figures, None, None)
        copies.taken()
        updater._update([part] * 3, {})
        return {"copies": copies.taken()}
