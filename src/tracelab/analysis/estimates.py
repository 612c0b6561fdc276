"""Shares and differences with intervals that say what they rest on: problems, and seeds.

Within one run completions differ by problem: Wilson's interval, of as many independent completions as
they are worth. Between arms there are two sources of chance, the test problems (which arms share) and the
seeds (which they do not): `compare` counts both. Sources: McNemar 1947, Holm 1979.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from tracelab.analysis.variance import Floats, by_problem, spread
from tracelab.core.stats import Bounded, Sums, clustered_wilson, known


def rates(table: pl.LazyFrame, column: str, by: Sequence[str] = ("arm", "seed", "split")) -> pl.DataFrame:
    """The share of completions with `column` true in each group: value, low, high (95 %), n, seeds.

    seeds: how many runs. The interval is for the runs that there are: it knows of no other seeds. For other
    seeds see `compare`.
    """
    found = with_seeds(shares(table, by, {"value": pl.col(column)}), table, by)
    names = {"value_low": "low", "value_high": "high", "value_n": "n"}
    return found.rename(names).select(*by, "value", "low", "high", "n", "seeds")


def shares(table: pl.LazyFrame, by: Sequence[str], flags: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """The shares of several flags in each group: name, name_low, name_high (95 %), name_n for each, sorted.

    A completion counts for a flag where that is not null; a share of none is null. Completions of one problem
    (samples, or runs that are pooled) are not independent, so the interval is `clustered_wilson`'s.
    """
    t, m = ({name: pl.col(f"{name}_{kind}").cast(pl.Float64) for name in flags} for kind in "tm")
    problems = table.group_by([*by, "problem_key"]).agg(
        *(flag.sum().alias(f"{name}_t") for name, flag in flags.items()),
        *(flag.count().alias(f"{name}_m") for name, flag in flags.items()),
    )
    sums = [
        part.sum().alias(f"{name}_{field}")
        for name in flags
        for field, part in zip(
            Sums._fields,
            (m[name] > 0, t[name], m[name], t[name] ** 2, t[name] * m[name], m[name] ** 2),
            strict=True,
        )
    ]
    found = problems.group_by(list(by)).agg(sums).sort(list(by)).collect(engine="streaming")
    columns = []
    for name in flags:
        low, high = clustered_wilson(Sums(*(found[f"{name}_{field}"].to_numpy() for field in Sums._fields)))
        n = pl.col(f"{name}_m")
        values: dict[str, pl.Expr | pl.Series] = {
            "": pl.col(f"{name}_t") / n,
            "_low": pl.Series(low),
            "_high": pl.Series(high),
        }
        columns += [pl.when(n > 0).then(value).alias(f"{name}{part}") for part, value in values.items()]
        columns.append(n.cast(pl.Int64).alias(f"{name}_n"))
    return found.select(*by, *columns)


def with_seeds(found: pl.DataFrame, table: pl.LazyFrame, by: Sequence[str]) -> pl.DataFrame:
    """The groups with a column `seeds`: from how many runs each has rows."""
    counts = table.group_by(list(by)).agg(pl.col("run").n_unique().cast(pl.Int64).alias("seeds"))
    return found.join(counts.collect(), on=list(by), how="left", nulls_equal=True, maintain_order="left")


def as_columns(name: str, found: Bounded) -> dict[str, float | None]:
    """An estimate in a frame's row: name, name_low, name_high; None for what is not known."""
    names = name, f"{name}_low", f"{name}_high"
    return dict(zip(names, map(known, found), strict=True))


def matrices(table: pl.LazyFrame, column: str, split: str) -> dict[str, pl.DataFrame]:
    """Arm -> a frame of one row per problem (all samples' mean), one column per seed, in the problems' order.

    Post-trained runs have the column of the training that they go back to, and those of one have one
    together: what differs among them is not the seed. ValueError if an arm's runs were not judged on the
    same problems, or if the column is null for some.
    """
    cells = (
        _with_begun(table.filter(pl.col("split") == split))
        .group_by("arm", "seed", "index", "problem_key")
        .agg(pl.col(column).cast(pl.Float64).mean().alias("value"), pl.col("begun").n_unique().alias("runs"))
        .sort("arm", "seed", "index")
        .collect(engine="streaming")
    )
    if cells.is_empty():
        raise ValueError(f"no outcome is of the test set {split}; there are {_splits(table)}")
    if (cells["runs"] > 1).any():
        twice = cells.filter(pl.col("runs") > 1)
        raise ValueError(
            f"two runs of the arm {twice['arm'][0]!r} have the seed {twice['seed'][0]}: load one"
        )
    check_known(cells, column, split)
    frames = {}
    for (arm,), part in cells.group_by("arm", maintain_order=True):
        wide = part.pivot(on="seed", index=["index", "problem_key"], values="value").sort("index")
        if wide.null_count().sum_horizontal()[0]:
            raise ValueError(f"the runs of the arm {arm!r} were judged on different problems of {split}")
        frames[str(arm)] = wide
    return frames


def _with_begun(table: pl.LazyFrame) -> pl.LazyFrame:
    """The table with `begun`: the training from scratch that a row's run is or goes back to; seed is its."""
    if "source" not in table.collect_schema().names():
        return table.with_columns(begun="run")
    labels = begun(table.select("run", "seed", "source").unique().collect())
    return table.drop("seed").join(labels.lazy(), on="run", maintain_order="left")


def begun(runs: pl.DataFrame) -> pl.DataFrame:
    """run, begun, seed: the training from scratch that each of `runs` (run, seed, source) is or goes back to,
    as far as runs are known, and its seed.
    """
    sources, seeds = (dict(runs.select("run", name).iter_rows()) for name in ("source", "seed"))
    first = {run: run for run in sources}
    for _ in sources:  # there are no more steps than runs
        last, first = first, {run: sources[to] if sources[to] in sources else to for run, to in first.items()}
        if first == last:
            break
    rows = [(run, sources[root] or root, seeds[root]) for run, root in first.items()]
    frame = pl.DataFrame(rows, {"run": pl.String, "begun": pl.String, "seed": pl.Int64}, orient="row")
    return frame.cast({"seed": runs.schema["seed"]})


def check_known(cells: pl.DataFrame, column: str, split: str) -> None:
    """ValueError if some of the cells, of a column's means, are null. cells: arm and value."""
    unknown = cells.filter(pl.col("value").is_null())
    if len(unknown):
        raise ValueError(
            f"{column} is null for {len(unknown)} of the problems of {split}, the first of the arm "
            f"{unknown['arm'][0]!r}: take a column, or arms, of which it is known everywhere"
        )


def _splits(table: pl.LazyFrame) -> str:
    return ", ".join(table.select(pl.col("split").unique().sort()).collect()["split"].to_list())


def compare(table: pl.LazyFrame, column: str, split: str, base: str | None = None) -> pl.DataFrame:
    """Differences between arms on one test set, each against `base` (or all pairs): a row per pair.

    difference, low, high: of the arms' shares, for other problems and seeds (`spread`); p, and p_holm for
    all rows together; cohens_h: the effect; discordant: of the problems that exactly one of a pair of runs
    solves, the share that the first arm's does, the mean over pairs that have any, null where none has;
    mcnemar_p: exact, of each pair of runs of one seed, the median; seeds: of the arm with fewer. One seed
    says nothing of other seeds.
    """
    frames = matrices(table, column, split)
    if base is not None and base not in frames:
        raise ValueError(f"base={base!r} is no arm; there are {', '.join(frames)}")
    pairs = [(arm, base) for arm in frames if arm != base] if base else list(combinations(frames, 2))
    rows = []
    for one, other in pairs:
        if frames[one]["problem_key"].to_list() != frames[other]["problem_key"].to_list():
            raise ValueError(f"the arms {one!r} and {other!r} were judged on different problems of {split}")
        a, b = (values_of(frames[arm]) for arm in (one, other))
        difference = spread((a, b), (1, -1)).at_least(a.shape[1])
        low, high = difference.interval()
        common = [c for c in frames[one].columns[2:] if c in frames[other].columns]
        solved = [[frames[arm][c].to_numpy() > 0.5 for arm in (one, other)] for c in common]
        tests = [mcnemar(*pair) for pair in solved]
        shares = [test[0] for test, (x, y) in zip(tests, solved, strict=True) if (x != y).any()]
        rows.append(
            {
                "arm": one,
                "base": other,
                "split": split,
                "value": float(a.mean()),
                "base_value": float(b.mean()),
                "difference": difference.value,
                "low": low,
                "high": high,
                "p": difference.p,
                "cohens_h": cohens_h(float(a.mean()), float(b.mean())),
                "discordant": float(np.mean(shares)) if shares else None,
                "mcnemar_p": float(np.median([test[1] for test in tests])) if tests else None,
                "n": a.shape[1],
                "seeds": min(len(a), len(b)),
            }
        )
    frame = pl.DataFrame(rows, infer_schema_length=None)
    adjusted = holm(frame["p"].to_numpy()) if rows else np.empty(0)
    return frame.with_columns(pl.Series("p_holm", adjusted))


def values_of(frame: pl.DataFrame) -> Floats:
    """(seeds, problems) of what `matrices` gives; a problem that stands in several rows counts once."""
    rows = frame.select(frame.columns[2:]).to_numpy().T.astype(np.float64)
    return by_problem(rows, frame["problem_key"].to_numpy())


def mcnemar(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> tuple[float, float]:
    """Two verdicts on the same problems -> (share of the discordant ones that a is true of, exact p).

    Without a discordant pair: (1/2, 1).
    """
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    if only_a + only_b == 0:
        return 0.5, 1.0
    return only_a / (only_a + only_b), float(stats.binomtest(only_a, only_a + only_b).pvalue)


def cohens_h(p: float, q: float) -> float:
    """The difference of two shares on the scale where their variance does not depend on them (Cohen 1988)."""
    return float(2 * np.arcsin(np.sqrt(p)) - 2 * np.arcsin(np.sqrt(q)))


def holm(p: Floats) -> Floats:
    """P values adjusted for how many there are (Holm 1979). nan, where nothing was tested, stays and is none.

    As statsmodels' `multipletests`, which collects garbage at each call: four fifths of a table's time.
    """
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]  # nan comes last
    stepped = np.maximum.accumulate(np.arange(len(order), 0, -1) * p[order])
    adjusted = np.full_like(p, np.nan)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
