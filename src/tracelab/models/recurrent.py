"""A decoder without attention: blocks of a gated linear recurrence (minGRU) and SwiGLU.

    model = Recurrent(vocab_size=60, context=512, layers=4, width=128, mlp=352)

What it has read is a vector per layer, whatever the length: it can copy only what it kept. minGRU: Feng et
al. 2024, arXiv 2410.01201, in its log-space form (appendix B), of all tokens of a sequence at once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, silu, softplus

from tracelab.batches.documents import Documents
from tracelab.core.settings import Context, Depth, Positive, Size
from tracelab.models.base import Model, Words
from tracelab.models.gpt import Norm
from tracelab.models.past import Past

CHUNK = 32  # columns that are summed as one


class Recurrent(Model):
    """`Model` of minGRU blocks. inner: width of the recurrence (None: width); mlp: of the hidden layer."""

    def __init__(
        self,
        vocab_size: int,
        context: Context,
        *,
        layers: Depth,
        width: Size,
        mlp: Size,
        inner: Size | None = None,
        norm_eps: Positive = 1e-6,
        tied: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.context = context
        self.inner = inner or width
        self.embed = Words(vocab_size, width)
        self.blocks = nn.ModuleList(Block(width, self.inner, mlp, norm_eps) for _ in range(layers))
        self.norm = Norm(width, norm_eps)
        self.head = nn.Linear(width, vocab_size, bias=False)
        if tied:
            self.head.weight = self.embed.weight
        self.initialize(seed)

    @property
    def stacks(self) -> dict[str, tuple[int, ...]]:
        """Gate and candidate, which `mix` computes together."""
        rows = (self.inner, self.inner)
        return {f"blocks.{i}.mix.weight": rows for i in range(len(self.blocks))}

    def hidden(self, tokens: Tensor, past: Past | None = None, documents: Documents | None = None) -> Tensor:
        """(B, T) -> (B, T, width), before the head. ValueError for packed rows: it would mix documents."""
        if documents is not None:
            raise ValueError("a recurrent model cannot keep packed documents apart: take data.packing=null")
        x = self.embedded(tokens)
        if past is None:
            for block in self.blocks:
                x, _ = block(x)
            return self.norm(x)
        assert isinstance(past, State), "the past of another model"
        read = past.read(tokens.shape[1])
        for i, block in enumerate(self.blocks):
            x, past.kept[i] = block(x, past.kept[i], read)
        return self.norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., width) -> (..., vocab_size), always float32."""
        return self.head(hidden).float()

    def reading(self, start: Tensor) -> State:
        """Nothing read yet."""
        return State(start, len(self.blocks))

    def flops(self, tokens: int, pairs: int) -> float:
        """Six operations per weight of a matrix and token; the recurrence is no matrix product."""
        matrices = sum(p.numel() for p in self.blocks.parameters() if p.ndim == 2)
        return 6.0 * (matrices + self.head.weight.numel()) * tokens


class State(Past):
    """What B left-padded rows have read: per layer (B, inner) float32, or None before the first token.

    start: (B,) the first real column of each row; used: how many columns were read.
    """

    def __init__(self, start: Tensor, layers: int) -> None:
        self.start, self.used = start, 0
        self.kept: list[Tensor | None] = [None] * layers

    def read(self, n: int) -> Tensor:
        """N columns more -> (B, n): which of them are tokens, not padding."""
        column = torch.arange(self.used, self.used + n, device=self.start.device)
        self.used += n
        return column >= self.start[:, None]

    def keep(self, rows: Tensor) -> None:
        """Keep the rows of these places, in this order."""
        self.start = self.start[rows]
        self.kept = [None if h is None else h[rows] for h in self.kept]

    def branch(self, rows: Tensor) -> None:
        """Go on with a row for each of these places, as often as they are named."""
        self.keep(rows)


class Block(nn.Module):
    """x + out(recurrence(norm(x))), then x + mlp(norm(x))."""

    def __init__(self, width: int, inner: int, mlp: int, norm_eps: float) -> None:
        super().__init__()
        self.mix_norm = Norm(width, norm_eps)
        self.mix = nn.Linear(width, 2 * inner, bias=False)
        self.out = nn.Linear(inner, width, bias=False)
        self.mlp_norm = Norm(width, norm_eps)
        self.gate_up = nn.Linear(width, 2 * mlp, bias=False)
        self.down = nn.Linear(mlp, width, bias=False)

    def forward(
        self, x: Tensor, before: Tensor | None = None, read: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, T, width), after a state -> the same, and the state then.

        read: (B, T), which columns are tokens; None: all are.
        """
        forget, new = self._logs(x)
        if read is not None:
            forget = forget.masked_fill(~read[:, :, None], 0.0)
            new = new.masked_fill(~read[:, :, None], -torch.inf)
        if before is not None:  # as if the state were what is new in a column before the first
            forget = torch.cat([torch.zeros_like(forget[:, :1]), forget], 1)
            new = torch.cat([before.log()[:, None], new], 1)
        h = scan(forget, new).exp()[:, -x.shape[1] :]
        return self._written(x, h), h[:, -1]

    def _logs(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """-> (B, T, inner) float32 twice: the logarithms of what is kept, and of what is new.

        h = (1 - z) h + z g, z = sigmoid(a), g = c + 1/2 where c > 0 and sigmoid(c) where not: positive, so
        that it has a logarithm.
        """
        a, c = self.mix(self.mix_norm(x)).float().chunk(2, dim=-1)
        candidate = torch.where(c > 0, (c.clamp(min=0) + 0.5).log(), -softplus(-c))
        return -softplus(a), candidate - softplus(-a)

    def _written(self, x: Tensor, h: Tensor) -> Tensor:
        x = x + self.out(h.to(x.dtype))
        gate, up = self.gate_up(self.mlp_norm(x)).chunk(2, dim=-1)
        return x + self.down(silu(gate) * up)


def scan(forget: Tensor, new: Tensor) -> Tensor:
    """Log h of h_t = exp(forget_t) h_{t-1} + exp(new_t), h before the first being 0; (B, T, inner) each.

    Sums of `forget` are taken within CHUNK columns: over thousands they are so large that little of a
    float32 is left for h.
    """
    T = forget.shape[1]
    chunk = min(T, CHUNK)
    fill = (0, 0, 0, -T % chunk)
    forget, new = (pad(part, fill).unflatten(1, (-1, chunk)) for part in (forget, new))
    kept = forget.cumsum(2)
    h = kept + torch.logcumsumexp(new - kept, 2)
    sums = kept[:, :, -1].double().cumsum(1)  # of whole chunks, which are few
    ends = (sums + torch.logcumsumexp(h[:, :, -1] - sums, 1)).float()
    before = torch.cat([torch.full_like(ends[:, :1], -torch.inf), ends[:, :-1]], 1)
    return torch.logaddexp(h, kept + before[:, :, None]).flatten(1, 2)[:, :T]
