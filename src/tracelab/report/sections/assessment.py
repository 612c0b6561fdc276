"""Whether models find valid traces likelier than damaged ones."""

from __future__ import annotations

from typing import Any

from tracelab.analysis import assessment as assessing
from tracelab.analysis import assessment_figures
from tracelab.analysis.loading import having
from tracelab.core.terminal import counted
from tracelab.report.markup import Html, drawing, paragraph, share, table
from tracelab.report.study import Study

TITLE, PLACE = "Is a valid trace likelier?", 105
KINDS = (
    "State changes a place, a name or a move that a step has, cost its numbers (in arithmetic those that are "
    "added and what they come to): not every kind of damage says that a model knows values. "
)


def section(study: Study) -> Html | None:
    """Valid traces against their damaged twins; None where no run was asked."""
    has = having(assessing.FILE, study.runs)
    if has.is_empty():
        return None
    frame, path = assessing.by_damage(assessing.load_assessment(has)), study.data / "assessment"
    assessment_figures.assessed(path, frame)
    note = f"Of {len(has)} of {counted(len(study.runs), 'run')}. How often a model finds the reference trace "
    note += "likelier than the same with damaged steps, in per cent; a tie counts one half, and 50 is what a "
    note += "model has that cannot tell. Whole: the longer of two traces is at a disadvantage. Per token it "
    note += "is not. At the first change both are read behind the same words; twins whose "
    note += f"step is legal there (legal) do not count for it. {KINDS}95 % intervals are for other "
    note += "problems, of these seeds."
    headings = ["arm", "test set", "damage", "whole", "per token", "at first change"]
    headings += ["as long, %", "n", "legal", "left out", "seeds"]
    whole = table("Valid traces likelier than their twins", headings, map(_row, frame.iter_rows(named=True)))
    caption = "How often the valid trace is likelier than its damaged twin."
    return Html(drawing(path, caption, study.data.name) + whole + paragraph(note))


def _row(row: dict[str, Any]) -> list[object]:
    shares = [share(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for name in assessing.FIGURES]
    damage, same = f"{row['kind']} {100 * row['rate']:g} %", f"{100 * row['same_length']:.0f}"
    return [
        row["arm"],
        row["split"],
        damage,
        *shares,
        same,
        row["n"],
        row["first_legal"],
        row["left_out"],
        row["seeds"],
    ]
