"""Planning problems as planners know them: problems and plans written as PDDL.

    domain, problem = TEXTS["blocksworld"], problem_text(examples.problem[0])
    print(plan_text(examples.problem[0], examples.solution[0], task.words))

`from_pddl.py` reads both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tracelab.core.formats import ABSENT
from tracelab.core.ragged import Integers
from tracelab.tasks.planning.domains import TEXTS
from tracelab.tasks.planning.layout import Layout, Places, Words, after, layout_of, names_of

__all__ = ["TEXTS", "facts_of", "plan_text", "problem_text"]

Fact = tuple[str, ...]
TYPES = {"packages": "package", "trucks": "truck", "planes": "airplane", "cities": "city"}


def problem_text(problem: Integers, name: str = "tracelab") -> str:
    """A stored problem as PDDL, for the domain of TEXTS."""
    layout = layout_of(problem)
    goals = _written(_placed(layout, layout.goal))
    return (
        f"(define (problem {name}) (:domain {layout.domain})\n  (:objects {' '.join(_declared(layout))})\n"
        f"  (:init {_written(facts_of(layout, layout.start))})\n  (:goal (and {goals})))\n"
    )


def plan_text(
    problem: Integers, solution: Integers, words: Words, names: Mapping[str, str] | None = None
) -> str:
    """A solution's rows as a plan, an action a line with all of its objects. names: others' for ours."""
    layout, lines = layout_of(problem), list[str]()
    places, own = layout.start, names or {}
    for row in solution:
        action, thing, to = words.action(row)
        reached = after(layout, places, action, thing, to)
        if reached is None:
            raise ValueError(f"{action} {thing} {to or ''} names what this problem has not")
        said = (thing, *_said(layout, places, action, thing, to))
        lines.append(f"({' '.join((action, *(own.get(word, word) for word in said)))})")
        places = reached
    return "\n".join(lines) + "\n"


def facts_of(layout: Layout, places: Places) -> Iterator[Fact]:
    """All that holds where things are at these places."""
    yield from _placed(layout, places)
    if layout.domain == "blocksworld":
        held = len(places) + 1
        yield from [] if held in places else [("handempty",)]
        clear = (k for k, at in enumerate(places) if at != held and k not in places)
        yield from (("clear", layout.things[k]) for k in clear)
    locations = layout.objects[len(places) :]
    for location, city in zip(locations, layout.cities, strict=False):
        yield "in-city", location, f"city{city + 1}"


def _placed(layout: Layout, places: Places) -> Iterator[Fact]:
    """Where things are."""
    for thing, at in zip(layout.things, places, strict=True):
        if at == ABSENT:
            continue
        place, moves = layout.objects[at], at < len(places)
        if layout.domain == "logistics":
            yield ("in" if moves else "at"), thing, place
        elif moves:
            yield "on", thing, place
        else:
            yield ("ontable" if place == "table" else "holding"), thing


def _declared(layout: Layout) -> Iterator[str]:
    """Objects, of logistics with their types."""
    if layout.domain == "blocksworld":
        yield from layout.things
        return
    for kind, said in TYPES.items():
        yield from (f"{name} - {said}" for name in names_of(layout.counts, kind))
    for name, airport in zip(names_of(layout.counts, "locations"), layout.airports, strict=True):
        yield f"{name} - {'airport' if airport else 'location'}"


def _written(facts: Iterator[Fact]) -> str:
    return " ".join(f"({' '.join(fact)})" for fact in facts)


def _said(layout: Layout, places: Places, action: str, thing: str, to: str | None) -> Sequence[str]:
    """What PDDL names beside an action's first object."""
    objects, at = layout.objects, places[layout.things.index(thing)]
    if layout.domain == "blocksworld" or to is None:
        return [to] if to else []
    if action == "drive-truck":
        return [objects[at], to, f"city{layout.cities[at - len(places)] + 1}"]
    if action == "fly-airplane":
        return [objects[at], to]
    return [to, objects[places[layout.things.index(to)]]]
