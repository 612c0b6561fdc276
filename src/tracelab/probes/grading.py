"""New problems in bins of difficulty, by how often a trained model solves them, with controls.

A problem's pass rate is the share of its samples whose solution is valid. Bins are of equal size, the easiest
first. Problems of one rate that lie across a border are shared out by a draw. Each bin has a control: as many
new problems of the same complexity, chosen before the model has answered. So what training on a bin does
beyond its control is of what is hard for this model, not of what takes a long search.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracelab.core.codec import Sequences
from tracelab.core.files import read_json, whole_folder, write_json
from tracelab.core.knobs import one_of
from tracelab.core.ragged import Integers
from tracelab.core.terminal import figure
from tracelab.core.types import Examples, Task
from tracelab.core.waiting import waiting
from tracelab.data import frozen
from tracelab.data.jsonl import write_jsonl
from tracelab.data.reading import readable
from tracelab.evaluation.judging import judge_model, labels, trained_model
from tracelab.evaluation.outcomes import write as write_table
from tracelab.probes.settings import Grading
from tracelab.probes.unseen import STEPS, complexity_of, draw, measure_of
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run
from tracelab.runs.settings import Sampling, no_copies
from tracelab.runs.stamps import Stamp
from tracelab.runs.trained import check_settled
from tracelab.traces.correct import Correct

CARD, PROBLEMS = "card.json", "problems.parquet"
ELSEWHERE = ("run", "output", "trainer", "threads")  # knobs that are told otherwise, or are without effect


@dataclass(frozen=True)
class Graded:
    """Problems with their reference traces, file after file: all bins, then their controls.

    passes: (n,) how many of each problem's samples are solved; complexity: (n,); names: of the files, which
    are of equal size; card: what is told of them. Each problem's control stands at its place in its own file.
    """

    task: Task
    examples: Examples
    sequences: Sequences
    passes: Integers
    complexity: NDArray[np.float64]
    names: list[str]
    card: dict[str, Any]


def check(run: Run, asked: Grading, folder: Path) -> Task:
    """The run's task. ValueError if its problems cannot be graded so, or the folder holds something else."""
    if run.settings.names.algorithm is not None or "merge" in run.config:
        raise ValueError(
            f"{run.folder} was post-trained or made of others' weights, so that nobody knows which problems "
            "are new to it: grade with a run of tracelab.train"
        )
    task = readable(build_task(run.settings.task))
    one_of("complexity", measure_of(task, asked.complexity), (*task.complexities, STEPS))
    if asked.problems % asked.bins:
        lower = asked.problems - asked.problems % asked.bins
        raise ValueError(
            f"problems={asked.problems} make no bins={asked.bins} of equal size: take problems="
            f"{lower + asked.bins}{f' or {lower}' if lower else ''}"
        )
    no_copies("", asked.samples, asked.temperature)
    known = read_json(folder / CARD) or {}
    if folder.exists() and {name: known.get(name) for name in ("run", "asked")} != as_asked(run, asked):
        raise ValueError(
            f"{folder} is there, and holds something else than is asked for: take another output"
        )
    return task


def as_asked(run: Run, asked: Grading) -> dict[str, Any]:
    """Whose model grades, and the knobs on which it depends what is written."""
    knobs = {name: value for name, value in asdict(asked).items() if name not in ELSEWHERE}
    return {"run": {**labels(run), "id": run.read_json("run.json").get("id")}, "asked": knobs}


def of_run(run: Run, asked: Grading) -> Graded:
    """New problems of a run's task, graded by its model, with controls."""
    record, task = run.read_json("run.json"), build_task(run.settings.task)
    model = trained_model(run, task, asked.checkpoint, record["context"])
    measure = measure_of(task, asked.complexity)
    drawn = draw(run, task, asked, measure)
    examples = Examples.concat([drawn.examples, drawn.controls])
    sampling = Sampling(
        problems=len(examples),
        seed=asked.seed,
        temperature=asked.temperature,
        samples=asked.samples,
        batch_size=asked.batch_size,
    )
    judged = judge_model(model, task, examples, sampling, run.settings.eval.limit(record))
    passes = judged.verdicts.solution_valid.reshape(-1, asked.samples).sum(1)
    rows = in_bins(drawn.examples, passes[: asked.problems], asked)
    rows = np.concatenate([rows, rows + asked.problems])
    examples, passes = examples.take(rows), passes[rows]
    complexity = complexity_of(examples, measure)
    names = [f"{kind}_{k}" for kind in ("bin", "control") for k in range(asked.bins)]
    card = {
        **as_asked(run, asked),
        "measure": measure,
        "left_out": {"trained_on": drawn.trained_on, "drawn_before": drawn.repeated},
        **told(names, passes / asked.samples, complexity),
    }
    sequences = frozen.arm(task, Correct(), examples, asked.seed, "train")[0]
    return Graded(task, examples, sequences, passes, complexity, names, card)


def in_bins(examples: Examples, passes: Integers, asked: Grading) -> Integers:
    """Rows of the problems, bin after bin; in each they stand as they were drawn."""
    ties = frozen.keys_of(examples, asked.seed, "train", "graded ties")
    order = np.lexsort((ties, -passes))
    rows: Integers = np.sort(order.reshape(asked.bins, -1), axis=1).ravel()
    return rows


def told(names: list[str], rates: NDArray[np.float64], complexity: NDArray[np.float64]) -> dict[str, Any]:
    """What the card says of the files, of the borders between bins, and of how near the controls are."""
    by_file, measured = rates.reshape(len(names), -1), complexity.reshape(len(names), -1)
    bins = len(names) // 2
    files = {
        name: {"problems": len(own), "pass_rate": spread(own), "complexity": spread(its)}
        for name, own, its in zip(names, by_file, measured, strict=True)
    }
    borders = []
    for k in range(bins - 1):
        above, below = by_file[k], by_file[k + 1]
        rate = float(above.min())
        tied = [int((above == rate).sum()), int((below == rate).sum())] if below.max() == rate else [0, 0]
        borders.append({"between": names[k : k + 2], "pass_rate": [rate, float(below.max())], "tied": tied})
    apart = np.abs(measured[:bins] - measured[bins:])
    controls = {"of_equal_complexity": int((apart == 0).sum()), "furthest": float(apart.max())}
    return {"files": files, "borders": borders, "controls": controls}


def spread(values: NDArray[np.float64]) -> dict[str, float]:
    """Mean, least and most."""
    return {"mean": float(values.mean()), "least": float(values.min()), "most": float(values.max())}


def write(graded: Graded, folder: Path, run: Run, stamp: Stamp) -> None:
    """Write the files, a table of all problems and the card, which has the stamp: all or nothing.

    stamp: `runs.trained.settled` before the run graded. ValueError if it is another by now.
    """
    check_settled(run, stamp)
    size = len(graded.examples) // len(graded.names)
    with waiting("Writing"), whole_folder(folder) as made:
        for k, name in enumerate(graded.names):
            rows = np.arange(k * size, (k + 1) * size)
            write_jsonl(made / f"{name}.jsonl", graded.task, graded.sequences.take(rows))
        write_table(table_of(graded, size), made / PROBLEMS)
        write_json(made / CARD, {**graded.card, "judged": dict(stamp)})


def table_of(graded: Graded, size: int) -> pa.Table:
    """A row per problem: the file and the line where it stands, and what is known of it."""
    examples, samples = graded.examples, graded.card["asked"]["samples"]
    return pa.table(
        {
            "file": np.repeat(graded.names, size),
            "line": np.tile(np.arange(1, size + 1), len(graded.names)),
            "problem_key": examples.identity,
            "index": examples.index,
            "passes": graded.passes,
            "pass_rate": graded.passes / samples,
            STEPS: examples.trace.lengths,
            **examples.complexity,
        }
    )


def rows_of(card: dict[str, Any]) -> list[list[str]]:
    """A row for each file, for the terminal: its name, problems, pass rates in per cent, complexity."""
    rows = []
    for name, file in card["files"].items():
        rate, measured = file["pass_rate"], file["complexity"]
        per_cent = [f"{100 * rate[part]:.1f}" for part in ("mean", "least", "most")]
        plain = [figure(measured[part], 4) for part in ("mean", "least", "most")]
        spreads = [f"{mean} ({least}–{most})" for mean, least, most in (per_cent, plain)]
        rows.append([f"{name}.jsonl", f"{file['problems']:,}", *spreads])
    return rows
