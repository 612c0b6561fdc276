"""Replicated, refuted or open: what an estimate with its interval says of a claim.

The rules and the smallest difference that matters were written before the study ran, in
docs/results/prediction.md.
A rule takes an estimate (`variance.Spread`) and its corrected p.

    difference(spread, p)                    # is there one of MARGIN at least?
    above(0.1)(spread, p)                    # is the value that large?
    over_tasks(["replicated", "open", ...])  # one verdict on all tasks
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tracelab.analysis.variance import Spread

REPLICATED, REFUTED, OPEN, MIXED = "replicated", "refuted", "open", "mixed"
MARGIN = 0.10  # the smallest difference of accuracy or validity that matters
RANK_MARGIN = 0.20  # and of a rank correlation
ALPHA = 0.05
LEAST_SEEDS = 5  # with fewer, nothing is settled
LEARNED = 0.5  # accuracy that two arms must exceed for their task to take part
LEAST_TASKS = 3  # that must speak of a claim for a verdict over tasks
MOST = 4 / 5  # of these tasks: the share in which a finding that is replicated is so
MAJORITY = 3 / 5  # the share in which one that is refuted is so


class Rule(NamedTuple):
    """How an estimate and a p, corrected for other tests of the same claim, become a verdict.

    tested: does p count? If not, the interval alone does, which is corrected for nothing.
    """

    verdict: Callable[[Spread, float], str]
    tested: bool = False

    def __call__(self, found: Spread, p: float) -> str:
        """The verdict."""
        return self.verdict(found, p)


def difference_of(margin: float) -> Rule:
    """Rule for a claimed difference above 0: replicated if it is shown and at least the margin."""

    def verdict(found: Spread, p: float) -> str:
        if p < ALPHA and found.value >= margin:
            return REPLICATED
        return REFUTED if found.interval()[1] < margin else OPEN

    return Rule(verdict, tested=True)


def above(bound: float) -> Rule:
    """Rule for a figure that is claimed to be `bound` at least: is all of its interval, or none?"""

    def verdict(found: Spread, _: float) -> str:
        low, high = found.interval()
        return REPLICATED if low >= bound else REFUTED if high < bound else OPEN

    return Rule(verdict)


def below(bound: float) -> Rule:
    """Rule for a figure that is claimed to be less than `bound`."""
    opposite = {REPLICATED: REFUTED, REFUTED: REPLICATED, OPEN: OPEN}
    return Rule(lambda found, p: opposite[above(bound)(found, p)])


difference = difference_of(MARGIN)
# A loss, or a gain, of the margin is excluded.
no_less, not_raised = above(-MARGIN), below(MARGIN)


def all_of(verdicts: Sequence[str]) -> str:
    """One verdict on a claim of several parts: all must hold, and one that is refuted refutes it."""
    if REFUTED in verdicts:
        return REFUTED
    return REPLICATED if verdicts and set(verdicts) == {REPLICATED} else OPEN


def over_tasks(verdicts: Sequence[str]) -> str:
    """One verdict on several tasks, a verdict each: see MOST and MAJORITY; with one task, its own."""
    n = len(verdicts)
    if n < 2:
        return verdicts[0] if verdicts else OPEN
    if REFUTED not in verdicts and verdicts.count(REPLICATED) >= MOST * n:
        return REPLICATED
    if verdicts.count(REFUTED) >= MAJORITY * n:
        return REFUTED
    return OPEN if set(verdicts) == {OPEN} else MIXED
