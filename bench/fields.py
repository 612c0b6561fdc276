"""What a model learns of a step, field by field: its operation, cell, g, and h, against tokens trained on.

    python bench/fields.py --seeds 0 1 --folder runs/fields
    python bench/fields.py --seeds 0 --folder runs/fields/small data.batch_tokens=512 data.short_first=0.1

Trains trace=correct on mazes with the defaults and the overrides given, and measures on the validation set,
every so many steps, how often the likeliest next token is the right one (teacher forced). h is shown in three
parts, learned at different times: of the first step, which names a distance that nothing before it
tells; of a creation, which is its parent's and one more or less; of a closing, which repeats a creation's.
Writes <folder>/<seed>/fields.csv, and prints its rows.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from numpy.typing import NDArray

FIELDS = ("operation", "cell", "g", "h first", "h created", "h closed", "solution")
OP, CELL, G, H = range(4)  # places in a step of the compact format
BATCHES = 60  # of the validation set


class FieldAccuracy(lightning.Callback):
    """Writes a row for every `every` steps. batches: of the validation set; vocabulary: the task's words."""

    def __init__(self, path: Path, batches: list[Any], vocabulary: tuple[str, ...], every: int) -> None:
        self.path, self.batches, self.every = path, batches, every
        self.create, self.opens = vocabulary.index("create"), vocabulary.index("reasoning")

    def on_train_batch_end(self, trainer: lightning.Trainer, learner: Any, *_: Any) -> None:
        """Measure, if it is time to or this was the last step."""
        if learner.progress.steps % self.every and not trainer.should_stop:
            return
        right, seen = np.zeros(len(FIELDS)), np.zeros(len(FIELDS))
        learner.eval()
        for batch in self.batches:
            field = self.fields(batch.targets.numpy(), batch.trace.numpy())
            with torch.no_grad(), learner.model.computing():
                hidden = learner.model.hidden(batch.tokens).flatten(0, 1)
                hits = (learner.model.logits(hidden[batch.at]).argmax(-1) == batch.targets).numpy()
            seen += np.bincount(field[field >= 0], minlength=len(FIELDS))
            right += np.bincount(field[(field >= 0) & hits], minlength=len(FIELDS))
        learner.train()
        self.write(learner.progress.tokens, right / np.maximum(seen, 1))

    def fields(self, targets: NDArray[np.int64], trace: NDArray[np.bool_]) -> NDArray[np.int64]:
        """(n,) indices into FIELDS, -1 for words that open and close a trace."""
        field = np.where(trace, -1, FIELDS.index("solution"))
        starts = np.flatnonzero(targets == self.opens)
        for start in starts:
            length = int(np.argmin(np.append(trace[start + 1 :], False)))
            step = np.arange(start + 1, start + 1 + length // 4 * 4)
            place = (step - start - 1) % 4
            field[step[place < H]] = place[place < H]
            h = step[place == H]
            created = targets[h - H] == self.create
            field[h] = np.where(created, FIELDS.index("h created"), FIELDS.index("h closed"))
            field[h[:1]] = FIELDS.index("h first")
        return field

    def write(self, tokens: int, accuracy: NDArray[np.float64]) -> None:
        """Add a row."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = not self.path.is_file()
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(("tokens", *FIELDS))
            writer.writerow((tokens, *(f"{value:.4f}" for value in accuracy)))
        print(f"{tokens:12,d}  " + "  ".join(f"{n} {v:.3f}" for n, v in zip(FIELDS, accuracy, strict=True)))


def run(seed: int, folder: Path, every: int, overrides: list[str]) -> None:
    """Train one seed, without evaluating it."""
    from tracelab.runs.build import build_model, precision_of
    from tracelab.runs.entry import compose
    from tracelab.runs.folder import Run
    from tracelab.runs.sets import prepare
    from tracelab.training import accelerate
    from tracelab.training.experiment import build_learner, build_loaders
    from tracelab.training.fitting import fit
    from tracelab.training.settings import Training

    experiment = compose(Training, "train", *overrides, f"seed={seed}", f"run_dir={folder / str(seed)}")
    accelerate.start(experiment.threads)
    started, data = Run.start(experiment), prepare(experiment)
    precision = precision_of(experiment)
    model = build_model(experiment.model, data.vocabulary, data.context, seed, precision)
    learner = build_learner(experiment, model)
    loaders = build_loaders(experiment, data, data.context)
    batches = list(loaders[1])[:BATCHES]
    watch = FieldAccuracy(started.folder / "fields.csv", batches, data.vocabulary, every)
    fit(started, learner, loaders, None, [watch], val_check_interval=experiment.validate_every)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--every", type=int, default=500, help="steps between measurements")
    parser.add_argument("--folder", type=Path, default=Path("runs/fields"))
    parser.add_argument("overrides", nargs="*", help="of the config of tracelab.train")
    options = parser.parse_args()
    for seed in options.seeds:
        run(seed, options.folder, options.every, options.overrides)


if __name__ == "__main__":
    main()
