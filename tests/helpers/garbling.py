"""Completions made wrong, for checking verifiers: one token changed, or two good ones torn and mixed."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracelab.core.codec import SPECIALS, Codec

OUTSIDE = (-1, -2, -(2**31), 2**31 - 1, 2**31, 2**32, 2**32 + 5, -(2**32) + 5, 2**62)  # no vocabulary's ids
KINDS = 13


def mutate(tokens: np.ndarray, vocabulary: int, draw: np.random.Generator) -> np.ndarray:
    """One token substituted (often by one nearby in the vocabulary), deleted or inserted."""
    at, kind = int(draw.integers(len(tokens))), int(draw.integers(4))
    if kind == 0:
        return np.delete(tokens, at)
    near = (int(tokens[at]) + int(draw.choice([-2, -1, 1, 2]))) % vocabulary
    other = near if kind == 1 else int(draw.integers(vocabulary))
    if kind == 3:
        return np.insert(tokens, at, other)
    if other == tokens[at]:
        other = (other + 1) % vocabulary
    return np.concatenate([tokens[:at], [other], tokens[at + 1 :]])


def marks_of(codec: Codec) -> np.ndarray:
    """Tokens of a format's fixed words: markers, operations, specials."""
    written = codec.format
    templates = [*written.prompt.values(), *written.trace.values(), *written.solution.values()]
    fixed = [word for template in templates for word in template.split() if not word.startswith("{")]
    words = [*fixed, written.trace_open, written.solution_open, written.stop, *SPECIALS]
    return np.array([codec.token[word] for word in dict.fromkeys(words) if word in codec.token])


def garble(kind: int, mine: np.ndarray, other: np.ndarray, codec: Codec, draw: Any) -> np.ndarray:
    """An adversarial completion made of two good ones, word by word; kind 0 to KINDS - 1."""
    vocabulary, marks = len(codec.vocabulary), marks_of(codec)
    cut, at = int(draw.integers(len(mine) + 1)), int(draw.integers(len(other) + 1))
    wide = mine.astype(np.int64)
    match kind:
        case 0:
            return draw.integers(0, vocabulary, draw.integers(60))
        case 1:
            return np.concatenate([mine[:cut], other[at:]])
        case 2:
            return mine[:cut]
        case 3:
            return draw.choice(marks, draw.integers(30))
        case 4:
            return np.insert(mine, draw.integers(0, len(mine), 3), draw.choice(marks, 3))
        case 5:
            return wide[:0]
        case 6:
            return np.repeat(mine, draw.integers(1, 4, len(mine)))
        case 7:
            return np.concatenate([*[mine[:cut]] * 3, mine[cut:]])
        case 8:
            return np.insert(wide, cut, draw.choice(OUTSIDE))
        case 9:
            wide[draw.integers(0, len(mine), 2)] = draw.choice([*OUTSIDE, vocabulary, vocabulary + 1], 2)
            return wide
        case 10:
            a, b = sorted(int(p) for p in draw.integers(0, len(mine) + 1, 2))
            return np.delete(mine, np.arange(a, b))
        case 11:
            return mutate(mutate(mine, vocabulary, draw), vocabulary, draw)
        case _:
            return np.concatenate([mine[:cut], draw.choice(marks, 2), mine[cut:]])
