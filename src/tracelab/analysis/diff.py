"""How much of what post-training gained is in its MLPs' features: `tracelab.diff` writes what this reads.

table = diff.load_diffs("runs/study")
diff.by_variant(table)      # accuracy and validity of the models before, after and adapted, and of less
diff.gains(table)           # the share of the gain that each has
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tracelab.analysis.changed import outcomes
from tracelab.analysis.loading import levels_of, load_beside
from tracelab.analysis.variance import Floats, spread

FILE, FEATURES, SUMMARY = "diff.parquet", "diff_features.parquet", "diff.json"
BEFORE, AFTER, START, ADAPTED, TOP, RANDOM = VARIANTS = (
    "before",
    "after",
    "MLPs before",  # and all else after
    "adapted",
    "less top",
    "less random",
)
KEY = ("variant", "removed")


def name_of(variant: str, removed: int) -> str:
    """A model in words: `adapted`, `less top 4`."""
    return f"{variant} {removed}" if removed else variant


def load_diffs(*folders: str | Path) -> pl.LazyFrame:
    """The outcomes of `tracelab.diff` of all finished runs at or below the folders that have some.

    ValueError if none has.
    """
    return load_beside(FILE, "diff", *folders)


def by_variant(table: pl.LazyFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """A row per group and model, in the order of VARIANTS; the columns are those of `changed.outcomes`."""
    found = outcomes(table, [*by, *KEY])
    return found.sort(*by, "removed", pl.col("variant").cast(pl.Enum(VARIANTS)))


def gains(table: pl.LazyFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """A row per group, changed model and verdict: what it has of the gain from before to after.

    of: solution, or trace_<level>; before, after, value: shares that are valid, of the last the changed
    model's; gain: after less before; recovered: value less before, over the gain, None where the gain may be
    none; each with _low and _high (95 %, for other problems and seeds; of the share by linearisation); n:
    problems; seeds.
    """
    names = ["solution_valid", *(f"trace_{level}" for level in levels_of(table))]
    one = [*by, "run", "problem_key"]
    means = table.group_by([*one, *KEY]).agg(pl.col(names).cast(pl.Float64).mean()).collect()
    joined = means.filter(~pl.col("variant").is_in([BEFORE, AFTER]))
    for end in (BEFORE, AFTER):
        ours = means.filter(variant=end).select(*one, pl.col(names).name.suffix(f"_{end}"))
        joined = joined.join(ours, on=one)
    order = pl.col("variant").cast(pl.Enum(VARIANTS))
    groups = joined.sort(*by, "removed", order, "run", "problem_key").group_by(
        [*by, *KEY], maintain_order=True
    )
    rows = []
    for group, part in groups:
        seeds = part.partition_by("run", maintain_order=True)
        for name in names:
            columns = (f"{name}_{BEFORE}", f"{name}_{AFTER}", name)
            values = (np.stack([seed[column] for seed in seeds]) for column in columns)
            about = dict(zip([*by, *KEY], group, strict=True)) | {"of": name.removesuffix("_valid")}
            rows.append({**about, **_gain(*values), "n": len(seeds[0]), "seeds": len(seeds)})
    return pl.DataFrame(rows, infer_schema_length=None)


def _gain(before: Floats, after: Floats, value: Floats) -> dict[str, Any]:
    """One verdict of one model, (seeds, problems) each."""
    whole = spread((after - before,), (1,)).at_least(before.shape[1])
    low, high = whole.interval()
    found = {
        "before": float(before.mean()),
        "after": float(after.mean()),
        "value": float(value.mean()),
        **{"gain": whole.value, "gain_low": low, "gain_high": high},
        **dict.fromkeys(("recovered", "recovered_low", "recovered_high")),
    }
    if low <= 0 <= high:
        return found
    share = float((value - before).mean()) / whole.value
    rest = spread(((value - before - share * (after - before)) / whole.value,), (1,))
    ends = (share + end for end in rest.interval())
    return found | dict(zip(("recovered", "recovered_low", "recovered_high"), (share, *ends), strict=True))


def of_run(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One run's gains, and its living features with the largest first."""
    table = pl.scan_parquet(folder / FILE, glob=False)
    return gains(table, by=("split",)), pl.read_parquet(folder / FEATURES, glob=False)
