"""The few statistics that every table here needs: intervals of rates and the association of two verdicts.

Evaluation and the data card share them:

    low, high = wilson(np.array([98, 0]), 100)
    low, high = clustered(right_samples_of_each_problem, samples_of_each_problem)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z95 = 1.959963984540054  # the 97.5 % quantile of the standard normal


def wilson(
    successes: ArrayLike, n: ArrayLike, z: float = Z95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's score interval of a binomial rate (1927), elementwise -> (low, high).

    It stays within [0, 1] and is sensible at 0 % and 100 %. Without observations it is (0, 1).
    """
    k, n = np.asarray(successes, np.float64), np.asarray(n, np.float64)
    variance = k * (n - k) / np.maximum(n, 1)
    middle = k + z * z / 2
    half = z * np.sqrt(variance + z * z / 4)
    low, high = (middle - half) / (n + z * z), (middle + half) / (n + z * z)
    return np.where(k > 0, low, 0.0), np.where(k < n, high, 1.0)


class Sums(NamedTuple):
    """What an interval needs of clusters with t true ones among m: sums over clusters, elementwise."""

    clusters: ArrayLike
    t: ArrayLike
    m: ArrayLike
    tt: ArrayLike
    tm: ArrayLike
    mm: ArrayLike


def clustered(true: ArrayLike, of: ArrayLike) -> tuple[float, float]:
    """The interval of one rate from clusters, (clusters,) each: how many are true, of how many."""
    t, m = np.asarray(true, np.float64), np.asarray(of, np.float64)
    low, high = clustered_wilson(Sums(int((m > 0).sum()), t.sum(), m.sum(), t @ t, t @ m, m @ m))
    return float(low), float(high)


def clustered_wilson(sums: Sums) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's interval of a rate whose observations come in clusters -> (low, high), elementwise.

    Samples of one problem resemble each other, so n of them say less than n problems would. Wilson's interval
    is taken of n / deff observations, where the design effect deff (Kish 1965) is the rate's variance over
    that of independent observations: Σ (t - p m)² / (n p (1 - p)), and 1 at least. At rates near 0 and 1 the
    data know little of it; so it is computed with two clusters more, one all true and one all false. Then
    deff is exactly 1 where each cluster has one observation, and the clusters' size where all are alike.
    """
    clusters, t, m, tt, tm, mm = (np.asarray(part, np.float64) for part in sums)
    size = m / np.maximum(clusters, 1)
    n = np.maximum(m + 2 * size, 1)
    p = np.where(m > 0, (t + size) / n, 0.5)
    residual = tt - 2 * p * tm + p * p * mm + size**2 * ((1 - p) ** 2 + p**2)
    deff = np.maximum(residual / (n * p * (1 - p)), 1.0)
    return wilson(t / deff, m / deff)


def phi(a: ArrayLike, b: ArrayLike) -> float:
    """Correlation of two yes/no variables, (n,) bool each; nan where one of them never varies."""
    x, y = np.asarray(a, np.bool_), np.asarray(b, np.bool_)
    both, neither = float((x & y).sum()), float((~x & ~y).sum())
    only_x, only_y = float((x & ~y).sum()), float((~x & y).sum())
    spread = (both + only_x) * (both + only_y) * (neither + only_x) * (neither + only_y)
    return (both * neither - only_x * only_y) / spread**0.5 if spread > 0 else float("nan")
