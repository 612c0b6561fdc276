"""Which question models answer behind a trace that was written for another."""

from __future__ import annotations

from typing import Any

from tracelab.analysis import probe_figures, reasking
from tracelab.analysis.loading import having
from tracelab.core.terminal import counted
from tracelab.report.markup import Html, drawing, paragraph, share, table
from tracelab.report.study import Study

TITLE, PLACE = "Asked again behind the same trace", 103
NOTE = (
    "The same problem with a second question. Behind: first, the first question with the model's own trace; "
    "fresh, the second with its own trace; own and reference, the second behind a trace for the first; none, "
    "the second without a trace. A trace settles a question if it meets the goal or says what is asked. "
    "95 % intervals are for other problems, of these seeds."
)


def section(study: Study) -> Html | None:
    """Answers to second questions; None where no run was asked."""
    has = having(reasking.FILE, study.runs)
    if has.is_empty():
        return None
    frame, path = reasking.by_trace(reasking.load_reasked(has)), study.data / "reasked"
    probe_figures.reasked(path, frame)
    headings = ["arm", "test set", "behind", "fits second", "fits first", "neither", "trace settles second"]
    headings += ["fits second, if so", "fits second, if not", "n", "left out", "seeds"]
    whole = table("Which question is answered, %", headings, map(_row, frame.iter_rows(named=True)))
    caption = "Answers behind traces for another question: which question they fit."
    note = paragraph(f"Of {len(has)} of {counted(len(study.runs), 'run')}. {NOTE}")
    return Html(drawing(path, caption, study.data.name) + whole + note)


def _row(row: dict[str, Any]) -> list[object]:
    ends = [share(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for name in reasking.FIGURES]
    return [row["arm"], row["split"], row["behind"], *ends, row["n"], row["left_out"], row["seeds"]]
