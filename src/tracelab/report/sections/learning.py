"""How accuracy and validity grew during training, and how long it took."""

from __future__ import annotations

import warnings

import polars as pl

from tracelab.analysis import learning_figures
from tracelab.analysis.learning import by_arm, learning_curves, time_to_quality
from tracelab.analysis.panels import save
from tracelab.report.markup import Html, counted_range, drawing, paragraph, table
from tracelab.report.study import STRICT, Study

TITLE, PLACE = "During training", 40
GOOD = 0.9  # a share that a run is to reach
QUALITIES = {
    f"solution valid ≥ {GOOD:.0%}": {"solution_valid": GOOD},
    f"and trace valid ({STRICT}) ≥ {GOOD:.0%}": {"solution_valid": GOOD, f"trace_{STRICT}": GOOD},
}


def section(study: Study) -> Html | None:
    """Curves of held-out problems, and how much training a good share took; None where no run has any."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            curves = learning_curves(*study.runs["run"])
        except ValueError:
            return None
    path = study.data / "learning"
    learning_figures.learning(path, curves)
    caption = "Held-out problems during training: the mean of an arm's seeds; thin: each seed."
    parts = [paragraph(_about(curves)), drawing(path, caption, study.data.name), _times(study, curves)]
    left_out = [paragraph(str(warning.message)) for warning in caught]
    return Html("".join([*parts, *left_out]))


def _about(curves: pl.DataFrame) -> str:
    problems = counted_range([*curves["n"]], "held-out problem")
    return (
        f"At every validation a run completes the same {problems}, greedy: they belong to "
        "the validation split, none to a test set."
    )


def _times(study: Study, curves: pl.DataFrame) -> Html:
    """How many runs of each arm reached a quality, and after how much training."""
    rows, frames = [], []
    for name, least in QUALITIES.items():
        times = time_to_quality(curves, **least)
        frames.append(times.with_columns(pl.lit(name).alias("quality")))
        for row in by_arm(times).iter_rows(named=True):
            tokens = None if row["tokens"] is None else f"{row['tokens'] / 1e6:.2f}"
            minutes = None if row["minutes"] is None else f"{row['minutes']:.1f}"
            rows.append([name, row["arm"], f"{row['reached']} of {row['runs']}", tokens, minutes, row["n"]])
    save(study.data / "time_to_quality", pl.concat(frames))
    headings = ["first reached", "arm", "runs", "million tokens (median)", "minutes (median)", "n"]
    note = (
        "The first validation that saw it: late by up to the distance of two, and early by chance where the "
        "share lies close to it. A run that never reached it counts as later than all others; there is no "
        "median where half or more did not. Minutes depend on the machine."
    )
    return Html(table("Training until a share of held-out problems", headings, rows) + paragraph(note))
