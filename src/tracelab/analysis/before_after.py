"""What post-training changed: outcomes before and after it, on the same problems.

table = before_after.load_pairs("runs/study")
before_after.moves(table)    # which problems were gained and lost, by solution and by trace
samples = before_after.load_passes("runs/study")
before_after.passes(samples)     # pass@k, and pass@k with a valid trace
before_after.sharpened(samples)  # and by how much they changed: did it widen what is solved, or sharpen?
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelab.analysis.estimates import holm, mcnemar
from tracelab.analysis.loading import levels_of, runs
from tracelab.analysis.variance import Floats, Spread, by_problem, spread
from tracelab.core.files import read_json
from tracelab.core.stats import cells
from tracelab.metrics.pass_at_k import expected, ks_of, pass_at_k
from tracelab.runs.arms import config_of, judged_source_of
from tracelab.runs.folder import Run
from tracelab.runs.identity import lineage

NAMES = ("kept", "lost", "gained", "never")  # in the order of `cells`: before and after, only before, ...
SAME = ("samples", "temperature")  # knobs of the evaluation
SAMPLES = "passes_{}.parquet"  # what post-training samples for pass@k, beside its estimates
PROBLEM = ("split", "index", "problem_key")
ENDS = ("value", "low", "high")
WHEN = ("before", "after")


def load_pairs(*folders: str | Path) -> pl.LazyFrame:
    """Outcomes of the post-trained runs at or below the folders, and of the runs that they went on from.

    A row per completion: run, arm and seed of the post-trained run, source (the folder before it), `when`
    ("before" or "after"), split, index, sample, problem_key, and the verdicts. A run whose source is gone,
    or was evaluated with other samples, another limit of tokens, on other problems alone, or at another
    checkpoint than the post-training began with, is named in a warning and left out; ValueError if none is
    left.
    """
    parts = []
    for row in runs(*folders).drop_nulls("algorithm").iter_rows(named=True):
        after = Path(row["run"])
        try:
            before = judged_source_of(after)
            _check_same(before, after)
            parts += _pair(row, str(before.resolve()), [f / "outcomes.parquet" for f in (before, after)])
        except ValueError as error:
            warnings.warn(f"{after} is left out: {error}", stacklevel=2)
    if not parts:
        raise ValueError("no run there was post-trained and has its source: python -m tracelab.posttrain")
    return pl.concat(parts, how="diagonal_relaxed")


def load_passes(*folders: str | Path) -> pl.LazyFrame:
    """What the post-trained runs at or below the folders sampled for pass@k, before and after (`passes.*`).

    Columns are those of `load_pairs`; source: the id of the run before. The source need not be there, and may
    be evaluated in any way, greedily too. Runs of versions that kept no samples are named in a warning and
    left out; ValueError if none is left.
    """
    parts = []
    for row in runs(*folders).drop_nulls("algorithm").iter_rows(named=True):
        after = Path(row["run"])
        before = lineage(Run.open(after))[1:2] or [str(config_of(after)["run"])]
        try:
            parts += _pair(row, before[0], [after / SAMPLES.format(when) for when in WHEN])
        except ValueError as error:
            warnings.warn(f"{after} is left out: {error}", stacklevel=2)
    if not parts:
        raise ValueError("no run there has samples of pass@k before and after: python -m tracelab.posttrain")
    return pl.concat(parts, how="diagonal_relaxed")


def _pair(row: dict[str, Any], source: str, paths: Sequence[Path]) -> list[pl.LazyFrame]:
    """Two files of completions, before and after. ValueError unless they have problems in common."""
    if gone := [path.name for path in paths if not path.is_file()]:
        raise ValueError(f"it has no {' and no '.join(gone)}, which earlier versions did not write")
    scanned = [pl.scan_parquet(path, glob=False) for path in paths]
    verdicts = ["solution_valid", *(f"trace_{level}" for level in levels_of(scanned[1]))]
    chosen = [
        table.select(pl.col("split").cast(pl.String), "index", "sample", "problem_key", *verdicts)
        for table in scanned
    ]
    if chosen[0].join(chosen[1], on=PROBLEM, how="semi").head(1).collect().is_empty():
        raise ValueError(
            f"{paths[0]} and {paths[1]} have no problem in common: give the command that made it once more "
            "with the eval.seed and the task of the run before it"
        )
    labels = {name: row[name] for name in ("run", "arm", "seed")} | {"source": source}
    return [
        table.with_columns(pl.lit(value).alias(name) for name, value in (labels | {"when": when}).items())
        for table, when in zip(chosen, WHEN, strict=True)
    ]


def _check_same(before: Path, after: Path) -> None:
    """ValueError unless both were evaluated alike."""
    if not (before / "outcomes.parquet").is_file():
        raise ValueError(f"{before} is not evaluated: python -m tracelab.evaluate run={before} first")
    one, other = (config_of(folder)["eval"] for folder in (before, after))
    if differ := [name for name in SAME if one.get(name) != other.get(name)]:
        raise ValueError(f"{before}, before it, was evaluated with another {' and '.join(differ)}")
    limits = [
        asked.get("max_new") or (read_json(folder / "run.json") or {}).get("max_new")
        for asked, folder in ((one, before), (other, after))
    ]
    if None not in limits and limits[0] != limits[1]:
        raise ValueError(
            f"{before}, before it, was evaluated with completions of {limits[0]} tokens at most, and it with "
            f"{limits[1]}: give the command that made it once more with eval.max_new={limits[0]}"
        )


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
    if joined.is_empty():
        raise ValueError("no problem there was judged both before and after: evaluate both runs alike")
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
    found = _gained(after - before, sources, each[0]["problem_key"].to_numpy())
    low, high = found.interval()
    tests = [mcnemar(b > 0.5, a > 0.5)[1] for b, a in zip(before, after, strict=True)]
    return {
        **dict(zip(NAMES, counts.tolist(), strict=True)),
        "before": float(before.mean()),
        "after": float(after.mean()),
        **{"difference": found.value, "low": low, "high": high, "p": found.p},
        "mcnemar_p": float(np.median(tests)),
        "n": before.shape[1],
        "seeds": len(np.unique(sources)),
    }


def _gained(gains: Floats, sources: NDArray[Any], problems: NDArray[Any]) -> Spread:
    """The mean of (runs, problems) gains, for other problems and seeds. sources: (runs,), of which several
    that went on from one are no other seeds.
    """
    of_source = np.stack([gains[sources == source].mean(0) for source in np.unique(sources)])
    each = by_problem(of_source, problems)
    return spread((each,), (1,)).at_least(each.shape[1])


def passes(table: pl.LazyFrame, level: str = "strict") -> pl.DataFrame:
    """pass@k before and after, a row per arm, test set, k (1, 2, 4, ... up to the samples kept) and `of`.

    of: "solution", is one of k samples right?; "both", is one right with a valid trace? value, low, high
    (95 %, of these runs), n: problems of all seeds; those that only one of the two was judged on are left
    out. Empty where there is one sample a problem. ValueError if problems of an arm have unequal numbers of
    samples.
    """
    rows = []
    counted = _counted(table, level)
    for names, part in counted.group_by("arm", "split", "when", maintain_order=True):
        about, n = dict(zip(("arm", "split", "when"), names, strict=True)), _samples(part)
        problems = part["problem_key"].to_numpy()
        for k, of in _asked(n):
            found = expected(pass_at_k(n, part[of].to_numpy(), k), problems, n / k)
            rows.append(about | {"k": k, "of": of, **dict(zip(ENDS, found, strict=True)), "n": len(part)})
    return pl.DataFrame(rows, infer_schema_length=None)


def sharpened(table: pl.LazyFrame, level: str = "strict") -> pl.DataFrame:
    """Changes of pass@k, a row per arm, test set, k and `of` (as in `passes`).

    before, after; difference, low, high and p: for other problems and seeds, of the same problems; n:
    problems; seeds: runs before. Where pass@1 rises and pass@k of many samples does not, post-training chose
    among what was solved already. Empty where there is one sample a problem. ValueError if problems have
    unequal numbers of samples, or runs of an arm have different problems.
    """
    rows = []
    for (arm, split), part in _counted(table, level).group_by("arm", "split", maintain_order=True):
        n, first = _samples(part), part.filter(when="before").sort("run", "index")
        last = part.filter(when="after").sort("run", "index")
        each = first.partition_by("run", maintain_order=True)
        if len({tuple(run["index"]) for run in each}) > 1:
            raise ValueError(f"the runs of the arm {arm!r} were judged on different problems of {split}")
        sources = np.array([run["source"][0] for run in each])
        for k, of in _asked(n):
            before, after = (
                pass_at_k(n, whole[of].to_numpy(), k).reshape(len(each), -1) for whole in (first, last)
            )
            found = _gained(after - before, sources, each[0]["problem_key"].to_numpy())
            about = {"arm": arm, "split": split, "k": k, "of": of}
            about |= {"before": float(before.mean()), "after": float(after.mean())}
            about |= dict(zip(("difference", "low", "high"), (found.value, *found.interval()), strict=True))
            rows.append(about | {"p": found.p, "n": before.shape[1], "seeds": len(np.unique(sources))})
    return pl.DataFrame(rows, infer_schema_length=None)


def _counted(table: pl.LazyFrame, level: str) -> pl.DataFrame:
    """How many of a problem's n samples are right, and right with a valid trace, before and after."""
    right = pl.col("solution_valid")
    flags = {"solution": right, "both": right & pl.col(f"trace_{level}")}
    key = ["arm", "split", "when", "run", "source", "index", "problem_key"]
    counted = table.group_by(key).agg(pl.len().alias("n"), *(v.sum().alias(k) for k, v in flags.items()))
    of_problem = [name for name in key if name != "when"]
    return counted.filter(pl.col("when").n_unique().over(of_problem) == len(WHEN)).sort(key).collect()


def _samples(part: pl.DataFrame) -> int:
    """Samples of each problem. ValueError if they are not as many of each."""
    counts = part["n"].unique().to_list()
    if len(counts) > 1:
        raise ValueError(
            f"problems have between {min(counts)} and {max(counts)} samples: pass@k needs as many of each"
        )
    return int(counts[0])


def _asked(n: int) -> Iterator[tuple[int, str]]:
    """What is told of n samples: each k, of solutions and of both."""
    return ((k, of) for k in (ks_of(n) if n > 1 else ()) for of in ("solution", "both"))
