"""What the judges of all grammars share: batches in, reading completions, what faults mean by level."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Flags, Integers
from tracelab.core.codec import Codec, Markers, narrow
from tracelab.core.formats import ABSENT, Table, decode_row, op_begun
from tracelab.core.jit import kernel
from tracelab.core.ragged import Ragged
from tracelab.core.types import EMPTY, OK, SYNTAX, Examples, Verdicts

LEVELS = ("parses", "local", "strict")

# what compiled judges are given and, the last, write
Tables = tuple[Table, Table, Markers]  # of a codec: of traces, of solutions
Given = tuple[Integers, Integers, Integers, Integers]  # values and offsets of problems, and of completions
# values and offsets of problems, of traces (rows) and of reference solutions
References = tuple[Integers, Integers, Integers, Integers, Integers, Integers]
Judged = tuple[Flags, Flags, Integers, Integers, Integers, Integers]  # the fields of Verdicts


def check_fit(most: Mapping[str, int], examples: Examples, outputs: Ragged) -> None:
    """ValueError unless there is one output per example, and the problems fit (see `check_counts`)."""
    if len(examples) != len(outputs):
        raise ValueError(f"{len(outputs)} outputs for {len(examples)} examples: there must be one each")
    check_counts(most, examples.problem)


def check_counts(most: Mapping[str, int], problems: Ragged) -> None:
    """ValueError unless stored problems fit: compiled code does not ask.

    most: what the first integers of a stored problem count, and the most that there may be of each.
    """
    for h, (what, limit) in enumerate(most.items()):
        count = problems.values[problems.offsets[:-1] + h].max(initial=0)
        if count > limit:
            raise ValueError(
                f"a problem of {count} {what} is beyond this task's vocabulary, which ends at {limit}: "
                "take the task that drew it, or a higher task.reach"
            )


def verdicts_of(
    judge: Callable[[Tables, Given, Judged], None],
    codec: Codec,
    examples: Examples,
    completions: Ragged,
    levels: int = len(LEVELS),
) -> Verdicts:
    """Verdicts on completions, on so many levels. judge: a grammar's compiled one."""
    verdicts, problems = empty_verdicts(len(examples), levels), examples.problem
    tables = codec.trace, codec.solution, codec.markers
    given = problems.values, problems.offsets, narrow(completions.values), completions.offsets
    judge(tables, given, arrays(verdicts))
    return verdicts


def strictly_valid(
    judge: Callable[[References, Flags], None], examples: Examples, traces: Ragged
) -> NDArray[np.bool_]:
    """(n,): is each trace (rows) strictly valid for its problem and reference solution?

    judge: a grammar's compiled one.
    """
    ok = np.zeros(len(examples), np.bool_)
    judge(references(examples, traces, examples.solution), ok)
    return ok


def references(examples: Examples, traces: Ragged, solutions: Ragged) -> References:
    """Problems with traces and solutions (rows), for compiled code."""
    problems, rows = examples.problem, narrow(traces.values)
    return problems.values, problems.offsets, rows, traces.offsets, solutions.values, solutions.offsets


def empty_verdicts(n: int, levels: int) -> Verdicts:
    """Verdicts to be written by compiled code, on so many levels."""
    return Verdicts(
        np.zeros(n, np.bool_),
        np.zeros(n, np.bool_),
        np.zeros(n, np.uint8),
        np.zeros((n, levels), np.uint8),
        np.full((n, levels), -1, np.int32),
        np.zeros(n, np.int32),
    )


def arrays(verdicts: Verdicts) -> Judged:
    """The fields of Verdicts in order, for compiled code."""
    v = verdicts
    valid, best, reason = v.solution_valid, v.solution_optimal, v.solution_reason
    return valid, best, reason, v.trace_reason, v.trace_at, v.steps


@kernel
def longest(offsets: Integers) -> int:
    """The length of a batch's longest row; 0 for none."""
    most = 0
    for i in range(len(offsets) - 1):
        most = max(most, offsets[i + 1] - offsets[i])
    return most


@kernel
def largest(counts: Integers) -> int:
    """The largest of some counts; 0 for none."""
    most = 0
    for count in counts:
        most = max(most, count)
    return most


@kernel
def find(tokens: Integers, start_at: int, token: int) -> int:
    """The first place of a token from start_at on, or len(tokens)."""
    for i in range(start_at, len(tokens)):
        if tokens[i] == token:
            return i
    return len(tokens)


@kernel
def split_completion(
    trace: Table, solution: Table, markers: Markers, tokens: Integers, rows: Integers
) -> tuple[int, int, int]:
    """Read the trace's rows; where the format opens a trace with a word, there is none without it.

    -> (steps, fault of the trace, where the solution begins)
    """
    trace_open, solution_open, _ = markers
    opened = trace_open == ABSENT or (len(tokens) > 0 and tokens[0] == trace_open)
    at, steps = int(opened and trace_open != ABSENT), 0
    while opened and at < len(tokens):
        after = decode_row(trace, tokens, at, len(tokens), rows[steps])
        if after < 0:
            break
        at, steps = after, steps + 1
    if solution_open != ABSENT:
        begins = find(tokens, at, solution_open)
        return steps, OK if begins == at else SYNTAX, begins + 1
    begins = at
    while begins < len(tokens) and op_begun(solution, tokens[begins]) < 0:
        begins += 1
    return steps, OK if begins == at else SYNTAX, begins


@kernel
def read_rows(solution: Table, tokens: Integers, begins: int, rows: Integers) -> int:
    """Read the solution's rows -> how many, or -1 if it does not parse to its end."""
    at, count = begins, 0
    while at < len(tokens):
        at = decode_row(solution, tokens, at, len(tokens), rows[count])
        if at < 0:
            return -1
        count += 1
    return count


@kernel
def set_levels(fault: int, steps: int, reason: Integers, at: Integers) -> None:
    """Write the level `parses`, and what its fault means for local and strict, which `replay` has written.

    fault: of the completion's form, where its steps (so many of them parse) end.
    """
    if steps == 0 and fault == OK:
        fault = EMPTY
    reason[0], at[0] = fault, -1 if fault == OK else steps
    for level in (1, 2):
        if fault != OK and (reason[level] == OK or at[level] >= steps):
            reason[level], at[level] = fault, steps
