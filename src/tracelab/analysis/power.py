"""How many seeds it takes to see a difference, from how much seeds and problems have differed so far.

    power.seeds_needed(analysis.load("runs/study"), "solution_valid", "wilson", "swapped", "correct")

The error of a difference of S seeds an arm and P problems, and its degrees of freedom, are those of
`variance.spread`: what seeds make falls with S, what problems make of the difference does not. Power is
Student's.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy import stats

from tracelab.analysis.cells import TaskOutcomes, check_same_problems
from tracelab.analysis.variance import Floats, of_cells, of_parts
from tracelab.analysis.verdicts import ALPHA, MARGIN

POWER = 0.8
MOST = 200  # seeds: who needs more needs other problems


def seeds_needed(
    table: pl.LazyFrame, column: str, split: str, arm: str, base: str, difference: float = MARGIN
) -> int | None:
    """The fewest seeds of each arm with which such a difference is found in four of five studies.

    table: as of `analysis.load`, with two seeds or more of both arms. None if not even MOST would do: then
    the problems are too few. The answer is as uncertain as the variance that it is made from, whose interval
    goes with three seeds an arm from a third to eight times (chi-square, four degrees of freedom).
    """
    outcomes = TaskOutcomes(table)
    one, other = (outcomes.cells(name, pl.col(column)) for name in (arm, base))
    check_same_problems(one, other)
    cells = [part.counted(split) for part in (one, other)]
    if min(len(part) for part in cells) < 2:
        raise ValueError(
            f"how much seeds differ is not known from one: {arm!r} and {base!r} need two or more"
        )
    return fewest(cells[0], cells[1], difference)


def fewest(one: Floats, other: Floats, difference: float) -> int | None:
    """`seeds_needed` of verdicts (seeds, problems)."""
    of_seeds = [float(arm.mean(1).var(ddof=1)) for arm in (one, other)]
    signed = np.var(one.mean(0) - other.mean(0), ddof=1)
    of_problems = max(signed - of_cells(one) / len(one) - of_cells(other) / len(other), 0.0) / one.shape[1]
    problems = [(float(of_problems), one.shape[1] - 1.0)]
    for seeds in range(2, MOST + 1):
        found = of_parts(difference, [(part / seeds, seeds - 1.0) for part in of_seeds], problems)
        if found.error == 0 or chance_to_see(difference / found.error, found.freedom) >= POWER:
            return seeds
    return None


def chance_to_see(effect: float, freedom: float) -> float:
    """The power of Student's two-sided test of a difference of so many standard errors."""
    bound = stats.t.ppf(1 - ALPHA / 2, freedom)
    other = np.nan_to_num(stats.nct.cdf(-bound, freedom, effect))  # of large effects scipy has nan for 0
    return float(stats.nct.sf(bound, freedom, effect) + other)
