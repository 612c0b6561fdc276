"""Accuracy and validity against the share of damaged steps."""

from __future__ import annotations

import polars as pl

from tracelab.analysis import figures, generalisation
from tracelab.report.markup import Html, drawing
from tracelab.report.study import STRICT, Study

TITLE, PLACE = "Dose and response", 120


def section(study: Study) -> Html | None:
    """Accuracy and validity against the share of damaged steps; None unless there are several shares."""
    if study.runs.filter(pl.col("dose") > 0)["dose"].n_unique() < 2:
        return None
    path, metrics = study.data / "dose_response", ("solution_valid", f"trace_{STRICT}")
    parts = [generalisation.doses(study.table, study.runs, m).with_columns(metric=pl.lit(m)) for m in metrics]
    frame = pl.concat(parts)
    figures.dose_response(path, frame, study.splits)
    caption = "Accuracy (filled) and validity (hollow) against the corruption rate."
    return drawing(path, caption, study.data.name)
