"""What each arm loses or gains on the other test sets."""

from __future__ import annotations

from typing import Any

from tracelab.analysis import generalisation
from tracelab.analysis.panels import save
from tracelab.report.markup import Html, p_value, paragraph, points, table, text
from tracelab.report.study import SOLUTION, TRACE, WORDS, Study

TITLE, PLACE = "Beyond the training distribution", 30


def section(study: Study) -> Html | None:
    """What each arm loses or gains on the other test sets; None if there are none."""
    base, *others = study.splits
    if not others:
        return None
    parts = []
    for column in (SOLUTION, TRACE):
        frame = generalisation.gaps(study.table, column, base, others)
        save(study.data / f"gaps_{column}", frame)
        rows = []
        for split in others:
            found = {row["arm"]: row for row in frame.filter(split=split).iter_rows(named=True)}
            rows.append([split, *(_gap(found[arm]) if arm in found else None for arm in study.arms)])
        parts.append(table(f"{WORDS[column]}, less that on {base}", ["test set", *study.arms], rows))
    note = "Percentage points, 95 % intervals for other problems and seeds; p (Holm) for all of its table."
    return Html("".join([*parts, paragraph(note)]))


def _gap(row: dict[str, Any]) -> Html:
    difference = points(row["difference"], row["low"], row["high"])
    return Html(f"{difference}<br><small>p {text(p_value(row['p_holm']))}</small>")
