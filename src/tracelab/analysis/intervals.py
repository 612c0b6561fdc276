"""Straight lines through numbers known to lie in intervals: a Tobit regression by maximum likelihood.

    line = fit(x, low, high, np.ones((1, len(x))))   # y in (low, high], high = inf: it was never seen

y = intercept + slope x + spread * a standard normal. A number that is known to lie between two looks counts
with the probability of that interval, one that was not seen with the probability that it comes later. In
(intercept, slope, 1) / spread the log likelihood is concave (Olsen 1978, Burridge 1981), so Newton's method
finds the one maximum. Many weightings of the same data, as a bootstrap needs them, are fitted at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_ndtr

from tracelab.analysis.variance import Floats

ROUNDS, HALVINGS = 50, 12
SLACK = 1e-7  # of a log likelihood that no longer rises
LEAST_SPREAD = 0.01  # data on a line exactly would have none: spreads far below it are made unlikely
LOG_ROOT = 0.5 * np.log(2 * np.pi)


class Line(NamedTuple):
    """(B,) each: what was fitted under B weightings, and the log likelihood there."""

    intercept: Floats
    slope: Floats
    spread: Floats
    likelihood: Floats


class Terms(NamedTuple):
    """(B, n): an interval's log probability, and the density at its upper and lower end as a share of it."""

    log: Floats
    upper: Floats
    lower: Floats


def fit(x: Floats, low: Floats, high: Floats, weights: Floats) -> Line:
    """The likeliest lines. x, low, high: (n,), low < high, ends may be infinite; weights: (B, n).

    Two x at least need an interval with two ends of weight above 0, else there is no such line.
    """
    ends = np.concatenate([low[np.isfinite(low)], high[np.isfinite(high)]])
    middle, scale = ends.mean(), ends.std() or 1.0
    centre, wide = x.mean(), x.std() or 1.0
    X = np.stack([np.ones_like(x), (x - centre) / wide], axis=1)
    sides = (low - middle) / scale, (high - middle) / scale
    least, start = LEAST_SPREAD / scale, np.array([[0.0, 0.0, 1.0]])
    start, _ = _newton(start, X, *sides, weights[:1], least)  # from where the others are not far
    found, likelihood = _newton(np.tile(start, (len(weights), 1)), X, *sides, weights, least)
    spread = scale / found[:, 2]
    slope = found[:, 1] * spread / wide
    return Line(middle + found[:, 0] * spread - slope * centre, slope, spread, likelihood)


def _newton(
    at: Floats, X: Floats, low: Floats, high: Floats, weights: Floats, least: float
) -> tuple[Floats, Floats]:
    """-> (B, 3) parameters (intercept, slope, 1) / spread, and (B,) log likelihoods. at: where it begins."""
    value = _value(at, X, low, high, weights, least)
    open_ = np.arange(len(at))  # rows whose likelihood still rises
    for _ in range(ROUNDS):
        mine = X, low, high, weights[open_], least
        here, known = at[open_], value[open_]
        step = _step(here, *mine)
        for _ in range(HALVINGS):
            found = _value(here + step, *mine)
            worse = ~(found >= known)
            if not worse.any():
                break
            step[worse] /= 2
        at[open_] = here + step * ~worse[:, None]
        value[open_] = np.where(worse, known, found)
        open_ = open_[value[open_] - known > SLACK]
        if not open_.size:
            break
    return at, value


def _value(at: Floats, X: Floats, low: Floats, high: Floats, weights: Floats, least: float) -> Floats:
    """(B,) log likelihoods; -inf where a spread is not above 0."""
    possible = at[:, 2] > 0
    safe = np.where(possible[:, None], at, [0.0, 0.0, 1.0])
    sums = (weights * _terms(safe, X, low, high).log).sum(1) - 0.5 * (least * at[:, 2]) ** 2
    return np.where(possible, sums, -np.inf)


def _terms(at: Floats, X: Floats, low: Floats, high: Floats) -> Terms:
    """Intervals as a standard normal sees them. Ends in the upper tail are mirrored, so that no digits are
    lost.
    """
    line, h = at[:, :2] @ X.T, at[:, 2:]
    a, b = h * low - line, h * high - line
    mirrored = a > 0
    far, near = np.where(mirrored, -a, b), np.where(mirrored, -b, a)
    upper, lower = log_ndtr(far), log_ndtr(near)
    log = upper + np.log1p(-np.exp(np.minimum(lower - upper, -1e-15)))
    return Terms(log, *(np.exp(-0.5 * np.square(end) - LOG_ROOT - log) for end in (b, a)))


def _step(at: Floats, X: Floats, low: Floats, high: Floats, weights: Floats, least: float) -> Floats:
    """(B, 3): Newton's step."""
    terms = _terms(at, X, low, high)
    line, h = at[:, :2] @ X.T, at[:, 2:]
    y = [np.where(np.isfinite(end), end, 0.0) for end in (high, low)]  # infinite ends have no density
    b, a = (h * end - line for end in y)
    up, down = terms.upper, terms.lower
    twice = {"bb": -b * up - up**2, "aa": a * down - down**2, "ab": up * down}
    slope, bend = np.empty((len(at), 3)), np.empty((len(at), 3, 3))
    slope[:, :2] = (weights * (down - up)) @ X
    slope[:, 2] = (weights * (up * y[0] - down * y[1])).sum(1) - least**2 * at[:, 2]
    both = weights * (twice["bb"] + twice["aa"] + 2 * twice["ab"])
    bend[:, :2, :2] = np.einsum("bn,ni,nj->bij", both, X, X)
    mixed = weights * (y[0] * (twice["bb"] + twice["ab"]) + y[1] * (twice["aa"] + twice["ab"]))
    bend[:, :2, 2] = bend[:, 2, :2] = -mixed @ X
    squares = twice["bb"] * y[0] ** 2 + twice["aa"] * y[1] ** 2 + 2 * twice["ab"] * y[0] * y[1]
    bend[:, 2, 2] = (weights * squares).sum(1) - least**2
    return np.linalg.solve(bend - 1e-9 * np.eye(3), -slope[:, :, None])[:, :, 0].astype(np.float64)
