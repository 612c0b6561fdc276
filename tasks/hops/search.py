"""Forward and backward answering, recorded; the entity that they find."""

from __future__ import annotations

from tracelab.core.arrays import Integers, Random
from tracelab.core.jit import kernel
from tracelab.core.rng import below
from tracelab.search.derivation import problem as problems
from tracelab.tasks.hops.world import NONE, World, fact_of, number_of, value_of

FORWARD, BACKWARD = range(2)
SOLVERS = ("forward", "backward")
FIRST, RANDOM = range(2)
TIE_BREAKS = ("first", "random")
MEASURES = ("facts", "hops", "depth", "starts")


@problems.implements(problems.solve, World)
def solve(world: World, random: Random, rows: Integers) -> int:
    """Answer the steps, operands first -> how many.

    Steps are numbered as one meets them down from the question, left before right: backward is their order.
    """
    for count in range(world.shape[0]):
        record(world, count if world.solver == BACKWARD else ready(world, random), rows[count])
    return world.shape[0]


@kernel
def ready(world: World, random: Random) -> int:
    """A step whose operands are known: that whose fact stands first in the prompt, or a random one."""
    count, first = 0, -1
    for k in range(world.shape[0]):
        if world.known[k] < 0 and is_ready(world, k):
            world.stack[count] = k
            count += 1
            if first < 0 or fact_of(world, k, world.known) < fact_of(world, first, world.known):
                first = k
    return world.stack[below(random, count)] if world.tie_break == RANDOM else first


@kernel
def is_ready(world: World, k: int) -> bool:
    """Are a step's operands known?"""
    for operand in (world.left[k], world.right[k]):
        if operand < NONE and world.known[-2 - operand] < 0:
            return False
    return True


@kernel
def record(world: World, k: int, row: Integers) -> None:
    """Write a step, and know it."""
    row[0], row[1] = world.kind[k], k
    row[2] = number_of(world, world.kind[k], world.relation[k])
    row[3], row[4] = value_of(world.known, world.left[k]), value_of(world.known, world.right[k])
    row[5] = world.known[k] = world.facts[fact_of(world, k, world.known), 4]


@problems.implements(problems.aside, World)
def aside(world: World, random: Random, row: Integers) -> bool:
    """There is none: steps are the question's, and it needs all."""
    return False


@problems.implements(problems.write_solution, World)
def write_solution(world: World, rows: Integers) -> int:
    """Write the entity that is asked for -> how many rows: one."""
    rows[0, 0], rows[0, 1] = 0, world.truth[world.shape[0] - 1]
    return 1


@problems.implements(problems.measure, World)
def measure(world: World, rows: Integers, out: Integers) -> None:
    """Write the complexity measures of the loaded problem, in the order of MEASURES."""
    out[0], out[1], out[2] = world.shape[4], len(rows), world.depth[world.shape[0] - 1]
    out[3] = 0
    for k in range(world.shape[0]):
        out[3] += int(world.left[k] >= 0) + int(world.right[k] >= 0)
