"""Training on one value of a task's knob after the other: to the next where the model is good at the present.

    loader = Taught(levels, batch_tokens=512, context=model.context)
    callback = Teaching(held_out, bound=0.8, run=run)       # instead of `Validation`

Held-out problems of the present level are completed at every validation. Where enough solutions are valid,
the level rises. It does so DELAY batches after the last one that was trained on: those that are laid out
ahead are of the old level, however many they are, and a resumed run goes on with the very same batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import lightning
import torch

from tracelab.batches.loader import Loader, check_lengths, pinned, share
from tracelab.batches.packing import Packed
from tracelab.batches.padding import Batch
from tracelab.core.codec import Sequences
from tracelab.core.ragged import Ragged
from tracelab.runs.entry import say
from tracelab.runs.folder import Run
from tracelab.runs.levels import at_levels, check_levels
from tracelab.runs.sets import held_out
from tracelab.runs.settings import in_shards
from tracelab.training.resuming import Before
from tracelab.training.settings import Training
from tracelab.training.validation import HeldOut, Validation, found_together

DELAY = 16  # batches, more than are ever laid out ahead
SPAN = 2**20  # chunks of a level


def check_teacher(experiment: Training) -> None:
    """ValueError if there is a teacher that cannot lead, or would not see how good the model is."""
    check_levels(experiment)
    if experiment.data.teacher is None:
        return
    if in_shards(experiment.trainer):
        raise ValueError(
            "data.teacher asks the model at every validation, and with trainer=fsdp no device holds the "
            "whole model: take trainer=ddp or one device"
        )
    if experiment.validate_problems < 1:
        raise ValueError("data.teacher asks held-out problems: take validate_problems=64, say")


def check_kept(experiment: Training, went: Before | None) -> None:
    """ValueError if a run with a teacher is to go on with other looks: another number of held-out problems,
    or completions of another length.
    """
    if experiment.data.teacher is None or went is None:
        return
    run = Run.open(went.checkpoint.parents[1])
    if (before := run.config["validate_problems"]) != experiment.validate_problems:
        raise ValueError(
            f"validate_problems={experiment.validate_problems}: with data.teacher it decides what is trained "
            f"on, and {run.folder} was begun with {before}"
        )
    if (limit := run.settings.eval.max_new) != experiment.eval.max_new:
        raise ValueError(
            f"eval.max_new={experiment.eval.max_new}: with data.teacher it decides what is trained on, and "
            f"{run.folder} was begun with {limit}; tracelab.evaluate judges what is trained with another one"
        )


class Part(NamedTuple):
    """A stretch of a training: a chunk of a level, and the number of its first batch among all."""

    level: int
    chunk: int
    first: int


class Taught(Loader):
    """Endless batches of the present level; the k-th chunk is the k-th `Part`.

    moves: what is known of each rise of the level, `batch` the number of the first batch that it is true of.
    """

    def __init__(self, levels: Sequence[Callable[[int], Sequences]], **options: Any) -> None:
        super().__init__(levels[0], **options)
        self.levels = levels
        self.moves: list[dict[str, Any]] = []
        self.parts = {0: Part(0, 0, 0)}

    @property
    def level(self) -> int:
        """The level that training is at, or is about to be."""
        return len(self.moves)

    @property
    def count(self) -> int:
        """How many batches were trained on."""
        k, batch = self.trained
        return self.parts[k].first + batch

    def move(self, **known: Any) -> None:
        """Let the level rise, DELAY batches from now."""
        self.moves.append({"batch": self.count + DELAY, **known})

    def _level_at(self, batch: int) -> int:
        return sum(move["batch"] <= batch for move in self.moves)

    def _batches(self) -> Iterator[Batch | Packed]:
        k, start = self.trained
        part = self.parts[k]
        with ThreadPoolExecutor(1, "next-chunk") as ahead:
            upcoming = ahead.submit(self._read, part)
            while True:
                sequences, plan = upcoming.result()
                after = Part(part.level, part.chunk + 1, part.first + len(plan))
                self.parts[k + 1] = after
                upcoming = ahead.submit(self._read, after)
                for i in range(start, len(plan)):
                    if self._level_at(part.first + i) != part.level:
                        after = Part(self._level_at(part.first + i), 0, part.first + i)
                        break
                    batch = share(self.layout, sequences, plan[i], self.pad)
                    batch = batch._replace(after=(k, i + 1) if i + 1 < len(plan) else (k + 1, 0))
                    yield pinned(batch) if self.pins else batch
                if after != self.parts[k + 1]:
                    self.parts[k + 1] = after
                    upcoming = ahead.submit(self._read, after)
                k, start, part = k + 1, 0, after

    def _read(self, part: Part) -> tuple[Sequences, list[Ragged]]:
        sequences = self.levels[part.level](part.chunk)
        check_lengths(sequences, self.context)
        number = part.level * SPAN + part.chunk
        return sequences, self.layout.plan(sequences.tokens.lengths, self.seed, number)

    def state_dict(self) -> dict[str, Any]:
        """Where the next batch to train on is, of which part, and where the level rises."""
        moves = [dict(move) for move in self.moves]
        return {**super().state_dict(), "part": list(self.parts[self.trained[0]]), "moves": moves}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().load_state_dict(state)
        self.parts = {self.trained[0]: Part(*state["part"])}
        self.moves = [dict(move) for move in state["moves"]]


class Teaching(Validation):
    """Logs figures of held-out problems of the present level, `val/level` with them, and lets it rise.

    levels: held-out problems of each, by value; bound: the share of valid solutions that is enough. run: its
    run.json has each rise.
    """

    def __init__(self, levels: Sequence[tuple[Any, HeldOut]], bound: float, run: Run) -> None:
        super().__init__(levels[0][1])
        self.levels, self.bound, self.run = levels, bound, run

    def on_train_start(self, trainer: lightning.Trainer, learner: Any) -> None:
        """Note what has moved so far: a run that was killed may have noted more than it goes on from."""
        self._note(trainer)

    def on_validation_epoch_end(self, trainer: lightning.Trainer, learner: Any) -> None:
        """Log the figures; go on to the next level if they are good enough."""
        if trainer.sanity_checking:  # before there is anything to train on
            return
        loader: Any = trainer.train_dataloader
        level = loader.level
        value, self.held_out = self.levels[level]
        with torch.inference_mode(False), torch.no_grad():  # as in `Validation`
            figures = found_together(self.held_out, trainer, learner)
        shown = {f"val/{name}": figure for name, figure in figures.items()}
        learner.log_dict({**shown, "val/level": float(level)}, batch_size=1)
        right = figures["solution_valid"]
        if level + 1 == len(self.levels) or right < self.bound:
            return
        following, progress = self.levels[level + 1][0], learner.progress
        known = {"step": progress.steps, "tokens": progress.tokens, "solution_valid": right}
        loader.move(**known, **{"from": value, "to": following})
        self._note(trainer)
        if trainer.is_global_zero:
            say(f"Step {progress.steps}: {100 * right:.0f} % right at {value}, on to {following}")

    def _note(self, trainer: lightning.Trainer) -> None:
        loader: Any = trainer.train_dataloader
        if trainer.is_global_zero:
            self.run.write_json("run.json", {**self.run.read_json("run.json"), "moves": loader.moves})


def teaching(experiment: Training, run: Run) -> Teaching:
    """The callback that an experiment's teacher asks for."""
    teacher = experiment.data.teacher
    assert teacher is not None, "it was asked for"
    levels = [held_out_of(each) for each in at_levels(experiment)]
    return Teaching(list(zip(teacher.values, levels, strict=True)), teacher.bound, run)


def held_out_of(experiment: Training) -> HeldOut:
    """The first problems of the validation set at a level; see `build_held_out`."""
    task, examples, sequences = held_out(experiment, experiment.validate_problems)
    longest = int((sequences.tokens.lengths - sequences.prompt).max()) * 3 // 2
    limit = min(longest, experiment.eval.max_new or longest)
    return HeldOut.of(experiment.eval, task, examples, limit)
