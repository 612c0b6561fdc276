"""Sample, judge, count: a trained model's outcomes on test sets, the metrics over them, the figures.

python -m tracelab.evaluate run=runs/... eval.problems=1000
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracelab.core.files import whole, write_json
from tracelab.core.ragged import Ragged
from tracelab.core.rows import concat
from tracelab.core.types import Examples, Task, Verdicts
from tracelab.core.waiting import waiting
from tracelab.decoding.completions import Completions
from tracelab.decoding.sampling import Stream, generate
from tracelab.decoding.sharing import dealt, sharers
from tracelab.evaluation.outcomes import Judged, metrics_of, table_of, write
from tracelab.models.base import Model
from tracelab.models.precision import name_of
from tracelab.runs.build import build_metrics
from tracelab.runs.folder import Run
from tracelab.runs.knobs import options
from tracelab.runs.sets import TestSets
from tracelab.runs.settings import Sampling
from tracelab.runs.trained import check_settled, settled, stamp_of
from tracelab.runs.trained import trained_model as trained_model

Call = Callable[..., Any]  # function, its arguments -> what it returns


def judge_model(model: Model, task: Task, examples: Examples, sampling: Sampling, max_new: int) -> Judged:
    """Complete each problem's prompt sampling.samples times and judge what comes."""
    completions = completed(model, task, examples, sampling, max_new)
    return judged_samples(task, examples, completions, sampling.samples)


def completed(model: Model, task: Task, examples: Examples, sampling: Sampling, max_new: int) -> Completions:
    """Each problem's prompt, completed sampling.samples times."""
    return generate(
        model,
        model.opened(task.prompts(examples)),
        samples=sampling.samples,
        stop=task.codec.stop,
        max_new=max_new,
        temperature=sampling.temperature,
        stream=Stream(sampling.seed),
        batch_size=sampling.batch_size,
    )


def judged_samples(task: Task, examples: Examples, completions: Completions, samples: int) -> Judged:
    """Verdicts on so many completions of each problem."""
    rows = np.repeat(np.arange(len(examples)), samples)
    repeated = examples.take(rows)
    with waiting("Judging completions"):
        verdicts = judged_together(task, repeated, completions.tokens)
    assert not (completions.truncated & verdicts.solution_valid).any()
    sample = np.arange(len(rows)) % samples
    return Judged(repeated, completions, verdicts, sample)


def judged_together(task: Task, examples: Examples, completions: Ragged) -> Verdicts:
    """Verdicts on completions, of which each process that shares judges some."""

    def judge(rows: NDArray[np.int64]) -> Verdicts:
        return task.judge(examples.take(rows), completions.take(rows))

    if sharers() == 1:
        return task.judge(examples, completions)
    return concat(dealt(np.array_split(np.arange(len(examples)), sharers()), judge))


def outcomes(
    model: Model, tests: TestSets, sampling: Sampling, max_new: int, labels: Mapping[str, Any]
) -> tuple[pa.Table, dict[str, Any]]:
    """The outcomes on all test sets in one table, and sampling's figures (new tokens per second)."""
    model.eval()
    tables, tokens, seconds = [], 0, 0.0
    with waiting("Completing test problems", sum(len(test[1]) for test in tests.values())) as done:
        for name, (task, examples) in tests.items():
            began = time.perf_counter()
            completions = completed(model, task, examples, sampling, max_new)
            seconds += time.perf_counter() - began
            tokens += len(completions.tokens.values)
            judged = judged_samples(task, examples, completions, sampling.samples)
            tables.append(table_of(judged, task, {**labels, "split": name}))
            done(len(examples))
    speed = {
        "precision": name_of(model.products),
        "new_tokens": tokens,
        "seconds": seconds,
        "new_tokens_per_second": tokens / max(seconds, 1e-9),
    }
    return pa.concat_tables(tables, promote_options="permissive"), speed


def tested_model(
    run: Run, tested: Sampling, tests: TestSets
) -> tuple[pa.Table, dict[str, Any], dict[str, Any]]:
    """The outcomes of a run's checkpoint on test sets, sampling's figures, and the checkpoint's stamp.

    tested: how.
    """
    record = run.read_json("run.json")
    task = next(iter(tests.values()))[0]
    stamp = stamp_of(run, tested.checkpoint)
    model = trained_model(run, task, tested.checkpoint, record["context"])
    return *outcomes(model, tests, tested, tested.limit(record), labels(run)), stamp


def evaluate(
    run: Run, tested: Sampling, tests: TestSets, folder: Path, call: Call | None = None
) -> dict[str, Any]:
    """Evaluate a run's checkpoint -> the metrics. tested: how.

    Writes outcomes.parquet, metrics.json and figures/ into `folder`. call: calls a function where the model
    is to compute (`training.devices`); None: here. ValueError if these are to be the run's own outcomes, and
    another process trains it, or has while it was asked; and if there can be no such metrics, before it is
    asked. Outcomes are written, too, where a metric fails on them.
    """
    task = next(iter(tests.values()))[0]
    chosen = build_metrics(run.settings.metric, task)
    own = folder.resolve() == run.folder.resolve()
    if own:
        settled(run, tested.checkpoint)
    table, speed, stamp = (call or _here)(tested_model, run, tested, tests)
    try:
        metrics = metrics_of(table, chosen, task.levels)
    except Exception:
        if own:
            check_settled(run, stamp)
        write(table, folder / "outcomes.parquet")
        (folder / "metrics.json").unlink(missing_ok=True)  # it was of other outcomes
        raise
    content = {
        "run": run.name,
        "treatment": labels(run)["treatment"],
        "judged": stamp,
        "sampling": speed,
        "test sets": metrics,
    }
    if own:
        check_settled(run, stamp)
    with whole(folder / "outcomes.parquet") as partial:  # both or neither, but for a kill between
        write(table, partial)
        write_json(folder / "metrics.json", content)
    draw(run, table, metrics, tests, folder / "figures")
    return metrics


def _here(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def labels(run: Run) -> dict[str, Any]:
    """What all outcomes of a run share."""
    names, knobs = run.settings.names, options(run.settings.trace)
    return {
        "run": run.name,
        "task": names.task,
        "treatment": names.trace,
        "treatment_options": ",".join(f"{k}={v}" for k, v in knobs.items()),
        "model": names.model,
        "seed": run.settings.seed,
    }


def knobs_of(fit: Sampling | None = None, **knobs: Any) -> str:
    """What a probe was asked, in one column: `kind=close, fit.samples=4`.

    fit: of the completions that it is fitted to. Runs that were asked differently are no seeds of one answer
    (`analysis.loading.load_beside`).
    """
    if fit is not None:
        knobs |= {f"fit.{name}": getattr(fit, name) for name in ("problems", "samples", "temperature")}
    return ", ".join(f"{name}={value}" for name, value in knobs.items())


def draw(run: Run, table: pa.Table, metrics: dict[str, Any], tests: TestSets, folder: Path) -> None:
    """The figures of a run."""
    from tracelab.evaluation import curves, figures

    about = labels(run)
    words = (about["task"], about["treatment"], about["treatment_options"], about["model"])
    title = ", ".join([*(word for word in words if word), f"seed {about['seed']}"])
    log = run.folder / "metrics.csv"
    if log.is_file() and run.settings.names.algorithm is None:
        curves.loss(folder / "loss", log)
        if curves.measured(curves.read(log)):
            curves.learning(folder / "learning", log, title)
    figures.accuracy_and_validity(folder / "accuracy_and_validity", metrics, title)
    first = next(iter(tests))
    figures.examples(folder / "examples", tests[first][0], figures.picks_of(table, first))
