"""Print an example: the problem drawn, its trace with steps marked that were damaged or added, the verdicts.

python -m tracelab.show task=maze trace=swapped index=3
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tracelab.core import jit
from tracelab.core.settings import Count, Number, Part, Seed, settings
from tracelab.core.terminal import figure
from tracelab.runs.entry import entry

if TYPE_CHECKING:
    from tracelab.core.ragged import Integers, Ragged
    from tracelab.core.types import Examples, Task
    from tracelab.traces.base import Treated


@settings
class Shown:
    """The knobs of this command: conf/show.yaml says what each is."""

    task: Part
    trace: Part
    index: Number
    split: str
    seed: Seed
    among: Count
    compiled: bool


@entry("show", Shown)
def main(shown: Shown) -> None:
    """Draw the problem and print its treated trace."""
    if not shown.compiled:
        jit.interpret()
    from tracelab.core import rng
    from tracelab.data.splits import stream_of
    from tracelab.runs.build import build_task
    from tracelab.runs.test_sets import possible
    from tracelab.runs.treatments import build_treatment

    task, split, stream = stream_of(build_task(possible(shown.task)), shown.split)
    first = shown.index // shown.among * shown.among
    keys, treatment_keys = (
        rng.keys(shown.seed, split, first, first + shown.among, purpose) for purpose in (stream, "treatment")
    )
    examples = task.generate(keys, split)
    treated = build_treatment(shown.trace)(task, examples, treatment_keys)
    print(description(task, examples, treated, shown.index - first, first))


def description(task: Task, examples: Examples, treated: Treated, i: int, first: int = 0) -> str:
    """Problem i of those drawn with its treated trace, as text. first: the index of the first of them."""
    codec = task.codec
    one = examples.take(np.array([i]))
    solution = codec.encode(codec.solution, one.solution)
    drawn = examples if treated.rows is None else replace(examples, trace=treated.rows)
    prompt = codec.words_of(task.prompts(one)[0])
    lines = [task.draw(drawn, i), "", task.legend, "", f"prompt      {prompt}", ""]
    if treated.lead is not None and len(treated.lead[i]):
        lines += [f"latents     {len(treated.lead[i])}", ""]
    lines += step_lines(task, treated, i) or [f"trace       {codec.words_of(treated.trace[i]) or '(none)'}"]
    lines += ["", f"solution    {codec.words_of(solution[0])}", ""]
    if treated.donor[i] >= 0:
        lines.append(f"donor           index={first + treated.donor[i]}, with the same knobs otherwise")
    lines += verdict_lines(task, one, treated.trace.take(np.array([i])))
    lines += [f"{name:<16}{figure(values[i], 6)}" for name, values in examples.complexity.items()]
    return "\n".join(lines)


def verdict_lines(task: Task, one: Examples, trace: Ragged) -> list[str]:
    """The verdicts on one example with a trace of tokens, a line each."""
    codec = task.codec
    nothing = type(trace).of([[]])
    solution = codec.encode(codec.solution, one.solution)
    verdicts = task.judge(one, codec.assemble(nothing, trace, solution).tokens)
    lines = [f"solution        {task.reasons[verdicts.solution_reason[0]]}"]
    for level, reason, at in zip(task.levels, verdicts.trace_reason[0], verdicts.trace_at[0], strict=True):
        where = "" if reason == 0 else f" at step {at}"
        lines.append(f"trace {level:<10}{task.reasons[reason]}{where}")
    return lines


def step_lines(task: Task, treated: Treated, i: int) -> list[str]:
    """The trace a step a line, damaged and added ones marked; empty if the treatment left no steps."""
    if treated.rows is None or treated.damaged is None:
        return []
    rows, damaged = treated.rows[i], treated.damaged[i]
    lines = []
    for k, row in enumerate(rows):
        lines.append(f"{k:5} {'!' if damaged[k] else ' '} {step_text(task, row)}")
    return lines


def step_text(task: Task, row: Integers) -> str:
    """One step in words."""
    from tracelab.core.ragged import Ragged

    one = Ragged(row[None, :], np.array([0, 1]))
    return task.codec.words_of(task.codec.encode(task.codec.trace, one)[0])


if __name__ == "__main__":
    main()
