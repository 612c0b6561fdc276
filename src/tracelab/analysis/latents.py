"""What latents are for: what `tracelab.probe latents` counted, as shares with intervals over problems.

table = latents.load_latents("runs/study")
latents.shares(table)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from tracelab.analysis.estimates import as_columns, with_seeds
from tracelab.analysis.loading import Runs, load_beside
from tracelab.core.stats import UNKNOWN, Bounded, clustered, ratio

FILE = "latents.parquet"
QUESTIONS = ("needed", "read", "found", "replaced")
BY_ANSWER = ("read", "found")  # questions whose shares are told apart by whether the answer is right
CONTROL = "control"
ABOUT = ("question", "what", "counted")


def load_latents(*folders: Runs) -> pl.LazyFrame:
    """The probed latents of all finished runs at or below the folders that have some, labelled as by `load`.

    ValueError if none has.
    """
    return load_beside(FILE, "probe latents", *folders)


def of_file(path: Path) -> pl.DataFrame:
    """One run's latents, see `shares`."""
    return shares(pl.scan_parquet(path, glob=False), by=("split",))


def shares(table: pl.LazyFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """A row per group, question, what it was asked of, what was counted, and answers (all, right, wrong).

    share: with share_low and share_high (95 %, over problems); above: by how much it lies above the control's
    of the same problems, those that have a control, with _low and _high; problems; seeds.
    """
    keys = [*by, *ABOUT]
    apart = pl.col("question").is_in(BY_ANSWER)
    right = pl.when(pl.col("right")).then(pl.lit("right")).otherwise(pl.lit("wrong"))
    whole = table.with_columns(answers=pl.lit("all"))
    split = table.filter(apart).with_columns(answers=right)
    every = pl.concat([whole, split])
    sums = [pl.col(name).sum() for name in ("true", "of")]
    grouped = every.group_by([*keys, "answers", "problem_key"], maintain_order=True).agg(sums)
    frame = grouped.collect()
    rows = []
    for group, part in frame.group_by([*keys, "answers"], maintain_order=True):
        about = dict(zip([*keys, "answers"], group, strict=True))
        alike = [pl.col(name).eq_missing(value) for name, value in {**about, "what": CONTROL}.items()]
        held = about["question"] in BY_ANSWER and about["what"] != CONTROL
        rows.append({**about, **_share(part, frame.filter(alike) if held else None)})
    place = pl.col("question").replace_strict(QUESTIONS, range(len(QUESTIONS)))
    found = pl.DataFrame(rows, infer_schema_length=None).sort(*by, place, maintain_order=True)
    return with_seeds(found, every, [*keys, "answers"])


def _share(part: pl.DataFrame, control: pl.DataFrame | None) -> dict[str, Any]:
    true, of = (part[name].to_numpy() for name in ("true", "of"))
    share = Bounded(float(true.sum() / of.sum()), *clustered(true, of)) if of.sum() else UNKNOWN
    above = UNKNOWN
    if control is not None:
        both = part.join(control, on="problem_key", suffix="_control").filter(pl.col("of_control") > 0)
        columns = (both[name].to_numpy() for name in ("true", "of", "true_control", "of_control"))
        t, m, t_control, m_control = columns
        above = ratio((1, t, m), (-1, m * t_control / m_control, m))  # however many donors each has
    counts = {"problems": int((of > 0).sum())}
    return {**as_columns("share", share), **as_columns("above", above), **counts}
