"""Problems of deduction: two towers of rules of one shape, of which one lacks a base fact.

The query is the top of either with equal chance, and whatever else is drawn (labels, atoms, signs, order,
distractors) treats both alike. So nothing tells the answer but following the rules down to the facts.
"""

from __future__ import annotations

from tracelab.core.arrays import Integers, Random
from tracelab.core.jit import kernel
from tracelab.core.rng import below, shuffle
from tracelab.search.derivation import problem as problems
from tracelab.tasks.deduction.distractors import distract
from tracelab.tasks.deduction.rules import FACT, HEADER, PREMISES, RULE, Theory
from tracelab.tasks.deduction.towers import literal_of, name_all, raise_towers, shape_tower


@problems.implements(problems.draw, Theory)
def draw(theory: Theory, random: Random, problem: Integers) -> int:
    """Draw a problem -> its integers."""
    draws = theory.draws
    depth = draws.low + below(random, draws.high - draws.low + 1)
    nodes = shape_tower(draws, random, depth)
    name_all(theory, random)
    draws.used[0] = draws.used[1] = 0  # facts, rules
    draws.used[2] = 2 * nodes  # atoms: those of the towers come first
    dead, asked = below(random, 2), below(random, 2)
    # one entity for both towers: of two, the one with more facts would be that of the whole tower
    entity, _ = below(random, theory.entities), below(random, theory.entities)  # as problems have been drawn
    raise_towers(theory, random, nodes, dead, entity)
    for _ in range(draws.fewest + below(random, draws.most - draws.fewest + 1)):
        tower = below(random, 2)
        distract(theory, random, nodes, tower, entity)
    top = literal_of(theory, asked * nodes, 0)
    return store(theory, random, problem, depth, top, entity)


@kernel
def store(theory: Theory, random: Random, problem: Integers, depth: int, top: int, entity: int) -> int:
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
