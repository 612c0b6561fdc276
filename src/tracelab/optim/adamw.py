"""AdamW as language models use it: weight decay on matrices alone."""

from __future__ import annotations

from torch import nn
from torch.optim import AdamW

from tracelab.core.settings import Below1, Rate


def adamw(
    model: nn.Module,
    lr: Rate = 1e-3,
    weight_decay: Rate = 0.1,
    betas: tuple[Below1, Below1] = (0.9, 0.95),
) -> AdamW:
    """The fused AdamW over the model; gains and biases are not decayed."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=lr, betas=(betas[0], betas[1]), fused=True)
