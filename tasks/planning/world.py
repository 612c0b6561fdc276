"""A planning problem as compiled code knows it: things, where each is, where it is to be, what may be done.

In both domains an action brings one thing to another place, so that a state is the place of each thing:

    blocksworld   a block is on another block, on the table or in the hand
    logistics     a truck or an airplane is at a location; a package is at one, or in a vehicle

Objects have numbers, things first: blocks, or trucks, airplanes and packages; then the locations, or the
table and the hand. Words number them otherwise, by the vocabulary: `names` and `meant` lead there and back.
In a state's 64-bit word each thing's place has five bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, int64
from tracelab.core.jit import kernel, njit
from tracelab.search.best_first.interning import Interned, interning, new_interned

DOMAINS = ("blocksworld", "logistics")
BLOCKSWORLD, LOGISTICS = range(2)
KINDS = ("blocks", "locations", "cities", "trucks", "planes", "packages")
# of a stored problem: its domain and how many there are of each kind; then each location's city, whether it
# has an airport, where each thing is, and where it is to be (ABSENT: anywhere)
DOMAIN, BLOCKS, LOCATIONS, CITIES, TRUCKS, PLANES, PACKAGES, HEADER = range(8)
THINGS, HEURISTIC, NAMED, ROOT, DEGREE = range(HEADER, HEADER + 5)  # further rules
BITS, MOST_THINGS, MOST_OBJECTS = 5, 12, 32
MOST_MOVES = MOST_THINGS * MOST_OBJECTS
ACTION, THING, TO, FIRST = range(1, 5)  # columns of a row: what is done, to what, with what; then the places
HERE, GOAL, OTHER = range(3)  # rows of World.places
CITY, AIRPORT, HUB = range(3)  # rows of World.about
BLOCK_ACTIONS = ("pick-up", "put-down", "stack", "unstack")
CARRYING = (
    "load-truck", "unload-truck", "drive-truck", "load-airplane", "unload-airplane", "fly-airplane"
)  # fmt: skip
PICK_UP, PUT_DOWN, STACK, UNSTACK = range(4)
LOAD, UNLOAD, DRIVE = range(3)  # of a truck; three more are an airplane's


@interning
class World(NamedTuple):
    """states: those that were met; places: (3, MOST_THINGS) where things are in the state at hand, where they
    are to be, scratch; about: (3, MOST_OBJECTS) of each location its city, is there an airport?, and its
    city's airport, -1 if there is not one alone; names: (MOST_OBJECTS,) each object's word; meant: the object
    of each word, -1 for none; reach: (6,) how many of each of KINDS the vocabulary has; rules: (HEADER + 5,)
    the problem's header, how many things it has, the heuristic, do creations name the state, the start's
    state, the most successors that a state can have.
    """

    states: Interned
    places: NDArray[np.int64]
    about: NDArray[np.int64]
    names: NDArray[np.int64]
    meant: NDArray[np.int64]
    reach: NDArray[np.int64]
    rules: NDArray[np.int64]


@njit
def new_world(capacity: int, reach: Integers, heuristic: int, named: bool, degree: int) -> World:
    """Room for so many states. named: do creations name the state?"""
    rules = np.zeros(HEADER + 5, np.int64)
    rules[HEURISTIC], rules[NAMED], rules[DEGREE] = heuristic, named, degree
    return World(
        new_interned(capacity),
        np.zeros((3, MOST_THINGS), np.int64),
        np.zeros((3, MOST_OBJECTS), np.int64),
        np.zeros(MOST_OBJECTS, np.int64),
        np.full(2 + reach.sum(), -1, np.int64),
        reach.astype(np.int64),
        rules,
    )


@kernel
def word_of(places: Integers, count: int) -> int:
    """A state's 64-bit word."""
    word = int64(0)
    for k in range(count):
        word |= int64(places[k]) << int64(BITS * k)
    return word


@kernel
def read_places(word: int, count: int, places: Integers) -> None:
    """Write where each thing is."""
    for k in range(count):
        places[k] = (word >> int64(BITS * k)) & ((1 << BITS) - 1)


@kernel
def moved(word: int, thing: int, before: int, after: int) -> int:
    """The word of the state after a thing went from one place to another."""
    return word + ((int64(after) - int64(before)) << int64(BITS * thing))


@kernel
def name_objects(world: World) -> None:
    """Say which words the objects of the problem at hand have, and the other way round."""
    rules, reach, names = world.rules, world.reach, world.names
    at = 0
    if reach[0] > 0:
        names[rules[BLOCKS]], names[rules[BLOCKS] + 1], at = 0, 1, 2
    things = rules[THINGS]
    for kind in (BLOCKS, LOCATIONS, TRUCKS, PLANES, PACKAGES):
        first = things if kind == LOCATIONS else 0
        for before in (TRUCKS, PLANES):
            first += rules[before] if before < kind else 0
        for k in range(rules[kind]):
            names[first + k] = at + k
        at += reach[kind - 1]
    world.meant[:] = -1
    for k in range(objects_in(rules)):
        world.meant[names[k]] = k


@kernel
def find_hubs(about: Integers, first: int, count: int) -> None:
    """Say of each location which airport is its city's only one."""
    for k in range(first, first + count):
        found = 0
        about[HUB, k] = -1
        for j in range(first, first + count):
            if about[CITY, j] == about[CITY, k] and about[AIRPORT, j] == 1:
                found += 1
                about[HUB, k] = j if found == 1 else -1


@kernel
def objects_in(rules: Integers) -> int:
    """How many objects things are and can be at."""
    return rules[THINGS] + (2 if rules[DOMAIN] == BLOCKSWORLD else rules[LOCATIONS])


@kernel
def is_clear(places: Integers, count: int, place: int) -> bool:
    """Is no thing there?"""
    there = 0
    for k in range(count):
        there += places[k] == place
    return there == 0


@kernel
def may_move(world: World, places: Integers, thing: int, place: int) -> bool:
    """Is there an action that brings a thing to another place?"""
    if world.rules[DOMAIN] == BLOCKSWORLD:
        return _may_stack(places, world.rules[THINGS], thing, place)
    return _may_carry(world, places, thing, place)


@kernel
def _may_stack(places: Integers, count: int, thing: int, place: int) -> bool:
    """A clear block comes into the empty hand, and from there onto the table or a clear block."""
    table, hand = count, count + 1
    if places[thing] == hand:
        return place == table or (place < count and place != thing and is_clear(places, count, place))
    return place == hand and is_clear(places, count, hand) and is_clear(places, count, thing)


@kernel
def _may_carry(world: World, places: Integers, thing: int, place: int) -> bool:
    """A vehicle to another location of its city, or another airport; a package in and out where it is."""
    rules, about, at = world.rules, world.about, places[thing]
    things = rules[THINGS]
    if thing >= rules[TRUCKS] + rules[PLANES]:
        if at < things:
            return place == places[at]
        return place < rules[TRUCKS] + rules[PLANES] and places[place] == at
    if place < things or place == at:
        return False
    if thing < rules[TRUCKS]:
        return about[CITY, place] == about[CITY, at]
    return about[AIRPORT, at] == 1 and about[AIRPORT, place] == 1


@kernel
def action_of(rules: Integers, places: Integers, thing: int, place: int) -> tuple[int, int]:
    """-> (the action that brings a thing to a place, the object that it names beside the thing or -1)."""
    at, things = int64(places[thing]), rules[THINGS]
    if rules[DOMAIN] == BLOCKSWORLD:
        taken = place == things + 1
        other = at if taken else int64(place)
        if other == things:
            return PICK_UP if taken else PUT_DOWN, int64(-1)
        return UNSTACK if taken else STACK, other
    vehicle, other, action = int64(thing), int64(place), DRIVE
    if thing >= rules[TRUCKS] + rules[PLANES]:
        action = LOAD if place < things else UNLOAD
        vehicle = other = int64(place) if place < things else at
    return action + (0 if vehicle < rules[TRUCKS] else 3), other


@kernel
def is_state(world: World, places: Integers) -> bool:
    """Can things be at these places? (Whether actions lead there is not asked.)"""
    rules = world.rules
    things = rules[THINGS]
    for k in range(things):
        if rules[DOMAIN] == LOGISTICS:
            vehicles = rules[TRUCKS] + rules[PLANES]
            if places[k] < things and (k < vehicles or places[k] >= vehicles):
                return False
        else:
            at, steps = places[k], 0
            while at < things:
                at, steps = places[at], steps + 1
                if steps > things:  # a ring
                    return False
            if at == things + 1 and steps > 0:  # on what is in the hand
                return False
            for j in range(k):
                if places[j] == places[k] != things:  # two on one block, or in the hand
                    return False
    return True
