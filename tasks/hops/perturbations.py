"""Small changes of a small world.

rename          entities, relations and pairings have other names, drawn among those of the task
reorder         the facts in another order
other_fact      a fact that the question does not need gives something else
other_answer    the fact that answers the question gives something else

`other_steps` leaves the facts as they are and asks another question of the same form.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Integers
from tracelab.tasks.hops.search import MEASURES
from tracelab.tasks.hops.text import facts_of, steps_of
from tracelab.tasks.hops.world import HEADER, HOP, JOIN, NONE
from tracelab.tasks.shared.perturbing import (
    ANEW,
    KEPT,
    MAPPED,
    TRIES,
    Change,
    Changed,
    kept,
    order_of,
    with_operands,
)

KIND, RELATION, LEFT, RIGHT, GIVEN = range(5)  # columns of a fact; the first four a step's


def changes_of(entities: int, relations: int, pairings: int) -> dict[str, Change]:
    """Changes by name. How many names the task draws from: a problem that was read may have others."""
    return {
        "rename": Change(partial(rename, entities, relations, pairings), MAPPED, MEASURES),
        "reorder": Change(reorder, KEPT, MEASURES),
        "other_fact": Change(partial(other_fact, entities), KEPT, MEASURES),
        "other_answer": Change(partial(other_answer, entities), ANEW, MEASURES),
    }


def rename(
    entities: int, relations: int, pairings: int, problem: Integers, draw: np.random.Generator
) -> Changed:
    """The order stays."""
    known = zip((entities, relations, pairings), problem[1:4], strict=True)
    new, ones, twos = (order_of(draw, max(n, int(used))) for n, used in known)
    steps, facts = steps_of(problem).copy(), facts_of(problem).copy()
    for rows in (steps, facts):
        joins = rows[:, KIND] == JOIN
        rows[joins, RELATION], rows[~joins, RELATION] = (
            twos[rows[joins, RELATION]],
            ones[rows[~joins, RELATION]],
        )
        operands = rows[:, LEFT:]
        rows[:, LEFT:] = np.where(operands < 0, operands, new[np.maximum(operands, 0)])
    return Changed(with_facts(steps, facts), lambda rows: with_operands(rows, new[rows[:, 1]]))


def reorder(problem: Integers, draw: np.random.Generator) -> Changed:
    """Names stay."""
    facts = facts_of(problem)
    return kept(with_facts(steps_of(problem), facts[order_of(draw, len(facts))]))


def other_fact(entities: int, problem: Integers, draw: np.random.Generator) -> Changed | None:
    """One of those that no step asks."""
    asked, _ = asked_of(problem)
    free = sorted(set(range(len(facts_of(problem)))) - set(asked))
    return kept(_with_other(entities, problem, int(draw.choice(free)), draw)) if free else None


def other_answer(entities: int, problem: Integers, draw: np.random.Generator) -> Changed:
    """What the last step asks. (A fact that is asked before, too, is left as it is: there is none in problems
    that are drawn.)
    """
    asked, _ = asked_of(problem)
    if asked[-1] in asked[:-1]:
        return Changed(problem)
    return Changed(_with_other(entities, problem, asked[-1], draw))


def other_steps(problem: Integers, draw: np.random.Generator) -> Changed | None:
    """Other relations and entities, in the same form, with another answer; None if TRIES find none."""
    facts, (_, answers) = facts_of(problem), asked_of(problem)
    for _ in range(TRIES):
        steps, known = steps_of(problem).copy(), list[int]()
        for step in steps:
            fits = facts[:, KIND] == step[KIND]
            for column in (LEFT, RIGHT):
                if step[column] < NONE:
                    fits = fits & (facts[:, column] == known[-2 - step[column]])
            if not fits.any():
                break
            fact = facts[draw.choice(np.flatnonzero(fits))]
            for column in (LEFT, RIGHT):
                step[column] = fact[column] if step[column] > NONE else step[column]
            step[RELATION] = fact[RELATION]
            known.append(int(fact[GIVEN]))
        if len(known) == len(steps) and known[-1] != answers[-1]:
            return Changed(with_facts(steps, facts))
    return None


def asked_of(problem: Integers) -> tuple[list[int], list[int]]:
    """-> (the place of the fact that each step asks, what it gives)"""
    facts, known = facts_of(problem).tolist(), list[int]()
    place, asked = {tuple(fact[:GIVEN]): f for f, fact in enumerate(facts)}, list[int]()
    for kind, relation, *operands in steps_of(problem).tolist():
        values = (known[-2 - o] if o < NONE else o for o in operands)
        asked.append(place[kind, relation, *values])
        known.append(facts[asked[-1]][GIVEN])
    return asked, known


def with_facts(steps: Integers, facts: Integers) -> NDArray[np.int64]:
    """Steps and facts as a stored problem."""
    used = (facts[facts[:, KIND] == kind, RELATION].max(initial=-1) + 1 for kind in (HOP, JOIN))
    header = np.array([len(steps), facts[:, LEFT:].max() + 1, *used, len(facts)])
    assert len(header) == HEADER
    return np.concatenate([header, steps.ravel(), facts.ravel()])


def _with_other(entities: int, problem: Integers, place: int, draw: np.random.Generator) -> Integers:
    """A problem in which one of the facts gives another entity."""
    facts = facts_of(problem).copy()
    facts[place, GIVEN] = (facts[place, GIVEN] + draw.integers(1, entities)) % entities
    return with_facts(steps_of(problem), facts)
