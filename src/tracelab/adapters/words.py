"""Questions for models that speak words, and verdicts on their answers, which are read between tags.

questions = drawn(task_named("maze"), 100, "train", seed=0)
parts = scores([q.reference for q in questions], answers)      # a dictionary each
Weights(solution=0.5, trace=0.5).of(parts[0])

A word that is none of the task's breaks the step that it stands in. So do the markers of its own format here
(the word that begins a solution, the stop word): tags alone say where a part ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.adapters.naming import read, written
from tracelab.adapters.prompts import SOLUTION, TRACE, prompt_of, tagged
from tracelab.core import rng
from tracelab.core.codec import UNK, Codec
from tracelab.core.formats import ABSENT, Table
from tracelab.core.ragged import Ragged
from tracelab.core.types import Task
from tracelab.data.completions import completion_tokens
from tracelab.data.splits import stream_of
from tracelab.evaluation.verifying import verify
from tracelab.rewards.base import level_of

Parts = dict[str, Any]  # of one answer; see `scores`


class Question(NamedTuple):
    """A problem in the task's words, as a prompt in English, as text that names its task, too (see `naming`),
    and the reference answer in the form that the prompt asks for.
    """

    problem: str
    prompt: str
    reference: str
    answer: str


@dataclass(frozen=True)
class Weights:
    """What a valid solution and a trace that is valid at a level are worth; together 1 by default."""

    solution: float = 0.5
    trace: float = 0.5
    level: str = "strict"

    def of(self, parts: Parts) -> float:
        """The reward of an answer with these scores."""
        return float(self.solution * parts["solution"] + self.trace * parts[f"trace_{self.level}"])


def drawn(task: Task, count: int, split: str, seed: int, start: int = 0) -> list[Question]:
    """Problems start..start+count-1 of a split's stream, repetitions included.

    split: train or val, of which a run with this seed sees the same problems (without repetitions if its
    data.distinct is true); test, or a test set out of distribution by its name (dfs), of which a run with
    this eval.seed sees the same without repetitions. ValueError if there is no such split.
    """
    task, split, stream = stream_of(task, split)
    examples = task.generate(rng.keys(seed, split, start, start + count, stream), split)
    codec = task.codec
    parts = (
        task.prompts(examples),
        codec.encode(codec.trace, examples.trace),
        codec.encode(codec.solution, examples.solution),
    )
    texts = zip(*(map(codec.words_of, part) for part in parts), strict=True)
    return [
        Question(p, prompt_of(task, p), written(task, p), tagged(trace, solution))
        for p, trace, solution in texts
    ]


def between(text: str, tag: str) -> str:
    """What stands between the last pair of a tag, or nothing."""
    end = text.rfind(f"</{tag}>")
    begin = text.rfind(f"<{tag}>", 0, max(end, 0))
    return text[begin + len(tag) + 2 : end] if begin >= 0 else ""


def completion_of(codec: Codec, text: str) -> NDArray[np.int32]:
    """An answer's tokens as the task's own format writes a completion."""
    trace = _part(codec, codec.trace, between(text, TRACE))
    solution = _part(codec, codec.solution, between(text, SOLUTION))
    if codec.markers[1] == ABSENT and len(solution) and solution[0] == codec.token[UNK]:
        solution = solution[:0]  # no word parts it from the trace, whose fault it would be
    whole = codec.assemble(Ragged.of([[]]), Ragged.of([trace]), Ragged.of([solution]))
    return whole.tokens[0]


def _part(codec: Codec, table: Table, text: str) -> NDArray[np.int32]:
    """A part's tokens as far as they parse; what does not is one unknown word."""
    tokens = completion_tokens(codec, text)
    _, read = codec.decode(table, tokens)
    cut: NDArray[np.int32] = np.append(tokens[:read], [codec.token[UNK]] * (read < len(tokens)))
    return cut.astype(np.int32)


def scores(
    references: Sequence[str], answers: Sequence[str], level: str = "strict", native: bool = False
) -> list[Parts]:
    """Verdicts on answers, a dictionary each in their order; each problem is solved once for all its answers.

    solution, optimal, trace_<level> for each level of the task: 1.0 or 0.0; first_bad_step: of the trace at
    the given level, from 0 (-1 where it passes); solution_reason, trace_reason: why not, or "ok".
    references: problems with their tasks (`naming.written`), of several tasks if need be; native: answers
    are written as the task's own format writes completions, not between tags. ValueError if a reference is
    none, or names a problem that is none of its task's, or if there is not one for each answer.
    """
    if len(references) != len(answers):
        raise ValueError(f"{len(answers)} answers to {len(references)} references: give one of each")
    found: list[Parts] = [{}] * len(references)
    rows: dict[int, tuple[Task, list[int]]] = {}
    asked = [read(reference) for reference in references]
    for i, (task, _) in enumerate(asked):
        rows.setdefault(id(task), (task, []))[1].append(i)
    for task, mine in rows.values():
        judged = _judged(task, [asked[i][1] for i in mine], [answers[i] for i in mine], level, native)
        for i, parts in zip(mine, judged, strict=True):
            found[i] = parts
    return found


def _judged(
    task: Task, problems: Sequence[str], answers: Sequence[str], level: str, native: bool
) -> Iterator[Parts]:
    level_of(task.levels, level)
    given = answers if native else [completion_of(task.codec, text) for text in answers]
    for problem, row in zip(problems, verify(task, problems, given).to_pylist(), strict=True):
        if row["not_judged"] is not None:
            raise ValueError(f"the problem {problem[:60]!r} cannot be judged: {row['not_judged']}")
        at = row[f"trace_{level}_at"]
        yield {
            "solution": float(row["solution_valid"]),
            "optimal": float(row["solution_optimal"]),
            **{f"trace_{name}": float(row[f"trace_{name}"]) for name in task.levels},
            "first_bad_step": -1 if at is None else at,
            "solution_reason": row["solution_reason"],
            "trace_reason": row[f"trace_{level}_reason"],
        }
