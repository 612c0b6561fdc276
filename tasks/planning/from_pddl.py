"""Planning problems and plans read from PDDL, others' too.

    problem, names = read_problem(Path("probBLOCKS-4-0.pddl").read_text())
    examples = task.solved(Ragged.of([problem], np.int16))
    print(plan_text(problem, examples.solution[0], task.words, names))    # in the file's own names

What is read may be typed or not, in capitals or not; its objects get this task's names in the order in which
they are declared. Nothing is guessed: ValueError names a fact that is missing or too many, and what this task
does not write: other predicates, and goals such as `clear`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tracelab.core.formats import ABSENT
from tracelab.core.ragged import Integers
from tracelab.tasks.planning.layout import Layout, Places, names_of, stored_of
from tracelab.tasks.planning.parsing import check
from tracelab.tasks.planning.pddl import Fact, facts_of
from tracelab.tasks.planning.world import KINDS, MOST_THINGS

TYPES = {  # what an object's type, or what is said of it, makes it
    **dict.fromkeys(("block", "object", ""), "blocks"),
    **dict.fromkeys(("location", "airport"), "locations"),
    **dict.fromkeys(("package", "obj"), "packages"),
    **{"city": "cities", "truck": "trucks", "airplane": "planes"},
}
SAME = {"on-table": "ontable", "arm-empty": "handempty", "hand-empty": "handempty"}
PLACES = {"on": "", "at": "", "in": "", "ontable": "table", "holding": "hand"}  # where that is not named
APART = ("clear", "handempty", "in-city")  # what else holds, as it follows from places or is fixed
KEPT = {
    "drive-truck": (0, 2),
    "fly-airplane": (0, 2),
}  # objects of an action that our words name; else (0, 1)


def read_plan(text: str, names: Mapping[str, str] | None = None) -> str:
    """A planner's plan in this task's words: what stands behind `solution`. names: others' for ours.

    ValueError if an action names what is not among these.
    """
    ours = None if names is None else {theirs: mine for mine, theirs in names.items()}
    steps = list[str]()
    for action, *objects in trees(text):
        kept = [objects[k] for k in KEPT.get(action, (0, 1)) if k < len(objects)]
        steps += (action, *(kept if ours is None else (_known(ours, word) for word in kept)))
    return " ".join(steps)


def read_problem(text: str) -> tuple[Integers, dict[str, str]]:
    """-> (the problem as it is stored, the file's name, in small letters, of each of our objects)."""
    found = trees(text)
    if len(found) != 1 or not all(isinstance(part, list) and part for part in found[0][1:]):
        raise ValueError("this is no PDDL problem: it is not one (define ...)")
    parts = {str(part[0]): part[1:] for part in found[0][1:]}
    said = [str(part[0]) for part in found[0][1:]]
    for name in (":objects", ":init", ":goal"):
        if said.count(name) > 1:
            raise ValueError(f"there are {said.count(name)} parts ({name} ...): make one of them")
    if not parts.get(":init") or not parts.get(":goal"):
        raise ValueError("this is no PDDL problem: it has no (:init ...) and (:goal ...)")
    if len(parts[":goal"]) != 1 or not isinstance(parts[":goal"][0], list) or not parts[":goal"][0]:
        raise ValueError("(:goal ...) is not one fact or one (and ...): write (:goal (and (on a b) ...))")
    (goal,) = parts[":goal"]
    init, goals = facts(parts[":init"]), facts(goal[1:] if goal[0] == "and" else [goal])
    types = types_of(parts.get(":objects", []), init)
    names = names_for(types)
    ours = {theirs: mine for mine, theirs in names.items()}
    init, goals = (
        {(fact[0], *(_known(ours, word) for word in fact[1:])) for fact in part if not says_type(fact)}
        for part in (init, goals)
    )
    layout = laid_out(names, init, goals, {ours[name] for name, said in types.items() if said == "airport"})
    check(layout, MOST_THINGS)
    for fact in sorted(init ^ set(facts_of(layout, layout.start))):
        raise ValueError(f"({' '.join(fact)}) is {'too much' if fact in init else 'missing'} in (:init ...)")
    return stored_of(layout), names


def _known(ours: Mapping[str, str], word: str) -> str:
    """Our name of a declared object. ValueError if it is not declared."""
    if word not in ours:
        raise ValueError(f"{word} is no object of the problem: declare it in (:objects ...)")
    return ours[word]


def trees(text: str) -> list[Any]:
    """Lists of words and lists, in small letters; a comment is from ; to the end of its line."""
    stack: list[list[Any]] = [[]]
    for word in re.findall(r"[()]|[^\s()]+", re.sub(r";[^\n]*", "", text.lower())):
        if word == "(":
            stack.append([])
        elif word == ")" and len(stack) > 1:
            done = stack.pop()
            stack[-1].append(done)
        elif word == ")":
            raise ValueError("a ) closes nothing")
        else:
            stack[-1].append(word)
    if len(stack) > 1:
        raise ValueError("a ( is never closed")
    return stack[0]


def facts(part: Sequence[Any]) -> set[Fact]:
    """What a list of facts says. ValueError for what is none."""
    for fact in part:
        if not isinstance(fact, list) or not fact or not all(isinstance(word, str) for word in fact):
            raise ValueError(f"{fact} is no fact: (predicate object ...) alone can be read")
    return {(SAME.get(fact[0], fact[0]), *fact[1:]) for fact in part}


def says_type(fact: Fact) -> bool:
    """Does a fact say what an object is, as in domains without types?"""
    return len(fact) == 2 and fact[0] in TYPES


def types_of(declared: Sequence[str], init: set[Fact]) -> dict[str, str]:
    """Each object's type, or what is said of it, in the order of their declaration."""
    for word in declared:
        if not isinstance(word, str):
            raise ValueError(
                f"{word} in (:objects ...) is no name: an object has one type, and no (either ...)"
            )
    types, waiting, words = dict[str, str](), list[str](), iter(declared)
    for word in words:
        if word == "-":
            types |= dict.fromkeys(waiting, next(words, ""))
            waiting = []
        else:
            waiting.append(word)
    types |= dict.fromkeys(waiting, "")
    said = {
        fact[1]: fact[0] for fact in sorted(init, reverse=True) if says_type(fact)
    }  # airport, not location
    for name in types:
        types[name] = said.get(name, types[name])
        if types[name] not in TYPES:
            raise ValueError(f"{name} is a {types[name]}, which neither blocksworld nor logistics has")
    return types


def names_for(types: Mapping[str, str]) -> dict[str, str]:
    """Our names of a file's objects -> theirs."""
    names = dict[str, str]()
    for kind in KINDS:
        theirs = [name for name, said in types.items() if TYPES[said] == kind]
        if kind == "blocks" and len(theirs) > MOST_THINGS:
            raise ValueError(f"{len(theirs)} blocks: {MOST_THINGS} are the most that a problem can have")
        names |= dict(zip(names_of({kind: len(theirs)}, kind), theirs, strict=True))
    return names


def laid_out(names: Mapping[str, str], init: set[Fact], goals: set[Fact], airports: set[str]) -> Layout:
    """The layout of which facts speak, in our names."""
    most = dict.fromkeys(KINDS, len(names))
    counts = {kind: sum(name in names for name in names_of(most, kind)) for kind in KINDS}
    domain = "blocksworld" if counts["blocks"] else "logistics"
    cities, locations = names_of(counts, "cities"), names_of(counts, "locations")
    where = {
        fact[1]: cities.index(fact[2])
        for fact in init
        if fact[0] == "in-city" and fact[2:] and fact[2] in cities
    }
    blank = Layout(
        domain,
        counts,
        tuple(where[name] for name in locations if name in where),
        tuple(name in airports for name in locations),
        (),
        (),
    )
    kept = {fact for fact in init if fact[0] not in APART}
    return replace(blank, start=places_of(blank, kept), goal=places_of(blank, goals))


def places_of(layout: Layout, said: set[Fact]) -> Places:
    """Where facts say that each thing is, ABSENT if they do not."""
    found = dict[str, str]()
    for fact in sorted(said):
        predicate, *objects = fact
        objects += [PLACES[predicate]] if PLACES.get(predicate) else []
        known = predicate in PLACES and len(objects) == 2
        if not known or objects[0] not in layout.things or objects[1] not in layout.objects:
            raise ValueError(f"({' '.join(fact)}) says of no thing of this task where it is")
        if found.setdefault(objects[0], objects[1]) != objects[1]:
            raise ValueError(f"{objects[0]} is in two places: {found[objects[0]]} and {objects[1]}")
    return tuple(layout.objects.index(found[name]) if name in found else ABSENT for name in layout.things)
