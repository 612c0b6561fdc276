"""A search for a plan drawn as a tree of actions and states, for the terminal and on matplotlib axes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tracelab.core.formats import ABSENT
from tracelab.core.ragged import Integers
from tracelab.search.best_first.search import CLOSE
from tracelab.tasks.planning.layout import Layout, Places, Words, after, followed, layout_of
from tracelab.tasks.planning.world import ACTION, FIRST
from tracelab.tasks.shared.trees import MARKS, Step, Tree, draw_tree, plot_tree, tree_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEGEND = f"{MARKS}   ab|c +d: b on a, c beside them, d in the hand; t1@l2: truck 1 at location 2"


def text(layout: Layout, places: Places) -> str:
    """A state in short: piles from the table up, or where each thing is. A goal may leave things out."""
    if layout.domain == "logistics":
        pairs = zip(layout.things, places, strict=True)
        return " ".join(f"{thing}@{layout.objects[at]}" for thing, at in pairs if at != ABSENT)
    things, table, hand = layout.things, len(places), len(places) + 1
    words = []
    for block, at in enumerate(places):
        if at in (table, ABSENT):
            pile = [block]
            while pile[-1] in places and len(pile) <= table:
                pile.append(places.index(pile[-1]))
            if at == table or len(pile) > 1:
                words.append(("" if at == table else "..") + "".join(things[k] for k in pile))
    held = [f"+{things[k]}" for k, at in enumerate(places) if at == hand]
    return " ".join(["|".join(words), *held])


def _steps(layout: Layout, words: Words, trace: Integers) -> Iterator[Step]:
    """A creation without a state is of the one that its action makes of the state closed last."""
    last = layout.start
    numbers = {int(word): k for k, word in enumerate(words.of_objects(layout))}
    for row in trace:
        closes, action = bool(row[0] == CLOSE), words.action(row)
        named = tuple(numbers.get(int(word), ABSENT) for word in row[FIRST:-2] if word != ABSENT)
        places = named if len(named) == len(layout.start) else None
        if places is None and not closes:
            places = after(layout, last, *action)
        last = places if closes and places is not None else last
        done = " ".join(word for word in action if word) if row[ACTION] != ABSENT else ""
        shown = text(layout, places) if places is not None else "?"
        yield Step(closes, places, f"{done}: {shown}" if done else shown)


def _tree(layout: Layout, words: Words, trace: Integers) -> Tree:
    root = Step(False, layout.start, text(layout, layout.start))
    return tree_of(root, _steps(layout, words, trace))


def draw_plan(
    problem: Integers, trace: Integers, solution: Integers, words: Words, step: int | None = None
) -> str:
    """Start and goal, then a line a state, indented by depth; the solution is marked if no step is given."""
    layout = layout_of(problem)
    path = followed(layout, words, solution) if step is None else []
    lines = [f"start  {text(layout, layout.start)}", f"goal   {text(layout, layout.goal)}", *_map(layout)]
    return "\n".join([*lines, *draw_tree(_tree(layout, words, trace[:step]), path)])


def _map(layout: Layout) -> list[str]:
    """What is where: cities with their locations, of logistics."""
    locations = layout.objects[len(layout.start) :]
    lines = []
    for city in sorted(set(layout.cities)):
        there = [
            name + " (airport)" * airport
            for name, where, airport in zip(locations, layout.cities, layout.airports, strict=True)
            if where == city
        ]
        lines.append(f"city{city + 1}  {', '.join(there)}")
    return lines


def plot_plan(
    ax: Axes, problem: Integers, trace: Integers, solution: Integers, words: Words, bad: int | None
) -> None:
    """The tree from left to right, the solution as a line, step `bad` crossed."""
    layout = layout_of(problem)
    labels = [step.label for step in _steps(layout, words, trace)]
    shown = labels[bad] if bad is not None and bad < len(trace) else None
    plot_tree(ax, _tree(layout, words, trace[:bad]), followed(layout, words, solution), shown)
    ax.set_title(f"{text(layout, layout.start)} to {text(layout, layout.goal)}", fontsize=8)
