"""How much of what post-training gained is in its MLPs' features: `tracelab.diff` writes what this reads.

table = diff.load_diffs("runs/study")
diff.by_variant(table)      # accuracy and validity of the models before, after and adapted, and of less
diff.gains(table)           # the share of the gain that each has
diff.by_kind(features, runs)  # where features add most
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tracelab.analysis.changed import outcomes
from tracelab.analysis.loading import Runs, levels_of, load_beside
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


def load_diffs(*folders: Runs) -> pl.LazyFrame:
    """The outcomes of `tracelab.diff` of all finished runs at or below the folders that have some.

    ValueError if none has.
    """
    return load_beside(FILE, "diff", *folders)


def load_features(*folders: Runs) -> pl.DataFrame:
    """The living features of the same runs, a row each; older files have no mlp_share, which is null then."""
    found = load_beside(FEATURES, "diff", *folders)
    known = found.collect_schema().names()
    return found.with_columns(pl.lit(None, pl.Float64).alias(n) for n in {"mlp_share"} - {*known}).collect()


def by_kind(features: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """A row per arm and part of a completion (`kind`): the features that add most there.

    n: features of all runs; added: all that they add, as a share of what all MLPs give, as sums of norms in
    each run, and then the mean over the arm's runs; null of files that lack it. runs: run and arm of all that
    were asked, also those without features.
    """
    share = pl.when(pl.col("mlp_share").is_not_null().all()).then(
        (pl.col("added") * pl.col("mlp_share")).sum()
    )
    each = features.group_by("arm", "run", "kind").agg(pl.len().alias("n"), share.alias("share"))
    whole = pl.when(pl.col("share").is_not_null().all()).then(pl.col("share").sum())
    found = each.group_by("arm", "kind").agg(pl.col("n").sum(), whole.alias("whole"))
    asked = runs.group_by("arm").agg(pl.col("run").n_unique().alias("asked"))
    found = found.join(asked, on="arm").sort("arm", "n", "kind", descending=[False, True, False])
    return found.select("arm", "kind", "n", (pl.col("whole") / pl.col("asked")).alias("added"))


def by_variant(table: pl.LazyFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """A row per group and model, in the order of VARIANTS; the columns are those of `changed.outcomes`."""
    found = outcomes(table, [*by, *KEY])
    return found.sort(*by, "removed", pl.col("variant").cast(pl.Enum(VARIANTS)))


def gains(table: pl.LazyFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """A row per group, changed model and verdict: what it has of the gain from before to after.

    of: solution, or trace_<level>; before, after, value: shares that are valid, of the last the changed
    model's; gain: after less before; recovered: value less before, over the gain, None where the gain may be
    none; each with _low and _high (95 %, for other problems and seeds; of the share by linearisation); n:
    problems; seeds. ValueError if runs of a group were asked different problems.
    """
    names = ["solution_valid", *(f"trace_{level}" for level in levels_of(table))]
    one = [*by, "run", "problem_key"]
    means = table.group_by([*one, *KEY]).agg(pl.col(names).cast(pl.Float64).mean()).collect()
    joined = means.filter(~pl.col("variant").is_in([BEFORE, AFTER]))
    for end in (BEFORE, AFTER):
        ours = means.filter(variant=end).select(*one, pl.col(names).name.suffix(f"_{end}"))
        joined = joined.join(ours, on=one, nulls_equal=True)
    order = pl.col("variant").cast(pl.Enum(VARIANTS))
    groups = joined.sort(*by, "removed", order, "run", "problem_key").group_by(
        [*by, *KEY], maintain_order=True
    )
    rows = []
    for group, part in groups:
        seeds = part.partition_by("run", maintain_order=True)
        check_problems(seeds)
        for name in names:
            columns = (f"{name}_{BEFORE}", f"{name}_{AFTER}", name)
            values = (np.stack([seed[column] for seed in seeds]) for column in columns)
            about = dict(zip([*by, *KEY], group, strict=True)) | {"of": name.removesuffix("_valid")}
            rows.append({**about, **_gain(*values), "n": len(seeds[0]), "seeds": len(seeds)})
    return pl.DataFrame(rows, infer_schema_length=None)


def check_problems(seeds: Sequence[pl.DataFrame]) -> None:
    """ValueError unless the runs of a group were asked the same problems. seeds: a frame of each run."""
    for seed in seeds[1:]:
        if not seed["problem_key"].equals(seeds[0]["problem_key"], null_equal=True):
            raise ValueError(
                f"{seeds[0]['run'][0]} and {seed['run'][0]}, runs of one arm, were asked different problems: "
                "give tracelab.diff the same problems= for both"
            )


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
    rest = spread((value - before - share * (after - before),), (1,)).at_least(before.shape[1])
    ends = sorted(share + end / whole.value for end in rest.interval())
    return found | dict(zip(("recovered", "recovered_low", "recovered_high"), (share, *ends), strict=True))


def of_run(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One run's gains, and its living features with the largest first."""
    table = pl.scan_parquet(folder / FILE, glob=False)
    return gains(table, by=("split",)), pl.read_parquet(folder / FEATURES, glob=False)
