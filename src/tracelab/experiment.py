"""What a config says, built: task, treatment, model; training stream, validation and test sets, data card.

data = prepare(config)
sequences = data.chunk(0)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig

from tracelab.budget import build_budget
from tracelab.core.codec import Sequences
from tracelab.core.types import Examples, Task
from tracelab.data import card, frozen
from tracelab.data.compiling import compile_ahead
from tracelab.data.pieces import Chunks, Endless, Frozen
from tracelab.data.survey import survey
from tracelab.data.workers import Workers
from tracelab.traces.base import Treatment

if TYPE_CHECKING:
    import torch

    from tracelab.models.gpt import GPT
    from tracelab.models.precision import Precision

ROUND = 64  # a context that the data decides is a multiple
WIDTH = 128  # of products that are measured for a model that states no width

TestSets = Mapping[str, tuple[Task, Examples]]
Treated = Callable[[Examples, str], card.Arm]


def build_task(config: DictConfig) -> Task:
    """The task as configured."""
    task: Task = instantiate(config.task, _convert_="all")
    return task


def build_treatment(config: DictConfig) -> Treatment:
    """The treatment as configured."""
    treatment: Treatment = instantiate(config.trace, _convert_="all")
    return treatment


def build_model(
    config: DictConfig, vocabulary: tuple[str, ...], context: int, precision: Precision | None = None
) -> GPT:
    """The model, initialised from the seed. context: the longest sequence that it takes; precision: of its
    matrix products (None: as the config asks for).
    """
    shape = {k: v for k, v in config.model.items() if k != "context"}
    model: GPT = instantiate(shape, vocab_size=len(vocabulary), context=context, seed=config.seed)
    model.products = (precision or precision_of(config)).products
    return model


def device_of(config: DictConfig) -> torch.device:
    """Where a config's model computes: a GPU, if there is one and trainer.accelerator does not say cpu."""
    import torch

    cpu = config.trainer.accelerator == "cpu" or not torch.cuda.is_available()
    return torch.device("cpu" if cpu else "cuda")


def precision_of(config: DictConfig, resumed: Path | None = None) -> Precision:
    """What trainer.precision means on this machine. resumed: a checkpoint, whose precision is kept."""
    from tracelab.checkpoint import load_precision
    from tracelab.models.precision import choose

    before = None if resumed is None else load_precision(resumed)
    width = config.model.get("width", WIDTH)
    shapes = {
        "tokens": config.data.batch_tokens,
        "width": width,
        "hidden": 2 * config.model.get("mlp", width),
    }
    return choose(config.trainer.precision, device_of(config), **shapes, before=before)


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


def check_knobs(config: DictConfig) -> None:
    """ValueError if a knob of training is out of its range: before anything is drawn."""
    share = config.data.get("short_first") or 0.0
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"data.short_first={share} must be a share of the budget: 0 to 1, or null")
    if config.validate_problems < 0:
        raise ValueError(f"validate_problems={config.validate_problems} must be 0 (none) or more")


def short_first(config: DictConfig, lengths: NDArray[np.int64]) -> int:
    """Tokens of training over which short sequences come first: the share data.short_first of the budget.

    lengths: of sequences, for budgets of examples. Budgets of minutes and packed rows know no such tokens: 0.
    """
    data = config.data
    share = data.get("short_first") or 0.0  # older runs have none
    if data.get("packing") is not None:
        return 0
    budget = build_budget(config.budget)
    each = {"tokens": 1.0, "steps": data.batch_tokens, "examples": lengths.mean(), "minutes": 0.0}
    return int(share * getattr(budget, budget.unit) * each[budget.unit])


def context_for(config: DictConfig, longest: int, val: Sequences, tests: TestSets, max_new: int) -> int:
    """Room for the longest training sequence, and for the longest prompt with its completion."""
    longest = longest * (2 if config.data.online else 1)  # later chunks may exceed
    prompts = max(int(task.prompts(examples).lengths.max()) for task, examples in tests.values())
    needed = max(longest, int(val.tokens.lengths.max()), prompts + max_new)
    return -(-needed // ROUND) * ROUND


def longest_completion(tests: TestSets) -> int:
    """Tokens of the longest reference completion, trace included, of all test sets."""
    return max(int(frozen.references(task, examples).lengths.max()) for task, examples in tests.values())
