"""How likely completions are before and after post-training: where did it move the model?

The completions are those of the two runs' outcomes, the post-trained one's and its source's, and both models
read all of them. If what is written after was likely before, post-training chose among what the model had.

    python -m tracelab.likelihood run=runs/...
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Examples
from tracelab.decoding.logprobs import sums, teacher_forced
from tracelab.models.base import Model
from tracelab.probes.tested import Tested, tested
from tracelab.runs.arms import judged_source_of
from tracelab.runs.folder import Run
from tracelab.runs.trained import check_as_begun

COLUMNS = ("split", "index", "sample", "problem_key", "solution_valid", "trace_strict")


def of_run(run: Run, splits: list[str] | None = None) -> pa.Table:
    """Completions of a post-trained run and of its source, a row each.

    written: "before" or "after", by which of the two; before_logprob, after_logprob: of the whole completion
    under each, in nats, at temperature 1; tokens; and COLUMNS of its outcome. Before is the checkpoint that
    the post-training began with. splits: test sets (None: the first). ValueError if the run was not
    post-trained, or its source is gone, was judged at another checkpoint, or was trained on since.
    """
    source = Run.open(judged_source_of(run.folder))
    check_as_begun(run, source)
    asked = tested(run, splits)
    models = {"before": tested(source, list(asked.tests)).model, "after": asked.model}
    parts = [
        _rows(asked, models, split, written, folder)
        for split in asked.tests
        for written, folder in (("before", source.folder), ("after", run.folder))
    ]
    check_as_begun(run, source)  # and not another by now
    return pa.concat_tables(parts)


def _rows(asked: Tested, models: dict[str, Model], split: str, written: str, folder: Path) -> pa.Table:
    task, examples = asked.tests[split]
    outcomes = pyarrow.parquet.read_table(
        folder / "outcomes.parquet", columns=[*COLUMNS, "completion"], filters=[("split", "=", split)]
    )
    place = _places(examples, *(outcomes[name].to_numpy() for name in ("index", "problem_key")))
    if not (place >= 0).any():
        raise ValueError(f"{folder} was judged on other problems of {split}: evaluate both runs alike")
    prompts = asked.model.opened(task.prompts(examples)).take(place[place >= 0])
    outcomes = outcomes.filter(place >= 0)
    completions = Ragged.of(outcomes["completion"].to_pylist())
    columns: dict[str, Any] = {name: [value] * len(outcomes) for name, value in asked.about.items()}
    columns |= {name: outcomes[name] for name in COLUMNS}
    columns |= {"written": [written] * len(outcomes), "tokens": completions.lengths}
    for when, model in models.items():
        columns[f"{when}_logprob"] = sums(teacher_forced(model, prompts, completions))
    return pa.table(columns)


def _places(examples: Examples, index: Integers, key: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(n,) places of outcomes' problems among the examples, -1 of those that are not there."""
    order = np.argsort(examples.index)
    near = np.searchsorted(examples.index[order], index).clip(max=len(order) - 1)
    place = order[near]
    return np.where((examples.index[place] == index) & (examples.identity[place] == key), place, -1)
