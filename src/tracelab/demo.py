"""What `make demo` trains, and how fast that goes here.

tokens_per_second(demo())
"""

from __future__ import annotations

import time
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from tracelab.core.paths import CONF
from tracelab.runs.build import build_model, build_task, device_of
from tracelab.runs.entry import prepare_process
from tracelab.training.experiment import build_learner
from tracelab.training.losses import padded_losses

LENGTH = 192  # tokens of the demo's sequences, on average
SECONDS = 3.0  # that training steps are measured for


def demo() -> Any:
    """The config of `make demo`, with what only a command knows left out."""
    prepare_process()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("train", ["trace=corrupted", "run_dir=unused"])
    plain: Any = OmegaConf.to_container(composed, resolve=False)
    del plain["names"]
    return OmegaConf.create(plain)


def tokens_per_second(config: Any) -> float:
    """Measured steps of training as configured, on made-up sequences as long as the demo's."""
    rows = max(1, config.data.batch_tokens // LENGTH)
    vocabulary, device = build_task(config).codec.vocabulary, device_of(config)
    learner = build_learner(config, build_model(config, vocabulary, LENGTH).to(device))
    optimizer = learner.configure_optimizers()
    tokens = torch.randint(len(vocabulary), (rows, LENGTH), device=device)
    at = torch.arange(rows * LENGTH, device=device)

    def step() -> None:
        with learner.model.computing():
            loss = padded_losses(learner.model, tokens, at, tokens.flatten()).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        float(loss.detach())  # waits for the device

    step()
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        step()
        steps += 1
    return steps * rows * LENGTH / (time.perf_counter() - began)
