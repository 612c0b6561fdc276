"""Why traces are not valid, and where they go wrong."""

from __future__ import annotations

from typing import Any

from tracelab.analysis import figures
from tracelab.analysis.joint import QUARTILES, first_errors
from tracelab.analysis.panels import save
from tracelab.report.markup import Html, details, drawing, paragraph, share, table
from tracelab.report.study import STRICT, Study

TITLE, PLACE = "Reasons of failure", 60


def section(study: Study) -> Html:
    """Why traces are not valid, and where."""
    path = study.data / "reasons"
    figures.reasons_of_failure(path, study.table, STRICT)
    where = first_errors(study.table, STRICT)
    save(study.data / "first_errors", where)
    rows = [[row["split"], row["arm"], *_before_error(row), row["n"]] for row in study.in_order(where)]
    headings = ["test set", "arm", "mean of all", "first quartile", "median", "third quartile", "n"]
    caption = "Share of traces whose first bad step has this reason; what is missing to 1 is valid."
    first = table("Share of the trace before the first bad step, in per cent", headings, rows)
    note = paragraph(
        "mean of all: a valid trace counts as whole. What goes wrong behind the last step is one step more. "
        "Quartiles and n: of those that are not valid."
    )
    places = details("Where traces go wrong", Html(first + note))
    return Html(drawing(path, caption, study.data.name) + places)


def _before_error(row: dict[str, Any]) -> list[str | None]:
    """Mean and quartiles, in per cent."""
    mean = share(*(row[f"share_before_error{end}"] for end in ("", "_low", "_high")))
    return [mean, *(None if row[q] is None else f"{100 * row[q]:.0f}" for q in QUARTILES)]
