"""Where right answers behind invalid traces come from."""

from __future__ import annotations

from typing import Any

from tracelab.analysis import trace_figures
from tracelab.analysis.provenance import MOST, classified, is_literal, led, led_right, shares_of
from tracelab.core.types import PROVENANCES, Task
from tracelab.report.markup import Html, drawing, paragraph, share, table
from tracelab.report.study import Study

TITLE, PLACE = "Right answers behind invalid traces", 55
NOTE = (
    "A step is right if it is legal after the right steps before it. legal: all are, and give the solution; "
    "the trace is not what the solver does. unused: right steps alone give it, wrong ones stand beside them. "
    "undone: they do, and one that it needs was said wrongly first. led: only all steps at their word give "
    "it. rebuilt: nor do these; the model has it from the prompt alone, or by a guess."
)

LUCK = (
    "By luck, such an answer would be right as often as a guess. Where it is right far more often, the "
    "errors do not touch the answer, or the trace was made to fit an answer that the model had."
)


def section(study: Study) -> Html | None:
    """Their classes; None if the task cannot say, or where no right answer has an invalid trace."""
    task = study.task()
    if not hasattr(task, "provenance"):
        return None
    rows = classified(study.table, task)
    if rows.is_empty():
        return None
    found, path = shares_of(rows), study.data / "provenance"
    trace_figures.provenance(path, found, study.splits)
    caption = "Where right answers behind invalid traces come from, shares of these, 95 %."
    headings = ["test set", "arm", *PROVENANCES, "n", "seeds"]
    whole = table("Right answers behind invalid traces, %", headings, map(_row, study.in_order(found)))
    few = f"Traces of the family {rows['grammar'][0]}. The first sample of a problem counts, and of a run "
    few += f"and test set at most {MOST} such completions; those without any trace are left out. 95 % "
    few += "intervals are for other problems, of these seeds."
    return Html(
        drawing(path, caption, study.data.name) + whole + paragraph(NOTE) + paragraph(few) + _led(study, task)
    )


def _led(study: Study, task: Task) -> Html:
    """How often an answer that wrong steps lead to is right; nothing where there is none."""
    if not is_literal(task) or (rows := led(study.table, task)).is_empty():
        return Html("")
    found = study.in_order(led_right(rows))
    headings = ["test set", "arm", "right", "n", "seeds"]
    cells = (
        [r["split"], r["arm"], share(r["value"], r["low"], r["high"]), r["n"], r["seeds"]] for r in found
    )
    return Html(table("Right among answers that wrong steps lead to, %", headings, cells) + paragraph(LUCK))


def _row(row: dict[str, Any]) -> list[object]:
    ends = [share(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for name in PROVENANCES]
    return [row["split"], row["arm"], *ends, row["n"], row["seeds"]]
