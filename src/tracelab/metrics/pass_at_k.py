"""pass@k and maj@k from several samples of each problem.

pass@k: is one of k samples right? Estimated without bias from n ≥ k samples of which c are right (Chen et
al. 2021, arXiv 2107.03374, equation 1): 1 − C(n − c, k) / C(n, k). maj@k: is the solution that most of k
samples give right? A mean over random subsets of k of the n; of equally frequent ones each may win.
Intervals: percentile bootstrap over problems.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.metrics.base import Estimate

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PassAtK:
    """k: 1, 2, 4, ... and the number of samples. subsets: for maj@k; resamples: for the intervals."""

    subsets: int = 64
    resamples: int = 1000

    def __call__(self, outcomes: Mapping[str, Any], levels: tuple[str, ...]) -> dict[str, Estimate]:
        """-> pass@1, pass@2, ..., maj@2, ...; nothing where there is one sample a problem."""
        correct, answer = by_problem(outcomes)
        n = correct.shape[1]
        if n < 2:
            return {}
        ks = [k for k in (2**i for i in range(n.bit_length())) if k < n] + [n]
        estimates = {f"pass@{k}": self._mean(pass_at_k(n, correct.sum(1), k)) for k in ks}
        return estimates | {
            f"maj@{k}": self._mean(majority_at_k(correct, answer, k, self.subsets)) for k in ks if k > 2
        }

    def _mean(self, values: Floats) -> Estimate:
        draws = np.random.default_rng(0).integers(len(values), size=(self.resamples, len(values)))
        low, high = np.quantile(values[draws].mean(1), [0.025, 0.975])
        return Estimate(float(values.mean()), len(values), float(low), float(high), share=True)


def by_problem(outcomes: Mapping[str, Any]) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
    """Columns of one test set -> (problems, samples): is the solution valid, and a hash of it.

    ValueError if problems have unequal numbers of samples.
    """
    order = np.lexsort((outcomes["sample"], outcomes["index"]))
    counts = np.unique(np.asarray(outcomes["index"]), return_counts=True)[1]
    if len(np.unique(counts)) > 1:
        raise ValueError(
            f"problems have between {counts.min()} and {counts.max()} samples: pass@k needs as many of each"
        )
    shape = (len(counts), int(counts[0]) if len(counts) else 1)
    correct, answer = (
        np.asarray(outcomes[name])[order].reshape(shape) for name in ("solution_valid", "solution_hash")
    )
    return correct.astype(bool), answer


def pass_at_k(n: int, right: NDArray[np.integer[Any]], k: int) -> Floats:
    """(problems,) numbers of right samples among n -> the unbiased estimate for each."""
    factors = 1.0 - k / np.arange(n - right.max(initial=0) + 1, n + 1)  # C(n−c,k)/C(n,k) as a product
    cumulative = np.concatenate([[1.0], np.cumprod(np.clip(factors[::-1], 0.0, 1.0))])
    estimates: Floats = 1.0 - cumulative[right]
    return estimates


def majority_at_k(correct: NDArray[np.bool_], answer: NDArray[np.uint64], k: int, subsets: int) -> Floats:
    """(problems, samples) twice -> (problems,): how often the most frequent of k answers is right."""
    generator, n = np.random.default_rng(0), correct.shape[1]
    picks = np.stack([generator.permutation(n)[:k] for _ in range(subsets if k < n else 1)])
    shares = np.empty(len(correct))
    for i, (right, given) in enumerate(zip(correct, answer, strict=True)):
        _, codes = np.unique(given, return_inverse=True)
        good = np.zeros(codes.max() + 1, bool)
        good[codes] = right
        votes = (codes[picks][:, :, None] == np.arange(len(good))).sum(1)  # (subsets, answers)
        winners = votes == votes.max(1, keepdims=True)
        shares[i] = ((winners & good).sum(1) / winners.sum(1)).mean()
    return shares
