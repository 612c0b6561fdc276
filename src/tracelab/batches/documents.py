"""Packed rows as models see them: where in a row each document begins."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 128  # packed rows are multiples: FlexAttention's blocks of queries and of keys


class Documents(NamedTuple):
    """Where the documents of packed rows begin.

    start: (B, T) int32, the column at which the document of each column begins. edges: (n + 1,) int32, the
    same for all rows end to end: document i is places edges[i]..edges[i + 1] - 1 of B * T; the last edges
    repeat B * T, so that there is one shape however many documents there are.
    """

    start: Tensor
    edges: Tensor

    @property
    def place(self) -> Tensor:
        """(B, T): each token's place in its document."""
        return torch.arange(self.start.shape[1], device=self.start.device) - self.start
