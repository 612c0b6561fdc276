"""Frozen sets: the first n problems of a named stream, and the arms that are made of them.

    examples = problems(task, seed=0, split="train", count=50_000)
    sequences, treated = arm(task, Swapped(), examples, seed=0, split="train")

Every arm is made of the same examples. The same (task, seed, split, count) gives the same bytes with
any number of workers; sets are kept as files (`data.store`) in $TRACELAB_CACHE/data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations, pairwise
from typing import Any, NamedTuple

import joblib
import numpy as np
from numpy.typing import NDArray

from tracelab.core import rng
from tracelab.core.codec import Sequences
from tracelab.core.ragged import Ragged
from tracelab.core.terminal import counted
from tracelab.core.types import SPLITS, Examples, Task
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
TestSets = Mapping[str, tuple[Task, Examples]]


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


class Stream(NamedTuple):
    """Where problems are drawn: the task that they are of, the split that owns them, the stream's name."""

    task: Task
    split: str
    name: str


def far(task: Task) -> dict[str, Stream]:
    """Where the test sets out of distribution are drawn, by name."""
    return {name: Stream(other, "ood", f"problem {name}") for name, other in task.test_sets().items()}


def stream_of(task: Task, split: str) -> Stream:
    """Where the problems of a split are drawn: train, val, test, or a test set out of distribution by name.

    ValueError if it is none of these. The split ood is none: it holds all those test sets.
    """
    near = [name for name in SPLITS if name != "ood"]
    if split in near:
        return Stream(task, split, "problem")
    others = far(task)
    if split not in others:
        raise ValueError(
            f"split={split!r} is unknown; choose one of {', '.join(near)}, or a test set out of distribution "
            f"by its name: {', '.join(others) or 'there are none, for task.ood is empty'}"
        )
    return others[split]


def test_sets(
    task: Task,
    seed: int,
    count: int,
    against: Mapping[str, Examples] | None = None,
    workers: Workers = HERE,
) -> dict[str, tuple[Task, Examples]]:
    """The test sets by name, each with the task that it is of and in a stream of its own.

    The first is in distribution (split "test"), the others are the task's variants (split "ood").
    ValueError if one shares a problem with `against`.
    """
    check_far(task, seed)
    own, others = getattr(task, "in_distribution", task.name), far(task)
    sets = {own: (task, problems(task, seed=seed, split="test", count=count, workers=workers))}
    for name, (variant, split, stream) in others.items():
        examples = problems(variant, seed=seed, split=split, count=count, name=stream, workers=workers)
        sets[name] = (variant, examples)
    for name, (_, examples) in sets.items():
        assert_disjoint({**(against or {}), name: examples})
    return sets


def check_far(task: Any, seed: int, ready: Callable[[], None] | None = None) -> None:
    """ValueError if a test set out of distribution has the first one's name, or a knob without effect."""
    if (own := getattr(task, "in_distribution", task.name)) in far(task):
        raise ValueError(f"two test sets are called {own}: leave it out of the out-of-distribution sets")
    for change, knob in zip(getattr(task, "ood", ()), idle(task, seed, ready), strict=True):
        if (why := task.why_idle(change, knob)) is not None:
            raise ValueError(why)


def idle(task: Any, seed: int, ready: Callable[[], None] | None = None) -> list[int]:
    """Which of each test set's knobs changes nothing, -1 where none is, see `Varied`. It is asked once.

    ready: is called before problems are drawn, to compile what that needs.
    """
    if not hasattr(task, "idle") or not task.ood:
        return [-1] * len(getattr(task, "ood", ()))

    def ask() -> Columns:
        if ready is not None:
            ready()
        with waiting("Looking whether test sets differ"):
            return {"knob": np.array(task.idle(seed), np.int64)}

    made_of = {"task": description(task), "seed": seed, "idle": "knobs"}
    return np.asarray(cached(f"{task.name}-idle", made_of, ask, type(task).__mro__)["knob"]).tolist()


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


def assert_disjoint(sets: Mapping[str, Examples]) -> None:
    """ValueError if two sets share a problem. (Test sets of one split may; splits may not.)"""
    for (a, ours), (b, theirs) in combinations(sets.items(), 2):
        shared = len(np.intersect1d(ours.identity, theirs.identity))
        if shared:
            raise ValueError(
                f"{a} and {b} share {counted(shared, 'problem')} (by canonical hash): a model would be "
                "tested on what it was trained on. Draw them in different splits, or leave what is shared out"
            )


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
