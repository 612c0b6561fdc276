"""How fast answers and traces are learned, and which of them first."""

from __future__ import annotations

import warnings
from typing import Any

import polars as pl

from tracelab.analysis import kinetics, kinetics_figures
from tracelab.analysis.learning import PARTS, learning_curves
from tracelab.analysis.panels import save
from tracelab.report.markup import Html, drawing, paragraph, significant, table
from tracelab.report.study import SOLUTION, TRACE, WORDS, Study

TITLE, PLACE = "Which is learned first?", 45


def section(study: Study) -> Html | None:
    """Fitted learning curves; None where no run has one."""
    curves = {part: known for part in PARTS if (known := _curves(study, part)) is not None}
    if not curves:
        return None
    fits = {part: kinetics.fits(known, (SOLUTION, TRACE)) for part, known in curves.items()}
    whole = pl.concat([frame.with_columns(part=pl.lit(part)) for part, frame in fits.items()])
    if whole["midpoint"].null_count() == len(whole):
        return None
    kinetics_figures.fitted(study.data / "kinetics", curves["all"], fits["all"])
    save(study.data / "kinetics_fits", whole)
    phases = pl.concat(
        [kinetics.phases(frame, TRACE).with_columns(part=pl.lit(part)) for part, frame in fits.items()]
    )
    save(study.data / "kinetics_phases", phases)
    caption = (
        "Held-out problems against training tokens, and a logistic curve for each run; ticks: midpoints."
    )
    figure = drawing(study.data / "kinetics", caption, study.data.name)
    delays = "" if phases.is_empty() else _delays(phases)
    return Html(figure + _midpoints(whole) + delays + paragraph(NOTE))


NOTE = (
    "Share = ceiling / (1 + (midpoint / tokens)^slope). Means of seeds, with intervals for other seeds and "
    "other held-out problems where there are several; of midpoints the geometric mean. A run has no curve "
    "where it did not change by more than chance, or did not get half of the way while it was watched. "
    "Doublings: of tokens, from the midpoint of answers to that of traces; not yet: both rose; no longer: "
    "traces fell. easy, hard: the halves of the held-out problems by the length of the reference search."
)


def _curves(study: Study, part: str) -> pl.DataFrame | None:
    """Curves of a part of the problems; which runs have none is said in the section on training."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return learning_curves(*study.runs["run"], part=part)
        except ValueError:
            return None


def _midpoints(fits: pl.DataFrame) -> Html:
    """A row per arm, share and part; curves that fall have one of their own, for they are another thing."""
    rows = []
    for (arm, metric, part), mine in fits.group_by("arm", "metric", "part", maintain_order=True):
        falling = mine.filter(pl.col("slope") < 0)
        rising = mine.filter(pl.col("slope") > 0)
        for known, which in ((rising, ""), (falling, ", falling")):
            if known.is_empty() and (which or len(falling)):
                continue
            cells = [_mean(known, "midpoint", 1e6), _mean(known, "slope"), _mean(known, "ceiling", 0.01)]
            rows.append([arm, WORDS[str(metric)], part, f"{len(known)} of {len(mine)}{which}", *cells])
    headings = ["arm", "share", "problems", "runs with a curve", "midpoint, million tokens", "slope"]
    return table("Logistic curves in log tokens", [*headings, "ceiling, %"], sorted(rows, key=str))


def _delays(phases: pl.DataFrame) -> Html:
    key = ["arm", "part", "phase"]
    rows = [
        [*names, _mean(mine, "delay"), len(mine)]
        for names, mine in phases.sort(key).group_by(key, maintain_order=True)
    ]
    headings = ["arm", "problems", "traces valid", "doublings of tokens after answers", "runs"]
    return table("Answers right, traces not yet valid, or no longer", headings, rows)


def _mean(frame: pl.DataFrame, column: str, unit: float = 1.0) -> Html:
    found: dict[str, Any] = next(kinetics.over_seeds(frame, column, ["arm"]).iter_rows(named=True), {})
    ends = (found.get(name) for name in ("value", "low", "high"))
    return significant(*(None if end is None else end / unit for end in ends))
