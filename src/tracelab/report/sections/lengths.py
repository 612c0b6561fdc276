"""The length of what is written against the complexity of the problem."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from tracelab.analysis import figures
from tracelab.analysis.length import length_against
from tracelab.analysis.panels import save
from tracelab.report.markup import Html, details, drawing, number, paragraph, significant, table
from tracelab.report.study import Study

TITLE, PLACE = "Length and complexity", 70


def section(study: Study) -> Html | None:
    """Does the length of what is written follow the problem's complexity? By each measure in distribution, by
    the first one on all test sets. None if the outcomes have no measure.
    """
    found, lacking = known(study.table, study.task().complexities)
    if not found:
        return None
    measure, *others = found
    binned, ranked = study.data / "length_against_complexity", study.data / "rank_correlations"
    figures.length_against_complexity(binned, study.table, measure)
    frame = length_against(study.table, measure)
    figures.rank_correlations(ranked, frame, study.splits)
    inside = study.table.filter(pl.col("split") == study.splits[0])
    frames = [frame, *(length_against(inside, name) for name in others)]
    every = pl.DataFrame([row for one in frames for row in study.in_order(one)], infer_schema_length=None)
    save(study.data / "length_correlations", every)
    names = [
        name for name in ("spearman", "slope", "r2", "partial", "reference_spearman") if name in every.columns
    ]
    rows = []
    for row in every.iter_rows(named=True):
        cells = [
            (significant if name == "slope" else number)(
                *(row[f"{name}{end}"] for end in ("", "_low", "_high"))
            )
            for name in names
        ]
        about = [row["complexity"].replace("_", " "), row["split"], row["arm"]]
        rows.append([*about, *cells, f"{100 * row['censored']:.1f} %", row["n"]])
    headings = ["measure", "test set", "arm", *(name.replace("_", " ") for name in names), "cut off", "n"]
    measure = measure.replace("_", " ")
    caption = f"Length against {measure}: medians, shaded quartiles. Completions that were cut off count as "
    caption += "the longest; no point where more than half were."
    note = f"Left out, for outcomes of an older version lack it: {', '.join(lacking).replace('_', ' ')}."
    return Html(
        drawing(binned, caption, study.data.name)
        + drawing(ranked, f"Rank correlation of length and {measure}.", study.data.name)
        + details("Slopes and correlations", table("Completion tokens against complexity", headings, rows))
        + (paragraph(note) if lacking else "")
    )


def known(outcomes: pl.LazyFrame, measures: Sequence[str]) -> tuple[list[str], list[str]]:
    """-> the measures of complexity that all outcomes have, and those that some lack."""
    names = outcomes.collect_schema().names()
    there = [measure for measure in measures if measure in names]
    whole = outcomes.select(pl.col(there).is_not_null().all()).collect()
    found = [measure for measure in there if whole[measure].item()]
    return found, [measure for measure in measures if measure not in found]
