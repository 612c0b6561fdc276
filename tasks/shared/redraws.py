"""Problems whose search does not fit a task's knobs are drawn anew."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples

REDRAWS = 50
LEAST = 3  # steps of a trace
Draw = Callable[[NDArray[np.uint64]], tuple[Examples, NDArray[np.bool_]]]


def check_longest(longest: int | None) -> None:
    """ValueError if the knob `longest` leaves no trace."""
    if longest is not None and longest < LEAST:
        raise ValueError(f"task.longest={longest}: no trace has fewer than {LEAST} steps")


def writable(traces: Ragged, dearest: int) -> NDArray[np.bool_]:
    """(n,): does each trace of a best-first search name costs, g and h, up to the dearest alone?"""
    owner = np.repeat(np.arange(len(traces)), traces.lengths)
    fits = np.ones(len(traces), np.bool_)
    fits[owner[(traces.values[:, -2:] > dearest).any(axis=1)]] = False
    return fits


def redrawn(draw: Draw, keys: NDArray[np.uint64], advice: str) -> Examples:
    """One problem per key. draw: keys -> problems and (n,) which of them fit; the others are drawn again
    with keys of their own. ValueError with the advice if REDRAWS rounds leave one that does not fit.
    """
    examples, good = draw(keys)
    for attempt in range(1, REDRAWS + 1):
        if good.all():
            return replace(examples, index=np.arange(len(keys)))
        bad = np.flatnonzero(~good)
        again, fits = draw(keys[bad] + np.uint64(attempt))
        order = np.arange(len(keys))
        order[bad] = len(keys) + np.arange(len(bad))
        examples = Examples.concat([examples, again]).take(order)
        good[bad] = fits
    if good.all():
        return replace(examples, index=np.arange(len(keys)))
    raise ValueError(f"{REDRAWS} problems in a row {advice}")


class Redrawn(ABC):
    """A task that draws problems anew whose search is longer than it wants: which leaves the easier ones."""

    @abstractmethod
    def _draw(self, keys: NDArray[np.uint64], split: str) -> tuple[Examples, NDArray[np.bool_]]:
        """-> problems with their searches, and (n,) which of these fit."""

    def kept(self, keys: NDArray[np.uint64], split: str) -> NDArray[np.bool_]:
        """(n,): is each key's first draw kept?"""
        return self._draw(keys, split)[1]


def fitting(examples: Examples, fits: NDArray[np.bool_], most: int, also: str = "") -> Examples:
    """Problems that were read, not drawn, with their searches. most: states that one of these may meet; also:
    what else may not fit.

    ValueError unless all fit: (n,). (The knob `longest` is for problems that are drawn.)
    """
    if fits.all():
        return examples
    raise ValueError(f"its search meets more than {most:,} states, or costs more than can be written{also}")
