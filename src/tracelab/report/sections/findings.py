"""The findings of the literature, judged by rules that were written down beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from tracelab.analysis.findings import PARTS, SHARES, measurements, takes_part, verdicts
from tracelab.analysis.panels import save
from tracelab.report.markup import Html, details, number, p_value, paragraph, points, share, table
from tracelab.report.study import Study

TITLE, PLACE = "Findings, replicated or not", 15
OTHERS = ("", "claim", "arm", "test set", "estimate", "p (Holm)", "seeds", "verdict")
DECIDES = (*OTHERS[:5], "p", *OTHERS[6:])  # one p, of one task: there is nothing to correct it for
WITHHELD = "takes no part"
RANKS = "e"  # the part whose estimate is a difference of rank correlations


def section(study: Study) -> Html | None:
    """What these runs say of each finding for which they have the arms; None if they have none."""
    task = study.task().name
    try:
        found = measurements({task: study.table})
    except ValueError as error:
        return paragraph(f"No finding can be judged: {error}.")
    if found.is_empty():
        return None
    part = takes_part(study.table)
    if not part:
        found = found.with_columns(verdict=pl.lit(WITHHELD))
    save(study.data / "findings", found)
    if part:
        save(study.data / "findings_verdicts", verdicts(found))
    note = paragraph(
        "Letters, measures and rules are those of docs/results/prediction.md, written before the study ran. "
        "Percentage points (b, h, j2: per cent; e: rank correlation) with the 95 % interval for other "
        "problems and seeds. With fewer than five seeds of an arm every verdict is open. What decides is "
        f"judged here of {task} alone: p is corrected for no other task. The study corrects it over its "
        "tasks, and its verdicts are those of docs/results/study.md. p of the other test sets is corrected "
        "among these."
    )
    why = paragraph(
        f"No verdict is given ({WITHHELD}): a task takes part where correct and solution_only both solve "
        "more than half of the test problems in distribution, in the median of seeds. Here they do not, or "
        "one of them is not there."
    )
    deciding, others = (found.filter(pl.col("primary") == primary) for primary in (True, False))
    more = details("The other test sets", table("By test set", OTHERS, _rows(others)))
    return Html(table("What decides", DECIDES, _rows(deciding)) + note + ("" if part else why) + more)


def _rows(found: pl.DataFrame) -> Iterator[list[Any]]:
    for row in found.iter_rows(named=True):
        shown = number if row["part"] == RANKS else _share if row["part"] in SHARES else points
        yield [
            row["part"],
            PARTS[row["part"]].claim,
            row["arm"] if row["base"] is None else f"{row['arm']} – {row['base']}",
            row["split"],
            shown(row["value"], row["low"], row["high"]),
            None if row["p_holm"] is None else p_value(row["p_holm"]),
            row["seeds"],
            row["verdict"],
        ]


def _share(value: float | None, low: float | None, high: float | None) -> Html:
    """A share in per cent; its interval, which is symmetric, ends at 0 and 100."""
    return share(value, None if low is None else max(low, 0.0), None if high is None else min(high, 1.0))
