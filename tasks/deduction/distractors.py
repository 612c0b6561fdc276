"""Facts and rules beside the towers that prove nothing about the query."""

from __future__ import annotations

from tracelab.core.arrays import Random
from tracelab.core.jit import kernel
from tracelab.core.rng import below
from tracelab.tasks.deduction.rules import AND, Theory
from tracelab.tasks.deduction.towers import add_premise, add_rule, another, fresh, give, literal_of


@kernel
def distract(theory: Theory, random: Random, nodes: int, tower: int, entity: int) -> None:
    """Add a distractor of one of three kinds, near a tower about an entity."""
    if below(random, 3) == 0:
        stray_fact(theory, random, nodes, tower, entity)
    elif below(random, 2):
        lead_away(theory, random, nodes, tower, entity)
    else:
        false_lead(theory, random, nodes, tower, entity)


@kernel
def node_where(theory: Theory, random: Random, nodes: int, inner: bool) -> int:
    """A random node with a rule (inner) or of a base fact."""
    while True:
        n = below(random, nodes)
        level = theory.draws.level[n]
        if (inner and level > 0) or (not inner and level == 0):
            return n


@kernel
def stray_fact(theory: Theory, random: Random, nodes: int, tower: int, entity: int) -> None:
    """A base fact of another entity or, where there is none or that is given, of an atom that nothing else
    mentions. Which entity that is about does not tell for which tower more was given.
    """
    if theory.entities > 1:
        n = node_where(theory, random, nodes, False)
        if give(theory, literal_of(theory, tower * nodes + n, 0), another(theory, random, entity)):
            return
        entity = below(random, theory.entities)
    give(theory, fresh(theory), entity)


@kernel
def lead_away(theory: Theory, random: Random, nodes: int, tower: int, entity: int) -> None:
    """A rule from a tower to what no other rule asks for."""
    rule = add_rule(theory, random, AND, fresh(theory), entity)
    inner = below(random, 2) == 1
    n = node_where(theory, random, nodes, inner)
    add_premise(theory, random, rule, literal_of(theory, tower * nodes + n, 0))
    if theory.draws.conjunction and theory.draws.width > 1 and below(random, 2):
        other = node_where(theory, random, nodes, not inner)
        add_premise(theory, random, rule, literal_of(theory, tower * nodes + other, 0))


@kernel
def false_lead(theory: Theory, random: Random, nodes: int, tower: int, entity: int) -> None:
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
