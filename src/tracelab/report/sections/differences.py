"""Differences between arms, with intervals and adjusted p values."""

from __future__ import annotations

import polars as pl

from tracelab.analysis.estimates import compare, holm
from tracelab.analysis.panels import save
from tracelab.report.markup import Html, details, p_value, paragraph, points, table
from tracelab.report.study import SOLUTION, TRACE, WORDS, Study

TITLE, PLACE = "Differences between arms", 20


def section(study: Study) -> Html:
    """Between arms, with p values adjusted for all rows of a table."""
    parts = [
        paragraph(
            "Percentage points, with the 95 % interval for other problems and other seeds (with one seed: "
            "for other problems only). p is adjusted for all rows of its table (Holm). h: Cohen's. "
            "McNemar: of the problems that exactly one run of a pair solves, the share that the first arm's "
            "does, the mean over pairs that have any."
        )
    ]
    for column in (SOLUTION, TRACE):
        frame = pl.concat([compare(study.table, column, split, study.base) for split in study.splits])
        if frame.is_empty():
            return paragraph("There is one arm: nothing to compare.")
        frame = frame.with_columns(pl.Series("p_holm", holm(frame["p"].to_numpy())))
        save(study.data / f"differences_{column}", frame)
        rows = _differences_table(frame, column)
        parts.append(rows if column == SOLUTION else details(WORDS[column], rows))
    return Html("".join(parts))


def _differences_table(frame: pl.DataFrame, column: str) -> Html:
    rows = [
        [
            f"{row['arm']} – {row['base']}",
            row["split"],
            points(row["difference"], row["low"], row["high"]),
            p_value(row["p_holm"]),
            f"{row['cohens_h']:+.2f}",
            None if row["discordant"] is None else f"{row['discordant']:.2f}",
            row["n"],
            row["seeds"],
        ]
        for row in frame.iter_rows(named=True)
    ]
    headings = ["arms", "test set", "difference", "p (Holm)", "h", "McNemar", "n", "seeds"]
    return table(WORDS[column], headings, rows)
