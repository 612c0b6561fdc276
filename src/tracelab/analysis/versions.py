"""Is a problem solved in all its versions? Effective accuracy, and the reasoning gap beside that of chance.

    table = memorisation.load_memorisation("runs/study")
    versions.effective(table)                   # of solutions
    versions.effective(table, "trace_strict")

A problem's versions are the small changes of it that `tracelab.memorise` judged; none was trained on.
Effective accuracy is the share of problems that are solved in every version, the reasoning gap the average
accuracy less that (Xu et al. 2025, UGMathBench, arXiv 2501.13766).

A gap above zero does not show that a model cannot reason: errors that fall on versions by chance make one,
too. So it stands beside the gap of a model that solves as many of each version in each class of problems,
but each version independently of the others. Where versions hang together, the gap is smaller than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelab.analysis.estimates import holm, matrices
from tracelab.analysis.memorisation import FRESH, TRAIN, problems_of, sets_of
from tracelab.analysis.variance import Floats, Spread, by_problem, nested

CLASSES = 4  # of problems, quartiles of how hard the trained problem is
HARDNESS = "reference_steps"


class Scores(NamedTuple):
    """A number for each problem.

    average: of its versions; effective: are all solved (of samples: the chance that one of each is);
    independent: with the mean that versions have which are solved independently. It is that mean's
    linearisation, so that the mean's error is the one of these numbers (the delta method).
    """

    average: Floats
    effective: Floats
    independent: Floats


def effective(
    table: pl.LazyFrame, column: str = "solution_valid", kinds: Sequence[str] | None = None
) -> pl.DataFrame:
    """A row per arm. kinds: the versions, None for all changes.

    average, effective and gap, their difference, each with _low and _high (95 %, for other problems and
    seeds, see `variance.nested`); relative_gap: gap over effective (their robustness efficiency), null at 0;
    gap_expected: of versions that are solved independently, given the class of problems (quartiles of the
    reference search's length); excess: gap less gap_expected, with _low, _high, p, and p_holm for all rows:
    below zero, versions of one problem are solved, or failed, together. versions; n: problems of all seeds
    that have all versions; left_out: that lack one; seeds. ValueError if there are fewer than two versions,
    or two runs of an arm have one seed.
    """
    matrices(table, column, FRESH)  # refuses two runs of one seed
    names = list(kinds) if kinds is not None else sets_of(table)[1:-1]
    if len(names) < 2:
        raise ValueError(f"versions of a problem are two changes of it or more; there are {names}")
    cells = problems_of(table, column, HARDNESS).filter(pl.col("split").is_in([TRAIN, *names]))
    rows = [_row(arm, part, names) for (arm,), part in cells.group_by("arm", maintain_order=True)]
    frame = pl.DataFrame([row for row in rows if row["n"]], infer_schema_length=None)
    if frame.is_empty():
        raise ValueError(f"no problem has all of its versions {', '.join(names)}: name fewer kinds")
    return frame.with_columns(pl.Series("p_holm", holm(frame["p"].to_numpy())))


def scores(solved: Floats, classes: NDArray[np.int64]) -> Scores:
    """solved: (problems, versions) shares of samples; classes: (problems,)."""
    independent = np.empty(len(solved))
    for group in np.unique(classes):
        mine = classes == group
        rate = solved[mine].mean(0)
        others = np.array([np.delete(rate, k).prod() for k in range(len(rate))])
        independent[mine] = rate.prod() + (solved[mine] - rate) @ others
    return Scores(solved.mean(1), solved.prod(1), independent)


def _row(arm: Any, cells: pl.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    """An arm's estimates; n = 0 where no problem has all versions."""
    parts, keys, left_out = list[Scores](), list[NDArray[Any]](), 0
    for _, mine in cells.group_by("seed", maintain_order=True):
        known = mine.filter(split=TRAIN).select("index", "problem_key", HARDNESS)
        changed = mine.filter(pl.col("split") != TRAIN).pivot(on="split", index="index", values="value")
        missing = [pl.lit(None, pl.Float64).alias(name) for name in names if name not in changed.columns]
        whole = known.join(changed.with_columns(missing), on="index").drop_nulls(names).sort("index")
        left_out += len(known) - len(whole)
        if len(whole):
            parts.append(scores(whole.select(names).to_numpy(), quartiles(whole[HARDNESS].to_numpy())))
            keys.append(whole["problem_key"].to_numpy())
    counts = {"versions": len(names), "n": sum(map(len, keys)), "left_out": left_out, "seeds": len(parts)}
    row = {"arm": arm, **counts}
    return row | (_estimates(parts, keys) if parts else {})


def _estimates(parts: Sequence[Scores], keys: Sequence[NDArray[Any]]) -> dict[str, float | None]:
    def estimate(values: Sequence[Floats]) -> Spread:
        return nested([by_problem(*pair) for pair in zip(values, keys, strict=True)])

    found = {
        "average": estimate([part.average for part in parts]),
        "effective": estimate([part.effective for part in parts]),
        "gap": estimate([part.average - part.effective for part in parts]),
        "excess": estimate([part.independent - part.effective for part in parts]),
    }
    row: dict[str, float | None] = {}
    for name, known in found.items():
        ends = name, f"{name}_low", f"{name}_high"
        row |= dict(zip(ends, (known.value, *known.interval()), strict=True))
    row["gap_expected"] = found["gap"].value - found["excess"].value
    solves = found["effective"].value > 0
    row["relative_gap"] = found["gap"].value / found["effective"].value if solves else None
    return row | {"p": found["excess"].p}


def quartiles(hardness: NDArray[Any]) -> NDArray[np.int64]:
    """(n,) classes of equal size, as far as equal values let them be."""
    edges = np.quantile(hardness, np.arange(1, CLASSES) / CLASSES)
    return np.searchsorted(edges, hardness, side="left")
