"""Damaged twins of valid traces, to be ranked below them in training.

    sequences = ranked(task, examples, treated, sequences, twins_of(experiment.loss), seed)

They are damaged as by `trace=corrupted`, and as those of `tracelab.assess` are.
"""

from __future__ import annotations

from dataclasses import replace

from tracelab.batches.ranked import Ranked
from tracelab.core.codec import Sequences
from tracelab.core.formats import ABSENT
from tracelab.core.types import Examples, Task
from tracelab.data.frozen import keys_of
from tracelab.runs.settings import Loss
from tracelab.traces._asking import between_words
from tracelab.traces.base import Treated
from tracelab.traces.corrupted import Corrupted

RATE, KIND = 0.1, "mixed"  # of damage, where nothing is asked for


def twins_of(loss: Loss) -> Corrupted:
    """How twins are damaged. ValueError if it cannot be so."""
    rate = RATE if loss.ranking_rate is None else loss.ranking_rate
    try:
        return Corrupted(rate=rate, kind=loss.ranking_kind or KIND)
    except ValueError as error:
        raise ValueError(str(error).replace("trace.", "loss.ranking_")) from None


def check_words(task: Task) -> None:
    """ValueError if no words open trace and solution: then a twin has no end of its own."""
    if ABSENT in task.codec.markers[:2]:
        raise ValueError(
            "loss.ranking_weight: this format has no words that open trace and solution, so that no trace "
            "can be read without its solution; take another task.format"
        )


def ranked(
    task: Task, examples: Examples, treated: Treated, sequences: Sequences, damage: Corrupted, seed: int
) -> Ranked:
    """Training sequences with a twin of each trace."""
    assert treated.rows is not None, "valid traces are made of steps"
    keys = keys_of(examples, seed, "train", "ranking")
    twins = damage(task, replace(examples, trace=treated.rows), keys)
    prompts, traces = task.prompts(examples), between_words(task, twins.trace)
    lengths = sequences.prompt, (traces.lengths - 1).astype(sequences.trace.dtype)
    twin = Sequences(prompts.joined(traces), *lengths)
    return Ranked(sequences.tokens, sequences.prompt, sequences.trace, twin, ~twins.residual_valid)
