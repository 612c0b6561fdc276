"""How accuracy and validity grew during training, and how much training it took until they were good enough.

    curves = learning_curves("runs/study")  # a row per run, validation and metric
    time_to_quality(curves, solution_valid=0.9, trace_strict=0.9)

They are of the held-out problems that a run completes at every validation (`training.validation`), in its
metrics.csv. Nothing between two validations is seen.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from tracelab.analysis.loading import runs
from tracelab.core.files import whole_lines
from tracelab.core.knobs import one_of

LEVEL = "val/level"
NEEDED = ("val/problems", "val/solution_valid", "train/tokens", "train/minutes")
VERDICTS = r"(solution_(valid|optimal)|only_solution|trace_.+)"
PARTS = {"all": "", "easy": "easy_", "hard": "hard_"}  # of the held-out problems, as metrics.csv names them
NO_VERDICT = ("val/trace_loss", "val/trace_steps")
AT = ("step", "tokens", "minutes")


def learning_curves(*folders: str | Path, part: str = "all") -> pl.DataFrame:
    """A row per run, validation and metric: run, arm, seed, step, tokens, minutes, metric, value, n.

    Of the runs that `runs` chooses. part: "all" held-out problems, or the "easy" or "hard" half of them, by
    the length of the reference solver's search. tokens, minutes: of training until then (of post-training:
    sampled); value: the share of n of these problems. Runs without such figures are named in a warning and
    left out; ValueError if none has them.
    """
    one_of("part", part, list(PARTS))
    rows = runs(*folders).iter_rows(named=True)
    parts = [_curve(Path(row["run"]), row["arm"], row["seed"], part) for row in rows]
    known = [curve for curve in parts if curve is not None]
    if not known:
        raise ValueError(
            "no run there has completed held-out problems during training: train with validate_problems=64"
        )
    return pl.concat(known).sort("arm", "seed", "run", maintain_order=True)


def _curve(folder: Path, arm: str, seed: int, part: str) -> pl.DataFrame | None:
    """Learning curves of one run, as in `learning_curves`; None, with a warning, if it has none."""
    prefix = f"val/{PARTS[part]}"
    rows = validations(folder, f"{prefix}solution_valid")
    if rows is None:
        return None
    metrics = [
        name for name in rows.select(pl.col(f"^{prefix}{VERDICTS}$")).columns if name not in NO_VERDICT
    ]
    n = pl.col("val/problems").cast(pl.Int64)
    return (
        rows.select(
            pl.lit(str(folder)).alias("run"),
            pl.lit(arm).alias("arm"),
            pl.lit(seed, pl.Int64).alias("seed"),
            pl.col("step").cast(pl.Int64),
            pl.col("train/tokens").cast(pl.Int64).alias("tokens"),
            pl.col("train/minutes").cast(pl.Float64).alias("minutes"),
            {"all": n, "hard": n // 2, "easy": n - n // 2}[part].alias("n"),
            pl.col(metrics).cast(pl.Float64).name.map(lambda name: name.removeprefix(prefix)),
        )
        .unpivot(index=["run", "arm", "seed", *AT, "n"], variable_name="metric", value_name="value")
        .select("run", "arm", "seed", *AT, "metric", "value", "n")
        .drop_nulls("value")  # a resumed run began without it
    )


def validations(folder: Path, column: str = "val/solution_valid") -> pl.DataFrame | None:
    """The rows of a run's metrics.csv in which held-out problems were completed; None, with a warning, if
    there are none, or these are of several levels of a teacher. column: what says so.
    """
    path = folder / "metrics.csv"
    lines = "".join(whole_lines(path)) if path.is_file() else ""
    table = pl.read_csv(lines.encode(), infer_schema_length=None) if lines else pl.DataFrame()
    if not {*NEEDED, column} <= set(table.columns):
        warnings.warn(
            f"{folder} is left out: it completed no held-out problems during training (validate_problems=0, "
            "or an older version)",
            stacklevel=4,
        )
        return None
    if LEVEL in table.columns:
        warnings.warn(
            f"{folder} is left out: its teacher (data.teacher) had it complete easier problems first, so "
            "that its looks are not of one set",
            stacklevel=4,
        )
        return None
    return table.filter(pl.col(column).is_not_null())


def time_to_quality(curves: pl.DataFrame, **least: float) -> pl.DataFrame:
    """The first validation at which every metric named has its least share, a row per run.

    least: such as solution_valid=0.9, trace_strict=0.5. reached: was there one?; tokens, minutes: of training
    until then, null if never (censored: it may come after `watched_tokens`, the last validation); n: held-out
    problems. It is late by up to the distance of two validations, and early by chance: of many looks at n
    problems one may be lucky. ValueError if the curves lack a metric.
    """
    unknown = set(least) - set(curves["metric"])
    if unknown or not least:
        there = ", ".join(sorted(set(curves["metric"])))
        raise ValueError(f"name metrics that the curves have ({there}), not {', '.join(unknown) or 'none'}")
    keys = ["run", "arm", "seed"]
    enough = [(pl.col("metric") == name) & (pl.col("value") >= share) for name, share in least.items()]
    looks = curves.group_by([*keys, *AT, "n"]).agg(good=pl.any_horizontal(enough).sum() == len(least))
    first = [pl.col(name).filter("good").min() for name in ("tokens", "minutes")]
    reached, watched = pl.col("good").any().alias("reached"), pl.col("tokens").max().alias("watched_tokens")
    return looks.group_by(keys).agg(reached, *first, watched, pl.col("n").max()).sort("arm", "seed", "run")


def by_arm(times: pl.DataFrame) -> pl.DataFrame:
    """Medians of `time_to_quality`, a row per arm: runs, reached (how many of them), tokens, minutes, n.

    A run that never got there counts as later than all others: where half or more did not, there is no
    median.
    """
    late = {name: pl.col(name).cast(pl.Float64).fill_null(float("inf")).median() for name in AT[1:]}
    medians = [pl.when(middle.is_finite()).then(middle).alias(name) for name, middle in late.items()]
    counts = pl.len().alias("runs"), pl.col("reached").sum().alias("reached")
    return times.group_by("arm").agg(*counts, *medians, pl.col("n").max()).sort("arm")


def means(curves: pl.DataFrame) -> pl.DataFrame:
    """The mean of an arm's seeds, a row per arm, metric and place: arm, metric, tokens, value, seeds.

    Seeds do not validate after the very same tokens. So each seed's curve is read between its validations, by
    straight lines, wherever another seed has one and all seeds are known.
    """
    parts = [_mean(part, *key) for key, part in curves.group_by("arm", "metric", maintain_order=True)]
    return pl.concat(parts)


def _mean(part: pl.DataFrame, arm: object, metric: object) -> pl.DataFrame:
    lines = [
        line.sort("tokens").select("tokens", "value").to_numpy().T
        for _, line in part.group_by("run", maintain_order=True)
    ]
    places = np.unique(np.concatenate([line[0] for line in lines]))
    known = (places >= max(line[0].min() for line in lines)) & (
        places <= min(line[0].max() for line in lines)
    )
    at = places[known]
    mean = np.mean([np.interp(at, *line) for line in lines], axis=0)
    frame = pl.DataFrame({"tokens": at.astype(np.int64), "value": mean})
    labels = pl.lit(arm).alias("arm"), pl.lit(metric).alias("metric")
    return frame.select(*labels, "tokens", "value", pl.lit(len(lines)).alias("seeds"))


def metrics_of(curves: pl.DataFrame) -> list[str]:
    """The metrics of curves: solutions first, then the levels in the order in which they were written."""
    names: Iterable[str] = curves["metric"].unique(maintain_order=True)
    return sorted(names, key=lambda name: name.startswith("trace_"))
