"""Files that are trained on one after the other: the sequences of each, and what the data card says of it.

turns = turns_of(experiment, treatment, files)      # empty where files are mixed
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tracelab.core import rng
from tracelab.core.codec import Sequences
from tracelab.data.from_files import Files
from tracelab.runs.settings import Experiment
from tracelab.traces.base import Treatment, Turn

Turns = tuple[tuple[Turn, Callable[[int], Sequences]], ...]


def turns_of(experiment: Experiment, treatment: Treatment, files: Files) -> Turns:
    """A turn for each file, with an equal share of the budget, in the order that is asked for.

    ValueError if nothing of a file is trained on.
    """
    turn = Turn(1 / max(len(files.about["files"]), 1), treatment, anew=False)
    return tuple((turn, passes(files, which, experiment.seed)) for which in order_of(experiment, files))


def order_of(experiment: Experiment, files: Files) -> list[int]:
    """Places of the files in the order in which they are trained on; none where they are mixed."""
    places = list(range(len(files.about["files"])))
    return {None: [], "listed": places, "reversed": places[::-1]}[experiment.data.order]


def passes(files: Files, which: int, seed: int) -> Callable[[int], Sequences]:
    """A function k -> the sequences of a file in the order of the k-th pass through it.

    Each pass has an order of its own: where a share ends within a file, what is left out is any of it.
    """
    rows = np.flatnonzero(files.source == which)
    if not len(rows):
        raise ValueError(
            f"nothing of data.files={files.about['files'][which]['path']} is trained on, so that it can have "
            "no share of the budget: leave it out"
        )

    def in_pass(k: int) -> Sequences:
        shuffled = rng.rng(seed, "train", k, f"order of file {which}").permutation(rows)
        return files.sequences.take(shuffled)

    return in_pass


def told(experiment: Experiment, files: Files) -> Mapping[str, Any]:
    """What was read, for the card: with the order, where there is one."""
    order = [files.about["files"][which]["path"] for which in order_of(experiment, files)]
    return {**files.about, "order": order} if order else files.about
