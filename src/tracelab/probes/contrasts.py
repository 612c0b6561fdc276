"""What is contrasted: pairs of groups of activations, by name.

    runs     the same tokens, read by another run and by this one: before and after a post-training, say
    parts    a completion's trace against its solution
    steps    its steps of one operation against its other steps
    length   traces that are longer against traces that are shorter, at equal complexity

Length follows complexity, so that long and short traces of any problems differ in what the problems are. So
they are compared within strata: of one problem, sampled several times, or of problems whose complexity is
equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tracelab.core.knobs import one_of
from tracelab.core.types import Task
from tracelab.models.base import Model
from tracelab.probes.activations import SOLUTION, Flags, Floats, Written, means, readable
from tracelab.probes.directions import NOTHING, Integers

CONTRASTS = ("runs", "parts", "steps", "length")
PROBLEM = "problem"


@dataclass(frozen=True)
class Contrast:
    """Rows of activations at places, in two groups.

    rows: place -> (n, features); label: (n,), is it of the first group?; stratum, group: (n,), within which
    rows are compared, and which problem each is of.
    """

    rows: Mapping[str, Floats]
    label: Flags
    stratum: Integers
    group: Integers


def check_contrast(
    name: str, task: Task, *, other: object, kind: str | None, match: str, samples: int
) -> None:
    """ValueError if a contrast cannot be had of a task. other: None where none is named; samples: of each
    problem.
    """
    if name == "runs" and other is None:
        raise ValueError("contrast=runs compares with another run: name it, other=runs/...")
    if name == "steps" and kind is not None:
        one_of("kind", kind, tuple(task.codec.format.trace))
    if name == "length":
        one_of("match", match, (PROBLEM, *task.complexities))
        if match == PROBLEM and samples == 1:
            raise ValueError(NOTHING)


def contrast(
    name: str, task: Task, model: Model, written: Written, places: Sequence[str], **options: object
) -> Contrast:
    """The contrast of a name. options: other (a model), kind (an operation), match (see `lengths`)."""
    if name == "runs":
        other = options["other"]
        assert isinstance(other, Model), "checked"
        both = readable(written, other.context)
        behind = np.ones(len(both.parts.values), np.bool_)
        return _paired(both, *(means(one, both, places, behind) for one in (other, model)))
    parts = written.parts.values
    if name == "parts":
        return _paired(
            written, *(means(model, written, places, own) for own in (parts >= 0, parts == SOLUTION))
        )
    if name == "steps":
        kinds = tuple(task.codec.format.trace)
        mine = parts == kinds.index(str(options["kind"] or kinds[0]))
        chosen = (mine, (parts >= 0) & ~mine)
        return _paired(written, *(means(model, written, places, own) for own in chosen))
    return lengths(model, written, places, str(options["match"]))


def lengths(model: Model, written: Written, places: Sequence[str], match: str) -> Contrast:
    """Traces that are longer than their stratum's median against those that are shorter.

    match: `problem`, strata are samples of a problem; or a measure of complexity, strata are of equal values.
    ValueError if no trace is longer or shorter. Completions without a trace do not count.
    """
    written = written.take(np.flatnonzero(written.trace_tokens > 0))
    by = written.problem if match == PROBLEM else written.examples.complexity[match]
    tokens = written.trace_tokens
    strata, stratum = np.unique(by, return_inverse=True)
    middle = np.array([np.median(tokens[stratum == k]) for k in range(len(strata))])
    kept = np.flatnonzero(tokens != middle[stratum])
    if not len(kept):
        raise ValueError(NOTHING)
    few = written.take(kept)
    rows, _ = means(model, few, places, few.parts.values >= 0)
    return Contrast(rows, (tokens > middle[stratum])[kept], stratum[kept], written.problem[kept])


def _paired(
    written: Written, first: tuple[dict[str, Floats], Flags], second: tuple[dict[str, Floats], Flags]
) -> Contrast:
    """Two rows of each completion that has both: a stratum each."""
    both = np.flatnonzero(first[1] & second[1])
    rows = {place: np.concatenate([first[0][place][both], second[0][place][both]]) for place in first[0]}
    group = written.problem[both]
    return Contrast(rows, np.repeat([True, False], len(both)), np.tile(both, 2), np.tile(group, 2))
