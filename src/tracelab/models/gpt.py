"""A decoder-only transformer: RMSNorm, RoPE, SwiGLU, grouped-query attention.

One class covers the Llama, Qwen2 (`qkv_bias`) and Qwen3 (`qk_norm`) shapes; the tests copy weights
from the reference implementations and compare outputs. `conf/model/` holds the sizes:

    model = GPT(vocab_size=60, context=512, layers=4, width=128, heads=4, mlp=352, qk_norm=True)
    logits = model(tokens)  # (B, T) -> (B, T, vocab_size), float32

Weights are float32. Under autocast the residual stream and the matrices are in the format of
`products`, which `models.precision` chooses.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from tracelab.batches.documents import Documents
from tracelab.batches.padding import ROUND
from tracelab.core.settings import Context, Depth, Positive, Size
from tracelab.models.attention import Look, look_within
from tracelab.models.base import Model, Words
from tracelab.models.cache import Cache
from tracelab.models.layers import Angles, angles_at, attend, by_heads, normalize, rotate
from tracelab.models.past import Norms, Past


class GPT(Model):
    """(B, T) tokens -> (B, T, vocab_size) float32 logits.

    context: the most tokens a sequence may have. kv_heads divides heads; fewer means grouped-query
    attention. head_dim is width / heads unless given. mlp: width of the SwiGLU's hidden layer. `kernel`
    says how packed rows are attended to (`models.attention`), `products` in which number format matrices
    are multiplied (`models.precision`).
    """

    packs = True

    def __init__(
        self,
        vocab_size: int,
        context: Context,
        *,
        layers: Depth,
        width: Size,
        heads: Size,
        mlp: Size,
        kv_heads: Size | None = None,
        head_dim: Size | None = None,
        rope_theta: Positive = 10_000.0,
        norm_eps: Positive = 1e-6,
        qkv_bias: bool = False,
        qk_norm: bool = False,
        tied: bool = True,
        embed_scaled: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.check(width=width, heads=heads, kv_heads=kv_heads, head_dim=head_dim)
        kv_heads, head_dim = kv_heads or heads, head_dim or width // heads
        self.vocab_size, self.context = vocab_size, context
        self.embed = Words(vocab_size, width, embed_scaled)
        self.blocks = nn.ModuleList(
            Block(width, heads, kv_heads, head_dim, mlp, norm_eps, qkv_bias, qk_norm) for _ in range(layers)
        )
        self.norm = Norm(width, norm_eps)
        self.head = nn.Linear(width, vocab_size, bias=False)
        if tied:
            self.head.weight = self.embed.weight
        self.rope: Tensor
        rows = -(-context // ROUND) * ROUND  # padding goes as far
        self.register_buffer("rope", rope_table(rows, head_dim, rope_theta), persistent=False)
        self.initialize(seed)

    @classmethod
    def check(cls, **shape: Any) -> None:
        """ValueError if heads do not divide what they have to."""
        heads, head_dim = shape["heads"], shape.get("head_dim") or shape["width"] // shape["heads"]
        kv_heads = shape.get("kv_heads") or heads
        if heads % kv_heads:
            raise ValueError(f"model.kv_heads must divide heads, but {kv_heads} does not divide {heads}")
        if head_dim < 2 or head_dim % 2:
            raise ValueError(
                f"model.heads={heads} leaves a head {head_dim} of model.width={shape['width']}: rotary "
                "places need an even number, 2 or more; set another model.heads, or model.head_dim"
            )

    @property
    def stacks(self) -> dict[str, tuple[int, ...]]:
        """Parameters that are several matrices on top of each other -> the rows of each: q, k and v."""
        blocks: list[Any] = list(self.blocks)
        return {f"blocks.{i}.qkv.weight": block.qkv_rows for i, block in enumerate(blocks)}

    def hidden(self, tokens: Tensor, past: Past | None = None, documents: Documents | None = None) -> Tensor:
        """(B, T) -> (B, T, width), before the head.

        With a past, the tokens come after those in it; with documents, each of them is by itself.
        """
        x = self.embedded(tokens)
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        T, last = tokens.shape[1], self.context - 1
        place: slice | Tensor = slice(T)
        look: Look = _look_back
        if past is not None:
            place = past.advance(T).clamp(max=last)
        elif documents is not None:
            place = documents.place.clamp(max=last)  # padding may be longer than any document
            look = look_within(documents, self.kernel)
        angles = angles_at(self.rope[place], x.dtype)
        for i, block in enumerate(self.blocks):
            x = block(x, angles, look, None if past is None else (past, i))
        return self.norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., width) -> (..., vocab_size), always float32."""
        return self.head(hidden).float()

    def reading(self, start: Tensor) -> Cache:
        """Room for keys and values."""
        return Cache(len(self.blocks), start)

    def flops(self, tokens: int, pairs: int) -> float:
        """6 N tokens + 12 L H D pairs (Chowdhery et al. 2022, PaLM, appendix B).

        N: weights of the matrices that each token is multiplied by (the head's among them, the embedding's,
        which is only looked up, not): two operations each forward, twice as many backward. pairs: of a query
        and a key that it sees; each costs H heads of L layers two products of D features, q k and p v, again
        2 + 4 operations a product. PaLM counts T of them a token, here it is what causal attention within
        documents looks at. What is computed twice to save memory counts once.
        """
        matrices = sum(p.numel() for p in self.blocks.parameters() if p.ndim == 2)
        block: Any = self.blocks[0]
        per_pair = 12 * len(self.blocks) * block.heads[0] * block.head_dim
        return 6.0 * (matrices + self.head.weight.numel()) * tokens + float(per_pair) * pairs


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(
        self,
        width: int,
        heads: int,
        kv_heads: int,
        head_dim: int,
        mlp: int,
        norm_eps: float,
        qkv_bias: bool,
        qk_norm: bool,
    ) -> None:
        super().__init__()
        self.heads = (heads, kv_heads)
        self.head_dim = head_dim
        self.norm_eps = norm_eps
        self.attention_norm = Norm(width, norm_eps)
        self.qkv_rows = (heads * head_dim, kv_heads * head_dim, kv_heads * head_dim)
        self.qkv = nn.Linear(width, sum(self.qkv_rows), bias=qkv_bias)
        self.q_gain = nn.Parameter(torch.ones(head_dim)) if qk_norm else None
        self.k_gain = nn.Parameter(torch.ones(head_dim)) if qk_norm else None
        self.out = nn.Linear(heads * head_dim, width, bias=False)
        self.mlp_norm = Norm(width, norm_eps)
        self.gate_up = nn.Linear(width, 2 * mlp, bias=False)
        self.down = nn.Linear(mlp, width, bias=False)

    def forward(self, x: Tensor, angles: Angles, look: Look, cache: tuple[Past, int] | None = None) -> Tensor:
        """(B, T, width) -> (B, T, width). look: what queries see where there is no cache."""
        x = x + self.attention(self.attention_norm(x), angles, look, cache)
        gate, up = self.gate_up(self.mlp_norm(x)).chunk(2, dim=-1)
        return x + self.down(silu(gate) * up)

    def attention(self, x: Tensor, angles: Angles, look: Look, cache: tuple[Past, int] | None) -> Tensor:
        """Causal attention, over the cache's columns too when there is one."""
        heads, kv_heads = self.heads
        qkv = self.qkv(x)
        if cache is not None and cache[0].decodes(qkv, self.head_dim):
            return self.out(cache[0].decode(cache[1], qkv, self._norms(), angles))
        qk, v = by_heads(qkv, self.head_dim).split([heads + kv_heads, kv_heads])
        if self.q_gain is not None and self.k_gain is not None:
            gains = [self.q_gain.expand(heads, 1, 1, -1), self.k_gain.expand(kv_heads, 1, 1, -1)]
            qk = normalize(qk, torch.cat(gains), self.norm_eps)
        q, k = rotate(qk, angles).split([heads, kv_heads])
        y = look(q, k, v) if cache is None else cache[0].attend(cache[1], q, k, v)
        return self.out(y.permute(1, 2, 0, 3).flatten(2))

    def _norms(self) -> Norms | None:
        """Norms of queries and keys, for the decoding kernel; None if the model has no such norms."""
        if self.q_gain is None or self.k_gain is None:
            return None
        heads, kv_heads = self.heads
        gains = torch.cat([self.q_gain.expand(heads, -1), self.k_gain.expand(kv_heads, -1)])
        return Norms(gains.float(), self.norm_eps)


def _look_back(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return attend(q, k, v, None)


class Norm(nn.Module):
    """x / rms(x) * weight over the last axis (Zhang and Sennrich 2019)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Any shape ending in `width`."""
        return normalize(x, self.weight, self.eps)


def rope_table(context: int, head_dim: int, theta: float) -> Tensor:
    """(context, head_dim): cosines, then sines, of position * theta ** (-2i / head_dim)."""
    frequency = theta ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
    angle = torch.arange(context, dtype=torch.float64)[:, None] * frequency  # (context, D / 2)
    return torch.cat([angle.cos(), angle.sin()], dim=-1).float()
