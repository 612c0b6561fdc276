"""Muon for the matrices between embedding and head, AdamW for the rest: one optimiser object.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) replaces a matrix's momentum by
the nearest semi-orthogonal matrix, so that all directions learn at one speed. Same-shape matrices
are stacked and orthogonalised together, which is several times faster than one by one when they
are small. Of several processes, whose gradients are the same, each orthogonalises a share (as in nanochat,
https://github.com/karpathy/nanochat). The tests compare both halves with torch.optim's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.adamw import adamw

from tracelab.core.knobs import one_of
from tracelab.core.settings import Below1, Rate
from tracelab.optim.sharing import shared_out


class Iteration(NamedTuple):
    """How singular values are driven to one: by odd polynomials a x + b x³ + c x⁵, one a step.

    schatten: of which Schatten norm a matrix is divided by first, 2 (Frobenius) or 4. The latter is nearer
    to the largest singular value, so that small ones begin nearer to one, and costs nothing more.
    """

    polynomials: tuple[tuple[float, float, float], ...]
    schatten: int


# jordan: five times one polynomial, which is steep at zero and lands near one.
# polar_express: four polynomials, each the best for what those before it leave of the range from 0.003 to 1
# (Amsel et al. 2025, arXiv 2505.16932, theorem 3.1). Each takes in ROOM more, for errors of 16-bit products:
# without it single values run away to 20. As near to one as jordan, in four fifths of the products.
ITERATIONS = {
    "jordan": Iteration(((3.4445, -4.7750, 2.0315),) * 5, 2),
    "polar_express": Iteration(
        (
            (8.38367, -24.76591, 18.35708),
            (3.96898, -2.84242, 0.51675),
            (3.46261, -2.49821, 0.48022),
            (2.49097, -1.77999, 0.40599),
        ),
        4,
    ),
}
GRAM = 2  # times as many columns as rows, from which on it pays to iterate on x xᵀ
LEAST = 1e-7  # of a norm that is divided by
ROOM = 1.02  # see ITERATIONS


class MuonAdamW(Optimizer):
    """Muon at `lr` on the blocks' matrices, AdamW at `adam_lr` on embedding, head, gains and biases.

    The singular values of a step of Muon are about lr * sqrt(max(1, rows / columns)), whatever the gradient's
    size; the largest of AdamW's are many times as large at the same rate. Muon orthogonalises in the number
    format of the model's products (`model.products`; float32 if it names none).
    split: take a parameter that is several matrices on top of each other (`model.stacks`: queries, keys and
    values) apart? Orthogonalised as one, they share one speed, and at first nearly all of it goes to the
    values, whose gradient is many times that of queries and keys. iteration: one of ITERATIONS.

    shares: set it where several processes train one model and have the same gradients; each then
    orthogonalises a share of the matrices.
    """

    shares = False

    def __init__(
        self,
        model: nn.Module,
        lr: Rate = 0.01,
        momentum: Below1 = 0.95,
        weight_decay: Rate = 0.0,
        adam_lr: Rate = 0.003,
        adam_betas: tuple[Below1, Below1] = (0.9, 0.95),
        split: bool = False,
        iteration: str = "jordan",
    ) -> None:
        one_of("optim.optimizer.iteration", iteration, tuple(ITERATIONS))
        self.iteration = ITERATIONS[iteration]
        stacks: dict[str, tuple[int, ...]] = getattr(model, "stacks", {}) if split else {}
        self.products = getattr(model, "products", torch.float32)
        parameters = dict(model.named_parameters())
        matrices = [p for name, p in parameters.items() if is_hidden_matrix(name, p)]
        others = [p for name, p in parameters.items() if not is_hidden_matrix(name, p)]
        muon = {"params": matrices, "lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        adam = {"params": others, "lr": adam_lr, "betas": tuple(adam_betas)}
        self.parts = {parameters[name]: rows for name, rows in stacks.items()}
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
        alike: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)  # by shape and by rows of their parts
        for p in group["params"]:
            alike[(*p.shape, *self.parts.get(p, p.shape[:1]))].append(p)
        finish: Callable[[], None] | None = None
        for (_, _, *parts), every in alike.items():
            learning = [k for k, p in enumerate(every) if p.grad is not None]
            if not learning:
                continue
            params = [every[k] for k in learning]
            grads = torch.stack([p.grad for p in params if p.grad is not None])
            kept = self._momentum(every)
            momentum = kept if len(params) == len(every) else kept[learning]
            momentum.lerp_(grads, 1 - group["momentum"])
            if momentum is not kept:
                kept[learning] = momentum
            whole = grads.lerp_(momentum, group["momentum"])  # Nesterov's
            if group["weight_decay"]:
                torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
            for k, part in enumerate(whole.split(parts, dim=1)):
                begun = self._update([p.split(parts)[k] for p in params], part, group["lr"])
                if finish is not None:
                    finish()
                finish = begun  # while these are sent around the next ones are computed
        if finish is not None:
            finish()

    def _momentum(self, every: list[Tensor]) -> Tensor:
        """(n, rows, columns): of n matrices of one shape, whichever learn now; it is the first one's state.

        What is not there yet is zero: at first all, and those that had not learned when an earlier version
        wrote a checkpoint. They come last.
        """
        state = self.state[every[0]]
        known = state.get("momentum", every[0].new_zeros(0, *every[0].shape))
        if len(known) < len(every):
            state["momentum"] = torch.cat([known, known.new_zeros(len(every) - len(known), *known.shape[1:])])
        momentum: Tensor = state["momentum"]
        return momentum

    def _update(self, params: list[Tensor], matrices: Tensor, lr: float) -> Callable[[], None]:
        """Begin to orthogonalise; the function that is returned waits, and changes the parameters."""

        def treat(some: Tensor) -> Tensor:
            return orthogonalize(some, self.products, self.iteration)

        scale = max(1.0, matrices.shape[1] / matrices.shape[2]) ** 0.5
        if self.shares:
            orthogonal = shared_out(matrices, treat, sent=self.products)
        else:
            treated = treat(matrices)
            orthogonal = lambda: treated  # noqa: E731
        return lambda: torch._foreach_add_(params, orthogonal().unbind(), alpha=-lr * scale)

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


def orthogonalize(
    matrices: Tensor, products: torch.dtype = torch.float32, iteration: Iteration = ITERATIONS["jordan"]
) -> Tensor:
    """(n, rows, columns) -> their nearest semi-orthogonal matrices, roughly, by Newton-Schulz in `products`.

    Singular values end between about 0.7 and 1.2, which trains as well as exact ones do.
    """
    x = matrices.to(products)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    by_gram = products == torch.float32 and x.shape[-1] >= GRAM * x.shape[-2]
    x = (_by_gram if by_gram else _directly)(x, iteration)
    return (x.mT if tall else x).to(matrices.dtype)


def _directly(x: Tensor, iteration: Iteration) -> Tensor:
    if iteration.schatten == 2:
        x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=LEAST)
        gram = x @ x.mT
    else:
        gram = x @ x.mT
        norm = _norm(gram, iteration.schatten)
        x, gram = (x / norm).to(x.dtype), (gram / norm.square()).to(x.dtype)
    for step, (a, b, c) in enumerate(iteration.polynomials):
        gram = x @ x.mT if step else gram
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def _by_gram(x: Tensor, iteration: Iteration) -> Tensor:
    """The same polynomials of the small matrix x xᵀ, and one product with x in the end: half the operations
    where x is long. It needs float32's digits.
    """
    gram = x @ x.mT
    norm = _norm(gram, iteration.schatten)
    gram, whole = gram / norm.square(), None
    for step, (a, b, c) in enumerate(iteration.polynomials, 1):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=-2, dim2=-1).add_(a)
        whole = factor if whole is None else factor @ whole
        if step < len(iteration.polynomials):
            gram = factor @ gram @ factor
    assert whole is not None
    return (whole / norm) @ x


def _norm(gram: Tensor, schatten: int) -> Tensor:
    """(n, 1, 1), float32: a Schatten norm of x, from its (n, r, r) Gram matrix x xᵀ."""
    squares = gram.float().diagonal(dim1=-2, dim2=-1) if schatten == 2 else gram.float().square().flatten(1)
    return squares.sum(-1).pow(1 / schatten).clamp(min=LEAST)[:, None, None]
