"""A puzzle from a prompt that was read from a file."""

from __future__ import annotations

import numpy as np

from tracelab.core.codec import Codec
from tracelab.core.ragged import Integers
from tracelab.tasks.knights_knaves.statements import CONNECTIVE, DEEPEST, NOT
from tracelab.tasks.knights_knaves.text import ATOM, JOINED, SAYS
from tracelab.tasks.shared.reading import stored


def problem_of(codec: Codec, prompt: Integers) -> Integers:
    """The stored puzzle that a prompt's tokens write. ValueError if they write none."""
    rows = codec.read_prompt(prompt)
    begins = np.flatnonzero(rows[:, 0] == SAYS)
    people = len(begins)
    if people < 2 or begins[0] != 0 or rows[begins, 1].tolist() != list(range(people)):
        raise ValueError("the prompt does not say, in their order, what each of two people or more says")
    codes = np.where(rows[:, 0] == JOINED, CONNECTIVE + rows[:, 1], rows[:, 1])
    atoms = codes[rows[:, 0] == ATOM]
    if atoms.max(initial=0) >= 2 * people:
        raise ValueError(f"a statement is about a person who is none of the {people}")
    for speaker, statement in enumerate(np.split(codes, begins[1:])):
        if depth_of(statement[1:].tolist()) > DEEPEST:
            raise ValueError(f"the statement of person {speaker + 1} nests deeper than {DEEPEST}")
    return stored([people, *codes[rows[:, 0] != SAYS]])


def depth_of(codes: list[int]) -> int:
    """How deep connectives nest in a statement, in prefix order. ValueError unless it is one and whole."""
    waiting, deepest = [0], 0
    for code in codes:
        if not waiting:
            raise ValueError("words follow a statement that is whole")
        depth = waiting.pop()
        deepest = max(deepest, depth)
        if code >= CONNECTIVE:
            waiting += [depth + 1] * (1 if code == CONNECTIVE + NOT else 2)
    if waiting:
        raise ValueError("a statement is not whole")
    return deepest
