"""Validity against accuracy, and the two verdicts of the same completions."""

from __future__ import annotations

from tracelab.analysis import figures
from tracelab.analysis.joint import given, joint
from tracelab.analysis.panels import save
from tracelab.report.markup import Html, details, drawing, number, share, table
from tracelab.report.study import STRICT, Study

TITLE, PLACE = "Validity and accuracy", 50


def section(study: Study) -> Html:
    """Accuracy against validity across arms, and the two verdicts of the same completions."""
    path = study.data / "validity_against_accuracy"
    figures.validity_against_accuracy(path, study.table, STRICT)
    caption = "Accuracy and validity of each arm, Wilson 95 %; faint: each seed."
    both = details("The two verdicts together", _together(study))
    return Html(drawing(path, caption, study.data.name) + both)


def _together(study: Study) -> Html:
    cells, conditional = joint(study.table, STRICT), given(study.table, study.levels)
    save(study.data / "joint", cells)
    save(study.data / "given", conditional)
    rows = []
    for row in study.in_order(cells):
        mine = conditional.filter(level=STRICT, arm=row["arm"], split=row["split"])
        ends = [mine.filter(of=of).select("value", "low", "high").row(0) for of in ("trace", "solution")]
        counts = [row[name] for name in ("both", "only_solution", "only_trace", "neither")]
        phi = number(row["phi"], row["phi_low"], row["phi_high"])
        rows.append([row["split"], row["arm"], *counts, phi, *(share(*e) for e in ends)])
    headings = ["test set", "arm", "both valid", "only solution", "only trace", "neither", "phi"]
    headings += ["trace valid, given solution", "solution valid, given trace"]
    return table("Completions by their two verdicts", headings, rows)
