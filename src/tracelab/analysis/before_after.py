"""What post-training changed: outcomes before and after it, on the same problems.

table = before_after.load_pairs("runs/study")
before_after.moves(table)    # which problems were gained and lost, by solution and by trace
before_after.passes(table)   # pass@k, and pass@k with a valid trace
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tracelab.analysis.estimates import holm, mcnemar
from tracelab.analysis.loading import levels_of, runs
from tracelab.analysis.variance import by_problem, spread
from tracelab.core.stats import cells
from tracelab.metrics.pass_at_k import expected, ks_of, pass_at_k
from tracelab.runs.arms import config_of, judged_source_of

NAMES = ("kept", "lost", "gained", "never")  # in the order of `cells`: before and after, only before, ...
SAME = ("samples", "temperature")  # knobs of the evaluation
ENDS = ("value", "low", "high")
WHEN = ("before", "after")


def load_pairs(*folders: str | Path) -> pl.LazyFrame:
    """Outcomes of the post-trained runs at or below the folders, and of the runs that they went on from.

    A row per completion: run, arm and seed of the post-trained run, source (the folder before it), `when`
    ("before" or "after"), split, index, sample, problem_key, and the verdicts. A run whose source is gone,
    or was evaluated with other samples or at another checkpoint than the post-training began with, is named
    in a warning and left out; ValueError if none is left.
    """
    parts = []
    for row in runs(*folders).drop_nulls("algorithm").iter_rows(named=True):
        after = Path(row["run"])
        try:
            before = judged_source_of(after)
            _check_same(before, after)
        except ValueError as error:
            warnings.warn(f"{after} is left out: {error}", stacklevel=2)
            continue
        labels = {name: row[name] for name in ("run", "arm", "seed")}
        for when, folder in zip(WHEN, (before, after), strict=True):
            scanned = pl.scan_parquet(folder / "outcomes.parquet", glob=False)
            verdicts = ["solution_valid", *(f"trace_{level}" for level in levels_of(scanned))]
            chosen = scanned.select("split", "index", "sample", "problem_key", *verdicts)
            known = {**labels, "source": str(before.resolve()), "when": when}
            parts.append(chosen.with_columns(pl.lit(value).alias(name) for name, value in known.items()))
    if not parts:
        raise ValueError("no run there was post-trained and has its source: python -m tracelab.posttrain")
    return pl.concat(parts, how="diagonal_relaxed")


def _check_same(before: Path, after: Path) -> None:
    """ValueError unless both were evaluated alike."""
    if not (before / "outcomes.parquet").is_file():
        raise ValueError(f"{before} is not evaluated: python -m tracelab.evaluate run={before} first")
    one, other = (config_of(folder)["eval"] for folder in (before, after))
    if differ := [name for name in SAME if one.get(name) != other.get(name)]:
        raise ValueError(f"{before}, before it, was evaluated with another {' and '.join(differ)}")


def moves(table: pl.LazyFrame) -> pl.DataFrame:
    """Problems before and after post-training, a row per arm, test set and verdict.

    of: the verdict, the solution's or the trace's at a level; kept, lost, gained, never: problems of all
    runs, of whose samples most count; before, after: shares of completions; difference, low, high and p: for
    other problems and seeds (`spread`), p_holm for all rows of a test set; mcnemar_p: exact, of each run, the
    median; n: problems; seeds: runs before, for several that went on from one are no other seeds. Problems
    that only one of the two was judged on are left out.
    """
    names = [name for name in table.collect_schema().names() if name.startswith(("solution_", "trace_"))]
    key = ["arm", "split", "source", "run", "index", "problem_key"]
    value = pl.col(names).cast(pl.Float64).mean()
    both = table.group_by(*key, "when").agg(value).collect(engine="streaming")
    joined = both.filter(when="before").join(both.filter(when="after"), on=key, suffix="_after").sort(key)
    rows = []
    for (arm, split), part in joined.group_by("arm", "split", maintain_order=True):
        each = part.partition_by("run", maintain_order=True)
        if len({tuple(run["index"]) for run in each}) > 1:
            raise ValueError(f"the runs of the arm {arm!r} were judged on different problems of {split}")
        for name in names:
            rows.append({"arm": arm, "split": split, "of": name, **_moved(each, name)})
    frame = pl.DataFrame(rows, infer_schema_length=None)
    parts = [
        part.with_columns(p_holm=pl.Series(holm(part["p"].to_numpy())))
        for part in frame.partition_by("split", maintain_order=True)
    ]
    return pl.concat(parts)


def _moved(each: Sequence[pl.DataFrame], name: str) -> dict[str, Any]:
    """One verdict of one arm. each: the problems of each run, in the same order."""
    before, after = (np.stack([run[f"{name}{end}"] for run in each]) for end in ("", "_after"))
    counts = np.bincount(cells(before > 0.5, after > 0.5).ravel(), minlength=len(NAMES))
    sources = np.array([run["source"][0] for run in each])
    gains = np.stack([(after - before)[sources == source].mean(0) for source in np.unique(sources)])
    gains = by_problem(gains, each[0]["problem_key"].to_numpy())
    found = spread((gains,), (1,)).at_least(gains.shape[1])
    low, high = found.interval()
    tests = [mcnemar(b > 0.5, a > 0.5)[1] for b, a in zip(before, after, strict=True)]
    return {
        **dict(zip(NAMES, counts.tolist(), strict=True)),
        "before": float(before.mean()),
        "after": float(after.mean()),
        **{"difference": found.value, "low": low, "high": high, "p": found.p},
        "mcnemar_p": float(np.median(tests)),
        "n": before.shape[1],
        "seeds": len(gains),
    }


def passes(table: pl.LazyFrame, level: str = "strict") -> pl.DataFrame:
    """pass@k before and after, a row per arm, test set, k (1, 2, 4, ... up to the samples kept) and `of`.

    of: "solution", is one of k samples right?; "both", is one right with a valid trace? value, low, high
    (95 %, of these runs), n: problems of all seeds. Empty where there is one sample a problem. ValueError if
    problems of an arm have unequal numbers of samples.
    """
    right = pl.col("solution_valid")
    flags = {"solution": right, "both": right & pl.col(f"trace_{level}")}
    key = ["arm", "split", "when", "run", "index", "problem_key"]
    counted = table.group_by(key).agg(pl.len().alias("n"), *(v.sum().alias(k) for k, v in flags.items()))
    rows = []
    for names, part in counted.collect().sort(key).group_by("arm", "split", "when", maintain_order=True):
        about = dict(zip(("arm", "split", "when"), names, strict=True))
        rows += [about | row for row in _passes(part, list(flags))]
    return pl.DataFrame(rows, infer_schema_length=None)


def _passes(part: pl.DataFrame, flags: Sequence[str]) -> Iterator[dict[str, Any]]:
    counts, problems = part["n"].unique().to_list(), part["problem_key"].to_numpy()
    n = counts[0]
    if len(counts) > 1:
        raise ValueError(
            f"problems have between {min(counts)} and {max(counts)} samples: pass@k needs as many of each"
        )
    for k in ks_of(n) if n > 1 else ():
        for name in flags:
            found = expected(pass_at_k(n, part[name].to_numpy(), k), problems, n / k)
            yield {"k": k, "of": name, **dict(zip(ENDS, found, strict=True)), "n": len(part)}
