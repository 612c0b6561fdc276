"""Facts and rules as a derivation problem: tables of literals and of rules.

Ground literals are numbers: literal * entities + entity. `not p` is a literal of its own: it is known only
where a fact or a rule says so (classical literals, no negation as failure).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, int64
from tracelab.core.jit import kernel

if TYPE_CHECKING:
    from tracelab.tasks.deduction.towers import Draws

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
BY_LITERAL = ("truth", "giver", "needed", "status", "by", "trail", "stack", "order", "base", "choice")


class Theory(NamedTuple):
    """Tables of facts and rules; room for `len(kind)` rules and len(truth) ground literals.

    draws: see `draws`. shape: the header; by label: kind (-1 where there is no rule), about, head,
    premises, and `listed`, labels in the order of the prompt; by ground literal: truth, KNOWN where it can
    be derived; giver, the rule that does; status and by, what the steps so far say; trail, what they
    derived, in order; stack, open goals; needed, order, base, choice: scratch; colours.
    """

    draws: Draws
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
    base: NDArray[np.int32]
    choice: NDArray[np.int32]
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
def ground(theory: Theory, literal: int, entity: int) -> int:
    """The number of a literal on an entity."""
    return literal * theory.entities + entity


@kernel
def ground_of(theory: Theory, row: Integers) -> int:
    """What a row names, or -1. Where nothing is quantified no entity is named."""
    literal, entity = row[2], row[3] if theory.quantified else row[3] + 1
    if not 0 <= entity < theory.entities or literal < 0:
        return -1
    number = ground(theory, literal, entity)
    return number if number < len(theory.truth) - 1 else -1


@kernel
def fits(theory: Theory, label: int, entity: int) -> bool:
    """Does a rule speak of an entity?"""
    return theory.about[label] == EVERY or theory.about[label] == entity


@kernel
def state_of(theory: Theory, label: int, entity: int, status: Integers) -> int:
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


@kernel
def largest_named(problems: Integers, offsets: Integers) -> tuple[int, int]:
    """The largest label and the largest literal in a batch of stored problems, -1 where it is empty."""
    label = literal = int64(-1)
    for i in range(len(offsets) - 1):
        p = problems[offsets[i] : offsets[i + 1]]
        literal, at = max(literal, int64(p[5])), HEADER
        for _ in range(p[1]):
            literal, at = max(literal, int64(p[at])), at + FACT
        for _ in range(p[0]):
            label = max(label, int64(p[at]))
            for named in p[at + 3 : at + RULE]:
                literal = max(literal, int64(named))
            at += RULE
    return label, literal


@kernel
def gives(theory: Theory, label: int, entity: int, status: Integers) -> int:
    """What a rule that can be applied to an entity concludes, or -1 where that is known or none can."""
    conclusion = ground(theory, theory.head[label], entity)
    if not fits(theory, label, entity) or status[conclusion] == KNOWN:
        return -1
    return conclusion if state_of(theory, label, entity, status) == READY else -1


@kernel
def query(theory: Theory) -> int:
    """The ground literal that is asked for."""
    return ground(theory, theory.shape[5], theory.shape[6])
