"""What the viewer shows: a sample of outcomes with their traces cut into steps, and the reference's.

A picture is either the task's scene (plain numbers, drawn by the page) or its `draw` after each step; the
latter's lines are stored once, and each picture as what differs from the one before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tracelab.core.files import read_json
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Examples, Task
from tracelab.report.study import Study
from tracelab.runs.sets import test_sets

MOST = 4000  # outcomes in a page, if their pictures are scenes
MOST_TEXT = 1000  # else
KIND = ("split", "solution_valid", "trace_strict")
SCENE_LEGEND = (
    "filled: closed, darker later · outlined: created · framed: this step · "
    "line: solution · cross: first bad step"
)
OF_TRACE = ("steps", "path")  # the other parts of a scene are the problem's
Picture = dict[str, Any]


def traces(study: Study, examples: int) -> dict[str, Any]:
    """The viewer's data, ready for JSON. ValueError if the task is not what the runs were judged with."""
    task, tests = study.task(), test_sets(study.first().settings, study.task())
    _check_words(study, task)
    each = per_kind(study.table, examples, MOST if hasattr(task, "scene") else MOST_TEXT)
    lines: dict[str, int] = {}
    problems: dict[tuple[str, int], int] = {}
    shown: list[dict[str, Any]] = []
    outcomes = []
    for number, run in enumerate(study.runs["run"]):
        for row in sample_of(Path(run), each, study.levels, task.complexities):
            split, index = row["split"], row["index"]
            of, examples_of = tests[split]
            one = _one(examples_of, row)
            if (split, index) not in problems:
                problems[split, index] = len(shown)
                shown.append(_problem(of, one, row, lines))
            outcomes.append(
                _outcome(of, one, row, study.levels, lines)
                | {"run": number, "split": study.splits.index(split), "problem": problems[split, index]}
            )
    return {
        "words": task.codec.vocabulary,
        "runs": [f"{row['arm']}, seed {row['seed']}" for row in study.runs.iter_rows(named=True)],
        "splits": study.splits,
        "levels": study.levels,
        "lines": list(lines),
        "problems": shown,
        "outcomes": outcomes,
        "each": each,
        "all": study.table.select(pl.len()).collect().item(),
        "legend": SCENE_LEGEND if hasattr(task, "scene") else task.legend,
    }


def per_kind(table: pl.LazyFrame, examples: int, most: int) -> int:
    """How many outcomes of each run, test set and pair of verdicts, so that there are not too many."""
    kinds = table.group_by("run", *KIND).agg(pl.len()).select(pl.len()).collect().item()
    return min(examples, max(1, most // kinds))


def sample_of(run: Path, each: int, levels: Sequence[str], measures: Sequence[str]) -> list[dict[str, Any]]:
    """The first outcomes of each kind of a run, by problem: runs show the same problems where they can.

    measures: of complexity, of which outcomes of an older version may lack some.
    """
    table = pl.scan_parquet(run / "outcomes.parquet", glob=False).with_row_index("row")
    there = table.collect_schema().names()
    key = table.select("row", "index", "sample", *KIND).collect()
    chosen = key.sort("index", "sample").group_by(KIND, maintain_order=True).head(each)["row"]
    names = ["split", "index", "sample", "problem_key", "problem", "completion", "truncated", "mean_logprob"]
    names += ["solution_valid", "solution_optimal", "solution_reason"]
    names += [measure for measure in measures if measure in there]
    names += [f"trace_{level}_{part}" for level in levels for part in ("reason", "at")]
    return table.filter(pl.col("row").is_in(chosen.implode())).select(names).collect().to_dicts()


def _check_words(study: Study, task: Task) -> None:
    for run in study.runs["run"]:
        path = Path(run) / "vocab.json"
        if path.is_file() and tuple(read_json(path)) != task.codec.vocabulary:
            raise ValueError(f"{run} was made with another vocabulary than this version's {task.name}")


def _one(examples: Examples, row: Mapping[str, Any]) -> Examples:
    """The example that an outcome is of."""
    place = np.flatnonzero(examples.index == row["index"])
    if len(place) != 1 or int(examples.identity[place[0]]) != row["problem_key"]:
        raise ValueError(
            f"problem {row['index']} of {row['split']} is not the one that the runs were judged on: they are "
            "of another version of tracelab, and their traces can't be shown"
        )
    return examples.take(place)


def _problem(task: Task, one: Examples, row: Mapping[str, Any], lines: dict[str, int]) -> dict[str, Any]:
    """Prompt, complexity, the reference search."""
    codec = task.codec
    parts = [codec.encode(codec.trace, one.trace), codec.encode(codec.solution, one.solution)]
    completion = codec.assemble(Ragged.of([[]]), *parts).tokens[0]
    scene = task.scene(one.problem[0], one.trace[0], one.solution[0]) if hasattr(task, "scene") else None
    return {
        "index": int(row["index"]),
        "prompt": task.prompts(one)[0].tolist(),
        "complexity": {name: row[name] for name in task.complexities if name in row},
        "scene": scene and {k: v for k, v in scene.items() if k not in OF_TRACE},
        "reference": _written(task, one, completion, lines),
    }


def _outcome(
    task: Task, one: Examples, row: Mapping[str, Any], levels: Sequence[str], lines: dict[str, int]
) -> dict[str, Any]:
    return {
        "sample": row["sample"],
        "solution": [row["solution_valid"], row["solution_optimal"], row["solution_reason"]],
        "trace": [[row[f"trace_{level}_reason"], row[f"trace_{level}_at"]] for level in levels],
        "truncated": row["truncated"],
        "confidence": round(float(np.exp(row["mean_logprob"])), 4),
        **_written(task, one, np.asarray(row["completion"], np.int32), lines),
    }


def _written(task: Task, one: Examples, completion: Integers, lines: dict[str, int]) -> dict[str, Any]:
    """A completion: its tokens, where its steps end, and a picture after each step.

    ends: places behind the opening word and behind each step. The last picture shows the solution.
    """
    trace, solution = task.codec.read_completion(completion)
    each = task.codec.encode(task.codec.trace, Ragged(trace, np.arange(len(trace) + 1)))
    ends = task.codec.before_trace(completion) + each.offsets
    picture = _picture(task, one, trace, solution, lines)
    return {"tokens": completion.tolist(), "ends": ends.tolist(), **picture}


def _picture(
    task: Task, one: Examples, trace: Integers, solution: Integers, lines: dict[str, int]
) -> Picture:
    if hasattr(task, "scene"):
        scene = task.scene(one.problem[0], trace, solution)
        return {name: scene[name] for name in OF_TRACE}
    steps, answer = (Ragged.stack([rows], rows.shape[1]) for rows in (trace, solution))
    written = replace(one, trace=steps, solution=answer)
    frames = [task.draw(written, 0, step).split("\n") for step in (*range(len(trace) + 1), None)]
    return {"frames": deltas([[lines.setdefault(line, len(lines)) for line in frame] for frame in frames])}


def deltas(frames: Sequence[list[int]]) -> list[list[Any]]:
    """Each as [how many of the last one's first lines stay, how many of its last, the lines between]."""
    changes, before = [], list[int]()
    for frame in frames:
        most = min(len(before), len(frame))
        head = next((k for k in range(most) if before[k] != frame[k]), most)
        rest = most - head
        tail = next((k for k in range(rest) if before[-1 - k] != frame[-1 - k]), rest)
        changes.append([head, tail, frame[head : len(frame) - tail]])
        before = frame
    return changes
