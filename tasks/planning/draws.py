"""Drawing a planning problem that belongs to a split; compiled.

Two problems are the same if they are written alike: names count. States of blocks are drawn evenly among all
states, which placing one block after another at random would not do (Slaney and Thiebaux 2001, Blocks World
revisited).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, Words
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel, njit, wrapping
from tracelab.core.rng import below, mix64, shuffle, uniform
from tracelab.core.types import MAX_REDRAWS
from tracelab.tasks.planning.world import (
    BLOCKS,
    BLOCKSWORLD,
    CITIES,
    DOMAIN,
    HEADER,
    LOCATIONS,
    LOGISTICS,
    MOST_THINGS,
    PACKAGES,
    PLANES,
    TRUCKS,
    is_clear,
)

# eight: the domain, fewest and most blocks or packages, cities, locations of each, airplanes, fewest and most
# moves from start to goal (-1: the goal is drawn for itself)
Knobs = tuple[int, ...]


@kernel
@wrapping
def hash_of(problem: Integers) -> np.uint64:
    """Equal for problems that are written alike."""
    word = np.uint64(len(problem))
    for number in problem:
        word = mix64(word * np.uint64(64) + np.uint64(number + 1))
    return word


@kernel
def count_piles(piles: NDArray[np.float64], most: int) -> None:
    """piles[a, b]: in how many ways can a piles in the air be set down, with b others on the table?"""
    for a in range(most + 1):
        for b in range(most + 1 - a):
            piles[a, b] = 1.0 if a == 0 else piles[a - 1, b + 1] + (a + b - 1) * piles[a - 1, b]


@kernel
def pile_up(count: int, random: Random, piles: NDArray[np.float64], tops: Integers, places: Integers) -> None:
    """Any state of so many blocks, all alike likely: each pile comes onto the table or onto another pile.

    tops: (2, MOST_THINGS): the lowest and the highest block of each pile, those in the air first.
    """
    for k in range(count):
        tops[0, k] = tops[1, k] = k
    shuffle_both(random, tops, count)
    air, on_table = count, 0
    while air > 0:
        air -= 1  # the last of those in the air; the others are at 0 to air - 1, those on the table behind it
        lowest, highest = tops[0, air], tops[1, air]
        if uniform(random) * piles[air + 1, on_table] < piles[air, on_table + 1]:
            places[lowest], on_table = count, on_table + 1
        else:
            under = below(random, air + on_table)
            under += under >= air
            places[lowest], tops[1, under] = tops[1, under], highest
            for k in range(air, air + on_table):
                tops[0, k], tops[1, k] = tops[0, k + 1], tops[1, k + 1]


@kernel
def shuffle_both(random: Random, tops: Integers, count: int) -> None:
    """So that no block is the first to be set down."""
    shuffle(random, tops[0, :count])
    for k in range(count):
        tops[1, k] = tops[0, k]


@kernel
def relocate_block(count: int, random: Random, places: Integers) -> None:
    """A clear block comes onto another, or onto the table where it is not; two blocks or more."""
    while True:
        block, place = below(random, count), below(random, count + 1)
        free = place == count or is_clear(places, count, place)
        if is_clear(places, count, block) and place != block and place != places[block] and free:
            places[block] = place
            return


@kernel
def relocate_package(problem: Integers, things: int, random: Random, places: Integers) -> None:
    """A package comes to another location; two locations or more."""
    package = things - 1 - below(random, problem[PACKAGES])
    place = things + below(random, problem[LOCATIONS] - 1)
    places[package] = place + (place >= places[package])


@kernel
def lay_out(knobs: Knobs, random: Random, problem: Integers) -> int:
    """Write the header and the cities; the first location of each has an airport -> how many integers."""
    domain, fewest, most, cities, locations, planes, _, _ = knobs
    problem[:HEADER] = 0
    problem[DOMAIN] = domain
    movable = fewest + below(random, most - fewest + 1)
    if domain == BLOCKSWORLD:
        problem[BLOCKS] = movable
        return HEADER
    problem[LOCATIONS], problem[CITIES], problem[TRUCKS] = cities * locations, cities, cities
    problem[PLANES], problem[PACKAGES] = planes, movable
    for k in range(cities * locations):
        problem[HEADER + k] = k // locations
        problem[HEADER + cities * locations + k] = k % locations == 0
    return HEADER + 2 * cities * locations


@kernel
def place_things(
    knobs: Knobs,
    random: Random,
    problem: Integers,
    at: int,
    piles: NDArray[np.float64],
    tops: Integers,
    places: Integers,
) -> int:
    """Write where things are and are to be, from problem[at] on -> how many integers there are then."""
    domain, _, _, cities, locations, _, low, high = knobs
    things = problem[BLOCKS] + problem[TRUCKS] + problem[PLANES] + problem[PACKAGES]
    start, goal = places[0], places[1]
    for row in range(2):
        if domain == BLOCKSWORLD:
            pile_up(things, random, piles, tops, places[row])
        for k in range(things if domain == LOGISTICS else 0):
            city = k if k < cities else below(random, cities)
            airport = cities <= k < cities + problem[PLANES]
            location = city * locations + (0 if airport else below(random, locations))
            places[row, k] = things + location
    for k in range(things if low >= 0 else 0):
        goal[k] = start[k]
    for _ in range(low + below(random, high - low + 1) if low >= 0 else 0):
        if domain == BLOCKSWORLD:
            relocate_block(things, random, goal)
        else:
            relocate_package(problem, things, random, goal)
    for k in range(things):
        problem[at + k] = start[k]
        carries = domain == LOGISTICS and k < problem[TRUCKS] + problem[PLANES]
        problem[at + things + k] = ABSENT if carries else goal[k]
    return at + 2 * things


@njit
def draw_problems(
    knobs: Knobs, low: int, high: int, bins: int, keys: Words
) -> tuple[int, NDArray[np.int16], NDArray[np.int64], Words]:
    """One problem per key -> (first key that failed or -1, problems in a row, where they end, identities)"""
    n = len(keys)
    width = HEADER + 2 * MOST_THINGS + 2 * knobs[3] * knobs[4]
    problems, ends = np.empty(n * width, np.int16), np.zeros(n + 1, np.int64)
    identities, random = np.empty(n, np.uint64), np.empty(1, np.uint64)
    places, tops = np.zeros((2, MOST_THINGS), np.int64), np.zeros((2, MOST_THINGS + 1), np.int64)
    piles = np.zeros((MOST_THINGS + 1, MOST_THINGS + 1), np.float64)
    count_piles(piles, MOST_THINGS)
    for i in range(n):
        random[0] = keys[i]
        found = False
        for _ in range(MAX_REDRAWS):
            problem = problems[ends[i] : ends[i] + width]
            at = lay_out(knobs, random, problem)
            size = place_things(knobs, random, problem, at, piles, tops, places)
            things = (size - at) // 2
            identities[i] = hash_of(problem[:size])
            nothing = True
            for k in range(things):
                goal = problem[at + things + k]
                nothing &= goal == ABSENT or goal == problem[at + k]
            if not nothing and low <= identities[i] % np.uint64(bins) < high:
                ends[i + 1], found = ends[i] + size, True
                break
        if not found:
            return i, problems, ends, identities
    return -1, problems[: ends[n]], ends, identities
