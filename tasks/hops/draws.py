"""Drawing a question with the facts that it needs, and others; which problems are the same."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, Words, int64
from tracelab.core.jit import kernel, wrapping
from tracelab.core.rng import below, mix64, shuffle
from tracelab.search.derivation import problem as problems
from tracelab.tasks.hops.world import (
    FACT,
    HEADER,
    HOP,
    JOIN,
    NONE,
    STEP,
    World,
    add,
    fact_about,
    number_of,
    place_of,
    value_of,
)

CHAIN, BRIDGE, CONVERGING = range(3)
MOTIFS = ("chain", "bridge", "converging")
TRIES = 1000  # draws of a fact that is not there yet
ROUNDS = 6  # of refining colours
LEFT, RIGHT, GIVEN = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03, 0xA0761D6478BD642F


class Draws(NamedTuple):
    """What is drawn: ranges (both ends) of steps and of facts that no step needs, how many entities,
    relations and pairings there are, and which of the motifs.
    """

    fewest: int
    most: int
    fewest_distractors: int
    most_distractors: int
    entities: int
    relations: int
    pairings: int
    motifs: NDArray[np.int32]


@problems.implements(problems.draw, World)
def draw(world: World, random: Random, problem: Integers) -> int:
    """Draw a question whose entities all differ, then distractors -> how many integers, or 0.

    Distractors answer the same question about other entities, as often as there is room; the last time from
    its middle on. So neither what the last relation gives, nor what it gives of a result of the one before,
    is the answer more often than one of those others.
    """
    draws, names = world.draws, world.stack
    hops = draws.fewest + below(random, draws.most - draws.fewest + 1)
    spread = draws.most_distractors - draws.fewest_distractors + 1
    count = hops + draws.fewest_distractors + below(random, spread)
    for e in range(draws.entities):
        names[e] = e
    shuffle(random, names[: draws.entities])
    world.where[:] = -1
    form(world, draws.motifs[below(random, len(draws.motifs))] if hops > 2 else CHAIN, hops)
    used = ask(world, random, hops)
    problem[0], problem[4], known, before = hops, count, hops, 0
    for k in range(hops):
        at = HEADER + STEP * k
        problem[at], problem[at + 1] = world.kind[k], world.relation[k]
        problem[at + 2], problem[at + 3] = world.left[k], world.right[k]
    while before < known < count:
        before = known
        known = decoy(world, random, used, hops, max(0, hops + known - count), known)
    return write(world, random, count, problem) if fill(world, random, known, count) else 0


@kernel
def form(world: World, motif: int, hops: int) -> None:
    """Lay out a question's steps by its motif, the entities left open (NONE)."""
    for k in range(hops):
        world.kind[k], world.left[k], world.right[k] = HOP, -1 - k if k > 0 else NONE, NONE
    if motif == BRIDGE:  # a chain, and a step beside it, meet in the last
        world.left[hops - 2], world.kind[hops - 1] = NONE, JOIN
        world.left[hops - 1], world.right[hops - 1] = -2 - (hops - 3), -2 - (hops - 2)
    if motif == CONVERGING:  # the first two steps meet in the third
        world.left[1], world.kind[2] = NONE, JOIN
        world.left[2], world.right[2] = -2, -3


@kernel
def ask(world: World, random: Random, hops: int) -> int:
    """Draw a question's relations and the facts that it needs -> how many entities: none twice, in the order
    of `stack`.
    """
    draws, used = world.draws, 0
    for k in range(hops):
        world.relation[k] = below(random, draws.pairings if world.kind[k] == JOIN else draws.relations)
        if world.left[k] == NONE:
            world.left[k] = world.stack[used]
            used += 1
        left, right = value_of(world.truth, world.left[k]), value_of(world.truth, world.right[k])
        state(world, k, k, left, right, world.stack[used])
        used += 1
    return used


@kernel
def state(world: World, k: int, number: int, left: int, right: int, given: int) -> None:
    """Take in fact `number`: what step k's relation or pairing gives of entities. Step k comes to that."""
    fact = world.facts[number]
    fact[0], fact[1], fact[2], fact[3], fact[4] = world.kind[k], world.relation[k], left, right, given
    world.where[place_of(world, fact[0], fact[1], left, right)] = number
    world.truth[k] = given


@kernel
def decoy(world: World, random: Random, used: int, hops: int, first: int, count: int) -> int:
    """Add facts that answer the question's steps from `first` on, of other entities -> how many there are.

    Half of the others are the question's `used` own, of which more than one thing is said then. Less is added
    where chance leads into a chain that is there, for that would give its answer again.
    """
    answer = world.facts[hops - 1, 4]
    for k in range(first, hops):
        left, right = NONE, NONE
        for _ in range(TRIES):
            left = operand_of(world, random, used, world.left[k], first)
            right = operand_of(world, random, used, world.right[k], first)
            if fact_about(world, world.kind[k], world.relation[k], left, right) < 0:
                break
        if fact_about(world, world.kind[k], world.relation[k], left, right) >= 0:
            return count
        given = entity(world, random, used)
        for _ in range(TRIES):
            if not leads_on(world, hops, k, given) and (k < hops - 1 or given != answer):
                break
            given = entity(world, random, used)
        state(world, k, count, left, right, given)
        count += 1
    return count


@kernel
def entity(world: World, random: Random, used: int) -> int:
    """Any entity or, as often, one of the `used` that the question comes to or names."""
    return int64(
        world.stack[below(random, used)] if below(random, 2) else below(random, world.draws.entities)
    )


@kernel
def operand_of(world: World, random: Random, used: int, operand: int, first: int) -> int:
    """What an operand is in a decoy: the result of a step from `first` on, any entity, or NONE."""
    if operand == NONE:
        return int64(NONE)
    if operand < NONE and -2 - operand >= first:
        return int64(world.truth[-2 - operand])
    return int64(entity(world, random, used))


@kernel
def leads_on(world: World, hops: int, k: int, given: int) -> bool:
    """Does a fact say already what the step after step k gives of an entity?"""
    if k + 1 == hops or world.kind[k + 1] == JOIN or world.left[k + 1] != -2 - k:
        return False
    return fact_about(world, HOP, world.relation[k + 1], given, NONE) >= 0


@kernel
def fill(world: World, random: Random, count: int, most: int) -> bool:
    """Draw facts until there are so many -> are there?"""
    draws = world.draws
    for _ in range(TRIES):
        if count == most:
            return True
        fact = world.facts[count]
        relation = below(random, draws.relations + draws.pairings)
        fact[0] = relation >= draws.relations
        fact[1] = relation - draws.relations if fact[0] == JOIN else relation
        fact[2], fact[4] = below(random, draws.entities), below(random, draws.entities)
        fact[3] = below(random, draws.entities) if fact[0] == JOIN else NONE
        if fact_about(world, fact[0], fact[1], fact[2], fact[3]) < 0:
            add(world, count, fact)
            count += 1
    return count == most


@kernel
def write(world: World, random: Random, count: int, problem: Integers) -> int:
    """Write the facts in random order, and what is in use -> how many integers."""
    order, at = world.stack[:count], HEADER + STEP * problem[0]
    for f in range(count):
        order[f] = f
    shuffle(random, order)
    problem[1] = problem[2] = problem[3] = 0
    for f in range(count):
        fact = world.facts[order[f]]
        for c in range(FACT):
            problem[at + c] = fact[c]
        problem[1] = max(problem[1], max(fact[2], max(fact[3], fact[4])) + 1)
        problem[2 + fact[0]] = max(problem[2 + fact[0]], fact[1] + 1)
        at += FACT
    return at


@problems.implements(problems.identity, World)
@wrapping
def identity(world: World) -> np.uint64:
    """Equal under other names and another order of the facts: colours of what has a name, refined by the
    facts that it stands in (Weisfeiler and Leman 1968).
    """
    now, new, whole = world.colours[0], world.colours[1], np.uint64(0)
    now[:] = np.uint64(1)
    for k in range(world.shape[0]):
        tag = mix64(np.uint64(k + 2))
        whole = mix64(whole ^ tag) + np.uint64(world.kind[k])
        now[name_of(world, world.kind[k], world.relation[k])] += tag
        for operand in (world.left[k], world.right[k]):
            whole = mix64(whole) + np.uint64(-min(operand, 0))
            if operand >= 0:
                now[operand] += mix64(tag)
    for _ in range(ROUNDS):
        for n in range(len(now)):
            new[n] = now[n] * np.uint64(3)
        for f in range(world.shape[4]):
            spread(world, world.facts[f], now, new)
        for n in range(len(now)):
            now[n] = mix64(new[n])
    for f in range(world.shape[4]):
        whole += mix64(colour_of(world, world.facts[f], now))
    return mix64(whole)


@kernel
def name_of(world: World, kind: int, relation: int) -> int:
    """The place of a relation or a pairing among colours: entities come first."""
    return world.entities + number_of(world, kind, relation)


@kernel
@wrapping
def colour_of(world: World, fact: Integers, now: Words) -> np.uint64:
    """A fact's colour, by its names'."""
    own = mix64(now[name_of(world, fact[0], fact[1])]) + mix64(now[fact[2]] ^ np.uint64(LEFT))
    if fact[0] == JOIN:
        own += mix64(now[fact[3]] ^ np.uint64(RIGHT))
    return mix64(own + mix64(now[fact[4]] ^ np.uint64(GIVEN)))


@kernel
@wrapping
def spread(world: World, fact: Integers, now: Words, new: Words) -> None:
    """Add a fact's colour to those of its names."""
    own = colour_of(world, fact, now)
    new[name_of(world, fact[0], fact[1])] += own
    new[fact[2]] += mix64(own ^ np.uint64(LEFT))
    if fact[0] == JOIN:
        new[fact[3]] += mix64(own ^ np.uint64(RIGHT))
    new[fact[4]] += mix64(own ^ np.uint64(GIVEN))
