"""Letters in pictures that stay legible whatever is drawn at their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.text import Text


def bring_forward(letters: Iterable[Text]) -> None:
    """Put letters before all else, with a white edge: the cross on a first bad step does not hide them."""
    from matplotlib import patheffects

    for letter in letters:
        letter.set(zorder=6, path_effects=[patheffects.withStroke(linewidth=2.0, foreground="white")])
