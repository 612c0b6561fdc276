"""Why traces are not valid, and where they go wrong."""

from __future__ import annotations

from tracelab.analysis import figures
from tracelab.analysis.joint import first_errors
from tracelab.report.markup import Html, details, drawing, table
from tracelab.report.study import STRICT, Study

TITLE, PLACE = "Reasons of failure", 60


def section(study: Study) -> Html:
    """Why traces are not valid, and where."""
    path = study.data / "reasons"
    figures.reasons_of_failure(path, study.table, STRICT)
    where = first_errors(study.table, STRICT)
    figures.save(study.data / "first_errors", where)
    rows = [
        [row["split"], row["arm"], *(f"{100 * row[q]:.0f}" for q in ("q25", "q50", "q75")), row["n"]]
        for row in study.in_order(where)
    ]
    headings = ["test set", "arm", "first quartile", "median", "third quartile", "n"]
    caption = "Share of traces whose first bad step has this reason; what is missing to 1 is valid."
    first = table("Share of the trace before the first bad step, in per cent", headings, rows)
    return Html(drawing(path, caption, study.data.name) + details("Where traces go wrong", first))
