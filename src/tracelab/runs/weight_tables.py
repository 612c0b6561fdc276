"""Tables of what was added to weights and activations, for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from tracelab.runs.tables import cell, print_tables


def print_vectors(frame: Any, title: str) -> None:
    """A row per task vector; frame: of `analysis.task_vectors.of_run`."""
    caption = (
        "norms: Frobenius, of all matrices; effective rank: the matrices' mean share of what is possible"
    )
    table = Table(title=f"{title}: task vectors", title_justify="left", caption=caption)
    table.add_column("vector", overflow="fold")
    for name in (
        "norm",
        "of the weights' norm, %",
        "changed weights, %",
        "effective rank, %",
        "cosine with sum",
    ):
        table.add_column(name, justify="right")
    for row in frame.iter_rows(named=True):
        percents = (row[name] for name in ("relative", "changed", "rank_share"))
        cells = ("–" if value is None else f"{100 * value:.1f}" for value in percents)
        cosine = "–" if row["cosine_with_sum"] is None else f"{row['cosine_with_sum']:.3f}"
        table.add_row(row["vector"], f"{row['norm']:.3g}", *cells, cosine)
    print_tables(table)


def print_steering(directions: Any, changes: Any, title: str, path: Path) -> None:
    """Two tables: of the directions, and a row per change; frames: of `analysis.steering.of_run`."""
    found = Table(title=f"{title}: directions", title_justify="left", caption="concordance: 0.5 by chance")
    names = ("norm", "concordance", "shuffled", "p", "agreement", "n")
    found.add_column("place")
    for name in names:
        found.add_column(name, justify="right")
    for row in directions.iter_rows(named=True):
        found.add_row(row["place"], *(f"{row[name]:.3g}" for name in names))
    table = Table(title="changes", title_justify="left", caption="per cent, 95 % interval")
    levels = [name for name in changes.columns if f"{name}_low" in changes.columns]
    texts = ("split", "way", "place", "direction", "scale")
    for name in texts:
        table.add_column(name.replace("_", " "))
    for name in (*levels, "steps", "n"):
        table.add_column(name.replace("_", " "), justify="right")
    for row in changes.iter_rows(named=True):
        figures = (
            cell(name, {"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]})
            for name in levels
        )
        words = ("" if row[name] is None else str(row[name]) for name in texts)
        table.add_row(*words, *figures, f"{row['trace_steps']:.1f}", str(row["n"]))
    print_tables(found, table)
    print(f"  {path}")
