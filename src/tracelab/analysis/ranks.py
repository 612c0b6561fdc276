"""Correlations in many resamples at once: of values, and of their ranks (Spearman's).

A resample is how often each row was drawn: `times`, (resamples, rows). A row drawn twice counts as two. What
comes of a value that is nan is nan.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.analysis.variance import Floats


def correlations(x: Floats, y: Floats, times: Floats) -> Floats:
    """(resamples,) correlation of x and y, (rows,) or (resamples, rows) each; nan where one never varies."""
    n = times.sum(1, keepdims=True)
    x = x - (times * x).sum(1, keepdims=True) / n
    y = y - (times * y).sum(1, keepdims=True) / n
    scale = np.sqrt((times * x**2).sum(1) * (times * y**2).sum(1))
    found = np.full(len(times), np.nan)
    np.divide((times * x * y).sum(1), scale, out=found, where=varies(x, times) & varies(y, times))
    return np.clip(found, -1.0, 1.0)  # but for rounding it is


def rank_correlations(x: Floats, y: Floats, times: Floats) -> Floats:
    """(resamples,) Spearman's correlation of x and y, (rows,) each. Infinite values rank last, and alike."""
    return correlations(ranks(x, times), ranks(y, times), times)


def partial_rank_correlations(x: Floats, y: Floats, z: Floats, times: Floats) -> Floats:
    """The same with z's part taken out of both; where z never varies there is nothing to take out."""
    ranked = [ranks(values, times) for values in (x, y, z)]
    xy, xz, yz = (correlations(ranked[i], ranked[j], times) for i, j in ((0, 1), (0, 2), (1, 2)))
    rest = (1 - xz**2) * (1 - yz**2)
    found = np.full(len(times), np.nan)
    np.divide(xy - xz * yz, np.sqrt(rest), out=found, where=rest > 0)
    return np.where(np.isnan(xz) | np.isnan(yz), xy, found)


def slopes(x: Floats, y: Floats, times: Floats) -> Floats:
    """(resamples,) slope of y on x by least squares; nan where x never varies."""
    n = times.sum(1, keepdims=True)
    x = x - (times * x).sum(1, keepdims=True) / n
    y = y - (times * y).sum(1, keepdims=True) / n
    found = np.full(len(times), np.nan)
    return np.divide((times * x * y).sum(1), (times * x**2).sum(1), out=found, where=varies(x, times))


def ranks(values: Floats, times: Floats) -> Floats:
    """(resamples, rows) rank of each of (rows,) values, which stands `times` times; equal ones share their
    mean rank.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    counts = np.add.reduceat(times[:, order], np.flatnonzero(new), axis=1)
    middle = np.cumsum(counts, 1) - (counts - 1) / 2
    found = np.empty_like(times)
    found[:, order] = middle[:, np.cumsum(new) - 1]
    found[(times[:, np.isnan(values)] > 0).any(1)] = np.nan
    return found


def varies(values: Floats, times: Floats) -> NDArray[np.bool_]:
    """(resamples,) are there two different values among those that were drawn?"""
    drawn = times > 0
    most = np.where(drawn, values, -np.inf).max(1)
    return np.asarray(most > np.where(drawn, values, np.inf).min(1))
