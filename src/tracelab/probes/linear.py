"""Linear probes of a place: logistic regression of classes, ridge regression of numbers.

    scored(x, labels, number=False, train=train, kinds=kinds, random=random)

What a probe finds may be its own doing, so each has a control task (Hewitt and Liang 2019, arXiv 1909.03368):
every kind of step that was read is given the label of a moment drawn at random, which only a probe that
knows steps by heart can learn. Nobody can know by heart a kind that was not there in training: score less
control score, of tested moments whose kind was, is the probe's selectivity.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV

from tracelab.core.types import UNKNOWN

Floats = NDArray[np.float64]
PENALTIES = np.logspace(-2, 5, 8)  # of ridge regression, of which the best is taken (leave one out)
STRENGTH = 0.1  # inverse penalty of logistic regression
ROUNDS = 200  # of its solver


@dataclass(frozen=True)
class Scores:
    """Sums over the entities of a quantity, (n,) each and 0 of moments that were trained on.

    tested: labels; known: those at moments whose kind of step was trained on; of: labels; right: those that
    the probe gives; majority: those that are the commonest of training; known_of, known_right: of and right
    at known moments alone; control, control_of: right and of for the control task, there, too. Of numbers,
    `of` is the squared distance from training's mean, and `right` that less the squared error: their ratio is
    R².
    """

    tested: Floats
    known: Floats
    of: Floats
    right: Floats
    majority: Floats
    known_of: Floats
    known_right: Floats
    control: Floats
    control_of: Floats


def scored(
    x: NDArray[np.float32],
    labels: NDArray[np.int64],
    number: bool,
    train: NDArray[np.bool_],
    kinds: NDArray[np.int64],
    random: np.random.Generator,
) -> Scores:
    """A probe for each entity, trained on some moments and scored on the others.

    x: (n, features); labels: (n, entities), UNKNOWN where not defined; train: (n,) which to train on; kinds:
    (n,) of what was read, for the control task.
    """
    x = standard(x, train)
    sums = np.zeros((9, len(x)))
    for mine in labels.T:
        known = np.flatnonzero(mine != UNKNOWN)
        fit, test = known[train[known]], known[~train[known]]
        if not len(fit) or not len(test):
            continue
        given = mine[random.choice(known, kinds.max() + 1)]  # each kind's label in the control task
        seen = np.isin(kinds[test], kinds[fit])
        of, right, majority = _outcome(x, mine, number, fit, test)
        sums[:7, test] += np.ones(len(test)), seen, of, right, majority, of * seen, right * seen
        if seen.any():
            of, right, _ = _outcome(x, given[kinds], number, fit, test)
            sums[7:, test] += right * seen, of * seen
    return Scores(*sums)


def standard(x: NDArray[np.float32], train: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Features of mean 0 and variance 1 where they are trained on; those that never vary are 0."""
    spread = x[train].std(0)
    return (x - x[train].mean(0)) / np.where(spread > 1e-6, spread, np.inf)


def _outcome(
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    number: bool,
    fit: NDArray[np.int64],
    test: NDArray[np.int64],
) -> tuple[Floats, Floats, Floats]:
    """-> of, right and majority (see Scores) at the tested moments."""
    if number:
        predicted = RidgeCV(PENALTIES).fit(x[fit], y[fit]).predict(x[test])
        of = (y[test] - y[fit].mean()) ** 2
        return of, of - (y[test] - predicted) ** 2, np.zeros(len(test))
    classes, counts = np.unique(y[fit], return_counts=True)
    common = classes[counts.argmax()]
    found = common if len(classes) == 1 else _classified(x[fit], y[fit], x[test])
    return np.ones(len(test)), (found == y[test]).astype(float), (common == y[test]).astype(float)


def _classified(x: NDArray[np.float32], y: NDArray[np.int64], new: NDArray[np.float32]) -> NDArray[np.int64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # close enough for a score
        fitted = LogisticRegression(C=STRENGTH, max_iter=ROUNDS, tol=1e-3).fit(x, y)
    predicted: NDArray[np.int64] = fitted.predict(new)
    return predicted


def most_varied(labels: NDArray[np.int64], number: bool, train: NDArray[np.bool_], most: int) -> list[int]:
    """Entities, at most so many, whose labels vary in training: those that say most, ascending.

    Of classes the chance that two moments differ decides, of numbers how often they are known.
    """
    says = [_varies(mine[train & (mine != UNKNOWN)], number) * (mine != UNKNOWN).mean() for mine in labels.T]
    first = sorted(range(len(says)), key=lambda k: -says[k])[:most]
    return sorted(k for k in first if says[k] > 0)


def _varies(y: NDArray[np.int64], number: bool) -> float:
    if not len(y) or y.min() == y.max():
        return 0.0
    shares = np.unique(y, return_counts=True)[1] / len(y)
    return 1.0 if number else float(1 - shares @ shares)


def halves(problems: NDArray[np.uint64], random: np.random.Generator) -> NDArray[np.bool_]:
    """(n,): is a moment trained on? All of a problem, and of its like, are on one side: two thirds are."""
    once = np.unique(problems)
    chosen = random.permutation(once)[: max(1, round(len(once) * 2 / 3))]
    return np.isin(problems, chosen)


def of_problems(scores: Scores, problems: NDArray[np.int64]) -> Iterator[tuple[int, dict[str, float]]]:
    """Each tested problem with the sums of its moments."""
    for problem in np.unique(problems[scores.tested != 0]):
        mine = problems == problem
        yield int(problem), {name: float(values[mine].sum()) for name, values in vars(scores).items()}
