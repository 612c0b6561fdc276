"""A trace that is found in latents without the gold one: forward chaining from the prompt's numbers.

    versions = versions_of(model, task, prompts, changes=3, top=10, seed=0)
    found = chains(task, examples, versions, answers)

A step applies an operation to numbers of the prompt, or to results of steps at earlier places, and its
result is among the likeliest words at a place. Steps are chained until one results in the model's answer.
Three ways, each stricter, to count one:

    reached    what is read off, whatever it computes
    causal     and is read at the same place where it is another number: one of the prompt that it rests on is
               changed, and it is computed again, three times; a step that fewer changes change is not
    verified   and is the task's own: what it derives of the prompt, in a trace that its verifier accepts

Of a wrong answer there is no verified trace by definition; there may be a causal one. Source: Dilgren and
Wiegreffe 2026 (arXiv 2604.04902). For tasks whose steps compute numbers: arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core import rng
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Examples
from tracelab.models.base import Model
from tracelab.probes.readings import spelled
from tracelab.probes.thoughts import readings, states_of

OPERATIONS = {"add": np.add, "sub": np.subtract, "mul": np.multiply}
LET = 0  # the operation of a step that computes nothing
CHAINED = ("arithmetic",)
WAYS = ("reached", "causal", "verified")
MOST = 32  # numbers that steps may start from, those of the prompt first


class Versions(NamedTuple):
    """A problem as it is, and with one number of its prompt changed at a time.

    prompts: (versions) rows; numbers: (quantities, versions), those of the prompt; read: (versions, places,
    modulus) bool, is each number among the words at each place?
    """

    prompts: Ragged
    numbers: NDArray[np.int64]
    read: NDArray[np.bool_]

    def read_as(self, other: Versions) -> Versions:
        """The same problem with what is read of another one: a control."""
        turn = np.arange(len(self.read) - 1) % max(len(other.read) - 1, 1)
        return self._replace(read=other.read[np.concatenate([[0], 1 + turn]) % len(other.read)])


def versions_of(
    model: Model, task: Any, prompts: Ragged, *, changes: int, top: int, seed: int
) -> list[Versions]:
    """Each prompt with so many changes of each of its numbers, and what is read off the model's latents."""
    words = number_words(task)
    varied = [
        varied_of(prompt, words, changes, rng.rng(seed, "test", i, "changes"))
        for i, prompt in enumerate(prompts)
    ]
    whole = Ragged.concat([rows for rows, _ in varied])
    said = readings(model, states_of(model, whole, model.opened(whole)), top)
    read = (said[..., None] == words).any(axis=2)  # (rows, places, modulus)
    parts = np.split(read, np.cumsum([len(rows) for rows, _ in varied])[:-1])
    return [Versions(rows, numbers, part) for (rows, numbers), part in zip(varied, parts, strict=True)]


def number_words(task: Any) -> NDArray[np.int64]:
    """(modulus,): the token of each number."""
    names = [column.name for column in task.columns]
    at = names.index("value")
    return np.array([spelled(task, 0, at, value)[0] for value in range(task.columns[at].size)])


def varied_of(
    prompt: Integers, words: NDArray[np.int64], changes: int, random: np.random.Generator
) -> tuple[Ragged, NDArray[np.int64]]:
    """A prompt and its changed ones, and (quantities, versions) the numbers that stand in each."""
    places = np.flatnonzero(np.isin(prompt, words))
    value = {int(word): k for k, word in enumerate(words)}
    others = {place: random.permutation(words[words != prompt[place]])[:changes] for place in places}
    rows = [np.array(prompt)]
    for k in range(changes):  # one of each number, then another one of each
        for place in places:
            if k < len(others[place]):
                rows.append(np.array(prompt))
                rows[-1][place] = others[place][k]
    numbers = np.array([[value[int(row[place])] for row in rows] for place in places], np.int64)
    return Ragged.of(rows), numbers.reshape(len(places), len(rows))


def chains(
    task: Any,
    examples: Examples,
    versions: Sequence[Versions],
    answers: Sequence[int | None],
    changes: int = 3,
) -> dict[str, NDArray[np.bool_]]:
    """Way -> (n,): is a trace found that ends in the model's answer (None: it gave none)?"""
    modulus = len(number_words(task))
    found = {way: np.zeros(len(examples), np.bool_) for way in WAYS}
    traces: list[Any] = []
    for i, (mine, answer) in enumerate(zip(versions, answers, strict=True)):
        traces.append(np.empty((0, len(task.columns)), np.int32))
        if answer is None:
            continue
        found["reached"][i] = reaches(mine, modulus, answer, changes=0)
        found["causal"][i] = reaches(mine, modulus, answer, changes=changes)
        traces[-1] = derived(task, mine, answer, changes)
    whole = Ragged.stack(traces, len(task.columns))
    found["verified"] = (whole.lengths > 0) & task.judge_traces(examples, whole)
    return found


def reaches(versions: Versions, modulus: int, answer: int, changes: int) -> bool:
    """Does a chain of any operations reach the answer? changes: that each step must stand; 0: none."""
    known = np.unique(versions.numbers if changes else versions.numbers[:, :1], axis=0)
    for place in range(versions.read.shape[1]):
        pairs = (f(known[:, None], known[None]) % modulus for f in OPERATIONS.values())
        results = np.unique(np.concatenate([p.reshape(-1, known.shape[1]) for p in pairs]), axis=0)
        new = results[stands(versions, place, results, changes)]
        if (new[:, 0] == answer).any():
            return True
        fresh = ~(new[:, None] == known[None]).all(axis=2).any(axis=1)
        known = np.concatenate([known, new[fresh]])[:MOST]
    return False


def stands(versions: Versions, place: int, results: NDArray[np.int64], changes: int) -> NDArray[np.bool_]:
    """(results,): is each read at a place, also in the first so many versions in which it is another one?

    results: (results, versions). What fewer versions change does not stand: it can't be told.
    """
    read: NDArray[np.bool_] = versions.read[np.arange(results.shape[1]), place, results]
    other = results != results[:, :1]
    asked = other & (other.cumsum(axis=1) <= changes)
    kept: NDArray[np.bool_] = read[:, 0] & (read | ~asked).all(axis=1)
    return kept & (asked.sum(axis=1) == changes)


def derived(task: Any, versions: Versions, answer: int, changes: int) -> Integers:
    """The rows of a trace of the task's own steps, each causal, that ends in the answer; or none.

    What a prompt gives as it stands (`let`) needs no place. Where that is asked for, nothing is found.
    """
    solved = task.solved(Ragged.of([task.parse(prompt) for prompt in versions.prompts]))
    rows = solved.trace[0]
    if rows[-1][0] == LET:
        return rows[:0]
    every = np.array([by_name(trace, rows) for trace in solved.trace])  # (versions, steps, columns)
    known = {tuple(numbers) for numbers in versions.numbers.tolist()}
    order = [t for t, row in enumerate(rows) if row[0] == LET]
    for place in range(versions.read.shape[1]):
        ready = [t for t in _ready(every, known) if t not in order]
        standing = stands(versions, place, every[:, ready, 4].T, changes)
        new = [t for t, stands_ in zip(ready, standing, strict=True) if stands_]
        order += new
        known |= {tuple(every[:, t, 4].tolist()) for t in new}
        if len(rows) - 1 in order and rows[-1][4] == answer:
            return rows[order]
    return rows[:0]


def _ready(every: NDArray[np.int64], known: set[tuple[int, ...]]) -> Iterator[int]:
    """Steps whose operands are known."""
    for t in range(every.shape[1]):
        operands = (tuple(every[:, t, k].tolist()) for k in (2, 3))
        if all(operand in known for operand in operands):
            yield t


def by_name(trace: Integers, order: Integers) -> NDArray[np.int64]:
    """The steps of a trace in the order in which another one concludes the same names."""
    place = {int(row[1]): row for row in trace}
    return np.array([place[int(row[1])] for row in order], np.int64)
