"""Outcomes of completions that a test writes itself, as those of a run, and a study of them."""

import re
import shutil

import numpy as np
import polars as pl

from tests.helpers.runs import KEPT
from tracelab.core.ragged import Ragged
from tracelab.data.frozen import drawn
from tracelab.decoding.completions import Completions
from tracelab.evaluation.outcomes import Judged, table_of
from tracelab.report.study import study_of
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run


def completed(task, traces, solutions):
    """Traces (tokens) and solutions (rows) as completions."""
    nothing = Ragged.of([[]] * len(traces))
    return task.codec.assemble(nothing, traces, task.codec.encode(task.codec.solution, solutions)).tokens


def outcomes(task, examples, tokens, arm="plain", split=None):
    """What a run of this arm has for outcomes that wrote these completions."""
    n = len(examples)
    completions = Completions(tokens, np.zeros(n, bool), np.zeros(n), tokens)
    judged = Judged(examples, completions, task.judge(examples, tokens), np.zeros(n, np.int64))
    own = split or getattr(task, "in_distribution", task.name)
    return pl.DataFrame(table_of(judged, task, {"run": arm, "arm": arm, "seed": 0, "split": own}))


def study(folder, count, write, knobs=None):
    """A study of a run that writes `write(task, examples)` on so many problems of each test set.

    knobs: the part `task:` of its config, the kept run's if there is none.
    """
    shutil.copytree(KEPT, folder / "run")
    if knobs:
        config = folder / "run" / "config.yaml"
        config.write_text(re.sub(r"(?ms)^task:$.*?^(?=\w)", knobs, config.read_text()))
    own = build_task(Run.open(folder / "run").settings.task)
    parts = []
    for split, task in {getattr(own, "in_distribution", own.name): own, **own.test_sets()}.items():
        examples = drawn(task, 0, "test", "problem", 0, count)
        parts.append(outcomes(task, examples, write(task, examples), "run", split))
    pl.concat(parts).write_parquet(folder / "run" / "outcomes.parquet")
    (folder / "study_data").mkdir()
    return study_of([folder / "run"], folder / "study.html")
