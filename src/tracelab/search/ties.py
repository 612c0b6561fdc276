"""What other searches of the same problems have in common: ties are broken at random, anew for each key."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.types import Examples

LONGER, SPARE = 4, 64


def limits_of(examples: Examples) -> NDArray[np.int64]:
    """(n,) steps that another trace may have: LONGER times the reference's and some more. A search that takes
    more is given up.
    """
    return LONGER * examples.trace.lengths + SPARE
