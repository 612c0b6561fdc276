"""How long to train: one of tokens, steps, minutes, examples or FLOPs; and how much of it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.runs.settings import Amounts, Experiment


@dataclass
class Progress:
    """What a run has trained on so far; saved with its checkpoints.

    tokens: all that are not padding; completion_tokens: those the loss is taken on; minutes: of
    training, without validation; flops: operations of matrix products, forward and backward (`Model.flops`),
    with those of sampling where completions are sampled. Of runs that earlier versions began they are of what
    came after.

    Of a post-training, tokens: those of all completions that were sampled; examples: groups that updates were
    made of; completion_tokens: those of all their completions, masked ones too.
    """

    steps: int = 0
    tokens: int = 0
    completion_tokens: int = 0
    examples: int = 0
    minutes: float = 0.0
    flops: float = 0.0


@dataclass(frozen=True)
class Budget:
    """Exactly one of these is given. `minutes` depends on the machine: such a run is not repeatable."""

    tokens: int | None = None
    steps: int | None = None
    minutes: float | None = None
    examples: int | None = None
    flops: float | None = None

    def __post_init__(self) -> None:
        given = {unit: amount for unit, amount in asdict(self).items() if amount is not None}
        if len(given) != 1:
            raise ValueError(
                f"give one of budget.tokens, steps, minutes, examples or flops, not {given or 'none'}"
            )
        if min(given.values()) <= 0:
            raise ValueError(f"a budget must be more than 0, not {given}")

    @property
    def unit(self) -> str:
        """The one that is given."""
        return next(unit for unit, amount in asdict(self).items() if amount is not None)

    @property
    def amount(self) -> float:
        """How much of it."""
        amount: float = getattr(self, self.unit)
        return amount

    def used(self, progress: Progress) -> float:
        """The share of the budget that is used, from 0 to 1."""
        return min(1.0, getattr(progress, self.unit) / self.amount)


def build_budget(asked: Amounts) -> Budget:
    """The budget that was asked for, else the default one. ValueError if none or several were."""
    default: dict[str, Any] = {}
    amounts: dict[str, Any] = {}
    for unit, amount in asdict(asked).items():
        (default if unit.startswith("default_") else amounts)[unit.removeprefix("default_")] = amount
    if all(amount is None for amount in amounts.values()):
        amounts |= {unit: amount for unit, amount in default.items() if amount is not None}
    return Budget(**amounts)


def extended(before: Amounts, asked: Amounts) -> str | None:
    """The budget that a run had, "12 steps", if it is asked to go on beyond it; None if it is the same.

    ValueError if it is asked for less, or in another unit: rates follow the budget's share that is used.
    """
    had, wanted = build_budget(before), build_budget(asked)
    if had == wanted:
        return None
    if had.unit != wanted.unit or wanted.amount < had.amount:
        raise ValueError(
            f"budget.{wanted.unit}={wanted.amount:g}: this run has a budget of {had.amount:g} {had.unit}, "
            "which can be extended, not changed: take another run_dir"
        )
    return named(had)


def named(budget: Budget) -> str:
    """A budget in words: `12 steps`."""
    short = f"{budget.amount:g}"
    return f"{short if float(short) == budget.amount else budget.amount} {budget.unit}"


def begun_with(asked: Amounts, before: Sequence[str]) -> Budget:
    """The budget that a run was begun with. before: those that it had, as `extended` names them, in order."""
    if not before:
        return build_budget(asked)
    amount, unit = before[0].split()
    known: dict[str, Any] = {unit: float(amount)}
    return Budget(**known)


def step_tokens(experiment: Experiment) -> int:
    """The tokens of a step at most: of all batches whose gradients it adds up."""
    return int(experiment.data.batch_tokens * experiment.trainer.get("accumulate_grad_batches", 1))


def short_first(experiment: Experiment, lengths: NDArray[np.int64], before: Sequence[str] = ()) -> int:
    """Tokens of training over which short sequences come first: the share data.short_first of the budget.

    lengths: of sequences, for budgets of examples. before: budgets that the run had; a larger one leaves the
    order of what was trained on as it was. Budgets of minutes and of FLOPs, and packed rows, know no such
    tokens: 0.
    """
    data = experiment.data
    if data.short_first is None or data.packing is not None:
        return 0
    budget = begun_with(experiment.budget, before)
    each = {
        "tokens": 1.0,
        "steps": step_tokens(experiment),
        "examples": lengths.mean(),
        "minutes": 0.0,
        "flops": 0.0,
    }
    return int(data.short_first * budget.amount * each[budget.unit])
