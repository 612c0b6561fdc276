"""Two towers of rules of one shape, of which one lacks a base fact: tables, names, rules and facts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Random
from tracelab.core.jit import kernel
from tracelab.core.rng import below, shuffle
from tracelab.tasks.deduction.rules import AND, EVERY, FACT, OR, RULE, Theory


class Draws(NamedTuple):
    """What is drawn, and scratch tables.

    low, high: levels of a tower; width: premises of a rule at most; conjunction, disjunction: are there
    such rules?; fewest, most: distractors. By node of a tower: parent, level, -1 where it is never given.
    names, flips: atoms and signs, drawn; labels; facts, rules: what the problem consists of.
    """

    low: int
    high: int
    width: int
    conjunction: bool
    disjunction: bool
    fewest: int
    most: int
    parent: NDArray[np.int32]
    level: NDArray[np.int32]
    either: NDArray[np.int32]
    names: NDArray[np.int32]
    flips: NDArray[np.int32]
    labels: NDArray[np.int32]
    facts: NDArray[np.int32]
    rules: NDArray[np.int32]
    used: NDArray[np.int32]


class Limits(NamedTuple):
    """The most of each that a problem can have."""

    nodes: int
    atoms: int
    rules: int
    facts: int


def limits(high: int, width: int, most: int) -> Limits:
    """Limits of problems with towers of so many levels, rules of so many premises, so many distractors."""
    extras = high * (width - 1)
    nodes = 1 + high + 2 * extras
    return Limits(nodes, 2 * nodes + 2 * most, 2 * (high + extras) + most, 2 * (1 + extras) + 1 + most)


def new_draws(atoms: int, labels: int, limit: Limits, **knobs: Any) -> Draws:
    """Scratch tables for problems within the limits, named from so many atoms and labels."""
    sizes = {"parent": limit.nodes, "level": limit.nodes, "either": limit.nodes, "names": atoms}
    sizes |= {"flips": atoms, "labels": labels}
    tables: dict[str, Any] = {name: np.empty(size, np.int32) for name, size in sizes.items()}
    tables |= {"facts": np.empty((limit.facts, FACT), np.int32)}
    tables |= {"rules": np.empty((limit.rules, RULE), np.int32), "used": np.empty(3, np.int32)}
    return Draws(**knobs, **tables)


@kernel
def shape_tower(draws: Draws, random: Random, depth: int) -> int:
    """Nodes with their parents and levels, the top first -> how many. A rule has the node of the next
    level down among its premises; beside it an `and` has facts or what one rule gives, an `or` what
    nothing gives.
    """
    draws.parent[0], draws.level[0] = -1, depth
    count, top = 1, 0
    for level in range(depth, 0, -1):
        premises = 1 + below(random, draws.width)
        either = draws.disjunction and (not draws.conjunction or below(random, 2) == 1)
        draws.either[top] = OR if either and premises > 1 else AND
        here = top
        for k in range(premises):
            draws.parent[count] = here
            draws.level[count] = level - 1
            if k == 0:
                top = count
            elif either:
                draws.level[count] = -1
            else:
                draws.level[count] = below(random, 2) if level > 1 else 0
                if draws.level[count] == 1:
                    draws.either[count] = AND
                    draws.parent[count + 1], draws.level[count + 1] = count, 0
                    count += 1
            count += 1
    return count


@kernel
def name_all(theory: Theory, random: Random) -> None:
    """Atoms, signs and labels in random order."""
    draws = theory.draws
    for a in range(len(draws.names)):
        draws.names[a] = a
        draws.flips[a] = below(random, theory.signs)
    for a in range(len(draws.labels)):
        draws.labels[a] = a
    shuffle(random, draws.names)
    shuffle(random, draws.labels)


@kernel
def literal_of(theory: Theory, atom: int, opposite: int) -> int:
    """The literal by which atom number `atom` is used in this problem, or its opposite."""
    draws = theory.draws
    return theory.signs * draws.names[atom] + (draws.flips[atom] ^ opposite)


@kernel
def fresh(theory: Theory) -> int:
    """The literal of an atom that is not used yet."""
    theory.draws.used[2] += 1
    return literal_of(theory, theory.draws.used[2] - 1, 0)


@kernel
def give(theory: Theory, literal: int, entity: int) -> bool:
    """Add a fact, unless it is there -> was it added?"""
    facts, used = theory.draws.facts, theory.draws.used
    for f in range(used[0]):
        if facts[f, 0] == literal and facts[f, 1] == entity:
            return False
    facts[used[0], 0], facts[used[0], 1] = literal, entity
    used[0] += 1
    return True


@kernel
def add_rule(theory: Theory, random: Random, kind: int, conclusion: int, entity: int) -> int:
    """Add a rule without premises, of all entities (a coin, where rules can be) or one -> its row."""
    used = theory.draws.used
    row = theory.draws.rules[used[1]]
    row[:] = -1
    row[1], row[2], row[3] = kind, entity, conclusion
    if theory.quantified and below(random, 2):
        row[2] = EVERY
    used[1] += 1
    return used[1] - 1


@kernel
def add_premise(theory: Theory, random: Random, rule: int, literal: int) -> None:
    """Add a premise at a random place among those that are there."""
    row = theory.draws.rules[rule]
    size = 0
    while row[4 + size] >= 0:
        size += 1
    place = below(random, size + 1)
    row[4 + size], row[4 + place] = row[4 + place], literal


@kernel
def raise_towers(theory: Theory, random: Random, nodes: int, dead: int, entity: int) -> None:
    """Rules and base facts of both, about one entity; tower `dead` lacks one fact. It is given of the
    opposite, or of another entity, where there are such and the coin says so.
    """
    draws, bases = theory.draws, 0
    for n in range(nodes):
        bases += draws.level[n] == 0
    missing = below(random, bases)
    for tower in range(2):
        base = 0
        for n in range(nodes):
            literal = literal_of(theory, tower * nodes + n, 0)
            if draws.level[n] > 0:
                rule = add_rule(theory, random, draws.either[n], literal, entity)
                for child in range(n + 1, nodes):
                    if draws.parent[child] == n:
                        add_premise(theory, random, rule, literal_of(theory, tower * nodes + child, 0))
            elif draws.level[n] == 0:
                if tower != dead or base != missing:
                    give(theory, literal, entity)
                elif theory.signs == 2 and below(random, 2):
                    give(theory, literal_of(theory, tower * nodes + n, 1), entity)
                elif theory.entities > 1 and below(random, 2):
                    give(theory, literal, another(theory, random, entity))
                base += 1


@kernel
def another(theory: Theory, random: Random, entity: int) -> int:
    """Another entity."""
    return (entity + 1 + below(random, theory.entities - 1)) % theory.entities
