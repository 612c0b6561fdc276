"""A small world as a derivation problem: facts, a question in steps, and what the steps come to.

A fact says what a relation gives of an entity, or a pairing of two. A question is a nested expression: each
step, a sub-question, asks one fact of entities or of what steps before it came to; the last is the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, int64
from tracelab.core.jit import kernel
from tracelab.search.derivation import problem as problems
from tracelab.search.derivation.reasons import R

if TYPE_CHECKING:
    from tracelab.tasks.hops.draws import Draws

HEADER = 5  # of a stored problem: steps, entities, relations and pairings in use, facts
STEP = 4  # then per step: kind, relation or pairing, operands: an entity, -2 - k for step k, or NONE
FACT = 5  # then per fact: kind, relation or pairing, entities (the second NONE for a relation), what it gives
HOP, JOIN = range(2)  # kinds: a relation of one entity, a pairing of two
OPS = ("hop", "join")
NONE = -1
BY_STEP = ("kind", "relation", "left", "right", "truth", "known", "depth")


class World(NamedTuple):
    """Tables; room for len(kind) steps, len(facts) facts, and so many entities, relations and pairings.

    draws: see `draws`. shape: (5,) the header; by step: its kind, relation and operands as stored; truth:
    what it comes to; known: what is derived so far, -1 else; depth. facts: as stored; where: the fact about
    each relation and entity, then about each pairing and two, -1 where there is none; stack: scratch.
    """

    draws: Draws
    solver: int
    tie_break: int
    entities: int
    relations: int
    pairings: int
    shape: NDArray[np.int32]
    kind: NDArray[np.int32]
    relation: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    truth: NDArray[np.int32]
    known: NDArray[np.int32]
    depth: NDArray[np.int32]
    facts: NDArray[np.int32]
    where: NDArray[np.int32]
    stack: NDArray[np.int32]
    colours: NDArray[np.uint64]


def new_world(reaches: dict[str, int], **fixed: Any) -> World:
    """Empty tables. reaches: how many hops, entities, relations, pairings and facts there may be."""
    hops, entities, relations, pairings, facts = reaches.values()
    tables: dict[str, Any] = {name: np.empty(hops, np.int32) for name in BY_STEP}
    names: dict[str, Any] = {"entities": entities, "relations": relations, "pairings": pairings}
    tables["where"] = np.empty(entities * (relations + pairings * entities), np.int32)
    tables["facts"] = np.empty((facts, FACT), np.int32)
    tables["stack"] = np.empty(entities + hops + facts, np.int32)
    tables["colours"] = np.empty((2, entities + relations + pairings), np.uint64)
    return World(shape=np.empty(HEADER, np.int32), **names, **fixed, **tables)


@kernel
def place_of(world: World, kind: int, relation: int, left: int, right: int) -> int:
    """The place in `where` of a relation and an entity, or of a pairing and two; -1 if there are none."""
    n = world.entities
    if relation < 0 or not 0 <= left < n or relation >= (world.pairings if kind == JOIN else world.relations):
        return int64(-1)
    if kind == HOP:
        return int64(relation) * n + left
    return (int64(world.relations) + relation * n + left) * n + right if 0 <= right < n else int64(-1)


@kernel
def fact_about(world: World, kind: int, relation: int, left: int, right: int) -> int:
    """The number of a fact, or -1."""
    place = place_of(world, kind, relation, left, right)
    return int64(world.where[place]) if place >= 0 else int64(-1)


@kernel
def add(world: World, number: int, fact: Integers) -> None:
    """Take a fact in."""
    for c in range(FACT):
        world.facts[number, c] = fact[c]
    world.where[place_of(world, fact[0], fact[1], fact[2], fact[3])] = number


@kernel
def number_of(world: World, kind: int, relation: int) -> int:
    """A relation or a pairing as a step's row has it: pairings come after relations."""
    return relation + (world.relations if kind == JOIN else 0)


@kernel
def value_of(values: Integers, operand: int) -> int:
    """The entity that an operand is, -1 where it has none (yet)."""
    return int64(values[-2 - operand]) if operand < NONE else int64(operand)


@problems.implements(problems.load, World)
def load(world: World, problem: Integers) -> None:
    """The question and its facts, and what each step comes to."""
    for h in range(HEADER):
        world.shape[h] = problem[h]
    world.where[:] = -1
    world.known[:] = -1
    steps, at = problem[0], HEADER + STEP * problem[0]
    for f in range(problem[4]):
        add(world, f, problem[at + FACT * f : at + FACT * (f + 1)])
    for k in range(steps):
        at = HEADER + STEP * k
        world.kind[k], world.relation[k] = problem[at], problem[at + 1]
        world.left[k], world.right[k] = problem[at + 2], problem[at + 3]
        fact = fact_of(world, k, world.truth)
        world.truth[k] = world.facts[fact, 4] if fact >= 0 else -1
        world.depth[k] = 1
        for operand in (world.left[k], world.right[k]):
            if operand < NONE:
                world.depth[k] = max(world.depth[k], 1 + world.depth[-2 - operand])


@kernel
def fact_of(world: World, k: int, values: Integers) -> int:
    """The fact that answers a step whose operands have these values, or -1."""
    left, right = value_of(values, world.left[k]), value_of(values, world.right[k])
    return fact_about(world, world.kind[k], world.relation[k], left, right)


@problems.implements(problems.fault, World)
def fault(world: World, row: Integers) -> int:
    """Is the step's fact given, about what its operands were derived to be?"""
    k = row[1]
    if k < 0 or k >= world.shape[0]:
        return R.not_given
    if row[0] != world.kind[k] or row[2] != number_of(world, world.kind[k], world.relation[k]):
        return R.wrong_rule
    left, right = value_of(world.known, world.left[k]), value_of(world.known, world.right[k])
    if left < 0 or (world.kind[k] == JOIN and right < 0):
        return R.premise_missing
    if row[3] != left or row[4] != right:
        return R.wrong_premise
    fact = fact_of(world, k, world.known)
    if fact < 0:
        return R.not_given
    return R.ok if row[5] == world.facts[fact, 4] else R.wrong_conclusion


@problems.implements(problems.flaw, World)
def flaw(world: World, row: Integers) -> int:
    """Each step once."""
    return R.repeated if world.known[row[1]] >= 0 else R.ok


@problems.implements(problems.learn, World)
def learn(world: World, row: Integers) -> None:
    """What the step comes to is known from here on."""
    world.known[row[1]] = row[5]


@problems.implements(problems.answered, World)
def answered(world: World) -> bool:
    """Is the last step known, which is the whole question?"""
    return world.known[world.shape[0] - 1] >= 0


@problems.implements(problems.follows, World)
def follows(world: World, solution: Integers, count: int) -> bool:
    """Is the solution the entity that was derived?"""
    return count == 1 and solution[0, 1] == world.known[world.shape[0] - 1]


@problems.implements(problems.solution_fault, World)
def solution_fault(world: World, solution: Integers, count: int) -> tuple[int, bool]:
    """One entity, the right one."""
    if count > 1:
        return R.too_much, False
    return (R.ok if solution[0, 1] == world.truth[world.shape[0] - 1] else R.wrong_answer), True


@problems.implements(problems.rests_on, World)
def rests_on(world: World, solution: Integers, count: int, row: Integers) -> int:
    """A step: the question needs all."""
    return int64(row[1]) if 0 <= row[1] < world.shape[0] else int64(-1)


@problems.implements(problems.premises, World)
def premises(world: World, row: Integers, out: Integers) -> int:
    """The steps among its operands."""
    k, count = int64(row[1]), 0
    if not 0 <= k < world.shape[0]:
        return 0
    for operand in (world.left[k], world.right[k]):
        if operand < NONE:
            out[count] = -2 - operand
            count += 1
    return count


@problems.implements(problems.concludes, World)
def concludes(world: World, row: Integers) -> bool:
    """The last step is answered."""
    return row[1] == world.shape[0] - 1
