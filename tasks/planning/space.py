"""A planning problem as a search space: what a best-first search asks of it. Its rules are in `world`."""

from __future__ import annotations

from tracelab.core.arrays import Integers, int64
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel, njit
from tracelab.search.best_first import space as spaces
from tracelab.search.best_first.interning import forget, intern
from tracelab.tasks.planning.heuristics import estimate
from tracelab.tasks.planning.world import (
    ACTION,
    AIRPORT,
    BLOCK_ACTIONS,
    BLOCKS,
    CITY,
    DEGREE,
    DOMAIN,
    FIRST,
    GOAL,
    HEADER,
    HERE,
    HEURISTIC,
    LOCATIONS,
    LOGISTICS,
    NAMED,
    OTHER,
    PACKAGES,
    PLANES,
    ROOT,
    THING,
    THINGS,
    TO,
    TRUCKS,
    World,
    action_of,
    find_hubs,
    is_state,
    may_move,
    moved,
    name_objects,
    objects_in,
    read_places,
    word_of,
)


@spaces.implements(spaces.pose, World)
def _pose(world: World, problem: Integers) -> None:
    forget(world.states)
    rules, about = world.rules, world.about
    for k in range(HEADER):
        rules[k] = problem[k]
    things = problem[BLOCKS] + problem[TRUCKS] + problem[PLANES] + problem[PACKAGES]
    rules[THINGS] = things
    at = HEADER
    for row in (CITY, AIRPORT):
        for k in range(problem[LOCATIONS]):
            about[row, things + k] = problem[at + k]
        at += problem[LOCATIONS]
    find_hubs(about, things, problem[LOCATIONS])
    rules[ROOT] = intern(world.states, word_of(problem[at:], things))
    for k in range(things):
        world.places[GOAL, k] = problem[at + things + k]
    name_objects(world)


@njit
def moves_of(world: World, problem: Integers, moves: Integers) -> int:
    """Write (thing, the place that it comes to) of each action at a problem's start -> how many."""
    spaces.pose(world, problem)
    places, count = world.places[HERE], 0
    read_places(world.states.words[world.rules[ROOT]], world.rules[THINGS], places)
    for thing in range(world.rules[THINGS]):
        for place in range(objects_in(world.rules)):
            if may_move(world, places, thing, place):
                moves[count, 0], moves[count, 1] = thing, place
                count += 1
    return count


@spaces.implements(spaces.start, World)
def _start(world: World) -> int:
    return world.rules[ROOT]


@kernel
def recall(world: World, state: int, row: int) -> None:
    """Write where each thing is in a state into a row of world.places."""
    read_places(world.states.words[state], world.rules[THINGS], world.places[row])


@spaces.implements(spaces.is_goal, World)
def _is_goal(world: World, state: int) -> bool:
    recall(world, state, HERE)
    places, goal = world.places[HERE], world.places[GOAL]
    missing = 0
    for k in range(world.rules[THINGS]):
        missing += goal[k] != ABSENT and goal[k] != places[k]
    return missing == 0


@spaces.implements(spaces.heuristic, World)
def _heuristic(world: World, state: int) -> int:
    recall(world, state, HERE)
    return estimate(world, world.places[HERE], world.rules[HEURISTIC])


@spaces.implements(spaces.max_degree, World)
def _max_degree(world: World) -> int:
    return world.rules[DEGREE]


@spaces.implements(spaces.neighbours, World)
def _neighbours(world: World, state: int, states: Integers, costs: Integers) -> int:
    """Thing by thing, place by place."""
    recall(world, state, HERE)
    word, places, degree = world.states.words[state], world.places[HERE], 0
    for thing in range(world.rules[THINGS]):
        for place in range(objects_in(world.rules)):
            if may_move(world, places, thing, place):
                after = intern(world.states, moved(word, thing, places[thing], place))
                states[degree], costs[degree] = after, 1
                degree += after >= 0
    return degree


@spaces.implements(spaces.by_moves, World)
def _by_moves(world: World) -> bool:
    return True


@spaces.implements(spaces.names_created, World)
def _names_created(world: World) -> bool:
    return world.rules[NAMED] == 1


@kernel
def object_of(world: World, word: int) -> int:
    """The object that a word names, or -1."""
    return world.meant[word] if 0 <= word < len(world.meant) else int64(-1)


@kernel
def first_action(world: World) -> int:
    """The word of the domain's first action."""
    return len(BLOCK_ACTIONS) if world.rules[DOMAIN] == LOGISTICS and world.reach[0] > 0 else 0


@spaces.implements(spaces.follow, World)
def _follow(world: World, state: int, row: Integers) -> int:
    """The action must be as it is written: what is done, to what, with what."""
    recall(world, state, HERE)
    places, thing = world.places[HERE], object_of(world, row[THING])
    if 0 <= thing < world.rules[THINGS]:
        for place in range(objects_in(world.rules)):
            if may_move(world, places, thing, place):
                action, other = action_of(world.rules, places, thing, place)
                same = row[TO] == ABSENT if other < 0 else other == object_of(world, row[TO])
                if same and row[ACTION] == first_action(world) + action:
                    return intern(world.states, moved(world.states.words[state], thing, places[thing], place))
    return int64(-1)


@spaces.implements(spaces.write_move, World)
def _write_move(world: World, state: int, after: int, row: Integers) -> None:
    """That of the thing which is elsewhere."""
    recall(world, state, HERE)
    recall(world, after, OTHER)
    places, others = world.places[HERE], world.places[OTHER]
    for thing in range(world.rules[THINGS]):
        if places[thing] != others[thing]:
            action, other = action_of(world.rules, places, thing, others[thing])
            row[ACTION], row[THING] = first_action(world) + action, world.names[thing]
            row[TO] = ABSENT if other < 0 else world.names[other]
    if world.rules[NAMED] == 0:
        row[FIRST : len(row) - 2] = ABSENT


@spaces.implements(spaces.read_state, World)
def _read_state(world: World, row: Integers, column: int) -> int:
    """A place for each thing."""
    things, places = world.rules[THINGS], world.places[OTHER]
    for k in range(len(row) - 2 - FIRST):
        place = object_of(world, row[FIRST + k])
        if (row[FIRST + k] == ABSENT) != (k >= things) or (k < things and place < 0):
            return int64(-1)
        if k < things:
            places[k] = place
    return intern(world.states, word_of(places, things)) if is_state(world, places) else int64(-1)


@spaces.implements(spaces.write_state, World)
def _write_state(world: World, state: int, row: Integers, column: int) -> None:
    row[ACTION] = row[THING] = row[TO] = ABSENT
    recall(world, state, HERE)
    places = world.places[HERE]
    for k in range(len(row) - 2 - FIRST):
        row[FIRST + k] = world.names[places[k]] if k < world.rules[THINGS] else ABSENT
