"""Completions with what their sampling said of them. No torch: who judges others' completions needs none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Ragged


@dataclass(frozen=True, slots=True)
class Completions:
    """n completions: all samples of the first prompt, then of the next.

    tokens: n rows, int32, with the stop token if it was reached; truncated: (n,) was it not?;
    mean_logprob: (n,) float32, of a row's tokens under the model at temperature 1; logprobs: n rows,
    float32, of its tokens under the distribution that they were sampled from (greedy: at temperature 1).
    """

    tokens: Ragged
    truncated: NDArray[np.bool_]
    mean_logprob: NDArray[np.float32]
    logprobs: Ragged
