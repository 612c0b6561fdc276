"""Where derivations fail: the tree of steps on which a solution rests, and what of it is sound.

    found = trees.steps(analysis.load("runs/study"), task)      # a row per step
    trees.sound(trees.trees(found))                              # a row per arm and test set
    trees.levels(found)                                          # and a row per distance from the answer

Each step is taken at its word (`core.types.Task.tree`): it is sound, wrong in itself, or it stands on one
that is. The root is the step that gives the answer; leaves are steps that use what the problem gives alone.
RPTS (arXiv 2511.06899) scores steps in a tree, too, by weights of its levels; these shares are other figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from tracelab.analysis.estimates import as_columns, shares, with_seeds
from tracelab.analysis.written import LABELS, examples_of, first_samples, salvaged, tokens_of
from tracelab.core.ragged import Ragged
from tracelab.core.stats import mean, share
from tracelab.core.types import ROLES, Task

MOST = 256  # completions of a run and test set that are read: each is cut into steps
PLACES = ("first_depth", "first_height", "deepest_depth", "deepest_height")
FLAGS = ("answered", "faulty", "accuracy_faulty", "accuracy_sound")


def steps(table: pl.LazyFrame, task: Task, most: int = MOST) -> pl.DataFrame:
    """The steps of the first samples of each run's first `most` problems, a row each.

    step: its place; role: one of ROLES; depth, height: how far it lies from the answer's step and from the
    leaves, null where it is aside. A completion without steps has one row, in which all of these are null.
    ValueError if the task cannot say.
    """
    if not hasattr(task, "tree"):
        raise ValueError(f"task {task.name} has no `tree`: it does not say on which steps solutions rest")
    frames = first_samples(table, task, ["solution_valid"], most)
    return pl.concat(_placed(frame, own) for frame, own in frames)


def _placed(frame: pl.DataFrame, task: Task) -> pl.DataFrame:
    """The steps of one test set's outcomes."""
    read = [salvaged(task.codec, tokens) for tokens in tokens_of(frame)]
    traces = Ragged.stack([trace for trace, *_ in read], task.codec.trace_width)
    solutions = Ragged.stack([solution for _, solution, *_ in read], task.codec.solution_width)
    offers: Any = task
    nodes = offers.tree(examples_of(frame, traces, solutions), traces, solutions).values
    owner = np.repeat(np.arange(len(frame), dtype=np.int64), traces.lengths)
    written = pl.DataFrame(
        {
            "owner": owner,
            "step": np.arange(len(owner)) - traces.offsets[owner],
            "role": pl.Series([ROLES[code] for code in nodes[:, 0]], dtype=pl.String),
            "depth": nodes[:, 1],
            "height": nodes[:, 2],
        }
    )
    there = pl.col("role") != ROLES[0]
    owners = frame.select(*LABELS, "solution_valid", owner=pl.int_range(pl.len(), dtype=pl.Int64))
    return (
        owners.join(written, on="owner", how="left", maintain_order="left_right")
        .with_columns(pl.when(there).then(pl.col(name)).alias(name) for name in ("depth", "height"))
        .drop("owner")
    )


def trees(found: pl.DataFrame) -> pl.DataFrame:
    """The completions of what `steps` gives, a row each.

    nodes: steps of the tree, 0 where none gives the answer; sound, wrong, standing: how many are; height: of
    the root; first_depth, first_height: where the first step lies that is wrong in itself; deepest_depth,
    deepest_height: where the farthest from the answer does, of several the one nearest the leaves; null where
    there is none.
    """
    role, place = pl.col("role"), pl.struct("depth", "height")
    wrong = place.filter(role == "wrong")
    depth, height = (wrong.struct.field(name) for name in ("depth", "height"))
    farthest = wrong.sort_by(depth, height, descending=[True, False])
    return found.group_by(*LABELS, "solution_valid", maintain_order=True).agg(
        (role != "aside").sum().cast(pl.Int64).alias("nodes"),
        *((role == name).sum().cast(pl.Int64).alias(name) for name in ROLES[1:]),
        pl.col("height").max(),
        *(
            which.first().struct.field(field).alias(f"{name}_{field}")
            for name, which in (("first", wrong), ("deepest", farthest))
            for field in ("depth", "height")
        ),
    )


def sound(counted: pl.DataFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """How sound trees are, a row per group of what `trees` gives.

    sound: the share of the trees' steps that are; answered: of completions that have a tree; faulty: of the
    trees in which a step is wrong in itself; accuracy_faulty, accuracy_sound: of solutions that are right
    with such trees, and with others; first_depth, first_height, deepest_depth, deepest_height: means over
    faulty trees. Each with _low and _high (95 %, for other problems), null where there is none; n:
    completions, of which those without a trace have no tree; n_trees; seeds.
    """
    valid, tree, faulty = pl.col("solution_valid"), pl.col("nodes") > 0, pl.col("wrong") > 0
    flags = {
        "answered": tree,
        "faulty": pl.when(tree).then(faulty),
        "accuracy_faulty": pl.when(tree & faulty).then(valid),
        "accuracy_sound": pl.when(tree & ~faulty).then(valid),
    }
    known = shares(counted.lazy(), by, flags).rename({"answered_n": "n", "faulty_n": "n_trees"})
    rows = []
    for key, part in counted.group_by(list(by), maintain_order=True):
        row = dict(zip(by, key, strict=True))
        row |= as_columns(
            "sound", share(*(part[name].to_numpy() for name in ("sound", "problem_key", "nodes")))
        )
        wrong = part.filter(pl.col("first_depth").is_not_null())
        for name in PLACES:
            row |= as_columns(name, mean(wrong[name].to_numpy(), wrong["problem_key"].to_numpy()))
        rows.append(row)
    numbers = [f"{name}{end}" for name in ("sound", *PLACES) for end in ("", "_low", "_high")]
    schema: dict[str, Any] = {name: counted.schema[name] for name in by} | dict.fromkeys(numbers, pl.Float64)
    found = known.drop("accuracy_faulty_n", "accuracy_sound_n").join(
        pl.DataFrame(rows, schema), on=list(by), how="left", nulls_equal=True, maintain_order="left"
    )
    return with_seeds(found, counted.lazy(), by)


def levels(found: pl.DataFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """The share of each of sound, wrong and standing among the steps at each depth: they add up to 1.

    found: what `steps` gives. Each with _low and _high (95 %, for other problems); n: steps.
    """
    nodes = found.filter(pl.col("depth").is_not_null())
    flags = {name: pl.col("role") == name for name in ROLES[1:]}
    placed = shares(nodes.lazy(), [*by, "depth"], flags).rename({f"{ROLES[1]}_n": "n"})
    return placed.drop(f"{name}_n" for name in ROLES[2:])
