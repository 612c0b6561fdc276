"""The data of an experiment: training stream, validation and test sets, data card.

data = prepare(config)
sequences = data.chunk(0)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from tracelab.core.codec import Sequences
from tracelab.core.types import Examples, Task
from tracelab.data import card, frozen
from tracelab.data.compiling import compile_ahead
from tracelab.data.pieces import Chunks, Endless, Frozen
from tracelab.data.survey import survey
from tracelab.data.workers import Workers
from tracelab.runs.build import build_task, build_treatment
from tracelab.traces.base import Treatment

ROUND = 64  # a context that the data decides is a multiple

TestSets = Mapping[str, tuple[Task, Examples]]
Treated = Callable[[Examples, str], card.Arm]


def test_sets(config: DictConfig, task: Task, against: Mapping[str, Examples] | None = None) -> TestSets:
    """The test sets, the same for all arms and seeds; disjoint from `against`, or ValueError."""
    return frozen.test_sets(task, config.eval.seed, config.eval.problems, against, Workers.of(config.data))


@dataclass(frozen=True)
class Sets:
    """What a model is trained and validated on.

    chunk: k -> the k-th chunk of training sequences (of a frozen set: one of its pieces).
    """

    vocabulary: tuple[str, ...]
    chunk: Callable[[int], Sequences]
    val: Sequences


@dataclass(frozen=True)
class Data(Sets):
    """And what it is tested on and described by.

    train: the first piece, which the card describes; context: the longest sequence that the model must take;
    max_new: tokens that a completion may have.
    """

    train: Sequences
    tests: TestSets
    card: dict[str, Any]
    summary: str
    context: int
    max_new: int


def prepare(config: DictConfig) -> Data:
    """Generate (or load) and treat the data of an experiment. ValueError if splits share problems."""
    task, treatment = build_task(config), build_treatment(config)
    compile_ahead(config)
    chunks, arm = training_problems(config, task), arms(config, task, treatment)
    train = arm(chunks[0], "train")
    val = arm(problems(config, task, "val", config.data.val_size), "val")
    known = {"train": train.examples, "val": val.examples}
    frozen.assert_disjoint(known)
    tests = test_sets(config, task, known)
    the_card = card.data_card(task, treatment, {"train": train, "val": val})
    the_card["loss"] = dict(config.loss)
    the_card["test sets"] = {name: len(examples) for name, (_, examples) in tests.items()}
    summary = card.text({**the_card, "splits": {"train": the_card["splits"]["train"]}})
    longest = int(train.sequences.tokens.lengths.max())
    if len(chunks) > 1:
        held_out = {"val": val.examples} | {name: examples for name, (_, examples) in tests.items()}
        whole = survey(
            task, treatment, (arm(chunks[piece], "train") for piece in range(len(chunks))), held_out
        )
        the_card["whole training set"], longest = whole, whole["longest"]
        summary += "\n  the first of {pieces} pieces; all {problems:,} problems were judged".format(**whole)
    max_new = config.eval.max_new or longest_completion(tests) * 3 // 2
    context = config.model.get("context") or context_for(config, longest, val.sequences, tests, max_new)
    chunk = training_chunks(config, chunks, train.sequences, arm)
    sequences = chunk, val.sequences, train.sequences
    return Data(task.codec.vocabulary, *sequences, tests, the_card, summary, context, max_new)


def prepared(config: DictConfig) -> Sets:
    """What `prepare` has prepared before, for training alone: nothing is judged again."""
    task = build_task(config)
    chunks, arm = training_problems(config, task), arms(config, task, build_treatment(config))
    chunk = training_chunks(config, chunks, arm(chunks[0], "train").sequences, arm)
    val = arm(problems(config, task, "val", config.data.val_size), "val")
    return Sets(task.codec.vocabulary, chunk, val.sequences)


def arms(config: DictConfig, task: Task, treatment: Treatment) -> Treated:
    """A function (problems, split) -> these treated."""
    return lambda examples, split: card.Arm(
        examples, *frozen.arm(task, treatment, examples, config.seed, split)
    )


def problems(config: DictConfig, task: Task, split: str, count: int) -> Examples:
    """A frozen set of problems of the experiment's seed."""
    workers, distinct = Workers.of(config.data), config.data.distinct
    return frozen.problems(
        task, seed=config.seed, split=split, count=count, distinct=distinct, workers=workers
    )


def training_problems(config: DictConfig, task: Task) -> Chunks:
    """The problems that an experiment trains on: a frozen set, or an endless stream."""
    data = config.data
    if data.online:
        return Endless(task, config.seed, "train", data.train_size)
    return Frozen(task, config.seed, "train", data.train_size, data.distinct, Workers.of(data))


def training_chunks(
    config: DictConfig, chunks: Chunks, first: Sequences, arm: Treated
) -> Callable[[int], Sequences]:
    """A function k -> the k-th chunk of training sequences; those of a set of one piece stay in memory."""
    if len(chunks) == 1 and not config.data.online:
        return lambda k: first
    return lambda k: arm(chunks[chunks.piece(k)], "train").sequences


def context_for(config: DictConfig, longest: int, val: Sequences, tests: TestSets, max_new: int) -> int:
    """Room for the longest training sequence, and for the longest prompt with its completion."""
    longest = longest * (2 if config.data.online else 1)  # later chunks may exceed
    prompts = max(int(task.prompts(examples).lengths.max()) for task, examples in tests.values())
    needed = max(longest, int(val.tokens.lengths.max()), prompts + max_new)
    return -(-needed // ROUND) * ROUND


def longest_completion(tests: TestSets) -> int:
    """Tokens of the longest reference completion, trace included, of all test sets."""
    return max(int(frozen.references(task, examples).lengths.max()) for task, examples in tests.values())
