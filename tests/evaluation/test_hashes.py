"""Hashes of traces and solutions in the outcomes, in each format."""

import numpy as np
import pytest

from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.data.frozen import references
from tracelab.evaluation.outcomes import _hashes
from tracelab.runs.build import build_task
from tracelab.runs.entry import compose
from tracelab.training.settings import Training


@pytest.mark.parametrize(
    "words",
    [
        ("task=maze", "task.size=5", "task.format=compact"),
        ("task=maze", "task.size=5", "task.format=paper"),
        ("task=maze", "task.size=5", "task.format=searchformer"),
        ("task=sokoban", "task.format=searchformer"),
        ("task=arithmetic",),
    ],
)
def test_a_solution_is_the_same_behind_other_traces(words):
    """And a trace before other solutions; also in formats without a word between the two."""
    task = build_task(compose(Training, "train", *words).task)
    examples = task.generate(rng.keys(0, "train", 0, 2, "problem"), "train")
    codec, (row, other) = task.codec, references(task, examples)
    cut, cut_other = codec.solution_at(row), codec.solution_at(other)
    assert 0 < cut < len(row)
    traces = (row[:cut], codec.encode(codec.trace, examples.trace.take(np.array([0])))[0])
    assert traces[0][-len(traces[1]) :].tolist() == traces[1].tolist(), "the whole trace, and nothing else"
    mixed = [
        row,
        np.r_[other[:cut_other], row[cut:]],  # the solution behind another trace
        np.r_[row[:cut], other[cut_other:]],  # another solution behind the trace
        np.r_[row[:cut], [codec.stop]],  # none
    ]
    found = _hashes(Ragged.of([tokens.astype(np.int32) for tokens in mixed]), codec)
    trace, solution = found["trace_hash"], found["solution_hash"]
    assert solution[0] == solution[1] != solution[2]
    assert trace[0] == trace[2] != trace[1]
    assert solution[3] not in solution[:3]
    assert trace[3] == trace[0], "what has no solution has its trace"
