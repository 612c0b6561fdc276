"""Models that think in latents: places behind a prompt whose input is no word.

    model = thinking(GPT(...), count=6, feedback="recycled", scale=0.02, seed=0)
    model.hidden(tokens)    # a token model.vocab_size is a latent
    with given(model, vectors):         # and model.vocab_size + 1 + k one whose input is vectors[k]
        model.hidden(tokens)

What a latent's input is, its `feedback`:

    recycled          the last hidden state of the place before, times a learned factor (Coconut: Hao et al.
                      2024, arXiv 2412.06769, where the factor is 1)
    projected         that state through a learned matrix and a norm (as CODI: Shen et al. 2025, arXiv
                      2502.21074)
    pause             one learned vector (Goyal et al. 2023, arXiv 2310.02226)
    pause_sequential  the same vector, but each latent is computed by itself, as a recycled one has to be
    random            a vector for each latent, drawn once and not learned

The first two need a pass for each latent, one after the other; gradients go through all of them. Latents
have tokens beyond the vocabulary, so that none can be written, and other weights are what they are without.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tracelab.batches.documents import Documents
from tracelab.models.base import DEVIATION, Model, Words, drawing
from tracelab.models.gpt import Norm
from tracelab.models.past import Past


def thinking(model: Model, count: int, feedback: str, scale: float | None, seed: int) -> Model:
    """The model itself, which from now on reads latents, so many behind each prompt (`lead`).

    feedback: one of FEEDS; scale: of recycled and projected states, at first; None: a word's size. Vectors
    that are drawn have that size, too, and learn as fast.
    """
    kind: Any = type(model)
    model.__class__ = _kind(kind)
    model.feed = FEEDS[feedback](count, model.embed, scale, drawing(seed, "latents"))
    model.lead = (model.vocab_size,) * count
    return model


@contextmanager
def given(model: Any, vectors: Tensor) -> Iterator[None]:
    """While the context lasts, tokens beyond a latent's are places whose inputs are these, (n, width)."""
    model.given = vectors
    try:
        yield
    finally:
        model.given = None


@cache
def _kind(kind: Any) -> Any:
    """The class of models of this kind that think."""
    return type(f"Latent{kind.__name__}", (Latent, kind), {})


class Latent(Model):
    """What is put before a model's class, so that it reads latents."""

    packs = False
    compiles = False  # how many passes there are depends on the tokens
    feed: Feed
    given: Tensor | None = None

    def hidden(self, tokens: Tensor, past: Past | None = None, documents: Documents | None = None) -> Tensor:
        """(B, T) -> (B, T, width), before the head.

        A latent that is fed with the state before it must be read together with the place before it.
        ValueError for packed rows: latents of different documents would wait for each other.
        """
        if documents is not None:
            raise ValueError("latents are computed row by row: take data.packing=null")
        latent = tokens == self.vocab_size
        inputs = self.embedded(tokens.masked_fill(tokens >= self.vocab_size, 0))
        if self.given is not None and len(self.given):
            row = tokens - self.vocab_size - 1
            inputs = torch.where(row[..., None] >= 0, self.given[row.clamp(min=0)].to(inputs), inputs)
        if self.feed.sequential and latent.any():
            return self._passes(inputs, latent, past) if past is not None else self._aligned(inputs, latent)
        if not self.feed.sequential:
            inputs = torch.where(latent[..., None], self.feed(latent.cumsum(1) - 1), inputs)
        return super().hidden(inputs, past)

    def shift(self, tokens: Tensor) -> Tensor:
        """(B,), see `Model`: so far that first latents are in one column."""
        latent = tokens == self.vocab_size
        return _shift(latent) if self.feed.sequential else torch.zeros_like(tokens[:, 0])

    def _aligned(self, inputs: Tensor, latent: Tensor) -> Tensor:
        """Rows moved so that their first latents are in one column, read, and moved back."""
        _, T, width = inputs.shape
        shift = _shift(latent)
        column = torch.arange(T + int(shift.max()), device=inputs.device) - shift[:, None]
        there = (column >= 0) & (column < T)
        column = column.clamp(0, T - 1)
        moved = inputs.gather(1, column[..., None].expand(-1, -1, width))
        hidden = self._passes(moved, latent.gather(1, column) & there, self.reading(shift))
        back = torch.arange(T, device=inputs.device) + shift[:, None]
        return hidden.gather(1, back[..., None].expand(-1, -1, width))

    def _passes(self, inputs: Tensor, latent: Tensor, past: Past) -> Tensor:
        """Columns in which there are latents one by one, those between them at once."""
        fed = latent.any(0).tolist()
        assert not fed[0], "a latent comes behind what is read with it"
        edges = [t for t in range(1, len(fed)) if fed[t] or fed[t - 1]]
        read: list[Tensor] = []
        for start, stop in pairwise([0, *edges, len(fed)]):
            piece = inputs[:, start:stop]
            if fed[start]:
                state = self.feed(read[-1][:, -1:]).to(piece.dtype)
                piece = torch.where(latent[:, start:stop, None], state, piece)
            read.append(super().hidden(piece, past))
        return torch.cat(read, 1)


def _shift(latent: Tensor) -> Tensor:
    """(B,): as far as rows are moved so that their first latents, if any, are in one column."""
    first = latent.int().argmax(1)
    return (first.where(latent.any(1), 0).max() - first).where(latent.any(1), 0)


class Feed(nn.Module):
    """What latents' inputs are made of. sequential: does each wait for the one before it? made_of_state: is
    its input the state there?
    """

    sequential: ClassVar[bool] = True
    made_of_state: ClassVar[bool] = True

    def inputs(self, states: Tensor) -> Tensor:
        """(B, K, width), the states before K latents -> the inputs of these."""
        count = torch.arange(states.shape[1], device=states.device)
        fed: Tensor = self(states if self.sequential else count)
        return fed.expand_as(states)


class Recycled(Feed):
    """(B, 1, width) states -> the same times a learned factor."""

    def __init__(self, count: int, words: Words, scale: float | None, generator: torch.Generator) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor([words.size if scale is None else scale]))

    def forward(self, state: Tensor) -> Tensor:
        """See the class."""
        return state * self.factor


class Projected(Feed):
    """(B, 1, width) states -> the same through a matrix and a norm."""

    def __init__(self, count: int, words: Words, scale: float | None, generator: torch.Generator) -> None:
        super().__init__()
        width = words.embedding_dim
        self.matrix = nn.Linear(width, width, bias=False)
        self.norm = Norm(width, 1e-6)
        with torch.no_grad():
            self.matrix.weight.normal_(0.0, DEVIATION, generator=generator)
            self.norm.weight.fill_(words.size if scale is None else scale)

    def forward(self, state: Tensor) -> Tensor:
        """See the class."""
        fed: Tensor = self.norm(self.matrix(state))
        return fed


class Pause(Feed):
    """Whatever it gets -> (width,), one learned vector, scaled as words are."""

    sequential = made_of_state = False

    def __init__(self, count: int, words: Words, scale: float | None, generator: torch.Generator) -> None:
        super().__init__()
        drawn = torch.empty(words.embedding_dim).normal_(0.0, words.deviation, generator=generator)
        self.vector, self.scale = nn.Parameter(drawn), words.scale

    def forward(self, _: Tensor) -> Tensor:
        """See the class."""
        return self.vector * self.scale


class PauseSequential(Pause):
    """The same, but in as many passes as there are latents."""

    sequential = True


class Random(Feed):
    """(B, T) which latent of its row a place is -> (B, T, width), its vector; anything where it is none."""

    sequential = made_of_state = False

    def __init__(self, count: int, words: Words, scale: float | None, generator: torch.Generator) -> None:
        super().__init__()
        self.vectors: Tensor
        drawn = torch.empty(count, words.embedding_dim).normal_(0.0, words.size, generator=generator)
        self.register_buffer("vectors", drawn)

    def forward(self, place: Tensor) -> Tensor:
        """See the class."""
        return self.vectors[place.clamp(0, len(self.vectors) - 1)]


FEEDS: dict[str, Any] = {
    "recycled": Recycled,
    "projected": Projected,
    "pause": Pause,
    "pause_sequential": PauseSequential,
    "random": Random,
}
