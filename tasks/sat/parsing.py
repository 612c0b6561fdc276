"""A formula from a prompt that was read from a file."""

from __future__ import annotations

import numpy as np

from tracelab.core.codec import Codec
from tracelab.core.ragged import Integers
from tracelab.tasks.sat.text import prompt_rows
from tracelab.tasks.shared.reading import alone, check_written, stored


def problem_of(codec: Codec, prompt: Integers, size: int) -> Integers:
    """The stored formula that a prompt's tokens write. size: literals a clause.

    ValueError if they write none. (Whether it is satisfiable is for the search to say.)
    """
    rows = codec.read_prompt(prompt)
    clauses = rows[1:, 2:]
    if len(clauses) == 0 or rows[0, 0] != 0:
        raise ValueError("the prompt has no variables or no clauses")
    variables = int(rows[0, 1]) // 2 + 1
    problem = stored([variables, len(clauses), size, 0, *clauses.ravel()])
    check_written(codec, prompt, prompt_rows(alone(problem), size))
    named = np.sort(clauses // 2, axis=1)
    if named.max() >= variables:
        raise ValueError(f"a clause names variable {named.max() + 1} of {variables}")
    twice = np.flatnonzero((named[:, 1:] == named[:, :-1]).any(axis=1))
    if len(twice):
        raise ValueError(f"clause c{twice[0] + 1} names a variable twice")
    return problem
