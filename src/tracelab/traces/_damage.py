"""Damaging steps, compiled: choose the steps, draw what happens to each, write the new trace."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Flags, Integers, Random, Words
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel, njit
from tracelab.core.rng import below, shuffle

KINDS = ("state", "cost", "order", "drop", "insert", "op")
STATE, COST, ORDER, DROP, INSERT, OP = range(6)
WHERE = ("uniform", "prefix", "suffix")
UNIFORM, PREFIX, SUFFIX = range(3)
KEEP = -1
# kinds to draw from, roles of columns, `like_operations`, rate, a place in WHERE
Knobs = tuple[Integers, Integers, Integers, float, int]
Batch = tuple[Integers, Integers, Words, int]  # rows, their offsets, identities; whose trace it is
TRIES = 100  # draws for another value or another problem before the step is left alone


@njit
def damage(
    values: Integers, offsets: Integers, identity: Words, which: Integers, keys: Words, knobs: Knobs
) -> tuple[Integers, NDArray[np.int64], Flags, NDArray[np.int64]]:
    """Damage the traces `which` of a batch.

    -> (rows, offsets, for each row whether it is damaged, damaged steps per trace)
    """
    kinds, _, _, rate, where = knobs
    counts, ends = np.zeros(len(which), np.int64), np.zeros(len(which) + 1, np.int64)
    room = longest = 0
    for w in range(len(which)):
        n = offsets[which[w] + 1] - offsets[which[w]]
        room += n + wanted(n, rate, kinds)
        longest = max(longest, n)
    rows, labels = np.empty((room, values.shape[1]), values.dtype), np.zeros(room, np.bool_)
    steps, action, source = np.empty((3, longest), np.int64)
    random = np.empty(1, np.uint64)
    for w in range(len(which)):
        i, at = which[w], ends[w]
        n = offsets[i + 1] - offsets[i]
        random[0] = keys[w]
        choose(random, wanted(n, rate, kinds), where, kinds, steps[:n], action[:n])
        trade_places(random, steps[:n], action[:n], source[:n])
        batch = (values, offsets, identity, i)
        size, counts[w] = write(batch, action[:n], source[:n], knobs, random, rows[at:], labels[at:])
        ends[w + 1] = at + size
    return rows[: ends[-1]], ends, labels[: ends[-1]], counts


@kernel
def wanted(n: int, rate: float, kinds: Integers) -> int:
    """How many of n steps are to be damaged."""
    least = 2 if len(kinds) == 1 and kinds[0] == ORDER else 1
    return min(n, max(least, int(np.floor(rate * n + 0.5))))


@kernel
def choose(
    random: Random, count: int, where: int, kinds: Integers, steps: Integers, action: Integers
) -> None:
    """Choose `count` steps and what happens to each. For one key, a higher rate damages the
    same steps and more.
    """
    n = len(steps)
    for s in range(n):
        steps[s] = s if where == SUFFIX else n - 1 - s
        action[s] = KEEP
    if where == UNIFORM:
        shuffle(random, steps)
    for s in steps[n - count :]:
        action[s] = kinds[below(random, len(kinds))]


@kernel
def trade_places(random: Random, steps: Integers, action: Integers, source: Integers) -> None:
    """source[s]: the step that stands at s. Those whose action is ORDER form one random cycle, so that
    each moves (Sattolo 1986); a lone one has nowhere to go and is dropped.
    """
    moved = 0
    for s in range(len(source)):
        source[s] = s
        if action[s] == ORDER:
            steps[moved] = s
            moved += 1
    if moved == 1:
        action[steps[0]] = DROP
    for k in range(moved - 1, 0, -1):
        a, b = steps[k], steps[below(random, k)]
        source[a], source[b] = source[b], source[a]


@kernel
def write(
    batch: Batch,
    action: Integers,
    source: Integers,
    knobs: Knobs,
    random: Random,
    out: Integers,
    labels: Flags,
) -> tuple[int, int]:
    """Write a damaged trace and its labels. -> (rows written, steps damaged)"""
    values, offsets, _, i = batch
    kinds, roles, likes, _, _ = knobs
    first, gap = offsets[i], False
    at = count = 0
    for s in range(len(action)):
        if action[s] == DROP:
            gap = True
            count += 1
            continue
        if action[s] == INSERT:
            r = foreign_row(batch, random)
            if r >= 0:
                copy(values[r], out[at])
                labels[at] = True
                count += 1
                at += 1
        copy(values[first + source[s]], out[at])
        if action[s] == OP and (likes[out[at, 0], 0] >= 0 or len(kinds) == 1):
            change_op(likes, random, out[at])
        elif action[s] == STATE or action[s] == COST or action[s] == OP:  # no other operation: another state
            role = 2 if action[s] == COST else 1
            change_operand(values, roles, role, random, out[at])
        differs = False
        for c in range(len(roles)):
            differs = differs or out[at, c] != values[first + s, c]
        count += differs
        labels[at] = differs or gap
        gap = False
        at += 1
    return at, count


@kernel
def copy(row: Integers, out: Integers) -> None:
    """Copy a row by hand: NumPy's assignment would allocate, for fear that the two overlap."""
    for c in range(len(row)):
        out[c] = row[c]


@kernel
def foreign_row(batch: Batch, random: Random) -> int:
    """A random step of a random other problem of the batch, or -1."""
    _, offsets, identity, i = batch
    for _ in range(TRIES):
        j = below(random, len(identity))
        if identity[j] != identity[i] and offsets[j + 1] > offsets[j]:
            return offsets[j] + below(random, offsets[j + 1] - offsets[j])
    return -1


@kernel
def change_op(likes: Integers, random: Random, row: Integers) -> None:
    """Another operation with the same operands."""
    others = likes[row[0]]
    count = 0
    while count < len(others) and others[count] >= 0:
        count += 1
    if count > 0:
        row[0] = others[below(random, count)]


@kernel
def change_operand(values: Integers, roles: Integers, role: int, random: Random, row: Integers) -> None:
    """Another value in one random column of a role: that of a random step of the batch."""
    present = 0
    for c in range(len(roles)):
        present += roles[c] == role and row[c] != ABSENT
    if present == 0:
        return
    column, skip = 0, below(random, present)
    for c in range(len(roles)):
        if roles[c] == role and row[c] != ABSENT:
            if skip == 0:
                column = c
            skip -= 1
    for _ in range(TRIES):
        value = values[below(random, len(values)), column]
        if value != ABSENT and value != row[column]:
            row[column] = value
            return
