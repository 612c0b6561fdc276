"""What a language model must offer to be trained, sampled, judged, post-trained and probed here.

`tests/models/test_models.py` holds every model in `conf/model/` to it; write by `gpt.py` and `recurrent.py`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tracelab.batches.documents import Documents
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.models.past import Past

DEVIATION = 0.02  # of matrices' first weights (GPT-2)


def drawing(seed: int, purpose: str) -> torch.Generator:
    """Random numbers for what stands beside a model's weights: others than these are drawn from."""
    (key,) = rng.keys(seed, "model", 0, 1, purpose)
    return torch.Generator().manual_seed(int(key))


class Words(nn.Embedding):
    """Any shape of tokens -> the same, width: their vectors, times `scale`.

    scaled: scale is sqrt(width), as in Vaswani et al. 2017 (arXiv 1706.03762, section 3.4); else it is 1. A
    head that is tied to the weights reads them without the scale.
    """

    def __init__(self, count: int, width: int, scaled: bool = False) -> None:
        super().__init__(count, width)
        self.scale = width**0.5 if scaled else 1.0

    @property
    def deviation(self) -> float:
        """Standard deviation of the weights."""
        return self.weight.std().item()

    @property
    def size(self) -> float:
        """Standard deviation of words as blocks read them."""
        return self.deviation * self.scale

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        found = super().forward(tokens)
        return found if self.scale == 1.0 else found * self.scale


class Model(nn.Module):
    """(B, T) tokens -> (B, T, vocab_size) float32 logits, each seeing its own token and those before it.

    It is built with `vocab_size`, `context` and `seed` beside the knobs of its YAML. embed: of the tokens,
    (vocab_size, width); blocks: its layers, in order; context: the most tokens that a sequence may have.
    Matrices whose names begin with neither `embed` nor `head` are Muon's. packs: does `hidden` keep the
    documents of packed rows apart? compiles: can torch.compile follow it? lead: tokens that it reads behind
    each prompt before it writes.
    """

    packs: ClassVar[bool] = False
    compiles: ClassVar[bool] = True
    lead: tuple[int, ...] = ()
    kernel = "plain"  # which attends to packed rows (`models.attention`)
    products = torch.float32  # number format of matrix products (`models.precision`)

    vocab_size: int
    context: int
    embed: Words
    blocks: nn.ModuleList

    def hidden(self, tokens: Tensor, past: Past | None = None, documents: Documents | None = None) -> Tensor:
        """(B, T), or their embeddings, (B, T, width) -> (B, T, width), before the head.

        With a past, the tokens come after what it holds, and it holds them then, too; with documents, each of
        them is by itself.
        """
        raise NotImplementedError

    def embedded(self, tokens: Tensor) -> Tensor:
        """(B, T) -> (B, T, width); what is embedded already, as it is."""
        return tokens if tokens.is_floating_point() else self.embed(tokens)

    def shift(self, tokens: Tensor) -> Tensor:
        """(B,): by how many columns each row is moved to be read; what is captured inside (`places`) is so
        much further on.
        """
        return torch.zeros_like(tokens[:, 0])

    def opened(self, prompts: Ragged) -> Ragged:
        """Prompts with what is read behind each."""
        return prompts.joined(Ragged.of([self.lead] * len(prompts))) if self.lead else prompts

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., width) -> (..., vocab_size), always float32."""
        raise NotImplementedError

    def reading(self, start: Tensor) -> Past:
        """An empty past for B rows, left-padded to one length. start: (B,) the first real column of each."""
        raise NotImplementedError

    def flops(self, tokens: int, pairs: int) -> float:
        """Floating-point operations of the matrix products in a forward and a backward pass.

        pairs: of a token and one that it may see (T (T + 1) / 2 in a sequence of T), for what attends.
        """
        raise NotImplementedError

    @property
    def stacks(self) -> dict[str, tuple[int, ...]]:
        """Parameters that are several matrices on top of each other, and that Muon takes apart -> the rows of
        each. Gates and ups it takes as one: `parts` has them, too.
        """
        return {}

    @property
    def parts(self) -> dict[str, tuple[int, ...]]:
        """All parameters that are several matrices on top of each other -> the rows of each."""
        gated = [(name, len(w)) for name, w in self.named_parameters() if name.endswith("gate_up.weight")]
        return {**self.stacks, **{name: (rows // 2, rows // 2) for name, rows in gated}}

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.embed.weight.device

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) -> (B, T, vocab_size)."""
        return self.logits(self.hidden(tokens))

    def computing(self) -> AbstractContextManager[None]:
        """A context in which matrix products are in the model's format (autocast), as in training."""
        context: AbstractContextManager[None] = torch.autocast(
            self.device.type, self.products, enabled=self.products != torch.float32
        )
        return context

    @classmethod
    def check(cls, **shape: Any) -> None:
        """ValueError if a shape's numbers do not go together: asked before anything is drawn."""

    @torch.no_grad()
    def initialize(self, seed: int) -> None:
        """Normal weights of deviation 0.02, smaller where they write to the residual stream (GPT-2).

        The latter are the matrices called `out` and `down`. Gains become one, biases zero.
        """
        generator = torch.Generator().manual_seed(seed)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                writes = name.endswith(("out.weight", "down.weight"))
                weight.normal_(0.0, DEVIATION, generator=generator)
                weight.div_((2 * len(self.blocks)) ** 0.5 if writes else 1.0)
            else:
                weight.fill_(0.0 if name.endswith("bias") else 1.0)
