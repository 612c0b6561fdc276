"""The few statistics that every table here needs: shares, means and their intervals, the phi coefficient.

Whatever counts outcomes, of one run or of many, and the data card take them from here:

    low, high = wilson(np.array([98, 0]), 100)
    value, low, high = share(solution_valid, problem_key)
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


class Bounded(NamedTuple):
    """An estimate with its 95 % interval; nan for what is not known."""

    value: float
    low: float
    high: float


def known(value: float) -> float | None:
    """None for nan: what is not known, where it is written."""
    return None if np.isnan(value) else value


UNKNOWN = Bounded(float("nan"), float("nan"), float("nan"))


def share(true: ArrayLike, problems: ArrayLike, of: ArrayLike = 1.0) -> Bounded:
    """The share that is true of observations that come in clusters: Σ true / Σ of, unknown of none.

    problems: (n,) whose each observation is; true, of: (n,) yes or no, or how many of how many. The interval
    is `clustered_wilson`'s.
    """
    _, place = np.unique(problems, return_inverse=True)
    t, m = np.bincount(place, true), np.bincount(place, np.broadcast_to(of, place.shape))
    return Bounded(float(t.sum() / m.sum()), *clustered(t, m)) if m.sum() > 0 else UNKNOWN


def mean(values: ArrayLike, problems: ArrayLike) -> Bounded:
    """The mean of numbers that come in clusters, with Student's interval; unknown of none.

    values, problems: (n,). The variance is that of clusters' sums about the mean, of c clusters times
    c / (c - 1) (Liang and Zeger 1986): with one observation each, the mean's usual one. Where nothing varies,
    as in one cluster, how far it would is not known.
    """
    x, (_, place) = np.asarray(values, np.float64), np.unique(problems, return_inverse=True)
    if len(x) == 0:
        return UNKNOWN
    residuals, middle = np.bincount(place, x - x.mean()), float(x.mean())
    return _about(middle, residuals / len(x))


def _about(value: float, residuals: NDArray[np.float64]) -> Bounded:
    """A value with Student's interval. residuals: (clusters,) what each adds to it, about their mean."""
    from scipy.special import stdtrit

    clusters = len(residuals)
    if clusters == 1 or np.allclose(residuals, 0.0, atol=1e-12 * max(abs(value), 1e-300)):
        return UNKNOWN._replace(value=value)
    error = np.sqrt(residuals @ residuals * clusters / (clusters - 1))
    half = float(stdtrit(clusters - 1, 0.975) * error)
    return Bounded(value, value - half, value + half)


def ratio(*parts: tuple[float, ArrayLike, ArrayLike]) -> Bounded:
    """The sum of sign · Σt / Σm over parts (sign, t, m), with Student's interval over clusters.

    t, m: (clusters,) each, the same clusters in all parts: (1, t, m) alone is a ratio, with (-1, t', m') a
    difference of two. Unknown where an Σm is 0. The variance is the linearised one, of c clusters times
    c / (c - 1); where nothing varies it is not known. Clusters without an observation do not count.
    """
    some = np.any([np.asarray(part, np.bool_) for _, *both in parts for part in both], axis=0)
    sums = [(sign, np.asarray(t, np.float64)[some], np.asarray(m, np.float64)[some]) for sign, t, m in parts]
    if any(m.sum() == 0 for _, _, m in sums):
        return UNKNOWN
    value = float(sum(sign * t.sum() / m.sum() for sign, t, m in sums))
    residuals = sum(sign * (t - m * (t.sum() / m.sum())) / m.sum() for sign, t, m in sums)
    return _about(value, residuals)


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


def cells(a: ArrayLike, b: ArrayLike) -> NDArray[np.int64]:
    """Two yes/no variables, (n,) bool each -> (n,) cells of their 2x2 table.

    0: both are true; 1: only a; 2: only b; 3: neither.
    """
    x, y = np.asarray(a, np.bool_), np.asarray(b, np.bool_)
    place: NDArray[np.int64] = 2 * ~x + ~y
    return place


def phi(a: ArrayLike, b: ArrayLike) -> float:
    """Correlation of two yes/no variables, (n,) bool each; nan where one of them never varies."""
    return float(phi_of(np.bincount(cells(a, b), minlength=4)))


def phi_of(counts: ArrayLike) -> NDArray[np.float64]:
    """Phi coefficients of 2x2 tables' counts, (..., 4) as of `cells` -> (...); nan where a margin is 0."""
    a, b, c, d = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    spread = (a + b) * (c + d) * (a + c) * (b + d)
    root = np.sqrt(np.where(spread > 0, spread, np.nan))
    found: NDArray[np.float64] = (a * d - b * c) / root
    return found
