"""What pictures of problems have in common: legible letters, no axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes
    from matplotlib.text import Text


def bring_forward(letters: Iterable[Text]) -> None:
    """Put letters before all else, with a white edge: the cross on a first bad step does not hide them."""
    from matplotlib import patheffects

    for letter in letters:
        letter.set(zorder=6, path_effects=[patheffects.withStroke(linewidth=2.0, foreground="white")])


def without_axes(ax: Axes, frame: bool = False) -> None:
    """Take away ticks, grid and spines; frame: a line around the picture instead."""
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(frame)
