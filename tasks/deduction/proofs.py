"""What follows from facts and rules, and how long the shortest proof of the query is.

A theory that was drawn has one proof, or none. One that was read from a file may have many. Its shortest is
found by a search over what proofs may rest on, which is given up after MOST_CHOICES choices: then the
shortest found so far counts.
"""

from __future__ import annotations

from tracelab.core.arrays import Integers, int64
from tracelab.core.jit import kernel
from tracelab.search.derivation import problem as problems
from tracelab.tasks.deduction.rules import (
    BACKWARD,
    DEPTH_OF_STACK,
    DERIVABLE,
    FACT,
    HEADER,
    KNOWN,
    OPEN,
    OR,
    PREMISES,
    READY,
    RULE,
    SHORTEST,
    UNTOUCHED,
    Theory,
    fits,
    gives,
    ground,
    query,
    state_of,
)

MOST_CHOICES = 20_000  # of rules for goals, in the search for the shortest proof


@problems.implements(problems.load, Theory)
def load(theory: Theory, problem: Integers) -> None:
    """Facts and rules, what can be derived from them, and how long the shortest proof is."""
    for h in range(HEADER):
        theory.shape[h] = problem[h]
    theory.kind[:] = theory.giver[:] = theory.by[:] = -1
    theory.truth[:] = theory.status[:] = UNTOUCHED
    theory.counts[:] = 0
    at = HEADER
    for _ in range(problem[1]):
        fact = ground(theory, problem[at], problem[at + 1])
        theory.truth[fact] = theory.status[fact] = KNOWN
        at += FACT
    for r in range(problem[0]):
        label = theory.listed[r] = problem[at]
        theory.kind[label], theory.about[label] = problem[at + 1], problem[at + 2]
        theory.head[label] = problem[at + 3]
        for p in range(PREMISES):
            theory.premises[label, p] = problem[at + 4 + p]
        at += RULE
    derive_all(theory)
    asked = query(theory)
    if theory.giver[asked] >= 0:
        theory.counts[SHORTEST] = shortest(theory)
    if theory.solver == BACKWARD and theory.status[asked] == UNTOUCHED:
        theory.status[asked], theory.stack[0] = OPEN, asked
        theory.counts[DEPTH_OF_STACK] = 1


@kernel
def derive_all(theory: Theory) -> None:
    """Apply rules until nothing is new."""
    count, grown = 0, True
    while grown:
        grown = False
        for r in range(theory.shape[0]):
            label = theory.listed[r]
            for entity in range(theory.shape[3]):
                conclusion = gives(theory, label, entity, theory.truth)
                if conclusion >= 0:
                    theory.truth[conclusion], theory.giver[conclusion] = KNOWN, label
                    theory.order[count] = conclusion
                    count += 1
                    grown = True
    theory.counts[DERIVABLE] = count


@kernel
def proof_of(theory: Theory) -> int:
    """How many rules the proof applies that `derive_all` found. Marks what it derives in `needed`."""
    theory.needed[:] = 0
    theory.needed[query(theory)] = 1
    size = 0
    for k in range(theory.counts[DERIVABLE] - 1, -1, -1):
        literal = theory.order[k]
        if theory.needed[literal]:
            size += 1
            need(theory, theory.giver[literal], literal, theory.order[:k])
    return size


@kernel
def need(theory: Theory, label: int, literal: int, before: Integers) -> None:
    """Mark the premises by which a rule gave a literal; of an `or`, a fact or what came first of `before`."""
    entity = literal % theory.entities
    either = theory.kind[label] == OR
    for premise in theory.premises[label]:
        if premise >= 0:
            under = ground(theory, premise, entity)
            given = theory.truth[under] == KNOWN and theory.giver[under] < 0
            if either and given:
                return
            if not either:
                theory.needed[under] = 1
    if either:
        for earlier in before:
            for premise in theory.premises[label]:
                if premise >= 0 and ground(theory, premise, entity) == earlier:
                    theory.needed[earlier] = 1
                    return


@kernel
def shortest(theory: Theory) -> int:
    """How many rules the shortest proof applies of those that MOST_CHOICES choices lead to.

    `order` holds what a proof must derive. By place in it: `choice`, the way in which that is to be derived;
    `base`, how many there were before its premises.
    """
    best = proof_of(theory)
    theory.needed[:] = 0
    theory.order[0], theory.needed[query(theory)] = query(theory), 1
    theory.choice[0], theory.base[0] = -1, 1
    at, size, choices = 0, 1, 0
    while at >= 0 and choices < MOST_CHOICES:
        if at == size:
            if closes(theory, size):
                best = size
            at -= 1
        while size > theory.base[at]:
            size -= 1
            theory.needed[theory.order[size]] = 0
        theory.choice[at] = next_way(theory, theory.order[at], theory.choice[at])
        choices += 1
        if theory.choice[at] < 0:
            at -= 1
            continue
        size = want(theory, theory.order[at], theory.choice[at], size)
        if size < best:
            at += 1
            theory.choice[at], theory.base[at] = -1, size
    return best


@kernel
def next_way(theory: Theory, goal: int, before: int) -> int:
    """The next way to derive a goal, or -1: a rule's place times PREMISES, and for an `or` which premise."""
    literal, entity = goal // theory.entities, goal % theory.entities
    for way in range(before + 1, theory.shape[0] * PREMISES):
        label, p = theory.listed[way // PREMISES], way % PREMISES
        if theory.head[label] != literal or not fits(theory, label, entity):
            continue
        if theory.kind[label] == OR:
            premise = theory.premises[label, p]
            if premise >= 0 and theory.truth[ground(theory, premise, entity)] == KNOWN:
                return way
        elif p == 0 and state_of(theory, label, entity, theory.truth) == READY:
            return way
    return -1


@kernel
def derived_premise(theory: Theory, goal: int, way: int, p: int) -> int:
    """The p-th premise of a way to derive a goal, or -1: there is none, the way has no need of it, or it is
    a fact.
    """
    label = theory.listed[way // PREMISES]
    premise = theory.premises[label, p]
    if premise < 0 or (theory.kind[label] == OR and p != way % PREMISES):
        return -1
    under = int64(ground(theory, premise, goal % theory.entities))
    return under if theory.giver[under] >= 0 else -1


@kernel
def want(theory: Theory, goal: int, way: int, size: int) -> int:
    """Add to `order` what a way to derive a goal rests on and is not there -> how much it holds."""
    for p in range(PREMISES):
        under = derived_premise(theory, goal, way, p)
        if under >= 0 and not theory.needed[under]:
            theory.order[size], theory.needed[under] = under, 1
            size += 1
    return size


@kernel
def closes(theory: Theory, size: int) -> bool:
    """Does what `order` holds follow from facts alone? Not where it goes round in a circle."""
    done, grown = 0, True
    while grown:
        grown = False
        for k in range(size):
            goal = theory.order[k]
            if theory.needed[goal] == 1 and rests(theory, goal, theory.choice[k]):
                theory.needed[goal] = 2  # derived
                done += 1
                grown = True
    for k in range(size):
        theory.needed[theory.order[k]] = 1
    return done == size


@kernel
def rests(theory: Theory, goal: int, way: int) -> bool:
    """Are the premises of a way to derive a goal facts or, by `needed`, derived?"""
    for p in range(PREMISES):
        under = derived_premise(theory, goal, way, p)
        if under >= 0 and theory.needed[under] != 2:
            return False
    return True
