"""What post-training changed in the MLPs: how much of its gain features have, and what makes them fire."""

from __future__ import annotations

from typing import Any

import polars as pl

from tracelab.analysis import weight_figures
from tracelab.analysis.diff import FILE, by_kind, by_variant, gains, load_diffs, load_features, name_of
from tracelab.analysis.loading import having
from tracelab.analysis.panels import save
from tracelab.core.terminal import counted
from tracelab.report.markup import DASH, Html, drawing, paragraph, share, table
from tracelab.report.study import STRICT, Study

TITLE, PLACE = "What post-training changed inside", 116
SHOWN = ("solution", f"trace_{STRICT}")


def section(study: Study) -> Html | None:
    """Gains that features have, and the kinds of steps at which they fire; None where no run was asked."""
    has = having(FILE, study.runs)
    if has.is_empty():
        return None
    found, path = load_diffs(has), study.data / "diff"
    weight_figures.recovered(path, by_variant(found), STRICT)
    headings = ["arm", "test set", "model", "verdict", "before, %", "after, %", "this model, %"]
    headings += ["of the gain, %", "n", "seeds"]
    rows = [_cells(row) for row in gains(found).filter(pl.col("of").is_in(SHOWN)).iter_rows(named=True)]
    living = load_features(has)
    save(study.data / "diff_features", living.drop("read", "written"))
    kinds = by_kind(living, has)
    note = f"Of {len(has)} of {counted(len(study.runs), 'run')}. adapted: the model before, with sparse "
    note += "features beside its MLPs; less top, less random: without those that add most, and as many "
    note += "that are drawn by chance. With backbone=after all but the MLPs is of the model after, and `MLPs "
    note += "before` is that without features."
    where = table(
        "Living features by where they add most",
        ["arm", "part of a completion", "features", "add, % of all MLPs"],
        [[row["arm"], row["kind"], row["n"], _added(row["added"])] for row in kinds.iter_rows(named=True)],
    )
    shown = drawing(path, "Accuracy and validity of each model. Hollow: traces.", study.data.name)
    return Html(
        shown + table("The gain, and what features have of it", headings, rows) + where + paragraph(note)
    )


def _added(value: float | None) -> str:
    return DASH if value is None else f"{100 * value:.1f}"


def _cells(row: dict[str, Any]) -> list[object]:
    about = [row["arm"], row["split"], name_of(row["variant"], row["removed"]), row["of"]]
    shares = [f"{100 * row[name]:.1f}" for name in ("before", "after", "value")]
    part = share(*(row[f"recovered{end}"] for end in ("", "_low", "_high")))
    return [*about, *shares, part, row["n"], row["seeds"]]
