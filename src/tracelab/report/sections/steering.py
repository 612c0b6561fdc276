"""What directions in the activations do when they are added or taken out."""

from __future__ import annotations

from typing import Any

from tracelab.analysis import weight_figures
from tracelab.analysis.loading import having
from tracelab.analysis.steering import FILE, by_change, load_steering
from tracelab.core.terminal import counted
from tracelab.report.markup import Html, drawing, paragraph, share, table
from tracelab.report.study import STRICT, Study

TITLE, PLACE = "What directions do", 114


def section(study: Study) -> Html | None:
    """Outcomes under steering; None where no run has any."""
    has = having(FILE, study.runs)
    if has.is_empty():
        return None
    frame, path = by_change(load_steering(has)), study.data / "steering"
    note = f"Of {len(has)} of {counted(len(study.runs), 'run')}. random: a direction of equal length, or "
    note += "heads drawn by chance. A scale of 1 is the difference of the two groups' means, or what came "
    note += "of another model's where directions were carried over. 95 % intervals are for other problems, "
    note += "of these seeds."
    headings = ["arm", "test set", "contrast", "change", "place", "direction", "scale"]
    headings += ["solution valid, %", "trace valid, %", "steps", "commonest fault", "n", "seeds"]
    rows = [_cells(row) for row in frame.iter_rows(named=True)]
    whole = table("Outcomes under steering", headings, rows)
    drawn = Html("")
    if "add" in frame["way"]:  # what is taken out has no scale
        weight_figures.steered(path, frame, STRICT)
        drawn = drawing(path, "Outcomes against scale.", study.data.name)
    return Html(drawn + whole + paragraph(note))


def _cells(row: dict[str, Any]) -> list[object]:
    about = [row[name] for name in ("arm", "split", "contrast", "way", "place", "direction", "scale")]
    shares = [
        share(*(row[f"{name}{end}"] for end in ("", "_low", "_high")))
        for name in ("solution", f"trace_{STRICT}")
    ]
    return [*about, *shares, f"{row['trace_steps']:.1f}", row["reason"], row["n"], row["seeds"]]
