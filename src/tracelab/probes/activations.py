"""Mean activations of completions: at named places, over chosen tokens of each completion.

    written = Written.of(task, examples, judged.completions.tokens, model.lead)
    found = means(model, written, ["blocks.1"], written.parts.values >= 0)   # of the trace's tokens

A token's activation is what the model has where it has read that token, as in `models.places`. The last token
of a completion is not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tracelab.core.formats import ABSENT
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task
from tracelab.decoding.logprobs import Piece, cut, padded
from tracelab.decoding.sharing import dealt
from tracelab.models.base import Model
from tracelab.models.places import capture, in_columns
from tracelab.runs.entry import say

MICRO_TOKENS = 16384
SOLUTION, OTHER = -1, -2  # parts of a completion beside the operations of its trace's steps

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Written:
    """n completions behind their prompts, and what each of their tokens is.

    parts: a number per token: of a step of the trace the step's operation, else SOLUTION or OTHER (words that
    open a part, and what does not parse); within: its place in its step, from 0 on, and 0 outside of steps.
    """

    examples: Examples
    prompts: Ragged
    completions: Ragged
    parts: Ragged
    within: Ragged

    @staticmethod
    def of(task: Task, examples: Examples, completions: Ragged, lead: Sequence[int] = ()) -> Written:
        """Completions (tokens) of the examples' problems, taken apart. lead: `Model.lead`."""
        both = [parts_of(task, row) for row in completions]
        parts, within = (Ragged.of(rows, dtype=np.int64) for rows in zip(*both, strict=True))
        behind = Ragged.of([list(lead)] * len(examples))
        return Written(examples, task.prompts(examples).joined(behind), completions, parts, within)

    @property
    def trace_tokens(self) -> NDArray[np.int64]:
        """(n,): tokens of each trace, as far as it parses."""
        return np.array([(row >= 0).sum() for row in self.parts], np.int64)

    @property
    def problem(self) -> NDArray[np.int64]:
        """(n,): which problem each is of; copies of a problem are one."""
        return np.unique(self.examples.identity, return_inverse=True)[1]

    def take(self, rows: NDArray[np.int64]) -> Written:
        """The given completions, in the given order."""
        ragged = (part.take(rows) for part in (self.prompts, self.completions, self.parts, self.within))
        return Written(self.examples.take(rows), *ragged)


def parts_of(task: Task, completion: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(tokens,): the part that each token of a completion belongs to, and its place there; see `Written`."""
    codec = task.codec
    solution_open = codec.markers[1]
    parts, within = np.full(len(completion), OTHER, np.int64), np.zeros(len(completion), np.int64)
    start = codec.before_trace(completion)
    rows, read = codec.decode(codec.trace, completion[start:])
    steps = codec.encode(codec.trace, Ragged(rows, np.arange(len(rows) + 1)))
    parts[start : start + read] = np.repeat(rows[:, 0], steps.lengths)
    within[start : start + read] = np.arange(read) - np.repeat(steps.offsets[:-1], steps.lengths)
    parts[codec.solution_at(completion) + (solution_open != ABSENT) :] = SOLUTION
    return parts, within


def readable(written: Written, context: int) -> Written:
    """The completions that a model of this context reads to their end. ValueError if it reads none so."""
    fits = np.flatnonzero(written.prompts.lengths + written.completions.lengths - 1 <= context)
    if not len(fits):
        raise ValueError(
            f"no completion ends within the {context} tokens that the other run's model reads: take runs of "
            "equal contexts"
        )
    if left_out := len(written.completions) - len(fits):
        say(f"{left_out} completions are left out: the other run's model reads {context} tokens at most")
    return written.take(fits)


@torch.no_grad()
def means(
    model: Model, written: Written, places: Sequence[str], chosen: Flags
) -> tuple[dict[str, Floats], Flags]:
    """Place -> (n, features): the mean over the chosen tokens of each completion; and (n,): has it any?

    chosen: (tokens,), one flag for each of all completions' tokens. Rows without a token are zero.
    """
    n = len(written.completions)
    found: dict[str, Floats] = {}
    counts = np.zeros(n)
    flags = Ragged(chosen, written.completions.offsets)

    def read(piece: Piece) -> tuple[Floats, dict[str, Floats]]:
        micro = padded(written.prompts, written.completions, piece)
        mask = _laid_out(micro.tokens.shape, written.prompts, flags, piece.rows)
        moved = micro.tokens.to(model.device)
        with capture(model, *places) as seen, model.computing():
            model.hidden(moved)
        sums = {
            place: torch.einsum(
                "bt,btd->bd", mask.to(model.device), in_columns(model, moved, seen, place).float()
            )
            for place in places
        }
        return mask.sum(1).numpy(), {place: some.double().cpu().numpy() for place, some in sums.items()}

    pieces = list(cut(written.prompts, written.completions, MICRO_TOKENS))
    for (rows, _), (count, sums) in zip(pieces, dealt(pieces, read), strict=True):
        counts[rows] = count
        for place, some in sums.items():
            found.setdefault(place, np.zeros((n, some.shape[1])))[rows] = some
    return {place: sums / np.maximum(counts, 1)[:, None] for place, sums in found.items()}, counts > 0


def _laid_out(shape: torch.Size, prompts: Ragged, flags: Ragged, rows: NDArray[np.int64]) -> torch.Tensor:
    """(B, T) of ones where a token behind its prompt is chosen; the last token is not read."""
    mask = np.zeros((shape[0], shape[1] + 1), np.float32)
    for k, row in enumerate(rows.tolist()):
        begin = len(prompts[row])
        mask[k, begin : begin + len(flags[row]) - 1] = flags[row][:-1]
    return torch.from_numpy(mask[:, :-1])
