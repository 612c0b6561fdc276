"""What is set for every experiment, whether it trains a model or post-trains one.

    experiment = read(Experiment, config)
    experiment.data.batch_tokens

Names and defaults of a command's knobs are in `conf/`. A default here is what earlier versions did, which
did not have the knob: so their runs are read as what they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Annotated, Any, Literal

from pydantic import Field

from tracelab.core.settings import (
    Count,
    Part,
    Place,
    Positive,
    Seed,
    Share,
    Temperature,
    Threads,
    Weight,
    read,
    settings,
)
from tracelab.data.workers import Workers


@settings
class Names:
    """What was chosen of each axis, for tables.

    source: the arm whose weights a training begins with; algorithm, reward: of a post-training.
    """

    task: str
    trace: str
    model: str
    optim: str | None = None
    source: str | None = None
    algorithm: str | None = None
    reward: str | None = None


@settings
class Teacher:
    """A knob of the task that goes from value to value while a model learns: to the next one where held-out
    accuracy at the present one is at least `bound`.
    """

    knob: str
    values: Annotated[list[Any], Field(min_length=2)]
    bound: Share


@settings
class Data:
    """Problems to train on, and batches of them. conf/train.yaml says what each knob is.

    checksums: of the files, noted when a run starts; order: of whole files, None: their problems are mixed.
    """

    train_size: Count
    val_size: Count
    batch_tokens: Count
    online: bool
    distinct: bool = True
    files: Annotated[list[str], Field(min_length=1)] | None = None
    checksums: list[str] | None = None
    order: Literal["listed", "reversed"] | None = None
    teacher: Teacher | None = None
    short_first: Share | None = None
    packing: Count | None = None
    workers: Threads | None = None
    backend: str = "threading"
    address: str | None = None

    @property
    def drawn_by(self) -> Workers:
        """Who draws the problems."""
        return Workers(self.workers, self.backend, self.address)


@settings
class Loss:
    """Weights of a token of the trace and of the solution in the loss, of what is asked of latents, and of
    the ranking of valid traces above damaged twins.

    step_weight: of the steps that they stand for, decoded; distillation_weight: of the distance from states
    behind whole traces; teacher_weight: of these whole traces, where states are distilled (None: 1).
    ranking_weight: of the ranking; ranking_bound: how far below, in nats per token, a twin is pushed (None:
    without an end); ranking_rate, ranking_kind: how twins are damaged (None: a tenth of the steps, mixed).
    """

    trace_weight: Weight
    solution_weight: Weight
    step_weight: Weight | None = None
    distillation_weight: Weight | None = None
    teacher_weight: Weight | None = None
    ranking_weight: Weight | None = None
    ranking_bound: Positive | None = None
    ranking_rate: Share | None = None
    ranking_kind: str | None = None

    def __post_init__(self) -> None:
        if self.trace_weight == self.solution_weight == 0:
            raise ValueError(
                "loss.trace_weight and loss.solution_weight are both 0: nothing would be learned"
            )

    @property
    def of_latents(self) -> bool:
        """Is anything asked of latents?"""
        return bool(self.step_weight or self.distillation_weight)


@settings
class Sampling:
    """How a model is tested: problems per test set, and how completions are sampled.

    max_new: tokens of a completion at most; None: half as many again as the longest reference has, more where
    longer traces are taught (`runs.room`). That is worked out when a run is trained and kept in its run.json:
    other `problems` or another `seed` do not change it. checkpoint: last or best.
    """

    problems: Count
    seed: Seed = 0
    temperature: Temperature = 0.0
    samples: Count = 1
    max_new: Count | None = None
    batch_size: Count = 256
    checkpoint: Literal["last", "best"] = "last"

    def limit(self, record: Mapping[str, Any]) -> int:
        """Tokens of a completion at most, of a run whose run.json says this."""
        return self.max_new or int(record["max_new"])


def no_copies(part: str, samples: int, temperature: float) -> None:
    """ValueError if several completions of a problem would be one, several times. part: what the knobs' names
    begin with, `eval.` or nothing.

    Who asks for completions checks it: configs of earlier runs may ask for copies.
    """
    if temperature == 0 and samples > 1:
        raise ValueError(
            f"{part}temperature=0 gives {part}samples={samples} completions that are the same: take a "
            f"temperature above 0, or {part}samples=1"
        )


@settings
class OnDevices:
    """The devices of this machine that a command computes on: how many GPUs, or processes on the CPU."""

    devices: Count = 1


@settings
class Amounts:
    """A budget: one of the first five, else the default that is given."""

    tokens: Count | None = None
    steps: Count | None = None
    minutes: Positive | None = None
    examples: Count | None = None
    flops: Positive | None = None
    default_tokens: Count | None = None
    default_steps: Count | None = None


@settings
class Experiment:
    """What training and post-training share. Parts name their class by `_target_`."""

    task: Part
    trace: Part
    model: Part
    optim: dict[str, Part]
    trainer: Part
    logger: dict[str, Part]
    metric: dict[str, Part]
    names: Names
    data: Data
    loss: Loss
    eval: Sampling
    budget: Amounts
    run_dir: Place
    seed: Seed
    checkpoint_every: Count
    ckpt_path: Place | None = None
    threads: Threads | None = None
    compile: bool | None = None

    def as_dict(self) -> dict[str, Any]:
        """The settings as they are written to config.yaml."""
        return asdict(self)


def shared(config: Mapping[str, Any]) -> Experiment:
    """What a run's config says that every experiment has."""
    ours = {field.name for field in fields(Experiment)}
    return read(Experiment, {name: value for name, value in config.items() if name in ours})


def in_shards(trainer: Part) -> bool:
    """Does a trainer's config ask for FSDP, where no process holds whole matrices?"""
    strategy = trainer.get("strategy")
    return isinstance(strategy, dict) and strategy["_target_"].endswith("ModelParallelStrategy")
