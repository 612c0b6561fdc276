"""Is the solver's state in the model? What `tracelab.probe states` found, with intervals over problems.

table = states.load_states("runs/study")
states.scores(table)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tracelab.analysis.estimates import as_columns, with_seeds
from tracelab.analysis.loading import Runs, load_beside
from tracelab.core.stats import UNKNOWN, Bounded, clustered, ratio

FILE = "states.parquet"
SUMS = ("of", "right", "majority")
KNOWN = (
    "tested",
    "known",
    "known_of",
    "known_right",
    "control",
    "control_of",
)  # older files lack the first four
KINDS = "read"  # what kinds are of; older files lack it, and at `begin` have those of the step to come
FEWEST = 5  # problems with moments whose kind of step was trained on, for a selectivity
ABOUT = ("trace", "search", "quantity", "number", "at")
BASELINES = ("clock", "embed")


def load_states(*folders: Runs) -> pl.LazyFrame:
    """The probes of all finished runs at or below the folders that have some, labelled as by `load`.

    ValueError if none has.
    """
    return load_beside(FILE, "probe states", *folders)


def of_file(path: Path) -> pl.DataFrame:
    """One run's probes, see `scores`."""
    return scores(pl.scan_parquet(path, glob=False), by=("split",))


def scores(table: pl.LazyFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """A row per group, trace, search, quantity, at and place, in the order in which they were asked for.

    score: of the probes, with _low and _high (95 %, over problems): accuracy, or R² where number is true;
    majority: accuracy of the commonest label of training (of numbers 0); known: the share of tested labels
    at moments whose kind of step was trained on; control: the control task's score there; selectivity: score
    less control there, with _low and _high; problems: that were tested; seeds. The three are null of files
    that do not say which moments these are, or at `begin` had kinds of another sort (see KINDS); selectivity
    also where fewer than FEWEST problems have some.
    """
    keys = [*by, *ABOUT, "place"]
    missing = {*KNOWN, "kinds"} - {*table.collect_schema().names()}
    table = table.with_columns(pl.lit(None, pl.Float64).alias(name) for name in sorted(missing))
    told = (pl.col("at") != "begin") | pl.col("kinds").is_not_null()
    table = table.with_columns(pl.when(told).then(pl.col(name)).alias(name) for name in KNOWN)
    whole = [pl.when(pl.col(name).is_not_null().all()).then(pl.col(name).sum()) for name in KNOWN]
    sums = [*(pl.col(name).sum() for name in SUMS), *whole]
    found = table.group_by([*keys, "problem_key"], maintain_order=True).agg(sums).collect()
    rows = []
    for group, part in found.group_by(keys, maintain_order=True):
        about = dict(zip(keys, group, strict=True))
        rows.append({**about, **_scored(part, bool(about["number"]))})
    return with_seeds(pl.DataFrame(rows, infer_schema_length=None), table, keys)


def _scored(part: pl.DataFrame, number: bool) -> dict[str, Any]:
    of, right, majority = (part[name].to_numpy() for name in SUMS)
    score = ratio((1, right, of))
    if not number:  # a share, whose interval stays within 0 and 1
        score = Bounded(score.value, *clustered(right, of))
    return {
        **as_columns("score", score),
        "majority": float(majority.sum() / of.sum()) if of.sum() else None,
        **_selective(part),
        "problems": int(np.count_nonzero(of)),
    }


def _selective(part: pl.DataFrame) -> dict[str, Any]:
    """known, control and selectivity, see `scores`."""
    if part["tested"].null_count():
        return {"known": None, "control": None, **as_columns("selectivity", UNKNOWN)}
    tested, known, of, right, control, control_of = (part[name].to_numpy() for name in KNOWN)
    found = ratio((1, right, of), (-1, control, control_of))
    return {
        "known": float(known.sum() / tested.sum()),
        "control": float(control.sum() / control_of.sum()) if control_of.sum() > 0 else None,
        **as_columns("selectivity", found if np.count_nonzero(known) >= FEWEST else UNKNOWN),
    }


def best(frame: pl.DataFrame, by: Sequence[str] = ("split",)) -> pl.DataFrame:
    """Rows of `scores`: each quantity's best place in the model, and what clock and embed score beside it.

    The best of several places is a little better than it would be on other problems.
    """
    keys = [*by, *ABOUT]
    inside = frame.filter(~pl.col("place").is_in(BASELINES)).sort(
        "score", descending=True, nulls_last=True, maintain_order=True
    )
    found = inside.group_by(keys, maintain_order=True).first()
    for name in BASELINES:
        base = frame.filter(place=name).select(*keys, pl.col("score").alias(name))
        found = found.join(base, on=keys, how="left", nulls_equal=True)
    order = frame.select(keys).unique(maintain_order=True)
    return order.join(found, on=keys, how="inner", nulls_equal=True, maintain_order="left")
