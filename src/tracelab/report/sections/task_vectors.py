"""Runs that were made of others' weights: what was added, and what it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from tracelab.analysis import task_vectors, weight_figures
from tracelab.analysis.panels import save
from tracelab.report.markup import Html, drawing, paragraph, table
from tracelab.report.study import STRICT, Study

TITLE, PLACE = "What the weights hold", 112


def section(study: Study) -> Html | None:
    """Task vectors and their scales; None where no run was made by arithmetic."""
    made = task_vectors.merged(study.runs["run"].to_list())
    if made.is_empty():
        return None
    frame, path = task_vectors.scales(made, study.table, STRICT), study.data / "task_vectors"
    weight_figures.scaled(path, frame, study.splits)
    vectors = pl.concat(
        task_vectors.of_run(Path(run)).with_columns(pl.lit(run).alias("run")) for run in made["run"]
    )
    save(study.data / "task_vectors_by_run", vectors)
    headings = ["run", "vector", "norm", "of the weights', %", "changed, %", "effective rank, %", "cosine"]
    rows = [_cells(study, row) for row in vectors.iter_rows(named=True)]
    caption = "Runs whose weights are others', against lambda. control: a random vector of the same norms."
    note = (
        "changed: the share of weights that differ by more than the tolerance; effective rank: the matrices' "
    )
    note += "mean share of the most that it could be; cosine: with the sum of the vectors."
    whole = table("Task vectors", headings, rows)
    return Html(drawing(path, caption, study.data.name) + whole + paragraph(note))


def _cells(study: Study, row: dict[str, Any]) -> list[object]:
    percents = [
        None if row[name] is None else f"{100 * row[name]:.1f}"
        for name in ("relative", "changed", "rank_share")
    ]
    cosine = None if row["cosine_with_sum"] is None else f"{row['cosine_with_sum']:.3f}"
    return [study.name(row["run"]), row["vector"], f"{row['norm']:.3g}", *percents, cosine]
