"""What a GPU's compiler is given, tried without a GPU: batches of several shapes, and signals meanwhile."""

import os
import subprocess
import sys

import pytest
import torch

from tracelab.core.paths import CLONE
from tracelab.models import layers
from tracelab.models.gpt import GPT
from tracelab.training.losses import padded_losses

SHAPES = ((4, 40), (6, 24), (3, 56))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # the compiler's own
def test_padded_batches_of_several_shapes_are_one_program(monkeypatch):
    """The layouts of GPUs on a CPU: what is kept for the backward pass has no strides of the first batch."""
    monkeypatch.setattr(layers, "fuses", lambda x: True)
    monkeypatch.setattr(layers, "FUSED", 0)  # the attention that GPUs have, from the first token on
    model = GPT(30, 64, layers=1, width=32, heads=4, mlp=64, qk_norm=True)
    torch._dynamo.reset()
    compiled = torch.compile(padded_losses, dynamic=True)
    generator = torch.Generator().manual_seed(0)
    for B, T in SHAPES:
        tokens = torch.randint(30, (B, T), generator=generator)
        at = torch.randperm(B * T, generator=generator)[: B * T // 2]
        targets = torch.randint(30, at.shape, generator=generator)
        found, wanted = (
            torch.autograd.grad(losses(model, tokens, at, targets).sum(), [*model.parameters()])
            for losses in (compiled, padded_losses)
        )
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


COMPILERS = """
import math, os, signal, sys
from tracelab.runs.signals import STOPS
from tracelab.training.accelerate import start_compilers

start_compilers()
from torch._inductor.async_compile import AsyncCompile

pool = AsyncCompile.process_pool()
for number in STOPS:
    os.kill(pool.process.pid, number)
print(pool.submit(math.factorial, 5).result(timeout=60))
print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""


def test_compilers_outlive_signals_that_stop():
    """A step that waits for its kernels would else never end; the training itself still hears signals."""
    environment = os.environ | {"TORCHINDUCTOR_COMPILE_THREADS": "2"}
    command = [sys.executable, "-c", COMPILERS]
    done = subprocess.run(command, capture_output=True, text=True, cwd=CLONE, env=environment, timeout=120)
    assert done.stdout.split("\n")[:2] == ["120", "set()"], done.stderr[-2000:]
