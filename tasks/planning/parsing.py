"""A planning problem from a prompt that was read from a file, and whether a layout is a problem at all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import Codec
from tracelab.core.formats import ABSENT
from tracelab.core.ragged import Integers, Ragged
from tracelab.tasks.planning.draws import hash_of
from tracelab.tasks.planning.layout import Layout, Places, Words, names_of, stored_of
from tracelab.tasks.planning.text import GOAL_ROW, most_things, prompt_rows
from tracelab.tasks.planning.world import KINDS, MOST_OBJECTS, World
from tracelab.tasks.shared.reading import alone, check_written


def problem_of(codec: Codec, prompt: Integers, reach: Mapping[str, int], world: World) -> Integers:
    """The stored problem that a prompt's tokens write; ValueError if none. world: any of this reach."""
    read = codec.read_prompt(prompt)
    words = Words.of(reach).objects
    cities, airports, init, goals = (read[read[:, 0] == op] for op in range(GOAL_ROW + 1))
    named = {words[int(row[1])] for row in read}
    counts = {kind: sum(name in named for name in names_of(reach, kind)) for kind in KINDS}
    counts["cities"] = int(cities[:, 2].max(initial=ABSENT)) + 1
    domain = "blocksworld" if counts["blocks"] else "logistics"
    blank = Layout(domain, counts, (), (), (), ())
    number = {name: k for k, name in enumerate(blank.objects)}

    def placed(rows: Integers) -> Places:
        found = {words[int(what)]: words[int(where)] for _, what, where in rows}
        return tuple(number.get(found.get(name, ""), ABSENT) for name in blank.things)

    flags = {words[int(row[1])] for row in airports}
    layout = Layout(
        domain,
        counts,
        tuple(int(row[2]) for row in cities),
        tuple(name in flags for name in names_of(counts, "locations")),
        placed(init),
        placed(goals),
    )
    check(layout, most_things(reach))
    problem = stored_of(layout)
    single = alone(problem)
    check_written(codec, prompt, Ragged(*prompt_rows(world, single.values, single.offsets)))
    return problem


def check(layout: Layout, most: int) -> None:
    """ValueError if things cannot be so, have nothing to do, or are more than so many."""
    things, counts = len(layout.things), layout.counts
    if not 0 < things <= most:
        raise ValueError(f"{things} things that can be moved: 1 to {most} can be written")
    if len(layout.objects) > MOST_OBJECTS:
        raise ValueError(f"{len(layout.objects)} things and locations: {MOST_OBJECTS} are the most")
    if len(layout.start) != things or ABSENT in layout.start:
        raise ValueError("it does not say of each thing where it is")
    if len(layout.cities) != counts["locations"] or len(layout.airports) != counts["locations"]:
        raise ValueError("it does not say of each location in which city it is")
    if all(goal in (ABSENT, at) for at, goal in zip(layout.start, layout.goal, strict=True)):
        raise ValueError("all goals are reached: there is nothing to do")
    goals = tuple(at if goal == ABSENT else goal for at, goal in zip(layout.start, layout.goal, strict=True))
    if layout.domain == "blocksworld":
        check_piles(layout.start, "the blocks are")
        check_piles(layout.goal, "the goals are")
        if things + 1 in layout.goal:
            raise ValueError("a goal in the hand is none of this task's")
    else:
        check_places(layout, layout.start)
        check_places(layout, goals)
        if any(0 <= goal < things for goal in layout.goal):  # heuristics bound the way to locations alone
            raise ValueError("a package that is to be in a vehicle is no goal of this task's")


def check_piles(places: Places, what: str) -> None:
    """ValueError unless blocks can stand so; those without a place (ABSENT) anywhere."""
    things = len(places)
    taken = [at for at in places if at not in (ABSENT, things)]
    if len(set(taken)) < len(taken):
        raise ValueError(f"{what} in no place: two on one block, or in the hand")
    for block in range(things):
        at, steps = places[block], 0
        while 0 <= at < things:
            at, steps = places[at], steps + 1
            if steps > things:
                raise ValueError(f"{what} in no place: a block stands on itself")
        if at == things + 1 and steps > 0:
            raise ValueError(f"{what} in no place: one stands on what is in the hand")


def check_places(layout: Layout, places: Places) -> None:
    """ValueError unless vehicles are at locations, airplanes at those with an airport, and packages there or
    in vehicles.
    """
    things, trucks, vehicles = len(places), layout.counts["trucks"], layout.packages.start
    for k, at in enumerate(places):
        if at < things and (k < vehicles or at >= vehicles):
            raise ValueError(f"{layout.things[k]} cannot be at {layout.objects[at]}")
        if trucks <= k < vehicles and not layout.airports[at - things]:  # heuristics bound its flights alone
            where = layout.objects[at]
            raise ValueError(f"{layout.things[k]} cannot be at {where}, which has no airport: put it at one")


def identities_of(problems: Ragged) -> NDArray[np.uint64]:
    """(n,) hashes of stored problems."""
    return np.array([hash_of(problem) for problem in problems], np.uint64)
