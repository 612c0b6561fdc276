"""Calibration: accuracy against confidence."""

from __future__ import annotations

from tracelab.analysis import figures
from tracelab.analysis.confidence import calibrations
from tracelab.analysis.panels import save
from tracelab.report.markup import Html, details, drawing, paragraph, share, table
from tracelab.report.study import Study

TITLE, PLACE = "Right when it is sure?", 90


def section(study: Study) -> Html:
    """Is it right when it is sure?"""
    curves, summary = calibrations(study.table)
    save(study.data / "calibration_summary", summary)
    drawings = []
    for kind in summary["confidence"].unique(maintain_order=True):
        path = study.data / f"calibration_{kind}"
        figures.calibration(path, curves.filter(confidence=kind), study.splits)
        caption = f"Accuracy against confidence ({kind}), bins of a tenth, 95 %; dotted: calibrated."
        drawings.append(drawing(path, caption, study.data.name))
    rows = []
    for row in study.in_order(summary):
        values = [f"{row[name]:.3f}" for name in ("ece", "brier", "mean", "accuracy")]
        wrong = share(*(row[f"sure_wrong{end}"] for end in ("", "_low", "_high")))
        rows.append([row["split"], row["arm"], row["confidence"], *values, wrong, row["n"]])
    headings = ["test set", "arm", "confidence", "ECE", "Brier", "mean confidence", "accuracy"]
    headings.append(f"wrong answer, with {summary['threshold'][0]:g} or more")
    note = "probability: the geometric mean of a completion's token probabilities; vote: the share of a "
    note += "problem's samples that give its commonest solution. What ends without an "
    note += "answer counts as wrong, but is no wrong answer."
    whole = details("ECE and Brier score", table("Confidence and accuracy", [*headings, "n"], rows))
    return Html("".join(drawings) + whole + paragraph(note))
