"""How much arithmetic training takes, whoever computes it: the numerator of model FLOPs utilisation (MFU)."""

from __future__ import annotations

from typing import Any

from tracelab.models.gpt import GPT


def training_flops(model: GPT, tokens: int, pairs: int) -> float:
    """Floating-point operations of the matrix products in a forward and a backward pass.

    6 N tokens + 12 L H D pairs (Chowdhery et al. 2022, PaLM, appendix B). N: weights of the matrices that
    each token is multiplied by (the head's among them, the embedding's, which is only looked up, not): two
    operations each forward, twice as many backward. pairs: of a query and a key that it sees; each costs
    H heads of L layers two products of D features, q k and p v, again 2 + 4 operations a product. PaLM
    counts T of them a token, here it is what causal attention within documents looks at: T (T + 1) / 2 in
    all for a document of T tokens. What is computed twice to save memory counts once.
    """
    matrices = sum(p.numel() for p in model.blocks.parameters() if p.ndim == 2)
    block: Any = model.blocks[0]
    per_pair = 12 * len(model.blocks) * block.heads[0] * block.head_dim
    return 6.0 * (matrices + model.head.weight.numel()) * tokens + float(per_pair) * pairs
