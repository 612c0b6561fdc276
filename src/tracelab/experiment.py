"""What a config says, built: task, treatment, model; training stream, validation and test sets, data card.

data = prepare(config)
sequences = data.chunk(0)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from tracelab.core.codec import Sequences
from tracelab.core.types import Examples, Task
from tracelab.data import card, frozen, online
from tracelab.data.workers import Workers
from tracelab.traces.base import Treatment

if TYPE_CHECKING:
    from tracelab.models.gpt import GPT

ROUND = 64  # a context that the data decides is a multiple

TestSets = Mapping[str, tuple[Task, Examples]]


def build_task(config: DictConfig) -> Task:
    """The task as configured."""
    task: Task = instantiate(config.task, _convert_="all")
    return task


def build_treatment(config: DictConfig) -> Treatment:
    """The treatment as configured."""
    treatment: Treatment = instantiate(config.trace, _convert_="all")
    return treatment


def build_model(config: DictConfig, vocabulary: tuple[str, ...], context: int) -> GPT:
    """The model, initialised from the seed. context: the longest sequence that it takes."""
    shape = {k: v for k, v in config.model.items() if k != "context"}
    model: GPT = instantiate(shape, vocab_size=len(vocabulary), context=context, seed=config.seed)
    return model


def test_sets(config: DictConfig, task: Task, against: Mapping[str, Examples] | None = None) -> TestSets:
    """The test sets, the same for all arms and seeds; disjoint from `against`, or ValueError."""
    return frozen.test_sets(task, config.eval.seed, config.eval.problems, against, Workers.of(config.data))


@dataclass(frozen=True)
class Data:
    """What an experiment trains and is tested on.

    chunk: k -> the k-th chunk of training sequences (of a frozen set: always the same); train: the first.
    context: the longest sequence that the model must take; max_new: tokens that a completion may have.
    """

    vocabulary: tuple[str, ...]
    chunk: Callable[[int], Sequences]
    train: Sequences
    val: Sequences
    tests: TestSets
    card: dict[str, Any]
    summary: str
    context: int
    max_new: int


def prepare(config: DictConfig) -> Data:
    """Generate (or load) and treat the data of an experiment. ValueError if splits share problems."""
    task, treatment = build_task(config), build_treatment(config)
    chunk, train = training_data(config, task, treatment)
    val_examples = problems(config, task, "val", config.data.val_size)
    val = card.Arm(val_examples, *frozen.arm(task, treatment, val_examples, config.seed, "val"))
    known = {"train": train.examples, "val": val.examples}
    frozen.assert_disjoint(known)
    tests = test_sets(config, task, known)
    the_card = card.data_card(task, treatment, {"train": train, "val": val})
    the_card["loss"] = dict(config.loss)
    the_card["test sets"] = {name: len(examples) for name, (_, examples) in tests.items()}
    max_new = config.eval.max_new or longest_completion(tests) * 3 // 2
    context = config.model.get("context") or context_for(
        config, train.sequences, val.sequences, tests, max_new
    )
    summary = card.text({**the_card, "splits": {"train": the_card["splits"]["train"]}})
    vocabulary = task.codec.vocabulary
    sequences = chunk, train.sequences, val.sequences
    return Data(vocabulary, *sequences, tests, the_card, summary, context, max_new)


def problems(config: DictConfig, task: Task, split: str, count: int) -> Examples:
    """A frozen set of problems of the experiment's seed."""
    workers, distinct = Workers.of(config.data), config.data.distinct
    return frozen.problems(
        task, seed=config.seed, split=split, count=count, distinct=distinct, workers=workers
    )


def training_problems(config: DictConfig, task: Task) -> Callable[[int], Examples]:
    """A function k -> the problems of the k-th chunk of a training (of a frozen set: always the same)."""
    size, seed = config.data.train_size, config.seed
    if config.data.online:
        return lambda k: frozen.drawn(task, seed, "train", "problem", k * size, (k + 1) * size)
    examples = problems(config, task, "train", size)
    return lambda k: examples


def training_data(
    config: DictConfig, task: Task, treatment: Treatment
) -> tuple[Callable[[int], Sequences], card.Arm]:
    """-> (chunk function, what the data card describes: the frozen set, or a stream's first chunk)."""
    size, seed = config.data.train_size, config.seed
    examples = training_problems(config, task)(0)
    sequences, treated = frozen.arm(task, treatment, examples, seed, "train")
    if config.data.online:
        chunk = online.stream(task, treatment, seed=seed, split="train", chunk_size=size)
    else:

        def chunk(k: int) -> Sequences:
            return sequences

    return chunk, card.Arm(examples, sequences, treated)


def context_for(config: DictConfig, train: Sequences, val: Sequences, tests: TestSets, max_new: int) -> int:
    """Room for the longest training sequence, and for the longest prompt with its completion."""
    longest = int(train.tokens.lengths.max()) * (2 if config.data.online else 1)  # later chunks may exceed
    prompts = max(int(task.prompts(examples).lengths.max()) for task, examples in tests.values())
    needed = max(longest, int(val.tokens.lengths.max()), prompts + max_new)
    return -(-needed // ROUND) * ROUND


def longest_completion(tests: TestSets) -> int:
    """Tokens of the longest reference completion, trace included, of all test sets."""
    return max(int(frozen.references(task, examples).lengths.max()) for task, examples in tests.values())
