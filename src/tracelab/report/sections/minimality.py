"""How much of their traces right solutions need, and what comes of steps after the answer is settled."""

from __future__ import annotations

from tracelab.analysis import trace_figures
from tracelab.analysis.minimality import AFTER, MOST, NONE, minimal, steps
from tracelab.report.markup import Html, details, drawing, paragraph, share, table
from tracelab.report.study import Study

TITLE, PLACE = "Steps that are needed", 65
SHARES = ("needed", "after", AFTER, NONE)


def section(study: Study) -> Html | None:
    """How much of a trace its solution needs; None if the task cannot say, or no solution is right."""
    task = study.task()
    if not hasattr(task, "needed"):
        return None
    counted = steps(study.table, task)
    if not counted["solution_valid"].any():
        return None
    found, path = minimal(counted), study.data / "minimality"
    trace_figures.minimality(path, found, study.splits)
    caption = "Share of a trace's steps that the solution needs, behind right solutions, 95 %."
    rows = []
    for row in study.in_order(found):
        ends = [share(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for name in SHARES]
        counts = [row["n"] or 0, *(row[name] for name in ("n_after", "n_none", "seeds"))]
        rows.append([row["split"], row["arm"], *ends, *counts])
    headings = ["test set", "arm", "steps needed", "with steps after the answer", "right, if so"]
    headings += ["right, if none follow", "n right", "n with", "n without", "seeds"]
    note = f"Of the first sample of at most {MOST} problems a run and test set. An answer is settled where a "
    note += "goal first appears, every variable has a value, or the question is answered. 95 % intervals are "
    note += "for other problems, of these seeds."
    whole = details("What follows the answer", table("Steps after the answer, %", headings, rows))
    return Html(drawing(path, caption, study.data.name) + whole + paragraph(note))
