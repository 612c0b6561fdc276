"""How formulas, searches and assignments are written: as in DIMACS, with named clauses."""

from __future__ import annotations

import numpy as np

from tracelab.core.codec import Codec
from tracelab.core.formats import Field, Format
from tracelab.core.ragged import Ragged
from tracelab.search.backtracking.search import OPS
from tracelab.tasks.sat.formula import HEADER


def word(literal: int) -> str:
    """A literal: 3 or -3."""
    return f"-{literal // 2 + 1}" if literal % 2 else str(literal // 2 + 1)


def codec_of(variables: int, clauses: int, size: int) -> Codec:
    """The vocabulary for formulas of up to so many variables, clauses and literals a clause."""
    literals = tuple(word(literal) for literal in range(2 * variables))
    names = tuple(f"c{c + 1}" for c in range(clauses))
    places = {f"literal{j}": Field(2 + j, literals) for j in range(size)}
    written = Format(
        fields={"literal": Field(1, literals), "named": Field(1, names), "clause": Field(2, names), **places},
        prompt={
            "variables": "variables {literal}",
            "clause": " ".join(["{named}", *(f"{{{place}}}" for place in places)]),
        },
        trace={
            "decide": "decide {literal}",
            "propagate": "propagate {literal} {clause}",
            "conflict": "conflict {clause}",
            "backtrack": "backtrack {literal}",
        },
        solution={"literal": "{literal}", "unsat": "unsat"},
    )
    words = ("variables", "reasoning", *OPS, "solution", "unsat", "end", *names, *literals)
    return Codec(words, written, prompt_width=2 + size, trace_width=3, solution_width=2)


def prompt_rows(problems: Ragged, size: int) -> Ragged:
    """Stored problems -> rows (op, last variable or clause, literals...), -1 beyond a clause's end."""
    rows = []
    for problem in problems:
        variables, clauses, own = (int(h) for h in problem[:3])
        block = np.full((clauses + 1, 2 + size), -1, np.int32)
        block[0, :2] = 0, 2 * (variables - 1)
        block[1:, 0], block[1:, 1] = 1, np.arange(clauses)
        block[1:, 2 : 2 + own] = problem[HEADER:].reshape(clauses, own)
        rows.append(block)
    return Ragged.stack(rows, 2 + size)
