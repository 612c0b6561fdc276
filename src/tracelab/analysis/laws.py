"""Laws of effort: is what it takes to get good enough a power of how hard it is, or an exponential of it?

    known = efforts.until("runs/law/rl_compute", against="task.depth", of="steps")   # a row per run
    laws.fits(known)                                                                 # a row per law

log effort = log c + exponent log x (a power law), or log c + rate x (an exponential), with normal errors. A
run's effort is known to lie between two looks at held-out problems; of one that never got there, that it is
more than was watched (censored). Both laws have three parameters, so their likelihoods are compared as they
are: the difference of their AIC (Akaike 1974) is twice that of the log likelihoods.

Intervals are for other seeds, and the wider of two. One is a bootstrap: seeds are drawn anew within each x,
the deviations widened by Student's t and by what so few seeds vary too little. It needs no law of errors, but
sees nothing of what looks leave open: where all seeds of an x get there between the same two, no resample is
another. The other holds the slopes whose likelihood is near the greatest (the profile likelihood): lines that
pass all intervals alike are as likely, and all in it. Where efforts are known exactly it is Student's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from scipy import stats

from tracelab.analysis.intervals import Line, fit, likely
from tracelab.analysis.variance import LEVEL, Floats

RESAMPLES = 1000
DECIDES = 2.0  # difference of AIC (Burnham and Anderson 2002: below it both have substantial support)
PLACES = 3  # different x that a law needs; two cannot tell one law from the other
Curve = Callable[[Floats], Floats]
# of a law: what its logarithm is linear in
KINDS: dict[str, Curve] = {"power": np.log, "exponential": np.asarray}
SLOPES = {"power": "exponent", "exponential": "rate"}


class Known(NamedTuple):
    """(n,) of the runs of a law: where they are, and between what their effort lies."""

    x: Floats
    low: Floats
    high: Floats

    @property
    def bounded(self) -> Any:
        """(n,): is it known from both sides when a run got there?"""
        return (self.low > 0) & (self.high < np.inf)


def fits(known: pl.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> pl.DataFrame:
    """Both laws of `efforts.until`'s rows, a row per law.

    exponent, rate: the slopes, with _low and _high (95 %, for other seeds; null: the runs decide no end);
    log_c_power, log_c_exponential, spread_power, spread_exponential: their other parameters; aic: of the
    exponential less that of the power law; better: "power" or "exponential", or "open" where they differ by
    less than 2; power_share: of the resamples in which the power law is likelier (null where no resample is
    another). Where there is no law these are null, and `why` says so, as of ends. runs, reached: how many,
    and how many of them got there.
    """
    rows = []
    for (law,), part in known.group_by("law", maintain_order=True):
        runs = Known(*(part[name].cast(pl.Float64).to_numpy() for name in Known._fields))
        counts = {"runs": len(part), "reached": int((runs.high < np.inf).sum())}
        rows.append({"law": law, **counts, **_row(runs, resamples, np.random.default_rng(seed))})
    return pl.DataFrame(rows, schema_overrides=dict.fromkeys(NUMBERS, pl.Float64), infer_schema_length=None)


ENDS = ("", "_low", "_high")
NUMBERS = (
    *(f"{name}{end}" for name in SLOPES.values() for end in ENDS),
    *(f"{name}_{kind}" for name in ("log_c", "spread") for kind in KINDS),
    "aic",
    "power_share",
)


def _row(known: Known, resamples: int, draw: np.random.Generator) -> dict[str, Any]:
    if (why := missing(known)) is not None:
        return {**dict.fromkeys(NUMBERS), "better": None, "why": why}
    x = known.x
    with np.errstate(divide="ignore"):
        ends = np.log(known.low), np.log(known.high)
    weights = np.concatenate([np.ones((1, len(x))), drawn(x, resamples, draw)])
    settled = several(weights, x, known.bounded)
    lines = {kind: fit(of(x), *ends, weights[settled]) for kind, of in KINDS.items()}
    freedom = _freedom(x, x[known.high < np.inf])
    row: dict[str, Any] = {}
    for kind, name in SLOPES.items():
        line = lines[kind]
        # where all that got there have one x: as steep as you like
        slopes = np.full(len(weights), np.copysign(np.inf, line.slope[0]))
        slopes[settled] = line.slope
        near = likely(KINDS[kind](x), *ends, line, drop(freedom)) if freedom else None
        ends_of_it = interval(slopes, x, x[known.high < np.inf], near)
        row |= dict(zip([f"{name}{end}" for end in ENDS], ends_of_it, strict=True))
        row |= {f"log_c_{kind}": float(line.intercept[0]), f"spread_{kind}": float(line.spread[0])}
    return {**row, **_compared(lines, _vary(known)), "why": endless(row, freedom)}


def _vary(known: Known) -> bool:
    """Is, with several seeds at every x, some resample another?"""
    places, seeds = np.unique(known.x, return_counts=True)
    same = [len({*zip(known.low[at], known.high[at], strict=True)}) for at in (known.x == p for p in places)]
    return bool(seeds.min() > 1 and max(same) > 1)


def endless(row: Mapping[str, Any], freedom: int) -> str | None:
    """Why the intervals of a row of `fits` have no ends; None if they have."""
    if not freedom:
        return "one seed at an x: no interval for others"
    if any(row[f"{name}{end}"] is None for name in SLOPES.values() for end in ENDS[1:]):
        return "runs got there at too few x: an interval has no end on a side"
    return None


def _compared(lines: Mapping[str, Line], vary: bool) -> dict[str, Any]:
    more = lines["power"].likelihood - lines["exponential"].likelihood
    aic = float(2 * more[0])
    better = "open" if abs(aic) < DECIDES else "power" if aic > 0 else "exponential"
    return {
        "aic": aic,
        "better": better,
        "power_share": float((more[1:] > 0).mean()) if more[1:].size and vary else None,
    }


def several(weights: Floats, x: Floats, seen: Any) -> Any:
    """(B,): does a resample hold, of the runs that are `seen`, some at two x?"""
    return sum((weights[:, seen & (x == place)] > 0).any(1).astype(int) for place in np.unique(x)) > 1


def missing(known: Known) -> str | None:
    """Why there is no law through these runs; None if there is."""
    if (count := len(np.unique(known.x))) < PLACES:
        return f"it has {count} different x, and it takes {PLACES}"
    if known.x.min() <= 0:
        return "a power of x needs x above 0"
    if len(np.unique(known.x[known.bounded])) < 2:
        return "at fewer than two x a run was seen to get there: train longer, or look more often"
    return None


def drawn(x: Floats, resamples: int, draw: np.random.Generator) -> Floats:
    """(resamples, n): how often each run is in a resample of the seeds within its x."""
    weights = np.empty((resamples, len(x)))
    for place in np.unique(x):
        here = np.flatnonzero(x == place)
        weights[:, here] = draw.multinomial(len(here), np.full(len(here), 1 / len(here)), resamples)
    return weights


def interval(
    slopes: Floats, x: Floats, there: Floats, near: tuple[float, float] | None
) -> tuple[float, float | None, float | None]:
    """-> (the first slope, the ends of its interval: the wider of `near` and that of the others; None: none).

    x: of the runs; there: of those that got there; near: the slopes that are likely (`intervals.likely`).
    Of S seeds at an x a resample varies by (S - 1) / S too little, and few seeds make a normal quantile too
    small: deviations are widened by both (Davison and Hinkley 1997, section 2.3; Student's t).
    """
    value, freedom = float(slopes[0]), _freedom(x, there)
    if near is None or len(slopes) < 2:
        return value, None, None
    places, seeds = np.unique(x, return_counts=True)
    seeds = seeds[np.isin(places, there)]
    tail = 0.5 + LEVEL / 2
    wider = np.sqrt((seeds / (seeds - 1)).mean()) * stats.t.ppf(tail, freedom) / stats.norm.ppf(tail)
    ends = np.quantile(slopes[1:], [1 - tail, tail], method="inverted_cdf")
    low, high = (value + wider * (float(end) - value) for end in ends)
    low, high = min(low, near[0]), max(high, near[1])
    return value, low if np.isfinite(low) else None, high if np.isfinite(high) else None


def _freedom(x: Floats, there: Floats) -> int:
    """Degrees of freedom of the seeds: of the x at which runs got there, for where none did nothing varies;
    0 where an x has one seed.
    """
    places, seeds = np.unique(x, return_counts=True)
    return int((seeds - 1)[np.isin(places, there)].sum()) if seeds.min() > 1 else 0


def drop(freedom: int) -> float:
    """How far below the greatest log likelihood those in an interval are: of efforts that are known exactly
    it is then Student's, for a slope t standard errors off is less likely by N / 2 log(1 + t² / (N - 2)).
    """
    t = float(stats.t.ppf(0.5 + LEVEL / 2, freedom))
    return (freedom + 2) / 2 * float(np.log1p(t**2 / freedom))


def predicted(row: Mapping[str, Any], kind: str, x: Floats) -> Floats:
    """The median effort at x by a law of `fits`."""
    effort: Floats = np.exp(row[f"log_c_{kind}"] + row[SLOPES[kind]] * KINDS[kind](x))
    return effort


HEADINGS = ("law", "got there", "exponent", "rate", "ΔAIC", "likelier", "why none")
CAPTION = (
    "Power law: effort = c x^exponent; exponential: c exp(rate x). By maximum likelihood, with normal errors "
    "of the logarithm; a run's effort lies between two looks, one that never got there counts as censored. "
    "Intervals (95 %): the wider of a bootstrap of the seeds within each x and of the slopes whose "
    "likelihood is near the greatest. ΔAIC: of the exponential less that of the power law, "
    "which have as many parameters; below 2 in size it is open which is likelier."
)


def in_words(found: pl.DataFrame) -> list[tuple[str, ...]]:
    """The rows of `fits` under HEADINGS."""
    rows = []
    for row in found.iter_rows(named=True):
        slopes = [_with_ends(*(row[f"{name}{end}"] for end in ENDS)) for name in SLOPES.values()]
        aic = "–" if row["aic"] is None else f"{row['aic']:+.1f}"
        counts = f"{row['reached']} of {row['runs']}"
        rows.append((row["law"], counts, *slopes, aic, row["better"] or "–", row["why"] or ""))
    return rows


def _with_ends(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "–"
    if low is None and high is None:
        return f"{value:.3g}"
    return f"{value:.3g} [{', '.join('–' if end is None else f'{end:.3g}' for end in (low, high))}]"
