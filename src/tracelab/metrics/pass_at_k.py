"""pass@k and maj@k from several samples of each problem.

pass@k: is one of k samples right? Estimated without bias from n ≥ k samples of which c are right (Chen et
al. 2021, arXiv 2107.03374, equation 1): 1 − C(n − c, k) / C(n, k). maj@k: is the solution that most of k
samples give right? A mean over random subsets of k of the n; of equally frequent ones each may win.
Intervals: Wilson's, clustered by problem, whose n samples are worth n / k draws of k at most. So pass@1 is
`solution_valid`, interval and all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.core.counting import vote
from tracelab.core.settings import Count, Number
from tracelab.core.stats import Bounded, share
from tracelab.metrics.base import Estimate, share_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PassAtK:
    """k: 1, 2, 4, ... and the number of samples. subsets: for maj@k; resamples: an earlier version's."""

    subsets: Count = 64
    resamples: Number = 0  # is read, and not used

    def __call__(self, outcomes: Mapping[str, Any], levels: tuple[str, ...]) -> dict[str, Estimate]:
        """-> pass@1, pass@2, ..., maj@4, ... (of two it is pass@1); nothing of one sample a problem."""
        correct, answer, problems = by_problem(outcomes)
        n = correct.shape[1]
        if n < 2:
            return {}
        ks = ks_of(n)
        found = {f"pass@{k}": (k, pass_at_k(n, correct.sum(1), k)) for k in ks}
        found |= {f"maj@{k}": (k, majority_at_k(correct, answer, k, self.subsets)) for k in ks if k > 2}
        return {
            name: share_of(expected(values, problems, n / k), len(values), label="")
            for name, (k, values) in found.items()
        }


def ks_of(n: int) -> list[int]:
    """1, 2, 4, ... and n."""
    return [k for k in (2**i for i in range(n.bit_length())) if k < n] + [n]


def expected(values: Floats, problems: NDArray[Any], draws: float) -> Bounded:
    """The mean of problems' estimates, with an interval: each of them rests on so many draws of k samples."""
    return share(values * draws, problems, of=draws)


def by_problem(
    outcomes: Mapping[str, Any],
) -> tuple[NDArray[np.bool_], NDArray[np.uint64], NDArray[np.uint64]]:
    """Columns of one test set -> (problems, samples): is the solution valid, its hash; (problems,) keys.

    ValueError if problems have unequal numbers of samples.
    """
    order = np.lexsort((outcomes["sample"], outcomes["index"]))
    index, counts = np.unique(np.asarray(outcomes["index"]), return_counts=True)
    if len(np.unique(counts)) > 1:
        few, most = (f"{counts[i]} (index {index[i]})" for i in (counts.argmin(), counts.argmax()))
        raise ValueError(
            f"problems have between {few} and {most} samples: pass@k needs as many of each; leave out the "
            "problems that lack some, or their further samples"
        )
    shape = (len(counts), int(counts[0]) if len(counts) else 1)
    correct, answer, keys = (
        np.asarray(outcomes[name])[order].reshape(shape)
        for name in ("solution_valid", "solution_hash", "problem_key")
    )
    return correct.astype(bool), answer, keys[:, 0]


def pass_at_k(n: int, right: NDArray[np.integer[Any]], k: int) -> Floats:
    """(problems,) numbers of right samples among n -> the unbiased estimate for each."""
    factors = 1.0 - k / np.arange(n - right.max(initial=0) + 1, n + 1)  # C(n−c,k)/C(n,k) as a product
    cumulative = np.concatenate([[1.0], np.cumprod(np.clip(factors[::-1], 0.0, 1.0))])
    estimates: Floats = 1.0 - cumulative[right]
    return estimates


def majority_at_k(correct: NDArray[np.bool_], answer: NDArray[np.uint64], k: int, subsets: int) -> Floats:
    """(problems, samples) twice -> (problems,): how often the most frequent of k answers is right."""
    generator, (problems, n) = np.random.default_rng(0), correct.shape
    picks = [generator.permutation(n)[:k] for _ in range(subsets if k < n else 1)]
    ballot = np.repeat(np.arange(problems), k)
    chances = [vote(ballot, answer[:, pick].ravel(), correct[:, pick].ravel())[1] for pick in picks]
    return np.mean(chances, axis=0)
