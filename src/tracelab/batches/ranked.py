"""Sequences with damaged twins of their traces, and what a batch of them has beside its tokens.

    sequences = Ranked(tokens, prompt, trace, twin, invalid)

For the loss that ranks valid traces above damaged ones (`training.ranking`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tracelab.core.codec import Sequences
from tracelab.core.ragged import Integers


@dataclass(frozen=True, slots=True)
class Ranked(Sequences):
    """Sequences whose traces are valid, each with a twin.

    twin: the same prompts with damaged traces, up to the word that opens solutions; invalid: (n,) which of
    these the verifier rejects.
    """

    twin: Sequences
    invalid: NDArray[np.bool_]

    @property
    def longest(self) -> int:
        """The tokens of the longest row, be it a twin's."""
        return max(int(self.tokens.lengths.max(initial=0)), self.twin.longest)

    def take(self, rows: Integers) -> Ranked:
        """The given sequences, in the given order."""
        plain = Sequences(self.tokens, self.prompt, self.trace).take(rows)
        twin, invalid = self.twin.take(rows), self.invalid[rows]
        return Ranked(plain.tokens, plain.prompt, plain.trace, twin, invalid)


class Twins(NamedTuple):
    """The twins of a batch of B rows.

    tokens: (B, T) int64, right-padded; at, targets: as of `Batch`, of all that stands behind the prompts;
    invalid: (B,) bool, which are ranked.
    """

    tokens: Tensor
    at: Tensor
    targets: Tensor
    invalid: Tensor
