"""The study's page and its data, and figures as its prose has them."""

from pathlib import Path

import numpy as np
import polars as pl

from tracelab.core.files import read_json
from tracelab.core.paths import CLONE

DATA, PAGE = CLONE / "bench" / "results" / "study", CLONE / "docs" / "results" / "study.md"
TEXT = PAGE.read_text(encoding="utf-8")
PROSE = TEXT.partition("<!-- end of tables -->")[2]


def per_cent(values):
    """From the least to the greatest, as the page writes them."""
    return [f"{100 * value:.0f}" for value in sorted(values)]


def by_seed(outcomes, arm, split, of="solution_valid"):
    """A figure of each seed of an arm, in the seeds' order."""
    mine = outcomes.filter(pl.col("arm") == arm, pl.col("split") == split)
    return mine.group_by("seed").agg(pl.col(of).mean()).sort("seed").collect()[of].to_numpy()


def estimate(measurements, part, split, sign=""):
    """A measurement's value and the ends of its interval, in whole per cent or points."""
    found = measurements.filter(part=part, split=split).row(0, named=True)
    assert found["seeds"] == 5
    ends = np.array([found["low"], found["high"]])
    ends = ends.clip(0, 1) if part in "bh" else ends
    return [f"{100 * value:{sign}.0f}".replace("-", "−") for value in (found["value"], *ends)]


def rows_of(lines):
    """A table's rows, each head -> cell."""
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line]
    return [dict(zip(head, row, strict=True)) for row in rows]


def as_prose(cell):
    """`12.3 [4.5, 20.1]` as prose has it."""
    return cell.replace(" [", " % [", 1)


def by_arm(lines):
    """A table's cells -> arm -> head -> the cell as prose has it."""
    return {row["arm"]: {name: as_prose(cell) for name, cell in row.items()} for row in rows_of(lines)}


def in_points(cell):
    """`1.2 [-3.4, 5.6]`, of prose or of a table, as prose has differences."""
    return cell.replace(" %", "").replace(" [", " points [", 1).replace("-", "−")


def difference(row):
    """A measurement in points, as prose has it."""
    return in_points(
        "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * row[name] for name in ("value", "low", "high")))
    )


def row_of_arm(task, arm):
    """A task's row of an arm in the page's table, head -> cell."""
    lines = TEXT.partition(f"## The arms on {task}\n\n")[2].partition("\n\n")[0].splitlines()
    return next(row for row in rows_of(lines) if row["arm"] == arm)


def seen(runs, arm):
    """How many examples runs of an arm were trained on, their mean. runs: as of `analysis.runs`."""
    records = [read_json(Path(run) / "run.json") for run in runs.filter(arm=arm)["run"]]
    return np.mean([record["progress"]["examples"] for record in records])
