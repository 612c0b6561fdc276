"""Tables of what was added to weights and activations, for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from tracelab.core.terminal import figure
from tracelab.runs.tables import ENDS, cell, print_tables

SHOWN = 10  # features


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
    caption = "concordance: 0.5 by chance; n: activations, several of a problem"
    found = Table(title=f"{title}: directions", title_justify="left", caption=caption)
    names = ["norm", "concordance", "shuffled", "p", "agreement", "n"]
    # older files lack the first, and what was not carried over the others
    names += [name for name in ("problems", "explained", "exchanged") if name in directions.columns]
    found.add_column("place")
    for name in names:
        found.add_column(name, justify="right")
    for row in directions.iter_rows(named=True):
        found.add_row(row["place"], *(figure(row[name]) for name in names))
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


def print_diff(gains: Any, features: Any, summary: dict[str, Any], title: str, path: Path) -> None:
    """Two tables: of the gains of each model, and of the features that add most; `analysis.diff.of_run`."""
    share = summary["nats_recovered"]
    left = "there is none" if share is None else f"{100 * share:.1f} % is gone"
    caption = f"per cent, 95 % interval; a dash: no gain. Of the divergence from the model after, {left}"
    table = Table(title=f"{title}: gains", title_justify="left", caption=caption)
    for name in ("split", "model", "verdict", "before", "after", "this model", "recovered", "n"):
        table.add_column(name, justify="left" if name in ("split", "model", "verdict") else "right")
    for row in gains.iter_rows(named=True):
        model = row["variant"] + (f" {row['removed']}" if row["removed"] else "")
        shares = (f"{100 * row[name]:.1f}" for name in ("before", "after", "value"))
        ends = {end: row[f"recovered{place}"] for end, place in ENDS.items()}
        table.add_row(row["split"], model, row["of"], *shares, cell("recovered", ends), str(row["n"]))
    living = summary["features"]
    found = Table(title=f"features: {living['living']} of {living['of']} live", title_justify="left")
    for name in ("layer", "feature", "of all MLPs, %", "of its MLP, %", "fires, %", "at", "place", "word"):
        found.add_column(name, justify="right" if name in ("layer", "feature") or "%" in name else "left")
    for row in features.head(SHOWN).iter_rows(named=True):
        where = (
            f"{row[name]} ({100 * row[f'{name}_added']:.0f} %, of tokens {100 * row[f'{name}_tokens']:.0f} %)"
            for name in ("kind", "place", "word")
        )
        added = (row["added"] * row["mlp_share"], row["added"], row["fires"])
        numbers = (f"{100 * share:.1f}" for share in added)
        found.add_row(str(row["layer"]), str(row["feature"]), *numbers, *where)
    print_tables(table, found)
    print(f"  {path}")
