"""Frozen sets: the first n problems of a named stream, and the arms that are made of them.

    examples = problems(task, seed=0, split="train", count=50_000)
    sequences, treated = arm(task, Swapped(), examples, seed=0, split="train")

Every arm is made of the same examples. The same (task, seed, split, count) gives the same bytes with
any number of workers; sets are kept as files (`data.store`) in $TRACELAB_CACHE/data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from tracelab.core import rng
from tracelab.core.codec import Sequences
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task
from tracelab.core.waiting import waiting
from tracelab.data.store import Columns, cached, description
from tracelab.data.workers import Workers
from tracelab.traces.base import Keys, Treated, Treatment

LEAST_CHUNK, CHUNK = 8, 1024  # problems that a worker draws at a time: as many as make a set PIECES pieces
PIECES = 32
PATIENCE = 20  # draws per problem asked for before the space of problems is called too small
KEPT_OF = 200  # draws, of which the share is told that are kept
UNBOUNDED = 1 << 16  # steps of a search; what is longer is not even searched to its end
RAGGED = ("problem", "trace", "solution")
HERE = Workers()


def problems(
    task: Task,
    *,
    seed: int,
    split: str,
    count: int,
    name: str = "problem",
    distinct: bool = True,
    start: int = 0,
    workers: Workers = HERE,
) -> Examples:
    """The first `count` problems of the stream `name`, or those from its place `start` on, solved.

    distinct: leave out what was drawn before. In a small space that shifts the distribution towards
    problems of kinds that there are many of; what must be distributed as it is drawn keeps repetitions.
    workers: who draws them. ValueError if the space of problems is too small for `count`.
    """
    if count < 1:
        raise ValueError(f"{count} {split} problems were asked for: ask for one at least")
    made_of = {"task": description(task), "seed": seed, "split": split, "stream": name, "count": count}
    made_of |= {"distinct": distinct} | ({"start": start} if start else {})

    def build() -> Columns:
        with workers.parallel() as parallel, waiting(f"Drawing problems ({split})", count) as done:
            return _columns(_first(task, seed, split, name, start, count, distinct, parallel, done))

    return _examples(cached(f"{task.name}-{split}-{count}", made_of, build, type(task).__mro__))


def drawn(task: Task, seed: int, split: str, name: str, start: int, stop: int) -> Examples:
    """Items start..stop-1 of a stream of problems, repetitions included."""
    examples = task.generate(rng.keys(seed, split, start, stop, name), split)
    columns = {**vars(examples), "index": np.arange(start, stop)}
    return Examples(**columns)


def piece_of(count: int) -> int:
    """How many of so many problems a worker draws at a time: a slow draw is seen to go on, too."""
    return min(CHUNK, max(LEAST_CHUNK, count // PIECES))


def _first(
    task: Task,
    seed: int,
    split: str,
    name: str,
    begin: int,
    count: int,
    distinct: bool,
    parallel: Any,
    done: Callable[[int], None],
) -> Examples:
    parts: list[Examples] = []
    start, first = begin, np.empty(0, np.int64)
    while len(first) < count:
        if start - begin > PATIENCE * count + CHUNK:
            larger = getattr(task, "larger", "task.size for mazes")
            raise ValueError(
                f"{count} {split} problems were asked for, but the first {start - begin} of {task.name}'s "
                f"stream {name!r} hold only {len(first)} distinct ones: there are too few problems for "
                f"splits that share none. Take a larger space ({larger}) or fewer problems"
            )
        stop = start + max(count - len(first), CHUNK // 4)
        edges = [*range(start, stop, piece_of(stop - start)), stop]
        for part in parallel(
            joblib.delayed(drawn)(task, seed, split, name, a, b) for a, b in pairwise(edges)
        ):
            parts.append(part)
            done(len(part))
        identity, start = np.concatenate([part.identity for part in parts]), stop
        once = np.unique(identity, return_index=True)[1]
        first = np.sort(once) if distinct else np.arange(len(identity))
    whole = Examples.concat(parts)
    return whole if len(whole) == count else whole.take(first[:count])


def arm(
    task: Task, treatment: Treatment, examples: Examples, seed: int, split: str
) -> tuple[Sequences, Treated]:
    """The examples with treated traces, as what a model is trained on, and what was done.

    Each problem's random key is that of its index in the stream "treatment".
    """
    with waiting(f"Treating traces ({split})"):
        treated = treatment(task, examples, keys_of(examples, seed, split, "treatment"))
    solutions = task.codec.encode(task.codec.solution, examples.solution)
    prompts = task.prompts(examples)
    read = prompts if treated.lead is None else prompts.joined(treated.lead)
    return task.codec.assemble(read, treated.trace, solutions), treated


def references(task: Task, examples: Examples) -> Ragged:
    """The reference solver's completions, as tokens."""
    codec = task.codec
    trace = codec.encode(codec.trace, examples.trace)
    solution = codec.encode(codec.solution, examples.solution)
    return codec.assemble(Ragged.of([[]] * len(examples)), trace, solution).tokens


def kept(task: Task, seed: int, split: str, stream: str) -> NDArray[np.bool_] | None:
    """(KEPT_OF,): is each of the first draws of a stream kept, or drawn anew because its search is too long?

    None where the task has no such limit, or one of UNBOUNDED steps or more.
    """
    of_task: Any = task
    limit = getattr(task, "longest", getattr(task, "max_steps", None))
    if limit is None or limit >= UNBOUNDED or not hasattr(task, "kept"):
        return None
    made_of = {"task": description(task), "seed": seed, "split": split, "stream": stream, "kept": KEPT_OF}
    keys = rng.keys(seed, split, 0, KEPT_OF, stream)

    def ask() -> Columns:
        return {"kept": of_task.kept(keys, split)}

    return np.asarray(cached(f"{task.name}-kept", made_of, ask, type(task).__mro__)["kept"])


def columns(examples: Examples, sequences: Sequences, treated: Treated) -> Columns:
    """Problems and their arm in one set of columns, for a file that others read."""
    of_arm: dict[str, Any] = {
        "tokens": sequences.tokens,
        "prompt_length": sequences.prompt,
        "trace_length": sequences.trace,
        "donor": treated.donor,
        "damage": treated.damage,
        "residual_valid": treated.residual_valid,
        "steps": treated.rows,
        "damaged": treated.damaged,
    }
    return _columns(examples) | {name: values for name, values in of_arm.items() if values is not None}


def keys_of(examples: Examples, seed: int, split: str, purpose: str) -> Keys:
    """Each example's key of a named stream."""
    first = int(examples.index.min())
    keys = rng.keys(seed, split, first, int(examples.index.max()) + 1, purpose)
    return keys[examples.index - first]


def _columns(examples: Examples) -> dict[str, Any]:
    columns = dict(vars(examples))
    return columns | columns.pop("complexity")


def _examples(columns: Mapping[str, Any]) -> Examples:
    own = {name: columns[name] for name in ("index", "identity", *RAGGED)}
    return Examples(**own, complexity={k: v for k, v in columns.items() if k not in own})
