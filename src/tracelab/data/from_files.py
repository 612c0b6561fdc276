"""Training problems that come from files, in place of the generator's.

files = read_files(["published.jsonl", "more.jsonl.gz"], Maze(size=30))
arm(files, task)                    # problems with the traces and solutions that the files have

A problem belongs to the split that its canonical hash says, whoever wrote it: what belongs to another than
train is left out, so that no test set of any seed can share a problem with what is trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from tracelab.core.codec import Sequences
from tracelab.core.formats import ABSENT
from tracelab.core.ragged import Integers
from tracelab.core.rows import concat
from tracelab.core.terminal import counted
from tracelab.core.types import BINS, SPLITS, Examples, Task
from tracelab.core.waiting import waiting
from tracelab.data.card import Arm
from tracelab.data.jsonl import Read, read_jsonl
from tracelab.data.reading import Fault, told
from tracelab.traces.base import Treated, Treatment


@dataclass(frozen=True)
class AsRead(Treatment):
    """Traces as they stand in files, of which nothing is promised. traces: are they kept, or left out?"""

    files: Sequence[str]
    traces: bool

    promise: ClassVar[str] = ""
    random: ClassVar[bool] = False


@dataclass(frozen=True)
class Files:
    """Problems of files, all in one piece; see `Chunks`. sequences: theirs; about: for the card; source: (n,)
    which of the files each is of.
    """

    examples: Examples
    sequences: Sequences
    about: Mapping[str, Any]
    source: Integers

    def __len__(self) -> int:
        return 1

    def __getitem__(self, piece: int) -> Examples:
        """The problems."""
        return self.examples

    def size(self, piece: int) -> int:
        """How many they are."""
        return len(self.examples)

    def piece(self, k: int) -> int:
        """The one piece."""
        return 0


def read_files(paths: Sequence[str], task: Task, *, traces: bool = True, distinct: bool = False) -> Files:
    """The training problems of files. traces: are they kept? distinct: is no problem kept twice?

    ValueError if there are none.
    """
    with waiting("Reading problems"):
        reads = [read_jsonl(path, task) for path in paths]
    examples = concat([read.examples for read in reads])
    sequences = concat([read.sequences for read in reads])
    low, high = SPLITS["train"]
    bins = examples.identity % np.uint64(BINS)
    mine = (bins >= low) & (bins < high)
    kept = mine & (_first(examples) if distinct else True)
    if not kept.any():
        raise ValueError(
            f"none of the {counted(len(mine), 'problem')} of {', '.join(paths)} belongs to the split that is "
            "trained on: was this written with split=test?"
        )
    rows = np.flatnonzero(kept)
    about = {
        "files": [_about(path, read) for path, read in zip(paths, reads, strict=True)],
        "of other splits": int((~mine).sum()),
        "repeated": int((mine & ~kept).sum()),
    }
    numbered = replace(examples, index=np.arange(len(mine)))
    own = sequences.take(rows)
    source = np.repeat(np.arange(len(reads)), [len(read.examples) for read in reads])[rows]
    return Files(numbered.take(rows), own if traces else without_traces(own), about, source)


def arm(files: Files, task: Task) -> Arm:
    """What files have, as it is trained on, with the verifier's word on each trace."""
    examples, sequences = files.examples, files.sequences
    prompt = sequences.prompt.astype(np.int64)
    trace = sequences.trace.astype(np.int64)
    n = len(examples)
    completions = sequences.tokens.between(prompt, sequences.tokens.lengths - prompt)
    valid = task.judge(examples, completions).trace_ok[:, task.levels.index("strict")]
    opened = (trace > 0) & (task.codec.markers[0] != ABSENT)
    steps = sequences.tokens.between(prompt + opened, trace - opened)
    return Arm(examples, sequences, Treated(steps, valid, np.full(n, -1), np.zeros(n, np.int64)))


def without_traces(sequences: Sequences) -> Sequences:
    """Prompts and solutions alone."""
    tokens, begin = sequences.tokens, sequences.prompt.astype(np.int64)
    rest = begin + sequences.trace
    left = tokens.between(0 * begin, begin).joined(tokens.between(rest, tokens.lengths - rest))
    return Sequences(left, sequences.prompt, np.zeros_like(sequences.trace))


def summary(about: Mapping[str, Any]) -> str:
    """What was read and what was left out, for people."""
    left_out = counted(about["of other splits"], "problem")
    repeated = f", {about['repeated']:,} repeated" if about["repeated"] else ""
    lines = [f"from files: {left_out} of other splits left out{repeated}"]
    if "order" in about:
        lines.append(f"  in this order: {', '.join(about['order'])}")
    for file in about["files"]:
        lines.append(f"  {file['path']}: {counted(file['read'], 'line')} read, {file['left_out']:,} left out")
        lines += [f"    {line}" for line in file["faults"].splitlines()]
    return "\n".join(lines)


def _first(examples: Examples) -> Any:
    """(n,): is it the first that is this problem?"""
    first = np.zeros(len(examples), np.bool_)
    first[np.unique(examples.identity, return_index=True)[1]] = True
    return first


def _about(path: str, read: Read) -> dict[str, Any]:
    with open(path, "rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    faults: list[Fault] = read.faults
    return {
        "path": path,
        "sha256": checksum,
        "read": len(read.examples),
        "left_out": len(faults),
        "faults": told(faults) if faults else "",
    }
