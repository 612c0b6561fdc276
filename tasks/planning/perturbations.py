"""Small changes of a planning problem.

rename      blocks trade names, and so do packages, airplanes, and locations of a city that are alike
act         a block is put elsewhere, or a vehicle is, so that something is left to do
move_goal   a block that is clear in the goal is to be elsewhere, or a package is
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tracelab.core.formats import ABSENT
from tracelab.core.ragged import Integers
from tracelab.tasks.planning.layout import Layout, Places, Words, layout_of, stored_of
from tracelab.tasks.planning.space import moves_of
from tracelab.tasks.planning.world import KINDS, MOST_MOVES, THING, TO, World, new_world
from tracelab.tasks.shared.perturbing import ANEW, MAPPED, Change, Changed, Make, order_of

Move = tuple[int, int]  # a thing, and the place that it comes to


def changes_of(reach: Mapping[str, int]) -> dict[str, Change]:
    """Changes by name. reach: how many the vocabulary has of each of KINDS."""
    return {
        "rename": Change(_renaming(reach), MAPPED, ("optimal_cost",)),
        "act": Change(_acting(reach), ANEW),
        "move_goal": Change(move_goal, ANEW),
    }


def _renaming(reach: Mapping[str, int]) -> Make:
    """The change of names."""
    words = Words.of(reach)

    def make(problem: Integers, draw: np.random.Generator) -> Changed:
        layout = layout_of(problem)
        order = np.arange(len(layout.objects))
        for group in _alike(layout):
            order[group] = group[order_of(draw, len(group))]
        numbers = words.of_objects(layout)
        named = np.arange(-1, len(words.objects))  # ABSENT, which stands before the first word, stays
        named[1 + numbers] = numbers[order]

        def carry(rows: Integers) -> Integers:
            changed = rows.copy()
            changed[:, [THING, TO]] = named[1 + rows[:, [THING, TO]]]
            return changed

        both = (_renamed(places, order) for places in (layout.start, layout.goal))
        start, goal = both
        return Changed(stored_of(replace(layout, start=start, goal=goal)), carry)

    return make


def _alike(layout: Layout) -> Sequence[Integers]:
    """Groups of objects that are drawn alike. A truck is not: each is drawn into the city of its number."""
    things, trucks, vehicles = len(layout.start), layout.counts["trucks"], layout.packages.start
    groups = [np.arange(trucks, vehicles), np.arange(vehicles, things)]
    places = list(zip(layout.cities, layout.airports, strict=True))
    return groups + [things + np.flatnonzero([at == one for at in places]) for one in sorted(set(places))]


def _renamed(places: Places, order: Integers) -> Places:
    """Where things are when each has its new name. order: new numbers of objects."""
    found = [0] * len(places)
    for k, at in enumerate(places):
        found[int(order[k])] = at if at == ABSENT else int(order[at])
    return tuple(found)


def _acting(reach: Mapping[str, int]) -> Make:
    """The change of the start by one move, to where a start can be drawn: no hand or vehicle is loaded."""

    def starts(world: World, layout: Layout) -> Iterator[Places]:
        moves, things = np.empty((MOST_MOVES, 2), np.int64), len(layout.start)
        for thing, to in moves[: moves_of(world, stored_of(layout), moves)].tolist():
            start = _after(layout.start, (thing, to))
            if (
                layout.domain == "blocksworld" and to == things + 1
            ):  # the hand, from which it is put somewhere
                yield from starts(world, replace(layout, start=start))
            elif layout.domain == "blocksworld" or thing not in layout.packages:
                yield start

    def make(problem: Integers, draw: np.random.Generator) -> Changed | None:
        world, layout = (
            new_world(1, np.array([reach[kind] for kind in KINDS]), 0, False, 0),
            layout_of(problem),
        )
        found = [
            start
            for start in starts(world, layout)
            if start != layout.start and not _reached(start, layout.goal)
        ]
        if not found:
            return None
        return Changed(stored_of(replace(layout, start=found[draw.integers(len(found))])))

    return make


def move_goal(problem: Integers, draw: np.random.Generator) -> Changed | None:
    """The start stays."""
    layout = layout_of(problem)
    moves = list(_other_goals(layout))
    for k in draw.permutation(len(moves)):
        goal = _after(layout.goal, moves[k])
        if not _reached(layout.start, goal):
            return Changed(stored_of(replace(layout, goal=goal)))
    return None


def _other_goals(layout: Layout) -> Iterator[Move]:
    """Blocks that are to be clear, and where else they could be; packages, and other locations."""
    things, goal = len(layout.goal), layout.goal
    blocks = layout.domain == "blocksworld"
    places = [*range(things), things] if blocks else range(things, len(layout.objects))
    for thing in layout.packages:
        if goal[thing] != ABSENT and not (blocks and thing in goal):
            for place in places:
                free = not blocks or place == things or (place != thing and place not in goal)
                if free and place != goal[thing]:
                    yield thing, place


def _after(places: Places, move: Move) -> Places:
    return tuple(move[1] if k == move[0] else at for k, at in enumerate(places))


def _reached(start: Places, goal: Places) -> bool:
    return all(wanted in (ABSENT, at) for at, wanted in zip(start, goal, strict=True))
