"""Moments of traces: the words at which a step begins and ends, what the model has there, what is true there.

The trace stands in a text, behind its prompt. At the first word of a step (`begin`) the steps before it are
taken; at its last (`end`), it is taken, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from tracelab.core import rng
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import UNKNOWN, Examples, Quantity
from tracelab.decoding.sharing import dealt
from tracelab.models.base import Model
from tracelab.models.places import capture, in_columns

BEGIN, END = range(2)
AT = ("begin", "end")
BATCH_TOKENS = 16384  # read at once


class Points(Protocol):
    """Where activations are read. text: (n,) which text; word: (n,) its place there."""

    @property
    def text(self) -> NDArray[np.int64]:
        """Which texts."""

    @property
    def word(self) -> NDArray[np.int64]:
        """Places in them."""


@dataclass(frozen=True)
class Moments:
    """n moments of texts. traces: the rows of each text's trace.

    text: (n,) which; word: (n,) its place there; at: (n,) BEGIN or END; taken: (n,) steps that are taken by
    then; kind: (n,) what was read, alike for the same words: at END the step, at BEGIN the one before it (or
    none) and the operation of the one that begins.
    """

    traces: Sequence[Integers]
    text: NDArray[np.int64]
    word: NDArray[np.int64]
    at: NDArray[np.int64]
    taken: NDArray[np.int64]
    kind: NDArray[np.int64]


def moments_of(task: Any, prompts: Ragged, completions: Ragged, steps: int, seed: int, room: int) -> Moments:
    """The beginning and the end of so many steps of each trace, drawn at random, as far as it parses.

    room: words of a text that the model can read.
    """
    codec = task.codec
    found, traces = [], []
    read: tuple[list[Any], list[Any]] = [], []  # at BEGIN, at END
    for i, completion in enumerate(completions):
        trace, _ = codec.read_completion(completion)
        traces.append(trace)
        lengths = codec.encode(codec.trace, Ragged(trace, np.arange(len(trace) + 1))).lengths
        begin = len(prompts[i]) + codec.before_trace(completion)
        ends = begin + np.cumsum(lengths)
        fits = np.flatnonzero(ends <= room)
        chosen = rng.rng(seed, "test", i, "states").permutation(fits)[:steps]
        for t in np.sort(chosen):
            found += [(i, ends[t] - lengths[t], BEGIN, t), (i, ends[t] - 1, END, t + 1)]
            read[BEGIN].append((*(trace[t - 1] if t else np.full_like(trace[t], UNKNOWN)), trace[t, 0]))
            read[END].append(trace[t])
    text, word, at, taken = np.array(found, np.int64).reshape(-1, 4).T
    kinds = [np.unique(np.array(rows), axis=0, return_inverse=True)[1].ravel() for rows in read if rows]
    return Moments(traces, text, word, at, taken, np.stack(kinds, axis=1).ravel() if kinds else text)


def quantities(
    task: Any, examples: Examples, traces: Sequence[Integers], moments: Moments
) -> dict[str, Quantity]:
    """What the searches of these traces, one of each text, know by each moment: values are (n, entities).

    UNKNOWN beyond a trace's end, for moments may be another trace's.
    """
    whole = [task.solver_state(examples.problem[i], trace) for i, trace in enumerate(traces)]
    found = {}
    for name, first in whole[0].items():
        values = np.full((len(moments.text), first.values.shape[1]), UNKNOWN, np.int64)
        for k, (i, taken) in enumerate(zip(moments.text, moments.taken, strict=True)):
            if taken <= len(traces[i]):
                values[k] = whole[i][name].values[taken]
        found[name] = Quantity(values, first.number)
    return found


@torch.no_grad()
def activations(model: Model, texts: Ragged, points: Points, places: Sequence[str]) -> dict[str, Any]:
    """Place -> (n, features) float32: what the model has there at each point.

    Processes may share texts out (`decoding.sharing`).
    """
    found: dict[str, Any] = {}
    lengths = np.minimum(texts.lengths, model.context)

    def read(rows: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
        tokens = np.zeros((len(rows), int(lengths[rows[0]])), np.int64)
        for k, row in enumerate(rows):
            tokens[k, : lengths[row]] = texts[int(row)][: lengths[row]]
        mine = np.flatnonzero(np.isin(points.text, rows))
        within = np.argsort(rows)[np.searchsorted(np.sort(rows), points.text[mine])]
        moved = torch.from_numpy(tokens).to(model.device)
        with capture(model, *places) as seen, model.computing():
            model.hidden(moved)
        there = {place: in_columns(model, moved, seen, place) for place in places}
        return {
            place: values[within, points.word[mine]].float().cpu().numpy() for place, values in there.items()
        }

    pieces = in_batches(lengths, BATCH_TOKENS)
    for rows, values in zip(pieces, dealt(pieces, read), strict=True):
        mine = np.flatnonzero(np.isin(points.text, rows))
        for place, at in values.items():
            found.setdefault(place, np.empty((len(points.text), at.shape[1]), np.float32))[mine] = at
    return found


def in_batches(lengths: NDArray[np.int64], tokens: int) -> list[NDArray[np.int64]]:
    """Rows that are read at once: those of near-equal lengths, the longest first, at most so many tokens with
    padding (but always one row).
    """
    order, found = np.argsort(-lengths, kind="stable"), []
    while len(order):
        rows, order = np.split(order, [max(1, tokens // int(lengths[order[0]]))])
        found.append(rows)
    return found


def clock(taken: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, 3): how far a search is, and no more. What this can tell, the length of the trace tells."""
    steps = taken.astype(np.float32)
    return np.column_stack([steps, np.sqrt(steps), np.log1p(steps)])
