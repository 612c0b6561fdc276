"""A planning problem read by Python code: its objects by name, where things are and where they are to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tracelab.core.formats import ABSENT
from tracelab.core.ragged import Integers
from tracelab.tasks.planning.world import BLOCK_ACTIONS, CARRYING, DOMAINS, HEADER, KINDS
from tracelab.tasks.shared.reading import stored

Places = tuple[int, ...]  # of each thing the number of the object that it is at
LETTERS = "abcdefghijkl"  # names of blocks
PREFIXES = {"locations": "l", "trucks": "t", "planes": "a", "packages": "p"}  # a for airplane


def names_of(counts: Mapping[str, int], kind: str) -> tuple[str, ...]:
    """What the objects of a kind are called."""
    if kind == "blocks":
        return tuple(LETTERS[: counts["blocks"]])
    return tuple(f"{PREFIXES.get(kind, 'city')}{k + 1}" for k in range(counts[kind]))


@dataclass(frozen=True)
class Layout:
    """counts: of each of KINDS; cities, airports: of each location its city, and is there an airport?;
    start, goal: the place of each thing, of goals ABSENT for any.
    """

    domain: str
    counts: Mapping[str, int]
    cities: tuple[int, ...]
    airports: tuple[bool, ...]
    start: Places
    goal: Places

    @property
    def things(self) -> tuple[str, ...]:
        """What can be moved."""
        kinds = ("blocks", "trucks", "planes", "packages")
        return tuple(name for kind in kinds for name in names_of(self.counts, kind))

    @property
    def objects(self) -> tuple[str, ...]:
        """Things, and what else they can be at, in the order of their numbers."""
        rest = ("table", "hand") if self.domain == "blocksworld" else names_of(self.counts, "locations")
        return self.things + rest

    @property
    def packages(self) -> range:
        """The numbers of blocks or packages: what is to be brought somewhere."""
        return range(self.counts["trucks"] + self.counts["planes"], len(self.start))


def layout_of(problem: Integers) -> Layout:
    """A stored problem's layout."""
    domain, *numbers = (int(n) for n in problem)
    counts = dict(zip(KINDS, numbers, strict=False))
    places, rest = counts["locations"], numbers[HEADER - 1 :]
    cities, airports, both = rest[:places], rest[places : 2 * places], rest[2 * places :]
    start, goal = both[: len(both) // 2], both[len(both) // 2 :]
    flags = tuple(flag == 1 for flag in airports)
    return Layout(DOMAINS[domain], counts, tuple(cities), flags, tuple(start), tuple(goal))


def stored_of(layout: Layout) -> Integers:
    """A layout as it is stored."""
    header = [DOMAINS.index(layout.domain), *(layout.counts[kind] for kind in KINDS)]
    return stored([*header, *layout.cities, *map(int, layout.airports), *layout.start, *layout.goal])


def after(layout: Layout, places: Places, action: str, thing: str, to: str | None) -> Places | None:
    """Where things are after an action, taken at its word; None if it names what is not there."""
    objects = layout.objects
    if thing not in layout.things or (to is not None and to not in objects):
        return None
    place = {"pick-up": "hand", "unstack": "hand", "put-down": "table"}.get(action, to)
    if place not in objects:
        return None
    at = objects.index(place)
    if action.startswith("unload"):  # from the vehicle to where that is
        if at >= len(places):
            return None
        at = places[at]
    k = layout.things.index(thing)
    return (*places[:k], at, *places[k + 1 :])


@dataclass(frozen=True)
class Words:
    """The words of a vocabulary by number. reach: how many it has of each of KINDS."""

    objects: tuple[str, ...]
    actions: tuple[str, ...]

    @classmethod
    def of(cls, reach: Mapping[str, int]) -> Words:
        """Those of the domains of which there are objects."""
        surface = ("table", "hand") if reach["blocks"] else ()
        kinds = ("blocks", *PREFIXES)
        objects = (name for kind in kinds for name in names_of(reach, kind))
        actions = (BLOCK_ACTIONS if reach["blocks"] else ()) + (CARRYING if reach["locations"] else ())
        return cls((*surface, *objects), actions)

    def of_objects(self, layout: Layout) -> Integers:
        """The words' numbers of a problem's objects."""
        number = {word: k for k, word in enumerate(self.objects)}
        return np.array([number[name] for name in layout.objects], np.int32)

    def action(self, row: Sequence[int] | Integers) -> tuple[str, str, str | None]:
        """(action, thing, what it names besides or None) of a row; "?" for what is no word."""
        action, thing, to = (int(n) for n in row[1:4])
        names, verbs = self.objects, self.actions
        return (
            verbs[action] if 0 <= action < len(verbs) else "?",
            names[thing] if 0 <= thing < len(names) else "?",
            None if to == ABSENT else names[to] if 0 <= to < len(names) else "?",
        )


def followed(layout: Layout, words: Words, solution: Integers) -> list[Places]:
    """Where things are before and after each action of a plan, as far as it can be followed."""
    reached = [layout.start]
    for row in solution:
        places = after(layout, reached[-1], *words.action(row))
        if places is None:
            break
        reached.append(places)
    return reached
