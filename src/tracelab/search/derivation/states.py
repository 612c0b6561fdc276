"""What a derivation has concluded at each step, read off its trace: labels for probes.

Steps are taken at their word, licensed or not.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tracelab.core.ragged import Integers
from tracelab.core.types import UNKNOWN, Quantity


def known_facts(
    concluded: Integers, facts: int, values: Integers | None = None, given: Collection[int] = ()
) -> dict[str, Quantity]:
    """Quantities of a derivation among so many facts.

    concluded: (steps,) which fact each step gives, UNKNOWN for none; values: (steps,) what it says of it, if
    it says anything; given: facts that the problem gives.

    known: is each fact known? value: what is known of each; next: the fact that is concluded next.
    """
    steps = len(concluded)
    known = np.zeros((steps + 1, facts), np.int64)
    value = np.full((steps + 1, facts), UNKNOWN, np.int64)
    coming = np.full((steps + 1, 1), UNKNOWN, np.int64)
    known[0, list(given)] = 1
    for t, fact in enumerate(concluded):
        known[t + 1], value[t + 1] = known[t], value[t]
        if 0 <= fact < facts:
            known[t + 1, fact] = 1
            value[t + 1, fact] = UNKNOWN if values is None else values[t]
    for t in range(steps - 1, -1, -1):
        coming[t] = concluded[t] if concluded[t] != UNKNOWN else coming[t + 1]
    found = {"known": Quantity(known), "next": Quantity(coming)}
    return found if values is None else {**found, "value": Quantity(value)}
