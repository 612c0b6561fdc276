"""How fast answers and traces are learned: logistic curves in the logarithm of tokens, and what lies between.

    curves = learning_curves("runs/study")
    fits = kinetics.fits(curves)          # a row per run and metric: midpoint, slope, ceiling
    kinetics.phases(fits, "trace_strict") # a row per run: how much later its traces came than its answers
    kinetics.over_seeds(...)              # a row per arm

The curve is share = ceiling / (1 + (midpoint / tokens)^slope), which has three parameters (Pengmei et al.
2025, arXiv 2510.25791, of steps). A curve that falls has a negative slope: what was valid no longer is.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy import optimize, stats

from tracelab.analysis.learning import metrics_of
from tracelab.analysis.variance import LEVEL, Floats
from tracelab.core.stats import Z95

LEAST_POINTS = 5  # of a curve: three parameters, and something to hold them to
ALPHA = 0.05
OUTSIDE = 3.0  # how far from what was watched a midpoint is looked for, in units of log tokens
STEEPEST, LOWEST = 50.0, 1e-3  # a slope, a ceiling
ROUNDS = 3  # of weighting
SOLUTION = "solution_valid"


class Curve(NamedTuple):
    """A fitted curve: parameters (log midpoint, log of the slope's size, ceiling), their covariance, the
    slope's sign, and the share of variance that it explains.
    """

    parameters: Floats
    covariance: Floats
    sign: int
    r2: float


def logistic(tokens: Floats, midpoint: float, slope: float, ceiling: float) -> Floats:
    """The share at so many tokens."""
    share: Floats = ceiling / (1 + np.exp(-slope * (np.log(tokens) - np.log(midpoint))))
    return share


def fit(tokens: Floats, value: Floats, n: Floats) -> Curve | str:
    """The logistic curve of shares of n problems by least squares, weighted by the curve itself; or why there
    is none.

    A share's weight is that of n independent problems. So the covariance knows of chance in these alone, and
    anew at each validation: problems that all validations have in common shift a whole curve.
    """
    if len(value) < LEAST_POINTS:
        return f"{len(value)} validations, and it takes {LEAST_POINTS}"
    x = np.log(tokens)
    middle = float(np.average(value, weights=n))
    spread = float((n * (value - middle) ** 2).sum() / max(middle * (1 - middle), 1e-12))
    if middle in (0.0, 1.0) or stats.chi2.sf(spread, len(value) - 1) > ALPHA:
        return "it does not change by more than chance"
    sign = 1 if np.corrcoef(x, value)[0, 1] > 0 else -1
    bounds = ([x.min() - OUTSIDE, np.log(0.05), LOWEST], [x.max() + OUTSIDE, np.log(STEEPEST), 1.0])
    ceiling = np.clip(value.max(), 2 * LOWEST, 0.99)
    start = np.array((x[np.abs(value - value.max() / 2).argmin()], np.log(3.0), ceiling))

    def curve(log_tokens: Floats, log_midpoint: float, log_slope: float, ceiling: float) -> Floats:
        return ceiling / (1 + np.exp(-sign * np.exp(log_slope) * (log_tokens - log_midpoint)))

    parameters, expected = start, value
    for _ in range(ROUNDS):
        smooth = (expected * n + 1) / (n + 2)  # a share of 0 or 1 is not known exactly
        error = np.sqrt(smooth * (1 - smooth) / n)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optimize.OptimizeWarning)  # then the covariance is infinite
            parameters, covariance = optimize.curve_fit(
                curve, x, value, parameters, error, absolute_sigma=True, bounds=bounds, max_nfev=10_000
            )
        expected = curve(x, *parameters)
    if not x.min() <= parameters[0] <= x.max():
        return "its midpoint lies outside of what was watched"
    return Curve(parameters, covariance, sign, float(1 - (value - expected).var() / value.var()))


def fits(curves: pl.DataFrame, metrics: Sequence[str] | None = None) -> pl.DataFrame:
    """Fitted curves of `learning_curves`, a row per run and metric (None: all of them).

    midpoint (tokens at half of the ceiling), slope, ceiling, each with _low and _high (95 %, see `fit`); r2;
    n: held-out problems; points: validations. Where there is no curve these are null, and `why` says so: a
    run that did not get half of the way while it was watched may still do so.
    """
    rows = []
    for (run, arm, seed, metric), part in curves.group_by(
        "run", "arm", "seed", "metric", maintain_order=True
    ):
        if metrics is None or metric in metrics:
            known = part.sort("tokens").filter(pl.col("tokens") > 0)
            found = fit(*(known[name].to_numpy().astype(float) for name in ("tokens", "value", "n")))
            about = {"run": run, "arm": arm, "seed": seed, "metric": metric}
            rows.append(about | _row(found) | {"n": part["n"].max(), "points": len(known)})
    order = {name: k for k, name in enumerate(metrics or metrics_of(curves))}
    numbers = [f"{name}{end}" for name in NAMES for end in ("", "_low", "_high")] + ["r2"]
    kinds = dict.fromkeys(numbers, pl.Float64) | {"why": pl.String}
    frame = pl.DataFrame(rows, schema_overrides=kinds, infer_schema_length=None)
    return frame.sort("arm", "seed", "run", pl.col("metric").replace_strict(order, default=len(order)))


NAMES = ("midpoint", "slope", "ceiling")


def _row(found: Curve | str) -> dict[str, float | str | None]:
    if isinstance(found, str):
        nothing = {f"{name}{end}": None for name in NAMES for end in ("", "_low", "_high")}
        return {**nothing, "r2": None, "why": found}
    half = Z95 * np.sqrt(np.diag(found.covariance))
    ends = [found.parameters, found.parameters - half, found.parameters + half]
    row: dict[str, float | str | None] = {}
    for name, (value, low, high) in zip(NAMES, np.array(ends).T, strict=True):
        known = value, max(low, 0.0), min(high, 1.0)
        if name != "ceiling":
            with np.errstate(over="ignore"):
                known = np.exp(value), np.exp(low), np.exp(high)
        if name == "slope" and found.sign < 0:
            known = -known[0], -known[2], -known[1]
        row |= dict(zip((name, f"{name}_low", f"{name}_high"), map(float, known), strict=True))
    return {**row, "r2": found.r2, "why": None}


def phases(fitted: pl.DataFrame, trace: str = "trace_strict") -> pl.DataFrame:
    """How much later traces came than answers, a row per run that has both curves.

    delay: doublings of tokens from the solutions' midpoint to the traces', with low and high (95 %, see
    `fit`): above 0 answers were right while traces were not yet valid. phase: "not yet", where both rose; "no
    longer", where solutions rose and traces fell; or "other".
    """
    key = ["run", "arm", "seed"]
    known = fitted.filter(pl.col("midpoint").is_not_null())
    both = known.filter(metric=SOLUTION).join(known.filter(metric=trace), on=key, suffix="_trace")
    ends = {m: pl.col(f"midpoint_high{m}").log(2) - pl.col(f"midpoint{m}").log(2) for m in ("", "_trace")}
    delay, half = pl.col("delay"), (ends[""] ** 2 + ends["_trace"] ** 2).sqrt()
    rises, follows = pl.col("slope") > 0, pl.col("slope_trace") > 0
    no_longer = pl.when(rises & ~follows).then(pl.lit("no longer")).otherwise(pl.lit("other"))
    phase = pl.when(rises & follows).then(pl.lit("not yet")).otherwise(no_longer)
    return (
        both.with_columns(delay=pl.col("midpoint_trace").log(2) - pl.col("midpoint").log(2))
        .with_columns(low=delay - half, high=delay + half, phase=phase)
        .select(*key, "phase", "midpoint", "midpoint_trace", "delay", "low", "high")
        .sort("arm", "seed", "run")
    )


def over_seeds(frame: pl.DataFrame, column: str, by: Sequence[str] | None = None) -> pl.DataFrame:
    """The mean of a column of `phases` or `fits`, a row per group: value, low, high, seeds.

    by: what makes a group; None: the arm and, of `fits`, the metric.
    The interval (Student's t) is for other seeds, each of which has held-out problems of its own; one seed
    has none. What is null does not count. Of midpoints it is the geometric mean.
    """
    by = by or [name for name in ("arm", "metric") if name in frame.columns]
    rows, geometric = [], column.startswith("midpoint")
    for key, part in frame.drop_nulls(column).group_by(list(by), maintain_order=True):
        values = part[column].to_numpy()
        scale = np.log(values) if geometric else values
        ends = [scale.mean(), None, None]
        if len(scale) > 1:
            half = stats.t.ppf(0.5 + LEVEL / 2, len(scale) - 1) * scale.std(ddof=1) / np.sqrt(len(scale))
            ends = [scale.mean(), scale.mean() - half, scale.mean() + half]
        if geometric:
            ends = [None if end is None else float(np.exp(end)) for end in ends]
        names = dict(zip(("value", "low", "high"), ends, strict=True))
        rows.append(dict(zip(by, key, strict=True)) | names | {"seeds": len(values)})
    kinds = dict.fromkeys(("value", "low", "high"), pl.Float64)
    return pl.DataFrame(rows, schema_overrides=kinds, infer_schema_length=None) if rows else pl.DataFrame()
