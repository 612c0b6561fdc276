"""What `make demo` trains, and how fast that goes here.

tokens_per_second(demo())
"""

from __future__ import annotations

import time

import torch

from tracelab.runs.build import build_model, build_task, device_of, precision_of
from tracelab.runs.entry import compose
from tracelab.training.experiment import build_learner
from tracelab.training.losses import padded_losses
from tracelab.training.settings import Training

WORDS = ("task=maze", "trace=corrupted", "budget.tokens=2500000")  # of its command
LENGTH = 192  # tokens of the demo's sequences, on average
SECONDS = 3.0  # that training steps are measured for


def demo() -> Training:
    """What `make demo` trains."""
    return compose(Training, "train", *WORDS, "run_dir=unused")


def tokens_per_second(experiment: Training) -> float:
    """Measured steps of training as configured, on made-up sequences as long as the demo's."""
    rows = max(1, experiment.data.batch_tokens // LENGTH)
    device = device_of(experiment.trainer)
    vocabulary = build_task(experiment.task).codec.vocabulary
    precision = precision_of(experiment)
    model = build_model(experiment.model, vocabulary, LENGTH, experiment.seed, precision)
    learner = build_learner(experiment, model.to(device))
    optimizer = learner.recipe.optimizer(learner.model)
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
