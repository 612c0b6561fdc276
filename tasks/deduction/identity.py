"""Which problems of deduction are the same: a hash by colour refinement (Weisfeiler and Leman 1968)."""

from __future__ import annotations

import numpy as np

from tracelab.core.arrays import Words
from tracelab.core.jit import kernel, wrapping
from tracelab.core.rng import mix64
from tracelab.core.types import BINS
from tracelab.search.derivation import problem as problems
from tracelab.tasks.deduction.rules import EVERY, KNOWN, Theory, fits, ground, query

ROUNDS = 8  # of refining colours


@problems.implements(problems.identity, Theory)
@wrapping
def identity(theory: Theory) -> np.uint64:
    """Equal under other names, labels, orders, and exchange of p and `not p`: colours of literals, refined
    by the rules that they stand in. The split's bin hangs on facts and rules alone: both queries of a
    drawn pair of towers fall into one split, which keeps the answers even however few problems there are.
    """
    now, new = theory.colours[0], theory.colours[1]
    for g in range(len(now)):
        given = theory.truth[g] == KNOWN and theory.giver[g] < 0
        now[g] = mix64(np.uint64(1 + given))
    whole = np.uint64(0)
    for _ in range(ROUNDS):
        whole = np.uint64(0)
        for g in range(len(now)):
            new[g] = now[g] * np.uint64(3)
        for r in range(theory.shape[0]):
            whole += mix64(coloured(theory, theory.listed[r], now, new))
        for literal in range((len(now) - 1) // theory.entities):
            opposite = literal ^ 1 if theory.signs == 2 else literal
            for entity in range(theory.shape[3]):
                g = ground(theory, literal, entity)
                new[g] += mix64(now[ground(theory, opposite, entity)] ^ np.uint64(0xD1B54A32D192ED03))
        for g in range(len(now)):
            if theory.truth[g] == KNOWN and theory.giver[g] < 0:
                whole += mix64(now[g])
            now[g] = mix64(new[g])
    owner = mix64(whole) % np.uint64(BINS)
    asked = mix64(whole ^ mix64(now[query(theory)]))
    return asked - asked % np.uint64(BINS) + owner


@kernel
@wrapping
def coloured(theory: Theory, label: int, now: Words, new: Words) -> np.uint64:
    """Add a rule's colour to those of its literals -> its sum over entities."""
    whole = np.uint64(0)
    for entity in range(theory.shape[3]):
        if not fits(theory, label, entity):
            continue
        conclusion = ground(theory, theory.head[label], entity)
        own = np.uint64(1 + theory.kind[label] + 2 * (theory.about[label] == EVERY))
        for premise in theory.premises[label]:
            if premise >= 0:
                own += mix64(now[ground(theory, premise, entity)])
        own = mix64(own) + mix64(now[conclusion] ^ np.uint64(0x9E3779B97F4A7C15))
        new[conclusion] += mix64(own)
        for premise in theory.premises[label]:
            if premise >= 0:
                new[ground(theory, premise, entity)] += mix64(own ^ np.uint64(0xA5A5A5A5))
        whole += mix64(own)
    return whole
