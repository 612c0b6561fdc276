"""Verdicts as matrices, seeds by problems: what differences, shares and ranks with their errors are made of.

outcomes = TaskOutcomes(analysis.load("runs/study"))
correct = outcomes.cells("correct", pl.col("solution_valid"))
correct.on(FAR).mean()
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelab.analysis.estimates import begun, check_known, matrices
from tracelab.analysis.loading import splits_of
from tracelab.analysis.ranks import correlations, ranks
from tracelab.analysis.variance import Floats, Spread, by_problem, of_parts, within

FAR = "far"  # all test sets out of distribution together
RESAMPLES = 400


@dataclass(frozen=True)
class Cells:
    """Figures of one arm, by test set: (seeds, rows) each. problems: whose they are, (rows,) of each set; a
    problem that was drawn twice has two rows.
    """

    arm: str
    seeds: tuple[str, ...]
    of: Mapping[str, Floats]
    problems: Mapping[str, NDArray[np.uint64]]

    @property
    def splits(self) -> list[str]:
        """The test set in distribution, all others together, and each of them."""
        near, *others = self.of
        return [near, *([FAR] if others else []), *others]

    def on(self, split: str) -> Floats:
        """The figures on one of `splits`."""
        return np.concatenate(list(self.of.values())[1:], axis=1) if split == FAR else self.of[split]

    def weights(self, split: str) -> Floats:
        """(rows,) how much each row of `on` counts: 1, but on FAR each set together as much as any other."""
        if split != FAR:
            return np.ones(self.of[split].shape[1])
        sizes = self._sizes()
        return np.repeat(sizes.sum() / len(sizes) / sizes, sizes)

    def strata(self, split: str) -> NDArray[np.int64]:
        """(rows,) which test set each row of `on` is of, from 0: other problems would be of the same sets."""
        if split != FAR:
            return np.zeros(self.of[split].shape[1], np.int64)
        sizes = self._sizes()
        return np.repeat(np.arange(len(sizes)), sizes)

    def counted(self, split: str) -> Floats:
        """(seeds, problems) of one of `splits`: each seed's mean is its own, each set as much as any other,
        and problems differ as they do within their sets.
        """
        rows = within(self.on(split) * self.weights(split), self.strata(split))
        return by_problem(rows, self.whose(split))

    def _sizes(self) -> NDArray[np.int64]:
        """Rows of each set out of distribution."""
        return np.array([values.shape[1] for values in self.of.values()])[1:]

    def whose(self, split: str) -> NDArray[np.uint64]:
        """(rows,) the problems of one of `splits`."""
        return np.concatenate(list(self.problems.values())[1:]) if split == FAR else self.problems[split]


def check_same_problems(one: Cells, other: Cells) -> None:
    """ValueError unless two arms were judged on the same problems, in the same order."""
    for split in one.of:
        if split not in other.of or not np.array_equal(one.problems[split], other.problems[split]):
            raise ValueError(
                f"the arms {one.arm!r} and {other.arm!r} were judged on different problems of {split}"
            )


class TaskOutcomes:
    """The outcomes of one task's runs, asked by arm and expression. table: as of `analysis.load`."""

    def __init__(self, table: pl.LazyFrame) -> None:
        self.table = table
        self.splits = splits_of(table)  # the one in distribution first
        names = ("arm", "treatment", "treatment_options", "algorithm")
        self.arms = table.select(names).unique().sort(names).collect()
        self._known: dict[str, dict[str, dict[str, pl.DataFrame]]] = {}

    def arm(self, treatment: str, **knobs: object) -> str | None:
        """The arm, not post-trained, of this treatment with these knobs; None if there is none.

        ValueError if there are several.
        """
        plain = self.arms.filter(pl.col("algorithm").is_null(), pl.col("treatment") == treatment)
        found = [
            arm
            for arm, options in plain.select("arm", "treatment_options").iter_rows()
            if all(_value(_options(options).get(knob)) == _value(value) for knob, value in knobs.items())
        ]
        if len(set(found)) > 1:
            raise ValueError(
                f"several arms are trace={treatment}: {', '.join(map(repr, found))}. A finding is about one: "
                "load the runs of one setting"
            )
        return found[0] if found else None

    def gains(self, value: pl.Expr) -> Iterator[tuple[str, str, Cells]]:
        """(arm, the arm before it, cells after less before) of each post-trained arm, by the training from
        scratch that a run goes back to.

        Several that go back to one count together: what differs among them is not the seed. Those whose
        source is not in the table are left out, and named in a warning where others of their arm are not.
        ValueError if an arm's were judged on other problems than their sources, or went on from several arms.
        """
        key = ["split", "index", "problem_key"]
        means = self.table.with_columns(value.cast(pl.Float64).alias("cell")).group_by("run", *key)
        known = means.agg(pl.col("cell").mean()).collect(engine="streaming")
        names = ("run", "arm", "seed", "algorithm", "source")
        labels = self.table.select(names).unique().sort("arm", "run").collect()
        labels = labels.drop("seed").join(begun(labels), on="run", maintain_order="left")
        arms = dict(labels.select("run", "arm").iter_rows())
        trained = labels.filter(pl.col("algorithm").is_not_null())
        found = trained.filter(pl.col("source").is_in(list(arms)))
        of_arms = trained.filter(pl.col("arm").is_in(list(found["arm"])))
        alone = of_arms.filter(~pl.col("run").is_in(list(found["run"])))
        if len(alone):
            told = ", ".join(alone["run"])
            warnings.warn(f"{told}: compared with nothing, for the run before it is not loaded", stacklevel=3)
        for (arm,), runs in found.group_by("arm", maintain_order=True):
            if len(before := {arms[source] for source in runs["source"]}) > 1:
                raise ValueError(
                    f"the runs of {arm!r} went on from several arms: {', '.join(sorted(before))}"
                )
            after = known.join(runs, on="run")
            pairs = after.join(known, left_on=["source", *key], right_on=["run", *key], suffix="_before")
            gained = pairs.group_by("begun", *key).agg((pl.col("cell") - pl.col("cell_before")).mean())
            before_all = known.filter(pl.col("run").is_in(runs["source"].to_list()))
            if len(pairs) < len(after) or pairs.select("source", *key).n_unique() < len(before_all):
                raise ValueError(
                    f"the runs of {arm!r} and those before them were judged on different problems"
                )
            yield str(arm), before.pop(), self._gained(str(arm), gained)

    def _gained(self, arm: str, gained: pl.DataFrame) -> Cells:
        """Cells of an arm, a row of each per training. gained: begun, split, index, problem_key and cell."""
        of, problems, trained = {}, {}, sorted(set(gained["begun"]))
        for split in (split for split in self.splits if split in set(gained["split"])):
            mine = gained.filter(split=split)
            check_known(mine.select(pl.lit(arm).alias("arm"), value="cell"), "what is compared", split)
            wide = mine.pivot(on="begun", index=["index", "problem_key"], values="cell")
            values = wide.sort("index").select(trained)
            if values.null_count().sum_horizontal()[0]:
                raise ValueError(f"the runs of {arm!r} were judged on different problems of {split}")
            of[split], problems[split] = values.to_numpy().T, wide.sort("index")["problem_key"].to_numpy()
        return Cells(arm, tuple(trained), of, problems)

    def cells(self, arm: str, value: pl.Expr) -> Cells:
        """The cells of an arm, not post-trained: means of an expression over each problem's completions."""
        key = str(value)
        if key not in self._known:
            plain = self.table.filter(pl.col("algorithm").is_null())
            table = plain.with_columns(value.cast(pl.Float64).alias(key))
            self._known[key] = {split: matrices(table, key, split) for split in self.splits}
        frames = {split: arms[arm] for split, arms in self._known[key].items() if arm in arms}
        if not frames:
            known = sorted({name for arms in self._known[key].values() for name in arms})
            raise ValueError(f"{arm!r} is no arm that was not post-trained; there are {', '.join(known)}")
        seeds = tuple(next(iter(frames.values())).columns[2:])
        values = {split: frame.select(seeds).to_numpy().T for split, frame in frames.items()}
        return Cells(arm, seeds, values, {k: frame["problem_key"].to_numpy() for k, frame in frames.items()})


class Ranked(NamedTuple):
    """What is ranked on one test set: complexity (rows,), lengths (seeds, rows), problems (rows,)."""

    size: Floats
    lengths: Floats
    problems: NDArray[np.uint64]


def drop_of_ranks(near: Ranked, far: Sequence[Ranked]) -> Spread:
    """The mean over seeds of Spearman's correlation on one set, less its mean on others.

    As in `variance.gap`: problems are drawn for each set by itself, and a seed's luck counts in all. But what
    problems make is estimated by resampling them, and of that the part that is each seed's own is what seeds
    differ by already. A correlation that is not defined (one length for all) counts as 0: it follows nothing.
    """
    draw, seeds = np.random.default_rng(0), len(near.lengths)
    by_seed, twice = np.zeros(seeds), 0.0
    of_problems: list[tuple[float, float]] = []
    for (size, lengths, problems), weight in ((near, 1.0), *((each, -1 / len(far)) for each in far)):
        _, problem = np.unique(problems, return_inverse=True)
        n = problem.max() + 1
        times = draw.multinomial(n, np.full(n, 1 / n), RESAMPLES)[:, problem].astype(np.float64)
        by_seed += weight * _by_seed(size, lengths, np.ones((1, len(size))))[0]
        each = _by_seed(size, lengths, times)
        means, scale = each.mean(1, keepdims=True), weight**2 * n / max(n - 1, 1)
        of_problems.append((float(means.var(ddof=1)) * scale, max(n - 1.0, 1.0)))
        if seeds > 1:
            twice += float((each - means).var(0, ddof=1).sum()) * scale / (seeds * (seeds - 1))
    of_seeds = [(float(by_seed.var(ddof=1)) / seeds, seeds - 1.0)] if seeds > 1 else []
    return of_parts(float(by_seed.mean()), of_seeds, of_problems, twice)


def _by_seed(size: Floats, lengths: Floats, times: Floats) -> Floats:
    """(resamples, seeds) rank correlations, 0 where they are not defined."""
    sizes = ranks(size, times)
    each = [correlations(sizes, ranks(row, times), times) for row in lengths]
    return np.nan_to_num(np.stack(each, axis=1))


def _value(value: object) -> object:
    """A knob's value, to be compared: `rate=1` and `rate=1.0` are the same."""
    try:
        return float(str(value))
    except ValueError:
        return str(value)


def _options(text: str) -> dict[str, str]:
    """`rate=0.1,kind=mixed` -> its parts by name."""
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)
