"""Muon for the matrices between embedding and head, AdamW for the rest: one optimiser object.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) replaces a matrix's momentum by
the nearest semi-orthogonal matrix, so that all directions learn at one speed. Same-shape matrices
are stacked and orthogonalised together, which is several times faster than one by one when they
are small. The tests compare both halves with torch.optim's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.adamw import adamw

QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's coefficients: steepest at zero, lands near one


class MuonAdamW(Optimizer):
    """Muon at `lr` on the blocks' matrices, AdamW at `adam_lr` on embedding, head, gains and biases.

    A step of Muon has the size of AdamW's on a matrix when scaled by sqrt(max(1, rows / columns)). It
    orthogonalises in the number format of the model's products (`model.products`; float32 if it names none).
    """

    def __init__(
        self,
        model: nn.Module,
        lr: float = 0.01,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        adam_lr: float = 0.003,
        adam_betas: tuple[float, float] = (0.9, 0.95),
    ) -> None:
        self.products = getattr(model, "products", torch.float32)
        parameters = dict(model.named_parameters())
        matrices = [p for name, p in parameters.items() if is_hidden_matrix(name, p)]
        others = [p for name, p in parameters.items() if not is_hidden_matrix(name, p)]
        muon = {"params": matrices, "lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        adam = {"params": others, "lr": adam_lr, "betas": tuple(adam_betas)}
        super().__init__([muon, adam], {})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step on the gradients that the closure leaves behind; returns its result."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        muon, adam = self.param_groups
        self._muon(muon)
        self._adam(adam)
        return loss

    def _muon(self, group: dict[str, Any]) -> None:
        same_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
        for p in group["params"]:
            if p.grad is not None:
                same_shape[p.shape].append(p)
        for (rows, columns), params in same_shape.items():
            grads = torch.stack([p.grad for p in params if p.grad is not None])
            state = self.state[params[0]]  # of all of this shape
            if not state:
                state["momentum"] = torch.zeros_like(grads)
            momentum = state["momentum"].lerp_(grads, 1 - group["momentum"])
            updates = orthogonalize(grads.lerp_(momentum, group["momentum"]), self.products)  # Nesterov's
            if group["weight_decay"]:
                torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
            scale = max(1.0, rows / columns) ** 0.5
            torch._foreach_add_(params, updates.unbind(), alpha=-group["lr"] * scale)

    def _adam(self, group: dict[str, Any]) -> None:
        params = [p for p in group["params"] if p.grad is not None]
        for p in params:
            if not self.state[p]:
                zeros = torch.zeros_like(p)
                self.state[p] = {"step": torch.zeros(()), "mean": zeros, "square": zeros.clone()}
        beta1, beta2 = group["betas"]
        adamw(
            params,
            [p.grad for p in params],
            [self.state[p]["mean"] for p in params],
            [self.state[p]["square"] for p in params],
            [],
            [self.state[p]["step"] for p in params],
            foreach=True,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )


def is_hidden_matrix(name: str, p: Tensor) -> bool:
    """Is it a matrix from hidden to hidden, neither embedding nor head?"""
    return p.ndim == 2 and not name.startswith(("embed", "head"))


def orthogonalize(matrices: Tensor, products: torch.dtype = torch.float32, steps: int = 5) -> Tensor:
    """(n, rows, columns) -> their nearest semi-orthogonal matrices, roughly, by Newton-Schulz in `products`.

    Singular values end between about 0.7 and 1.2, which trains as well as exact ones do.
    """
    x = matrices.to(products)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    a, b, c = QUINTIC
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)
