"""Facts, rules and the search among them, drawn for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tracelab.core.ragged import Integers
from tracelab.tasks.deduction.rules import APPLY, FAIL, TRY
from tracelab.tasks.deduction.text import JOINS, VARIABLE, entity_name, literal_name, parts_of
from tracelab.tasks.shared.marks import without_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEGEND = "* applied   > tried   . neither yet   in the lower lines: what is known, what failed"
PICTURE_LEGEND = (
    "derived (blue), asked for (orange), failed (grey)\ndotted: tried in vain; cross: first bad step"
)
Node = tuple[int, int]  # literal, entity
BLUE, ORANGE, GREY, RED = "#56B4E9", "#E69F00", "#CCCCCC", "#D55E00"


def spoken(literal: int, entity: int, signs: int, quantified: bool) -> str:
    """A literal as in the prompt."""
    of = f" {entity_name(entity) if entity >= 0 else VARIABLE}" if quantified else ""
    return literal_name(int(literal), signs) + of


def draw_theory(
    problem: Integers, trace: Integers, solution: Integers, step: int | None, signs: int, quantified: bool
) -> str:
    """The rules with what the steps did to them, then literals by what became of them."""
    facts, rules = parts_of(problem)
    steps = trace if step is None else trace[: step + 1]
    applied, tried = ({int(row[1]) for row in steps if row[0] == op} for op in (APPLY, TRY))
    lines = []
    for label, kind, about, head, *premises in rules.tolist():
        mark = "*" if label in applied else ">" if label in tried else "."
        join = f" {JOINS[kind]} "
        body = join.join(spoken(p, about, signs, quantified) for p in premises if p >= 0)
        lines.append(f"{mark} r{label:<3} {body} -> {spoken(head, about, signs, quantified)}")

    def listed(rows: Integers) -> str:
        return ", ".join(spoken(row[0], row[1], signs, quantified) for row in rows) or "none"

    lines.append(f"facts:   {listed(facts)}")
    for word, op in (("derived", APPLY), ("failed", FAIL)):
        lines.append(f"{word + ':':8} {listed(steps[steps[:, 0] == op][:, 2:4])}")
    proof = " ".join(f"r{row[1]}" for row in solution if row[0] == 0) or "unknown"
    lines.append(f"prove {spoken(problem[5], problem[6], signs, quantified)}: {proof}")
    return "\n".join(lines)


class Shown(NamedTuple):
    """What steps come to, by literal and entity. depth: of facts and of what was derived; used: those that an
    arrow touches; failed: in their order; under: goals by how far they are from the query; arrows, tried:
    from premises to conclusions, and from goals to those that they were opened for.
    """

    depth: dict[Node, int]
    used: set[Node]
    failed: list[Node]
    under: dict[Node, int]
    arrows: list[tuple[Node, Node]]
    tried: list[tuple[Node, Node]]


def shown(problem: Integers, steps: Integers, asked: Node, quantified: bool) -> Shown:
    """The steps one by one; any rows do, legal or not."""
    facts, rules = parts_of(problem)
    bodies = {row[0]: [p for p in row[4:] if p >= 0] for row in rules.tolist()}
    heads = {row[0]: row[3] for row in rules.tolist()}
    depth = {(int(f[0]), int(f[1]) if quantified else -1): 0 for f in facts}
    said = Shown(depth, set(), [], {asked: 0}, [], [])
    for op, label, literal, entity in steps.tolist():
        here = literal, entity
        if op == FAIL and here not in said.failed:
            said.failed.append(here)
        if op == TRY:
            goal = heads.get(label, -1), entity
            said.under.setdefault(here, 1 + said.under.get(goal, 0))
            said.tried.append((here, goal))
        if op == APPLY and here not in depth:
            below = [(p, entity) for p in bodies.get(label, []) if (p, entity) in depth]
            depth[here] = 1 + max((depth[b] for b in below), default=0)
            said.arrows.extend((b, here) for b in below)
            said.used.update((here, *below))
    return said


def plot_theory(
    ax: Axes, problem: Integers, trace: Integers, bad: int | None, signs: int, quantified: bool
) -> None:
    """Derived literals by depth from left to right, with arrows from premises; dotted ones from goals
    that failed.
    """
    asked = int(problem[5]), int(problem[6]) if quantified else -1
    depth, used, failed, under, arrows, tried = shown(problem, trace[:bad], asked, quantified)
    last = max([depth[u] for u in used] + [under.get(f, 0) for f in failed], default=0)
    columns = [(n, depth[n]) for n in depth if n in used] + [(f, last - under.get(f, 0)) for f in failed]
    tall: dict[int, int] = {}
    places = {}
    for node, x in columns:
        tall[x] = tall.get(x, 0) + 1
        places[node] = x, -tall[x]
    fell = [(begin, end) for begin, end in tried if begin in failed and end in places]
    for begin, end in arrows + fell:
        style = ":" if begin in failed else "-"
        arrow = {"arrowstyle": "->", "color": "#999999", "linestyle": style}
        ax.annotate("", places[end], places[begin], arrowprops=arrow, zorder=1)
    for node, place in places.items():
        colour = ORANGE if node == asked else GREY if node in failed else BLUE
        box = {"boxstyle": "round", "facecolor": colour, "edgecolor": "none", "alpha": 0.9}
        name = spoken(*node, signs, quantified)
        ax.text(*place, name, ha="center", va="center", fontsize=6, bbox=box)
    if bad is not None and bad < len(trace):
        ax.plot(-0.4, -0.4, "x", color=RED, ms=9, mew=2.2)
    lowest = -max(tall.values(), default=1) - 0.7
    ax.set(xlim=(-0.6, last + 0.6), ylim=(lowest, 0))
    without_axes(ax)
