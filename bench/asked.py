"""What the study's models do behind other traces than their own, arm by arm: tables for `bench/findings.py`.

From what `tracelab.intervene`, `reask` and `assess` have written beside the runs. Shares are of the test set
in distribution, means of seeds, with intervals for other seeds and other problems.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
from common import markdown

from tracelab import analysis
from tracelab.analysis.assessment import likelier_at_first, load_assessment
from tracelab.analysis.interventions import load_interventions
from tracelab.analysis.reasking import load_reasked
from tracelab.analysis.variance import by_problem, spread

KINDS = ("state", "order", "op", "drop")  # of damage that the table of assessment shows, where a task has it
RATE = 0.1  # of damage
LEAST = 2  # problems, of which one can say how far they vary
IMPOSED = {  # column -> what was imposed, and what is counted
    "own": ("own", "valid"),
    "none": ("none", "valid"),
    "filler": ("filler", "valid"),
    "the reference": ("correct", "valid"),
    "another problem's: right": ("swapped", "valid"),
    "another problem's: that one's answer": ("swapped", "follows"),
}
ASKED = {  # column -> behind which trace, and which question the answer fits
    "no trace: second": ("none", "second"),
    "own: second": ("own", "second"),
    "own, written for the second: second": ("fresh", "second"),
    "own: first": ("own", "first"),
    "reference: second": ("reference", "second"),
    "reference: first": ("reference", "first"),
}


def mean_of(table: pl.LazyFrame, value: pl.Expr) -> str:
    """An arm's share on the problems that all its seeds have: `12.3 [4.5, 20.1]`, in per cent; – if none."""
    rows = table.select("seed", "index", "problem_key", value.cast(pl.Float64).alias("value"))
    wide = rows.drop_nulls().collect().pivot(on="seed", index=["index", "problem_key"], values="value")
    wide = wide.drop_nulls()
    problems = wide["problem_key"].n_unique()
    if problems < LEAST:
        return "–"
    cells = by_problem(wide.drop("index", "problem_key").to_numpy().T, wide["problem_key"].to_numpy())
    found = spread([cells], [1]).at_least(problems)
    low, high = found.interval()
    return f"{100 * found.value:.1f} [{100 * max(low, 0):.1f}, {100 * min(high, 1):.1f}]"


def imposed_table(data: Path, split: str) -> list[str]:
    """Right answers, and those that the trace leads to, behind traces that were imposed."""
    table = load_interventions(data).filter(pl.col("split") == split, pl.col("dose").is_null())
    columns = {head: (pl.col("intervention") == name, pl.col(flag)) for head, (name, flag) in IMPOSED.items()}
    return by_arm(table, columns)


def asked_table(data: Path, split: str) -> list[str]:
    """Which question the answers fit, when a second is asked of the same problem behind the first's trace."""
    table = load_reasked(data).filter(pl.col("split") == split)
    columns = {head: (pl.col("behind") == name, pl.col(flag)) for head, (name, flag) in ASKED.items()}
    return by_arm(table, columns)


def assessed_table(data: Path, split: str) -> list[str]:
    """How often the valid trace is likelier than its damaged twin, at the first token that differs, where the
    twin's step is wrong already.
    """
    table = load_assessment(data).filter(pl.col("split") == split, pl.col("rate") == RATE)
    known = table.select(pl.col("kind").unique()).collect()["kind"].to_list()
    return by_arm(
        table, {kind: (pl.col("kind") == kind, likelier_at_first()) for kind in KINDS if kind in known}
    )


def by_arm(table: pl.LazyFrame, columns: Mapping[str, tuple[pl.Expr, pl.Expr]]) -> list[str]:
    """A row per arm. columns: head -> which rows, and what is counted in them."""
    rows = []
    for (arm,), part in table.collect().group_by("arm", maintain_order=False):
        seeds = part["seed"].n_unique()
        rows.append(
            [
                arm,
                str(seeds),
                f"{part['problem_key'].n_unique():,}",
                *(mean_of(part.lazy().filter(where), value) for where, value in columns.values()),
            ]
        )
    return markdown(["arm", "seeds", "problems", *columns], sorted(rows))


TABLES: dict[str, tuple[str, Callable[[Path, str], list[str]]]] = {  # of a probe's file: about it, table
    "interventions.parquet": (
        "Right answers in per cent behind traces that are imposed; and, behind another problem's trace, "
        "answers that are that problem's:",
        imposed_table,
    ),
    "reasked.parquet": (
        "A second question is asked of the same problem, behind the trace of the first; which of the two the "
        "answer fits, in per cent:",
        asked_table,
    ),
    "assessment.parquet": (
        "How often a valid trace is likelier than one with a damaged step, at the first token that differs, "
        "by kind of damage, in per cent (of pairs whose damaged step is wrong there already):",
        assessed_table,
    ),
}


def lines(data: Path, split: str) -> list[str]:
    """The tables of a task and a test set, of the probes that have asked its finished runs."""
    runs, text = analysis.runs(data)["run"], []
    for file, (about, table) in TABLES.items():
        if any((Path(run) / file).is_file() for run in runs) and (rows := table(data, split))[2:-1]:
            text += [about, "", *rows]
    return text
