"""Sorting a few numbers in place, within compiled code that may not allocate."""

from __future__ import annotations

from tracelab.core.arrays import Integers
from tracelab.core.jit import kernel


@kernel
def ascend(numbers: Integers, count: int) -> None:
    """Sort the first `count` numbers (there are few)."""
    for k in range(count):
        i = k
        while i > 0 and numbers[i - 1] > numbers[i]:
            numbers[i - 1], numbers[i] = numbers[i], numbers[i - 1]
            i -= 1
