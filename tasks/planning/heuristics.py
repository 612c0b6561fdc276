"""Lower bounds on the length of a plan, all consistent.

goals       how many things are not where they are to be: an action moves one
misplaced   what misplaced things need. A block is misplaced if it, or one that it stands on, has to go
            elsewhere: it is picked up and set down (Gupta and Nau 1992). A package is loaded and unloaded
            for each vehicle on its way, and a vehicle has to come to each place on the way where none is
"""

from __future__ import annotations

from tracelab.core.arrays import Integers, int64
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel
from tracelab.tasks.planning.world import (
    AIRPORT,
    BLOCKSWORLD,
    CITY,
    DOMAIN,
    GOAL,
    HUB,
    LOCATIONS,
    PLANES,
    THINGS,
    TRUCKS,
    World,
)

HEURISTICS = ("misplaced", "goals", "none")
MISPLACED, GOALS, NONE = range(3)


@kernel
def estimate(world: World, places: Integers, heuristic: int) -> int:
    """A lower bound on the actions that bring all things to where they are to be."""
    total, rules, goal = 0, world.rules, world.places[GOAL]
    if heuristic == GOALS:
        for k in range(rules[THINGS]):
            total += goal[k] != ABSENT and goal[k] != places[k]
    elif heuristic == MISPLACED and rules[DOMAIN] == BLOCKSWORLD:
        for k in range(rules[THINGS]):
            total += of_block(places, goal, rules[THINGS], k)
    elif heuristic == MISPLACED:
        total = of_packages(world, places, goal)
    return total


@kernel
def of_block(places: Integers, goal: Integers, count: int, block: int) -> int:
    """How often a block must be picked up and set down: it has to be set down only if it has a goal."""
    if places[block] == count + 1:
        return int(goal[block] != ABSENT)
    at = block
    while at < count:
        if goal[at] != ABSENT and goal[at] != places[at]:
            return 2 if goal[block] != ABSENT else 1
        at = places[at]
    return 0


@kernel
def of_packages(world: World, places: Integers, goal: Integers) -> int:
    """Loadings and unloadings, and places to which a truck or an airplane has to come."""
    rules = world.rules
    total, things = 0, rules[THINGS]
    vehicles = rules[TRUCKS] + rules[PLANES]
    by_truck, by_plane = int64(0), int64(0)
    for k in range(vehicles):
        if goal[k] != ABSENT and k < rules[TRUCKS]:
            by_truck |= int64(1) << goal[k]
        elif goal[k] != ABSENT:
            by_plane |= int64(1) << goal[k]
    for k in range(vehicles, things):
        if goal[k] != ABSENT and goal[k] != places[k]:
            total += handled(world, places, places[k], goal[k])
            roads, flights = stops(world, places, places[k], goal[k])
            by_truck, by_plane = by_truck | roads, by_plane | flights
    for k in range(vehicles):
        if k < rules[TRUCKS]:
            by_truck &= ~(int64(1) << places[k])
        else:
            by_plane &= ~(int64(1) << places[k])
    for place in range(things, things + rules[LOCATIONS]):
        total += (by_truck >> place & 1) + (by_plane >> place & 1)
    return total


@kernel
def handled(world: World, places: Integers, at: int, goal: int) -> int:
    """How often a package that is not at its goal must be loaded and unloaded."""
    rules, about = world.rules, world.about
    last = 0 if about[AIRPORT, goal] == 1 else 2  # the truck in the goal's city
    if rules[TRUCKS] <= at < rules[THINGS]:
        return 1 + last
    in_truck = at < rules[TRUCKS]
    place = places[at] if in_truck else at
    if about[CITY, place] == about[CITY, goal]:
        return 1 if in_truck else 2
    first = 1 if in_truck else 0 if about[AIRPORT, place] == 1 else 2
    return first + 2 + last


@kernel
def stops(world: World, places: Integers, at: int, goal: int) -> tuple[int, int]:
    """-> where a truck must be to bring a package to its goal, and where an airplane: bits of locations.

    Of cities with one airport; where there are several, the way is not known, and nothing is said of it.
    """
    rules, about, one = world.rules, world.about, int64(1)
    roads, flights, hub = int64(0), int64(0), about[HUB, goal]
    in_truck = at < rules[TRUCKS]
    place = places[at] if at < rules[THINGS] else at
    flown = rules[TRUCKS] <= at < rules[THINGS]
    if not flown and about[CITY, place] == about[CITY, goal]:
        if about[HUB, goal] >= 0:
            roads |= one << goal
            roads |= int64(0) if in_truck else one << place
        return roads, flights
    if hub >= 0:
        flights |= one << hub
        roads |= int64(0) if hub == goal else (one << hub) | (one << goal)
    port = about[HUB, place]
    if not flown and port >= 0:
        flights |= one << port
        if in_truck or port != place:
            roads |= (one << port) | (int64(0) if in_truck else one << place)
    return roads, flights
