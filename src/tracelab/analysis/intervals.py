"""Straight lines through numbers known to lie in intervals: a Tobit regression by maximum likelihood.

    line = fit(x, low, high, np.ones((1, len(x))))   # y in (low, high], high = inf: it was never seen

y = intercept + slope x + spread * a standard normal. A number that is known to lie between two looks counts
with the probability of that interval, one that was not seen with the probability that it comes later. In
(intercept, slope, 1) / spread the log likelihood is concave (Olsen 1978, Burridge 1981), so Newton's method
finds the one maximum, and the slopes that are likely enough have no gap (`likely`). Many weightings of the
same data, as a bootstrap needs them, are fitted at once.
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
FARTHEST, STEPS = 1e3, 40  # ends of an interval are looked for so far off, on both sides


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


class Scaled(NamedTuple):
    """Data about 0 and of the size of 1, and what it takes to return.

    x, low, high: (n,); centre, wide: of x; middle, scale: of y; least: LEAST_SPREAD.
    """

    x: Floats
    low: Floats
    high: Floats
    centre: float
    wide: float
    middle: float
    scale: float
    least: float


def _scaled(x: Floats, low: Floats, high: Floats) -> Scaled:
    ends = np.concatenate([low[np.isfinite(low)], high[np.isfinite(high)]])
    middle, scale = float(ends.mean()), float(ends.std()) or 1.0
    centre, wide = float(x.mean()), float(x.std()) or 1.0
    y = (low - middle) / scale, (high - middle) / scale
    return Scaled((x - centre) / wide, *y, centre, wide, middle, scale, LEAST_SPREAD / scale)


def fit(x: Floats, low: Floats, high: Floats, weights: Floats) -> Line:
    """The likeliest lines. x, low, high: (n,), low < high, ends may be infinite; weights: (B, n).

    Two x at least need an interval with two ends of weight above 0, else there is no such line.
    """
    data = _scaled(x, low, high)
    X = np.stack([np.ones_like(x), data.x], axis=1)
    sides, start = (data.low[None], data.high[None]), np.array([[0.0, 0.0, 1.0]])
    start, _ = _newton(start, X, *sides, weights[:1], data.least)  # from where the others are not far
    found, likelihood = _newton(np.tile(start, (len(weights), 1)), X, *sides, weights, data.least)
    spread = data.scale / found[:, 2]
    slope = found[:, 1] * spread / data.wide
    return Line(data.middle + found[:, 0] * spread - slope * data.centre, slope, spread, likelihood)


def likely(x: Floats, low: Floats, high: Floats, line: Line, drop: float) -> tuple[float, float]:
    """-> the least and the greatest slope whose best line is less likely than the best of all by at most
    `drop` (of the log likelihood); infinite where there is no end. line: the first is that of all data.
    """
    data = _scaled(x, low, high)
    slope, spread = float(line.slope[0]) * data.wide / data.scale, float(line.spread[0]) / data.scale
    lowest = float(line.likelihood[0]) - drop
    ends = [slope + side * _end(data, slope, side, spread, lowest) for side in (-1, 1)]
    return ends[0] * data.scale / data.wide, ends[1] * data.scale / data.wide


def _end(data: Scaled, slope: float, side: int, spread: float, lowest: float) -> float:
    """How far off `slope`, on a side, the best line's log likelihood is `lowest`; inf: nowhere."""
    away = np.concatenate([[0.0], np.geomspace(1 / FARTHEST, FARTHEST, STEPS)])
    for _ in range(2):  # between which two steps, then where between them
        more = _profile(data, slope + side * away, spread + away) - lowest
        far = int(np.argmax(more < 0))
        if far == 0:
            return float("inf")
        before, after = away[far - 1 : far + 1]
        away = np.linspace(before, after, STEPS)
    share = more[far - 1] / (more[far - 1] - more[far])
    return float(before + (after - before) * share)


def _profile(data: Scaled, slopes: Floats, spreads: Floats) -> Floats:
    """(B,): the log likelihood of the best line with each slope. spreads: (B,), about what they will be.

    Newton's method begins where lines pass, in the mean, the middles of the intervals with two ends: far from
    there it would stop short.
    """
    level = slopes[:, None] * data.x
    bounded = np.isfinite(data.low) & np.isfinite(data.high)
    middle = (data.low + data.high)[bounded] / 2
    start = (middle - level[:, bounded]).mean(1)
    at = np.stack([start / spreads, 1 / spreads], axis=1)
    ones = np.ones((len(data.x), 1))
    return _newton(at, ones, data.low - level, data.high - level, np.ones_like(level), data.least)[1]


def _newton(
    at: Floats, X: Floats, low: Floats, high: Floats, weights: Floats, least: float
) -> tuple[Floats, Floats]:
    """-> (B, k + 1) parameters (of X's columns, and 1) / spread, and (B,) log likelihoods. at: where it
    begins; X: (n, k); low, high: (B, n), or (1, n) for all.
    """
    low, high = (np.broadcast_to(end, weights.shape) for end in (low, high))
    value = _value(at, X, low, high, weights, least)
    open_ = np.arange(len(at))  # rows whose likelihood still rises
    for _ in range(ROUNDS):
        mine = X, low[open_], high[open_], weights[open_], least
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
    possible = at[:, -1] > 0
    safe = np.where(possible[:, None], at, 1.0)
    sums = (weights * _terms(safe, X, low, high).log).sum(1) - 0.5 * (least * at[:, -1]) ** 2
    return np.where(possible, sums, -np.inf)


def _terms(at: Floats, X: Floats, low: Floats, high: Floats) -> Terms:
    """Intervals as a standard normal sees them. Ends in the upper tail are mirrored, so that no digits are
    lost.
    """
    line, h = at[:, :-1] @ X.T, at[:, -1:]
    a, b = h * low - line, h * high - line
    mirrored = a > 0
    far, near = np.where(mirrored, -a, b), np.where(mirrored, -b, a)
    upper, lower = log_ndtr(far), log_ndtr(near)
    log = upper + np.log1p(-np.exp(np.minimum(lower - upper, -1e-15)))
    return Terms(log, *(np.exp(-0.5 * np.square(end) - LOG_ROOT - log) for end in (b, a)))


def _step(at: Floats, X: Floats, low: Floats, high: Floats, weights: Floats, least: float) -> Floats:
    """(B, k + 1): Newton's step."""
    terms = _terms(at, X, low, high)
    line, h = at[:, :-1] @ X.T, at[:, -1:]
    y = [np.where(np.isfinite(end), end, 0.0) for end in (high, low)]  # infinite ends have no density
    b, a = (h * end - line for end in y)
    up, down = terms.upper, terms.lower
    twice = {"bb": -b * up - up**2, "aa": a * down - down**2, "ab": up * down}
    slope, bend = np.empty(at.shape), np.empty((*at.shape, at.shape[1]))
    slope[:, :-1] = (weights * (down - up)) @ X
    slope[:, -1] = (weights * (up * y[0] - down * y[1])).sum(1) - least**2 * at[:, -1]
    both = weights * (twice["bb"] + twice["aa"] + 2 * twice["ab"])
    bend[:, :-1, :-1] = np.einsum("bn,ni,nj->bij", both, X, X)
    mixed = weights * (y[0] * (twice["bb"] + twice["ab"]) + y[1] * (twice["aa"] + twice["ab"]))
    bend[:, :-1, -1] = bend[:, -1, :-1] = -mixed @ X
    squares = twice["bb"] * y[0] ** 2 + twice["aa"] * y[1] ** 2 + 2 * twice["ab"] * y[0] * y[1]
    bend[:, -1, -1] = (weights * squares).sum(1) - least**2
    return np.linalg.solve(bend - 1e-9 * np.eye(at.shape[1]), -slope[:, :, None])[:, :, 0].astype(np.float64)
