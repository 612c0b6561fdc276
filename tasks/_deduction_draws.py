"""Problems of deduction: two towers of rules of one shape, of which one lacks a base fact.

The query is the top of either with equal chance, and whatever else is drawn (labels, atoms, signs, order,
distractors) treats both alike. So nothing tells the answer but following the rules down to the facts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.jit import kernel
from tracelab.core.rng import below, shuffle
from tracelab.search import derivation
from tracelab.tasks._deduction_rules import AND, EVERY, FACT, HEADER, OR, PREMISES, RULE, Theory


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
    """For towers of so many levels, rules of so many premises, and so many distractors."""
    extras = high * (width - 1)
    nodes = 1 + high + 2 * extras
    return Limits(nodes, 2 * nodes + 2 * most, 2 * (high + extras) + most, 2 * (1 + extras) + 1 + most)


def new_draws(atoms: int, labels: int, limit: Limits, **knobs: int) -> Draws:
    """Scratch tables for problems within the limits, named from so many atoms and labels."""
    sizes = {"parent": limit.nodes, "level": limit.nodes, "either": limit.nodes, "names": atoms}
    sizes |= {"flips": atoms, "labels": labels}
    tables = {name: np.empty(size, np.int32) for name, size in sizes.items()}
    tables |= {"facts": np.empty((limit.facts, FACT), np.int32)}
    tables |= {"rules": np.empty((limit.rules, RULE), np.int32), "used": np.empty(3, np.int32)}
    return Draws(**knobs, **tables)  # type: ignore[arg-type]


@derivation.implements(derivation.draw, Theory)
def draw(theory, random, problem):  # type: ignore[no-untyped-def]
    """Draw a problem -> its integers."""
    draws = theory.draws
    depth = draws.low + below(random, draws.high - draws.low + 1)
    nodes = shape_tower(draws, random, depth)
    name_all(theory, random)
    draws.used[0] = draws.used[1] = 0  # facts, rules
    draws.used[2] = 2 * nodes  # atoms: those of the towers come first
    dead, asked = below(random, 2), below(random, 2)
    about = below(random, theory.entities), below(random, theory.entities)
    raise_towers(theory, random, nodes, dead, about)
    for _ in range(draws.fewest + below(random, draws.most - draws.fewest + 1)):
        tower = below(random, 2)
        if below(random, 3) == 0:
            stray_fact(theory, random, nodes, tower, about[tower])
        elif below(random, 2):
            lead_away(theory, random, nodes, tower, about[tower])
        else:
            false_lead(theory, random, nodes, tower, about[tower])
    top = literal_of(theory, asked * nodes, 0)
    return store(theory, random, problem, depth, top, about[asked])


@kernel
def shape_tower(draws, random, depth):  # type: ignore[no-untyped-def]
    """Nodes with their parents and levels, the top first -> how many. A rule has the node of the next
    level down among its premises; beside it an `and` has facts or what one rule gives, an `or` what
    nothing gives.
    """
    draws.parent[0], draws.level[0], count, top = -1, depth, 1, 0
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
def name_all(theory, random):  # type: ignore[no-untyped-def]
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
def literal_of(theory, atom, opposite):  # type: ignore[no-untyped-def]
    """The literal by which atom number `atom` is used in this problem, or its opposite."""
    draws = theory.draws
    return theory.signs * draws.names[atom] + (draws.flips[atom] ^ opposite)


@kernel
def fresh(theory):  # type: ignore[no-untyped-def]
    """The literal of an atom that is not used yet."""
    theory.draws.used[2] += 1
    return literal_of(theory, theory.draws.used[2] - 1, 0)


@kernel
def give(theory, literal, entity):  # type: ignore[no-untyped-def]
    """Add a fact, unless it is there."""
    facts, used = theory.draws.facts, theory.draws.used
    for f in range(used[0]):
        if facts[f, 0] == literal and facts[f, 1] == entity:
            return
    facts[used[0], 0], facts[used[0], 1] = literal, entity
    used[0] += 1


@kernel
def add_rule(theory, random, kind, conclusion, entity):  # type: ignore[no-untyped-def]
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
def add_premise(theory, random, rule, literal):  # type: ignore[no-untyped-def]
    """Add a premise at a random place among those that are there."""
    row = theory.draws.rules[rule]
    size = 0
    while row[4 + size] >= 0:
        size += 1
    place = below(random, size + 1)
    row[4 + size], row[4 + place] = row[4 + place], literal


@kernel
def raise_towers(theory, random, nodes, dead, about):  # type: ignore[no-untyped-def]
    """Rules and base facts of both; tower `dead` lacks one fact. It is given of the opposite, or of
    another entity, where there are such and the coin says so.
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
                rule = add_rule(theory, random, draws.either[n], literal, about[tower])
                for child in range(n + 1, nodes):
                    if draws.parent[child] == n:
                        add_premise(theory, random, rule, literal_of(theory, tower * nodes + child, 0))
            elif draws.level[n] == 0:
                if tower != dead or base != missing:
                    give(theory, literal, about[tower])
                elif theory.signs == 2 and below(random, 2):
                    give(theory, literal_of(theory, tower * nodes + n, 1), about[tower])
                elif theory.entities > 1 and below(random, 2):
                    give(theory, literal, another(theory, random, about[tower]))
                base += 1


@kernel
def another(theory, random, entity):  # type: ignore[no-untyped-def]
    """Another entity."""
    return (entity + 1 + below(random, theory.entities - 1)) % theory.entities


@kernel
def node_where(theory, random, nodes, inner):  # type: ignore[no-untyped-def]
    """A random node with a rule (inner) or of a base fact."""
    while True:
        n = below(random, nodes)
        level = theory.draws.level[n]
        if (inner and level > 0) or (not inner and level == 0):
            return n


@kernel
def stray_fact(theory, random, nodes, tower, entity):  # type: ignore[no-untyped-def]
    """A base fact of another entity, or of an atom that nothing else mentions."""
    if theory.entities > 1:
        n = node_where(theory, random, nodes, False)
        give(theory, literal_of(theory, tower * nodes + n, 0), another(theory, random, entity))
    else:
        give(theory, fresh(theory), entity)


@kernel
def lead_away(theory, random, nodes, tower, entity):  # type: ignore[no-untyped-def]
    """A rule from a tower to what no other rule asks for."""
    rule = add_rule(theory, random, AND, fresh(theory), entity)
    inner = below(random, 2) == 1
    n = node_where(theory, random, nodes, inner)
    add_premise(theory, random, rule, literal_of(theory, tower * nodes + n, 0))
    if theory.draws.conjunction and theory.draws.width > 1 and below(random, 2):
        other = node_where(theory, random, nodes, not inner)
        add_premise(theory, random, rule, literal_of(theory, tower * nodes + other, 0))


@kernel
def false_lead(theory, random, nodes, tower, entity):  # type: ignore[no-untyped-def]
    """A rule for a node of a tower, from what is never given: a new atom, or an inner node's opposite."""
    inner = below(random, 2) == 1
    n = node_where(theory, random, nodes, inner)
    rule = add_rule(theory, random, AND, literal_of(theory, tower * nodes + n, 0), entity)
    opposite = node_where(theory, random, nodes, True)
    if theory.signs == 2 and opposite != n and below(random, 2):
        add_premise(theory, random, rule, literal_of(theory, tower * nodes + opposite, 1))
    else:
        add_premise(theory, random, rule, fresh(theory))
    if inner and theory.draws.conjunction and theory.draws.width > 1 and below(random, 2):
        base = node_where(theory, random, nodes, False)
        add_premise(theory, random, rule, literal_of(theory, tower * nodes + base, 0))


@kernel
def store(theory, random, problem, depth, top, entity):  # type: ignore[no-untyped-def]
    """Facts and rules in random order -> the problem's integers."""
    draws, order = theory.draws, theory.order
    facts, rules = draws.used[0], draws.used[1]
    problem[0], problem[1], problem[4] = rules, facts, depth
    problem[5], problem[6] = top, entity
    highest, at = top, HEADER
    for f in range(facts):
        order[f] = f
    shuffle(random, order[:facts])
    for f in order[:facts]:
        problem[at], problem[at + 1] = draws.facts[f, 0], draws.facts[f, 1]
        highest, at = max(highest, draws.facts[f, 0]), at + FACT
    for r in range(rules):
        order[r] = r
    shuffle(random, order[:rules])
    for k in range(rules):
        row = draws.rules[order[k]]
        row[0] = draws.labels[k]
        for c in range(RULE):
            problem[at + c] = row[c]
        for c in range(3, 4 + PREMISES):
            highest = max(highest, row[c])
        at += RULE
    problem[2], problem[3] = highest // theory.signs + 1, theory.entities
    return at
