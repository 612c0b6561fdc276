"""What tasks draw of derivations, and letters for what has no name of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING

from tracelab.tasks.shared.marks import without_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def letters(k: int) -> str:
    """A to Z, then A1 to Z1, ..."""
    round_, letter = divmod(k, 26)
    return ascii_uppercase[letter] + (str(round_) if round_ else "")


def plot_derived(ax: Axes, steps: Iterable[tuple[int, Sequence[int], str]], asked: int, broken: bool) -> None:
    """Steps by depth from left to right, with arrows to what rests on them.

    steps: what each derives, what it uses, and its text; the first to derive something counts. broken: is
    what comes next wrong?
    """
    depth: dict[int, int] = {}
    places: dict[int, tuple[float, float]] = {}
    used: dict[int, int] = {}
    for name, operands, text in steps:
        if name in depth:
            continue
        depth[name] = 1 + max((depth.get(o, 0) for o in operands), default=0)
        used[depth[name]] = used.get(depth[name], 0) + 1
        places[name] = (depth[name], -used[depth[name]])
        for operand in operands:
            if operand in places:
                arrow = {"arrowstyle": "->", "color": "#999999"}
                ax.annotate("", places[name], places[operand], arrowprops=arrow, zorder=1)
        colour = "#E69F00" if name == asked else "#56B4E9"
        box = {"boxstyle": "round", "facecolor": colour, "edgecolor": "none", "alpha": 0.9}
        ax.text(*places[name], text, ha="center", va="center", fontsize=7, bbox=box)
    if broken:
        ax.plot(0.3, -0.4, "x", color="#D55E00", ms=9, mew=2.2)
    deepest, widest = max(depth.values(), default=1), max(used.values(), default=1)
    ax.set(xlim=(0, deepest + 1), ylim=(-widest - 0.7, 0))
    without_axes(ax)
