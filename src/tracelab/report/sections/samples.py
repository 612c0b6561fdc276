"""Several completions of each problem: agreement and silent failures."""

from __future__ import annotations

import polars as pl

from tracelab.analysis.panels import save
from tracelab.analysis.stability import stability
from tracelab.report.markup import Html, number, paragraph, share, table
from tracelab.report.study import STRICT, Study

TITLE, PLACE = "Stability and silent failure", 80


def section(study: Study) -> Html | None:
    """Several completions per problem: agreement and silent failures; None where there is one."""
    if study.table.select((pl.col("sample") > 0).any()).collect().item() is not True:
        return None
    frame = stability(study.table, STRICT, ["arm", "split"])
    save(study.data / "stability", frame)
    names = ("maj", "faithful", "unfaithful", "silent_failure")
    rows = []
    for row in study.in_order(frame):
        shares = [share(row[k], row[f"{k}_low"], row[f"{k}_high"]) for k in names]
        r = number(row["r"], row["r_low"], row["r_high"])
        rows.append([row["split"], row["arm"], *shares, r, row["samples"], row["n"]])
    headings = ["test set", "arm", "majority right", "faithful", "unfaithful", "silent failure", "r"]
    note = "Of correct solutions: with a valid and stable trace (faithful) or not; silent failure: a wrong "
    note += (
        f"answer with a vote of at least {frame['threshold'][0]:g}; r: of shares of valid traces and right "
    )
    note += "solutions. "
    note += "Each run votes for itself, once a problem; of equally common solutions each may win."
    whole = table("Samples of the same problems", [*headings, "samples", "votes"], rows)
    return Html(whole + paragraph(note))
