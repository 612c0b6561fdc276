"""What linear probes find of the solver's state inside the models."""

from __future__ import annotations

from typing import Any

from tracelab.analysis import probe_figures, states
from tracelab.analysis.loading import having
from tracelab.core.terminal import counted
from tracelab.report.markup import Html, drawing, number, paragraph, share, table
from tracelab.report.study import Study

TITLE, PLACE = "Is the solver's state inside?", 106
HEADINGS = (
    "arm",
    "test set",
    "quantity",
    "trace",
    "search",
    "at",
    "majority",
    "clock",
    "word",
    "best place",
    "score",
)

NOTE = """Linear probes, tested on problems that they were not trained on: accuracy in per cent, of numbers
R²; 95 % intervals for other problems, of these seeds. clock: from the number of steps alone; word: from the
embedding of the word at hand. selectivity: score less that of the control task, in which every kind of step
that was read has a label drawn at random, at moments whose kind was trained on; known: the share of these.
A state that a probe finds need not be used. The best of several places is a little better than it would be
on other problems."""


def section(study: Study) -> Html | None:
    """Each arm's probes, layer by layer; None where no run was probed."""
    has = having(states.FILE, study.runs)
    if has.is_empty():
        return None
    frame = states.scores(states.load_states(has))
    parts = []
    for k, ((arm, split), mine) in enumerate(frame.group_by("arm", "split", maintain_order=True)):
        path = study.data / f"states_{k}"
        probe_figures.decoded(path, mine)
        parts.append(drawing(path, f"What is decoded of {arm} on {split}, where steps end.", study.data.name))
    found = states.best(frame, by=("arm", "split"))
    rows = [_row(row) for row in found.iter_rows(named=True)]
    note = f"Of {len(has)} of {counted(len(study.runs), 'run')}. {NOTE}"
    whole = table(
        "What a linear probe finds, at its best place",
        [*HEADINGS, "selectivity", "known, %", "problems", "seeds"],
        rows,
    )
    return Html("".join(parts) + whole + paragraph(note))


def _row(row: dict[str, Any]) -> list[object]:
    """A row of the table. Of numbers, the figures are R²; of classes, accuracies in per cent."""
    estimate, plain = (number, "{:.2f}") if row["number"] else (share, "{:.1%}")
    about = (row[name] for name in ("arm", "split", "quantity", "trace", "search", "at"))
    beside = (row[name] for name in ("majority", *states.BASELINES))
    alone = (value if value is None else plain.format(value).rstrip("%") for value in beside)
    found = (
        estimate(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for name in ("score", "selectivity")
    )
    known = None if row["known"] is None else f"{100 * row['known']:.1f}"
    return [*about, *alone, row["place"], *found, known, row["problems"], row["seeds"]]
