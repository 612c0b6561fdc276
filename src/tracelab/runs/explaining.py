"""What latents stand for: the steps that went away for each, and whole traces beside them.

    explained(task, treatment, examples, treated, sequences)

Of a trace's steps that are gone each latent stands for as many, in order; or for as many as `trace.steps`
says, and steps beyond the last latent's belong to none.
"""

from __future__ import annotations

import numpy as np

from tracelab.batches.explained import Explained
from tracelab.core.codec import Sequences
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task
from tracelab.traces.base import Treated
from tracelab.traces.latent import Latent


def explained(
    task: Task,
    treatment: Latent,
    examples: Examples,
    treated: Treated,
    sequences: Sequences,
    taught: bool = True,
) -> Explained:
    """Sequences of this treatment, with what their latents stand for. taught: see `Explained`."""
    assert treated.lead is not None, "it has latents"
    assert treated.rows is not None, "it is made of steps"
    codec, lengths = task.codec, examples.trace.lengths
    count, gone = treated.lead.lengths, lengths - treated.rows.lengths
    rows, owners = [], []
    for i, trace in enumerate(examples.trace):
        owner = owners_of(treatment, int(gone[i]), int(count[i]))
        steps = trace[: len(owner)]
        written = codec.encode(codec.trace, Ragged(steps, np.arange(len(steps) + 1)))
        rows.append(written.values)
        owners.append(np.repeat(owner, written.lengths))
    solutions = codec.encode(codec.solution, examples.solution)
    explicit = codec.assemble(task.prompts(examples), codec.encode(codec.trace, examples.trace), solutions)
    plain = sequences.tokens, sequences.prompt, sequences.trace
    steps_ = Ragged.of(rows), Ragged.of(owners, dtype=np.int64)
    return Explained(*plain, count, *steps_, explicit, codec.markers[1] >= 0, taught)


def owners_of(treatment: Latent, gone: int, latents: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(steps,): the latent that stands for each of the first steps of a trace, of which `gone` are gone."""
    if not latents:
        return np.empty(0, np.int64)
    if treatment.steps is None:
        return np.arange(gone) * latents // max(gone, 1)
    owner = np.arange(gone) * treatment.latents // treatment.steps
    return owner[owner < latents]
