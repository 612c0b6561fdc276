"""How planning problems, searches and plans are written."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers
from tracelab.core.codec import Codec
from tracelab.core.formats import ABSENT, Field, Format
from tracelab.core.jit import njit
from tracelab.search.best_first.space import pose
from tracelab.tasks.planning.layout import Words, names_of
from tracelab.tasks.planning.world import FIRST, HEADER, LOCATIONS, MOST_THINGS, THINGS, World

DEAREST = 100  # the largest cost that can be written; dfs and greedy may go further
CITY_ROW, AIRPORT_ROW, INIT_ROW, GOAL_ROW = range(4)  # rows of a prompt
MARKS = ("in-city", "airport", "init", "goal", "reasoning", "create", "close", "solution", "end")
Reach = Mapping[str, int]  # how many the vocabulary has of each of KINDS


def most_things(reach: Reach) -> int:
    """How many things a state can have."""
    carried = reach["trucks"] + reach["planes"] + reach["packages"]
    return min(MOST_THINGS, max(reach["blocks"], carried))


def most_actions(reach: Reach) -> int:
    """How many actions a state can have."""
    vehicles = reach["trucks"] + reach["planes"]
    return max(reach["blocks"], vehicles * (reach["locations"] + reach["packages"]))


def codec_of(reach: Reach, states: bool) -> Codec:
    """The vocabulary. states: do creations name the state?"""
    words, count = Words.of(reach), most_things(reach)
    objects, actions, cities = words.objects, words.actions, names_of(reach, "cities")
    costs = tuple(f"c{n}" for n in range(DEAREST + 1))
    state = " ".join(["{s0}", *(f"{{s{k}?}}" for k in range(1, count))])
    fields = {f"s{k}": Field(FIRST + k, objects) for k in range(count)}
    fields |= {"action": Field(1, actions), "thing": Field(2, objects), "to": Field(3, objects)}
    fields |= {"g": Field(FIRST + count, costs), "h": Field(FIRST + count + 1, costs)}
    fields |= {"what": Field(1, objects), "where": Field(2, objects), "city": Field(2, cities)}
    action = "{action} {thing} {to?}"
    written = Format(
        fields=fields,
        prompt={
            "in-city": "in-city {what} {city}" if cities else "in-city {what}",
            "airport": "airport {what}",
            "init": "init {what} {where}",
            "goal": "goal {what} {where}",
        },
        trace={
            "create": f"create {state if states else ''} {action} {{g}} {{h}}",
            "close": f"close {state} {{g}} {{h}}",
        },
        solution={"act": action},
    )
    return Codec(
        (*MARKS, *actions, *objects, *cities, *costs),
        written,
        prompt_width=3,
        trace_width=FIRST + count + 2,
        solution_width=FIRST,
    )


@njit
def prompt_rows(
    world: World, problems: Integers, offsets: Integers
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Problems -> rows (op, object, object or city): cities, airports, where things are and are to be."""
    rows, ends = np.full((len(problems), 3), ABSENT, np.int32), np.zeros(len(offsets), np.int64)
    names, n = world.names, 0
    for i in range(len(offsets) - 1):
        p = problems[offsets[i] : offsets[i + 1]]
        pose(world, p)
        things, locations = world.rules[THINGS], p[LOCATIONS]
        for k in range(2 * locations):
            if k < locations or p[HEADER + k] == 1:
                rows[n, 0], rows[n, 1] = k // locations, names[things + k % locations]
                rows[n, 2] = p[HEADER + k] if k < locations else ABSENT
                n += 1
        for k in range(2 * things):
            place = p[HEADER + 2 * locations + k]
            if place != ABSENT:
                rows[n, 0], rows[n, 1], rows[n, 2] = INIT_ROW + k // things, names[k % things], names[place]
                n += 1
        ends[i + 1] = n
    return rows[:n], ends
