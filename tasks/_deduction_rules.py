"""Facts and rules as a derivation problem: what they license, and the two ways of searching for a proof.

Ground literals are numbers: literal * entities + entity. `not p` is a literal of its own: it is known only
where a fact or a rule says so (classical literals, no negation as failure).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.jit import kernel
from tracelab.core.rng import mix64
from tracelab.core.types import BINS
from tracelab.search import derivation
from tracelab.search.derivation_reasons import R

HEADER = 7  # of a stored problem: rules, facts, atoms and entities in use, depth, query's literal and entity
FACT = 2  # then per fact: literal, entity
PREMISES = 3
RULE = 4 + PREMISES  # then per rule: label, kind, entity (EVERY: for all), conclusion, premises or -1
AND, OR = range(2)
EVERY = -1
APPLY, TRY, FAIL = range(3)
OPS = ("apply", "try", "fail")
FORWARD, BACKWARD = range(2)
SOLVERS = ("forward", "backward")
UNTOUCHED, KNOWN, OPEN, FAILED = range(4)  # what became of a literal
READY, WAITING, DEAD = range(3)  # a rule: can be applied, may yet be, never
DERIVABLE, DERIVED, DEPTH_OF_STACK, SHORTEST = range(4)  # places in `counts`
BY_LABEL = ("kind", "about", "head", "listed")
BY_LITERAL = ("truth", "giver", "needed", "status", "by", "trail", "stack", "order")
ROUNDS = 8  # of refining colours


class Theory(NamedTuple):
    """Tables of facts and rules; room for `len(kind)` rules and len(truth) ground literals.

    draws: see _deduction_draws. shape: the header; by label: kind (-1 where there is no rule), about, head,
    premises, and `listed`, labels in the order of the prompt; by ground literal: truth, KNOWN where it can
    be derived; giver, the rule that does; needed, does a shortest proof use it?; status and by, what the
    steps so far say; trail, what they derived, in order; stack, open goals; order: scratch; colours.
    """

    draws: Any
    solver: int
    random: bool
    signs: int
    entities: int
    quantified: bool
    shape: NDArray[np.int32]
    counts: NDArray[np.int32]
    kind: NDArray[np.int32]
    about: NDArray[np.int32]
    head: NDArray[np.int32]
    listed: NDArray[np.int32]
    premises: NDArray[np.int32]
    truth: NDArray[np.int32]
    giver: NDArray[np.int32]
    needed: NDArray[np.int32]
    status: NDArray[np.int32]
    by: NDArray[np.int32]
    trail: NDArray[np.int32]
    stack: NDArray[np.int32]
    order: NDArray[np.int32]
    colours: NDArray[np.uint64]


def new_theory(labels: int, literals: int, entities: int, **fixed: Any) -> Theory:
    """Empty tables."""
    size = literals * entities + 1
    tables: dict[str, Any] = {name: np.empty(labels, np.int32) for name in BY_LABEL}
    tables |= {name: np.empty(size, np.int32) for name in BY_LITERAL}
    tables |= {"premises": np.empty((labels, PREMISES), np.int32), "colours": np.empty((2, size), np.uint64)}
    shape, counts = np.empty(HEADER, np.int32), np.empty(4, np.int32)
    return Theory(entities=entities, shape=shape, counts=counts, **fixed, **tables)


@kernel
def ground(theory, literal, entity):  # type: ignore[no-untyped-def]
    """The number of a literal on an entity."""
    return literal * theory.entities + entity


@kernel
def ground_of(theory, row):  # type: ignore[no-untyped-def]
    """What a row names, or -1. Where nothing is quantified no entity is named."""
    literal, entity = row[2], row[3] if theory.quantified else row[3] + 1
    if not 0 <= entity < theory.entities or literal < 0:
        return -1
    number = ground(theory, literal, entity)
    return number if number < len(theory.truth) - 1 else -1


@kernel
def fits(theory, label, entity):  # type: ignore[no-untyped-def]
    """Does a rule speak of an entity?"""
    return theory.about[label] == EVERY or theory.about[label] == entity


@kernel
def state_of(theory, label, entity, status):  # type: ignore[no-untyped-def]
    """Is a rule READY, WAITING or DEAD, as far as its premises are known and have failed?"""
    known = failed = size = 0
    for premise in theory.premises[label]:
        if premise >= 0:
            size += 1
            known += status[ground(theory, premise, entity)] == KNOWN
            failed += status[ground(theory, premise, entity)] == FAILED
    enough = 1 if theory.kind[label] == OR else size
    if known >= enough:
        return READY
    return DEAD if failed > size - enough else WAITING


@derivation.implements(derivation.load, Theory)
def load(theory, problem):  # type: ignore[no-untyped-def]
    """Facts and rules, what can be derived from them, and the shortest proof."""
    for h in range(HEADER):
        theory.shape[h] = problem[h]
    theory.kind[:] = theory.giver[:] = theory.by[:] = -1
    theory.truth[:] = theory.status[:] = UNTOUCHED
    theory.needed[:] = 0
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
    if theory.solver == BACKWARD and theory.status[asked] == UNTOUCHED:
        theory.status[asked], theory.stack[0], theory.counts[DEPTH_OF_STACK] = OPEN, asked, 1


@kernel
def query(theory):  # type: ignore[no-untyped-def]
    """The ground literal that is asked for."""
    return ground(theory, theory.shape[5], theory.shape[6])


@kernel
def derive_all(theory):  # type: ignore[no-untyped-def]
    """Apply rules until nothing is new; then mark what a proof of the query needs, from its end back."""
    count, grown = 0, True
    while grown:
        grown = False
        for r in range(theory.shape[0]):
            label = theory.listed[r]
            for entity in range(theory.shape[3]):
                conclusion = ground(theory, theory.head[label], entity)
                if (
                    fits(theory, label, entity)
                    and theory.truth[conclusion] != KNOWN
                    and state_of(theory, label, entity, theory.truth) == READY
                ):
                    theory.truth[conclusion], theory.giver[conclusion] = KNOWN, label
                    theory.order[count], count, grown = conclusion, count + 1, True
    theory.counts[DERIVABLE] = count
    theory.needed[query(theory)] = theory.truth[query(theory)] == KNOWN
    for k in range(count - 1, -1, -1):
        conclusion = theory.order[k]
        if theory.needed[conclusion]:
            theory.counts[SHORTEST] += 1
            label, entity = theory.giver[conclusion], conclusion % theory.entities
            for premise in theory.premises[label]:
                if premise >= 0 and theory.truth[ground(theory, premise, entity)] == KNOWN:
                    theory.needed[ground(theory, premise, entity)] = 1


@kernel
def application_fault(theory, row, status):  # type: ignore[no-untyped-def]
    """Why what is known does not license the application of a rule, or ok."""
    conclusion, label = ground_of(theory, row), row[1]
    if label < 0 or label >= len(theory.kind) or theory.kind[label] < 0:
        return R.not_given
    if conclusion < 0 or row[2] != theory.head[label]:
        return R.wrong_conclusion
    entity = conclusion % theory.entities
    if not fits(theory, label, entity):
        return R.wrong_conclusion
    return R.ok if state_of(theory, label, entity, status) == READY else R.premise_missing


@derivation.implements(derivation.fault, Theory)
def fault(theory, row):  # type: ignore[no-untyped-def]
    """A rule is applied to what is known; backward, a premise of a rule for a goal becomes a goal too, and a
    goal fails that no rule can give.
    """
    if row[0] == APPLY:
        return application_fault(theory, row, theory.status)
    if theory.solver == FORWARD:
        return R.other_search
    goal, label = ground_of(theory, row), row[1]
    if goal < 0:
        return R.not_a_goal
    entity = goal % theory.entities
    if row[0] == TRY:
        if label < 0 or label >= len(theory.kind) or theory.kind[label] < 0:
            return R.not_given
        named = fits(theory, label, entity) and row[2] in theory.premises[label]
        opened = theory.status[ground(theory, theory.head[label], entity)] == OPEN
        return R.ok if named and opened else R.not_a_goal
    if theory.status[goal] != OPEN:
        return R.not_a_goal
    for r in range(theory.shape[0]):
        label = theory.listed[r]
        concerns = theory.head[label] == row[2] and fits(theory, label, entity)
        if concerns and state_of(theory, label, entity, theory.status) != DEAD:
            return R.rule_left
    return R.ok


@derivation.implements(derivation.flaw, Theory)
def flaw(theory, row):  # type: ignore[no-untyped-def]
    """Nothing twice; backward, each step serves the goal opened last, and a rule is tried that may yet do."""
    goal = ground_of(theory, row)
    if row[0] == APPLY and theory.status[goal] == KNOWN:
        return R.repeated
    if theory.solver == FORWARD:
        return R.ok
    last = theory.stack[theory.counts[DEPTH_OF_STACK] - 1]
    if row[0] != TRY:
        return R.ok if goal == last else R.not_needed
    label, entity = row[1], goal % theory.entities
    if theory.status[goal] != UNTOUCHED:
        return R.repeated
    serves = ground(theory, theory.head[label], entity) == last
    waits = state_of(theory, label, entity, theory.status) == WAITING
    return R.ok if serves and waits else R.not_needed


@derivation.implements(derivation.learn, Theory)
def learn(theory, row):  # type: ignore[no-untyped-def]
    """A literal is known, open or failed from here on; goals that are settled leave the stack."""
    literal, counts, status = ground_of(theory, row), theory.counts, theory.status
    if row[0] == TRY and status[literal] == UNTOUCHED:
        status[literal], theory.stack[counts[DEPTH_OF_STACK]] = OPEN, literal
        counts[DEPTH_OF_STACK] += 1
    elif row[0] == FAIL:
        status[literal] = FAILED
    elif row[0] == APPLY and status[literal] != KNOWN:
        status[literal], theory.by[literal] = KNOWN, row[1]
        theory.trail[counts[DERIVED]] = literal
        counts[DERIVED] += 1
    while counts[DEPTH_OF_STACK] > 0 and status[theory.stack[counts[DEPTH_OF_STACK] - 1]] != OPEN:
        counts[DEPTH_OF_STACK] -= 1


@derivation.implements(derivation.answered, Theory)
def answered(theory):  # type: ignore[no-untyped-def]
    """The query is known; or it has failed (backward), or nothing more can be derived (forward)."""
    asked = theory.status[query(theory)]
    if theory.solver == BACKWARD:
        return asked in (KNOWN, FAILED)
    return asked == KNOWN or theory.counts[DERIVED] == theory.counts[DERIVABLE]


@derivation.implements(derivation.follows, Theory)
def follows(theory, solution, count):  # type: ignore[no-untyped-def]
    """Is the solution a proof of which each step was derived so, or `unknown` where the query was not?"""
    if count == 0 or derivation.solution_fault(theory, solution, count)[0] != R.ok:
        return False
    if solution[0, 0] == 1:
        return theory.status[query(theory)] != KNOWN
    for k in range(count):  # noqa: SIM110 (numba)
        if theory.by[ground_of(theory, solution[k])] != solution[k, 1]:
            return False
    return True


@derivation.implements(derivation.solution_fault, Theory)
def solution_fault(theory, solution, count):  # type: ignore[no-untyped-def]
    """A proof that ends in the query, of any length, or `unknown` where there is none.

    Uses `order` for what the proof derived: 1 where a fact or a step before gave it.
    """
    derivable = theory.truth[query(theory)] == KNOWN
    if solution[0, 0] == 1:
        if count > 1:
            return R.too_much, False
        return (R.wrong_answer if derivable else R.ok), True
    proved = theory.order
    for g in range(len(proved)):
        given = theory.truth[g] == KNOWN and theory.giver[g] < 0
        proved[g] = KNOWN if given else UNTOUCHED
    for k in range(count):
        if solution[k, 0] == 1:
            return R.too_much, False
        wrong = application_fault(theory, solution[k], proved)
        if wrong != R.ok:
            return wrong, False
        proved[ground_of(theory, solution[k])] = KNOWN
    if ground_of(theory, solution[count - 1]) != query(theory):
        return R.wrong_answer, False
    return R.ok, count == theory.counts[SHORTEST]


@derivation.implements(derivation.identity, Theory)
def identity(theory):  # type: ignore[no-untyped-def]
    """Equal under other names, labels, orders, and exchange of p and `not p`: colours of literals, refined
    by the rules that they stand in. The split's bin hangs on facts and rules alone: both queries of a
    drawn pair of towers fall into one split, which keeps the answers even however few problems there are.
    """
    now, new = theory.colours[0], theory.colours[1]
    for g in range(len(now)):
        given = theory.truth[g] == KNOWN and theory.giver[g] < 0
        now[g] = mix64(np.uint64(1 + given))
    whole = np.uint64(0)
    for _ in range(ROUNDS):
        whole = np.uint64(0)
        for g in range(len(now)):
            new[g] = now[g] * np.uint64(3)
        for r in range(theory.shape[0]):
            whole += mix64(coloured(theory, theory.listed[r], now, new))
        for literal in range((len(now) - 1) // theory.entities):
            opposite = literal ^ 1 if theory.signs == 2 else literal
            for entity in range(theory.shape[3]):
                g = ground(theory, literal, entity)
                new[g] += mix64(now[ground(theory, opposite, entity)] ^ np.uint64(0xD1B54A32D192ED03))
        for g in range(len(now)):
            if theory.truth[g] == KNOWN and theory.giver[g] < 0:
                whole += mix64(now[g])
            now[g] = mix64(new[g])
    owner = mix64(whole) % np.uint64(BINS)
    asked = mix64(whole ^ mix64(now[query(theory)]))
    return asked - asked % np.uint64(BINS) + owner


@kernel
def coloured(theory, label, now, new):  # type: ignore[no-untyped-def]
    """Add a rule's colour to those of its literals -> its sum over entities."""
    whole = np.uint64(0)
    for entity in range(theory.shape[3]):
        if not fits(theory, label, entity):
            continue
        conclusion = ground(theory, theory.head[label], entity)
        own = np.uint64(1 + theory.kind[label] + 2 * (theory.about[label] == EVERY))
        for premise in theory.premises[label]:
            if premise >= 0:
                own += mix64(now[ground(theory, premise, entity)])
        own = mix64(own) + mix64(now[conclusion] ^ np.uint64(0x9E3779B97F4A7C15))
        new[conclusion] += mix64(own)
        for premise in theory.premises[label]:
            if premise >= 0:
                new[ground(theory, premise, entity)] += mix64(own ^ np.uint64(0xA5A5A5A5))
        whole += mix64(own)
    return whole
