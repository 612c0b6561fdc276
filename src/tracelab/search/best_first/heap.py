"""A binary min-heap of (key, item) in two arrays, for compiled code."""

from __future__ import annotations

from tracelab.core.arrays import Integers
from tracelab.core.jit import kernel


@kernel
def push(keys: Integers, items: Integers, size: int, key: int, item: int) -> int:
    """Add an item -> new size. The arrays must have room."""
    i = size
    while i > 0:
        parent = (i - 1) >> 1
        if keys[parent] <= key:
            break
        keys[i], items[i] = keys[parent], items[parent]
        i = parent
    keys[i], items[i] = key, item
    return size + 1


@kernel
def pop(keys: Integers, items: Integers, size: int) -> int:
    """Take the least item out of place 0 (read it first) -> new size."""
    size -= 1
    key, item = keys[size], items[size]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[i], items[i] = keys[child], items[child]
        i = child
    keys[i], items[i] = key, item
    return size
