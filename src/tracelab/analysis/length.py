"""Does the length of what a model writes follow the complexity of the problem?

A completion that was cut off is at least as long as its limit: it is censored, not dropped (dropping them
would leave out the longest). Ranks: all censored completions share the highest rank. Lines: a Tobit model
(Tobin 1958), the normal regression's likelihood with P(length >= limit) for what was cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import optimize, special

from tracelab.analysis.ranks import correlations, partial_rank_correlations, rank_correlations, slopes, varies
from tracelab.analysis.variance import LEVEL, Floats
from tracelab.core.stats import known

Figure = Callable[[Floats], Floats]  # (resamples, rows) how often each row was drawn -> (resamples,)
REPLICATES = 400
AT_ONCE = 2_000_000  # rows of resamples
BINS = 8  # of a complexity measure, for figures
FARTHEST, WIDEST = 1e4, 12.0  # of a line's coefficients in standard deviations, of its log deviation
LEAST = -37.0  # below it the normal's hazard is 0 in float64
LOG_ROOT_TAU = 0.5 * np.log(2 * np.pi)


@dataclass(frozen=True)
class Line:
    """length = intercept + slope * complexity + normal noise of this deviation."""

    intercept: float
    slope: float
    deviation: float


def tobit(x: Floats, y: Floats, censored: NDArray[np.bool_]) -> Line:
    """The most likely line; a censored y is a lower bound. Without any: least squares; nan if all are.

    Where few are not, the likelihood may grow for ever; the line is then the best within FARTHEST and WIDEST.
    """
    if censored.all():
        return Line(float("nan"), float("nan"), float("nan"))
    slope = float(np.mean((x - x.mean()) * (y - y.mean())) / np.var(x))
    intercept = float(y.mean() - slope * x.mean())
    deviation = float(np.std(y - intercept - slope * x))
    if not censored.any() or deviation == 0:
        return Line(float(intercept), float(slope), deviation)
    mx, sx, my, sy = x.mean(), x.std() or 1.0, y.mean(), y.std() or 1.0
    u, v = (x - mx) / sx, (y - my) / sy  # well scaled for the optimiser

    def loss(theta: Floats) -> tuple[float, Floats]:
        """The negative log-likelihood, and its gradient by intercept, slope and log deviation."""
        deviation = np.exp(theta[2])
        z = (v - theta[0] - theta[1] * u) / deviation
        density, beyond = -0.5 * z**2 - LOG_ROOT_TAU, special.log_ndtr(-z)
        pull = np.where(censored, _hazard(z), z)
        gradient = (pull / deviation).sum(), (pull * u / deviation).sum(), (pull * z - ~censored).sum()
        return -float(np.where(censored, beyond, density - theta[2]).sum()), -np.array(gradient)

    start = np.array([(intercept + slope * mx - my) / sy, slope * sx / sy, np.log(deviation / sy)])
    bounds = [(-FARTHEST, FARTHEST)] * 2 + [(-WIDEST, WIDEST)]
    exact = {"ftol": 1e-13, "gtol": 1e-6, "maxiter": 1000}
    best = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=exact).x
    found = best[1] * sy / sx
    return Line(float(my + best[0] * sy - found * mx), float(found), float(np.exp(best[2]) * sy))


def _hazard(z: Floats) -> Floats:
    """phi(z) / (1 - Phi(z)) of the standard normal, by the scaled complementary error function: neither end
    overflows.
    """
    scaled: Floats = special.erfcx(np.maximum(z, LEAST) / 2**0.5)
    return (2 / np.pi) ** 0.5 / scaled


def length_against(
    table: pl.LazyFrame,
    complexity: str,
    length: str = "completion_tokens",
    by: Sequence[str] = ("arm", "split"),
    given: str = "prompt_tokens",
    seed: int = 0,
) -> pl.DataFrame:
    """How lengths follow a complexity measure, a row per group, with 95 % intervals by resampling problems.

    spearman; slope and r2 of the (Tobit) line, r2 being the squared correlation of complexity and length,
    cut off where they were; partial: spearman with the column `given` held fixed, where the table has it;
    reference_spearman, reference_steps_slope: the same of the reference solver's steps; censored: the share
    of completions that were cut off; n. ValueError if there is no such measure.
    """
    names = table.collect_schema().names()
    for name in (complexity, length):
        if name not in names:
            raise ValueError(f"{name!r} is no column of these outcomes; they have {', '.join(names)}")
    held = [given] if given in names else []
    wanted = dict.fromkeys([*by, "problem_key", complexity, length, "reference_steps", "truncated", *held])
    frame = table.select(list(wanted)).sort([*by, "problem_key"]).collect(engine="streaming")
    rows = []
    for key, part in frame.group_by(list(by), maintain_order=True):
        x, y = (part[name].to_numpy().astype(np.float64) for name in (complexity, length))
        reference = part["reference_steps"].to_numpy().astype(np.float64)
        censored = part["truncated"].to_numpy()
        known = held and not part[given].null_count()  # outcomes of an older version lack it
        fixed = part[given].to_numpy().astype(np.float64) if known else None
        figures = _figures(x, y, reference, censored, fixed)
        estimates = _resampled(part["problem_key"].to_numpy(), figures, seed)
        rows.append(
            dict(zip(by, key, strict=True))
            | {"complexity": complexity, "length": length}
            | estimates
            | {"censored": float(censored.mean()), "n": len(x)}
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def binned(part: pl.DataFrame, complexity: str, length: str) -> pl.DataFrame:
    """Bins of equal counts: mean complexity, quartiles of length (null where they were cut off), n."""
    x = part[complexity].to_numpy().astype(np.float64)
    edges = np.unique(np.quantile(x, np.linspace(0, 1, BINS + 1)[1:-1]))
    y = np.where(part["truncated"].to_numpy(), np.inf, part[length].to_numpy().astype(np.float64))
    place, rows = np.digitize(x, edges), []
    for k in np.unique(place):
        inside = place == k
        quartiles = np.quantile(y[inside], (0.25, 0.5, 0.75), method="lower")
        cut = float(np.isinf(y[inside]).mean())
        rows.append([x[inside].mean(), *np.where(np.isinf(quartiles), np.nan, quartiles), cut, inside.sum()])
    frame = pl.DataFrame(rows, ["complexity", "q25", "q50", "q75", "censored", "n"], orient="row")
    arm, split = part.select("arm", "split").row(0)
    return frame.select(pl.lit(arm).alias("arm"), pl.lit(split).alias("split"), pl.all())


def _figures(
    x: Floats, y: Floats, reference: Floats, censored: NDArray[np.bool_], fixed: Floats | None
) -> dict[str, Figure]:
    """What `length_against` says of lengths y at complexities x. fixed: None if there is no such column."""
    ranked = np.where(censored, np.inf, y)

    def slope(times: Floats) -> Floats:
        if not censored.any():
            return slopes(x, y, times)
        found = np.full(len(times), np.nan)
        for k in np.flatnonzero(varies(x, times)):
            i = np.repeat(np.arange(len(x)), times[k].astype(np.int64))
            found[k] = tobit(x[i], y[i], censored[i]).slope
        return found

    figures: dict[str, Figure] = {
        "spearman": lambda times: rank_correlations(x, ranked, times),
        "slope": slope,
        "r2": lambda times: correlations(x, y, times) ** 2,
        "reference_spearman": lambda times: rank_correlations(x, reference, times),
        "reference_steps_slope": lambda times: slopes(x, reference, times),
    }
    if fixed is not None:
        figures["partial"] = lambda times: partial_rank_correlations(x, ranked, fixed, times)
    return figures


def _resampled(whose: NDArray[Any], figures: dict[str, Figure], seed: int) -> dict[str, float | None]:
    """Each figure with its interval: problems are drawn with replacement, with all their completions.

    whose: (n,) the problem of each row.
    """
    draw = np.random.default_rng(seed)
    _, problem = np.unique(whose, return_inverse=True)
    problems, at_once = problem.max() + 1, max(1, AT_ONCE // len(whose))
    drawn: dict[str, list[Floats]] = {name: [] for name in figures}
    for first in range(0, REPLICATES, at_once):
        sets = [draw.integers(problems, size=problems) for _ in range(min(at_once, REPLICATES - first))]
        times = np.stack([np.bincount(each, minlength=problems)[problem] for each in sets]).astype(np.float64)
        for name, figure in figures.items():
            drawn[name].append(figure(times))
    result: dict[str, float | None] = {}
    for name, figure in figures.items():
        value = float(figure(np.ones((1, len(whose))))[0])
        result[name] = known(value)
        replicates = np.concatenate(drawn[name]) if not np.isnan(value) else np.array([np.nan])
        usable = replicates[~np.isnan(replicates)]
        ends = np.quantile(usable, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if len(usable) else (None, None)
        result[f"{name}_low"], result[f"{name}_high"] = (None if e is None else float(e) for e in ends)
    return result
