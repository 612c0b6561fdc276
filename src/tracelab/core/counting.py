"""What is counted of outcomes, by one definition: for a run when it is evaluated, and later for many.

    value, low, high = share_before_error(trace_strict, trace_strict_at, trace_steps, problem_key)
    share_of_commonest, chance_that_it_is_right = vote(problem, solution_hash, solution_valid)

Shares, the 2x2 of the two verdicts and their phi coefficient are in `core.stats`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracelab.core.stats import Bounded, mean

Floats = NDArray[np.float64]
OK = "ok"  # the reason of what passes; all others are reasons of failure


def before_error(passes: ArrayLike, at: ArrayLike, steps: ArrayLike) -> Floats:
    """Share of each trace's steps before its first bad one: 1 only of a trace that passes, 0 of none.

    (n,) each. passes: the verdict; at: the first bad step, anything where it passes; steps: how many parsed.
    What goes wrong behind the last of them (tokens that are no step, a cut, an end too early) is one step
    more, whatever stands there: n steps that are good before it are n / (n + 1).
    """
    parsed = np.asarray(steps, np.float64)
    good = np.clip(np.asarray(at, np.float64), 0.0, parsed)
    share = good / np.maximum(parsed + (good == parsed), 1.0)
    return np.where(np.asarray(passes, np.bool_), 1.0, share)


def share_before_error(passes: ArrayLike, at: ArrayLike, steps: ArrayLike, problems: ArrayLike) -> Bounded:
    """The mean of `before_error` over all traces, with an interval within [0, 1]; problems: as of `mean`."""
    value, low, high = mean(before_error(passes, at, steps), problems)
    return Bounded(value, *(float(np.clip(end, 0, 1)) for end in (low, high)))


def vote(ballot: ArrayLike, answer: ArrayLike, right: ArrayLike) -> tuple[Floats, Floats]:
    """Majority votes -> of each ballot: its commonest answer's share, the chance that the winner is right.

    (votes,) each. ballot: which one a vote is cast in, by which the result ascends; answer: what for; right:
    is that right? (Equal answers of a ballot are equally right.) Of equally common answers each may win.
    """
    order = np.lexsort((np.asarray(answer), np.asarray(ballot)))
    ballots, answers, good = (np.asarray(part)[order] for part in (ballot, answer, right))
    first = np.flatnonzero(_changes(ballots) | _changes(answers))  # of each answer's votes
    votes, good = np.diff(first, append=len(order)), good[first].astype(np.float64)
    of = np.flatnonzero(_changes(ballots[first]))  # each ballot's first answer
    most = np.maximum.reduceat(votes, of)
    wins = (votes == np.repeat(most, np.diff(of, append=len(first)))).astype(np.float64)
    chance = np.add.reduceat(good * wins, of) / np.add.reduceat(wins, of)
    return most / np.add.reduceat(votes, of), chance


def _changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,): does each differ from the one before it? The first does."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]
