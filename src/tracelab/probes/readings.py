"""Can a problem's trace be read off latents? Its steps are looked for in the likeliest words at each place.

    found = decoded(task, examples.trace, words, task.prompts(examples))

A step is read off where its result is among the words at a place, and its operands are among those of earlier
places or stand in the prompt; the two are counted apart. The same is asked with other problems' traces of as
many steps: of ten words among fifty some are there by chance. But more of a problem's own trace stands in its
prompt than of others', and places that merely repeat the prompt do not say its trace. So each step is held
against those of others that stand in this prompt as far (`expected`). Source: Dilgren and Wiegreffe 2026
(arXiv 2604.04902), but for the controls, which are ours.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core import rng
from tracelab.core.ragged import Integers, Ragged

# Of tasks: the column of a step's result, and those of its operands.
PARTS = {
    "arithmetic": ("value", ("left", "right")),
    "deduction": ("literal", ("rule",)),
    "graph_path": ("node", ()),
}
FIELD = re.compile(r"{([\w.]+)\??}")

Words = list[int]
Kind = tuple[
    int, int, bool, bool
]  # operands, those that a prompt lacks; does it have the result? is that one?


class Step(NamedTuple):
    """What a step says, as tokens."""

    result: Words
    operands: Words


class Read(NamedTuple):
    """How many of a trace's steps are read off.

    steps: there are; with_operands: of these have any; result: whose result is read anywhere; step: and whose
    operands are read before, or stand in the prompt; inside: and whose operands are all read before.
    """

    steps: int
    with_operands: int
    result: int
    step: int
    inside: int


def spelled(task: Any, op: int, column: int, value: int) -> Words:
    """The tokens that a column's value is written with in a step of this operation, if any."""
    codec = task.codec
    template = list(codec.format.trace.values())[op]
    fields = [codec.format.fields[name] for name in FIELD.findall(template)]
    words = (f.words[value // f.div % len(f.words)] for f in fields if f.column == column)
    return [codec.token[word] for word in words]


def steps_of(task: Any, trace: Integers) -> list[Step]:
    """What each step of a trace (rows) says."""
    names = [column.name for column in task.columns]
    result, operands = PARTS[task.name]
    at, from_ = names.index(result), [names.index(name) for name in operands]
    return [
        Step(
            spelled(task, int(row[0]), at, int(row[at])),
            [word for k in from_ for word in spelled(task, int(row[0]), k, int(row[k]))],
        )
        for row in trace
    ]


def steps_read(steps: Sequence[Step], words: Integers, prompt: Integers) -> NDArray[np.bool_]:
    """(steps, 3): is the result read; and the operands before, or in the prompt; and all of them before?

    words: (places, top), of one problem.
    """
    said = [set(here) for here in words.tolist()]
    before: list[set[int]] = [set().union(*said[:p]) for p in range(len(said))]
    written = set(prompt.tolist())
    found = np.zeros((len(steps), 3), np.bool_)
    for k, step in enumerate(steps):
        at = [p for p, here in enumerate(said) if step.result and here.issuperset(step.result)]
        found[k] = (
            bool(at),
            any((before[p] | written).issuperset(step.operands) for p in at),
            bool(step.operands) and any(before[p].issuperset(step.operands) for p in at),
        )
    return found


def read_off(steps: Sequence[Step], words: Integers, prompt: Integers) -> Read:
    """How many steps are read off one problem's places. words: (places, top)."""
    counts = steps_read(steps, words, prompt).sum(axis=0).tolist()
    return Read(len(steps), sum(bool(step.operands) for step in steps), *counts)


def decoded(task: Any, traces: Sequence[Integers], words: Integers, prompts: Ragged) -> list[Read]:
    """How much of a trace is read off each problem's places, its own or another's.

    words: (n, places, top).
    """
    return [read_off(steps_of(task, trace), words[i], prompts[i]) for i, trace in enumerate(traces)]


def kind_of(step: Step, prompt: Integers) -> Kind:
    """How far a step stands in a prompt. Steps of one kind are as easily read off places that repeat it."""
    operands, written = {*step.operands}, {*prompt.tolist()}
    missing, itself = len(operands - written), not operands.isdisjoint(step.result)
    return len(operands), missing, written.issuperset(step.result), itself


def expected(
    task: Any, traces: Ragged, donors: NDArray[np.int64], words: Integers, prompts: Ragged
) -> NDArray[np.float64]:
    """(n, 5): of each problem's steps those that others' of their kind are known of, and how many of these
    have operands; then of how many result, step and operands would be read, as `Read` counts them, if they
    were read as often as others' of their kind are in these places; or, where none of these was looked for
    here, as often as in all problems' places.

    donors: (n, count) whose traces are looked for in a problem's places, -1: nobody's. Others' operands may
    stand in this prompt, as its own may. words: (n, places, top).
    """
    steps = [steps_of(task, trace) for trace in traces]
    here: dict[tuple[int, Kind], Any] = defaultdict(lambda: np.zeros(4))  # how many, and of these read
    anywhere: dict[Kind, Any] = defaultdict(lambda: np.zeros(4))
    for i, mine in enumerate(donors):
        for theirs in (steps[donor] for donor in mine if donor >= 0):
            for step, read in zip(theirs, steps_read(theirs, words[i], prompts[i]), strict=True):
                kind, counts = kind_of(step, prompts[i]), np.array([1, *read])
                here[i, kind], anywhere[kind] = here[i, kind] + counts, anywhere[kind] + counts
    found = np.zeros((len(steps), 5))
    for i, own in enumerate(steps):
        for step in own:
            kind = kind_of(step, prompts[i])
            count, *read = here.get((i, kind), anywhere[kind])
            if count:
                found[i] += (1, bool(step.operands), *(np.array(read) / count))
    return found


def alike(lengths: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """(n, count): other problems whose traces have as many steps, each once; -1 where there are too few."""
    found = np.full((len(lengths), count), -1)
    for i, length in enumerate(lengths):
        same = np.flatnonzero((lengths == length) & (np.arange(len(lengths)) != i))
        chosen = rng.rng(seed, "test", i, "other traces").permutation(same)[:count]
        found[i, : len(chosen)] = chosen
    return found
