"""What the judges of all grammars share: fit, reading solutions, what faults mean by level."""

from __future__ import annotations

from collections.abc import Mapping

from tracelab.core.codec import decode_row
from tracelab.core.jit import kernel
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples

OK, SYNTAX, TRUNCATED, EMPTY = range(4)  # the first reasons of every grammar
LEVELS = ("parses", "local", "strict")


def check_fit(most: Mapping[str, int], examples: Examples, outputs: Ragged) -> None:
    """ValueError unless there is one output per example, and the problems fit: compiled code does not ask.

    most: what the first integers of a stored problem count, and the most that there may be of each.
    """
    if len(examples) != len(outputs):
        raise ValueError(f"{len(outputs)} outputs for {len(examples)} examples: there must be one each")
    for h, (what, limit) in enumerate(most.items()):
        count = examples.problem.values[examples.problem.offsets[:-1] + h].max(initial=0)
        if count > limit:
            raise ValueError(
                f"a problem of {count} {what} is beyond this task's vocabulary, which ends at {limit}: "
                "judge it with the task that drew it"
            )


@kernel
def read_rows(solution, tokens, begins, rows):  # type: ignore[no-untyped-def]
    """Read the solution's rows -> how many, or -1 if it does not parse to its end."""
    at, count = begins, 0
    while at < len(tokens):
        at = decode_row(solution, tokens, at, len(tokens), rows[count])
        if at < 0:
            return -1
        count += 1
    return count


@kernel
def set_levels(fault, steps, reason, at):  # type: ignore[no-untyped-def]
    """Write the level `parses`, and what its fault means for local and strict, which `replay` has written.

    fault: of the completion's form, where its steps (so many of them parse) end.
    """
    if steps == 0 and fault == OK:
        fault = EMPTY
    reason[0], at[0] = fault, -1 if fault == OK else steps
    for level in (1, 2):
        if fault != OK and (reason[level] == OK or at[level] >= steps):
            reason[level], at[level] = fault, steps
