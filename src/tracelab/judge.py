"""Judge anybody's completions: problems and what was answered come from a file; see docs/judging.md.

python -m tracelab.judge task=maze task.size=30 task.format=paper completions=answers.jsonl
"""

from __future__ import annotations

import sys

from tracelab.core.settings import Part, Place, settings
from tracelab.runs.entry import entry, say

SOME_LEFT_OUT = 3  # exit status: the rest was judged


@settings
class Judgement:
    """The knobs of this command: conf/judge.yaml says what each is."""

    task: Part
    completions: Place
    prompt: Place | None
    completion: Place | None
    output: Place | None
    metric: dict[str, Part]


@entry("judge", Judgement)
def main(asked: Judgement) -> None:
    """Read, judge, write, count."""
    from pathlib import Path

    from tracelab.core.files import write_text
    from tracelab.core.full_disk import disk_full
    from tracelab.data.completions import Names
    from tracelab.data.reading import told
    from tracelab.evaluation.verifying import NAMED, judge_file
    from tracelab.runs.build import build_metrics, build_task
    from tracelab.runs.tables import print_figures
    from tracelab.runs.test_sets import possible

    if not Path(asked.completions).exists() or Path(asked.completions).is_dir():
        raise ValueError(f"completions={asked.completions}: there is no such file")
    source, names = Path(asked.completions), Names(asked.prompt, asked.completion)
    try:
        beside = source.with_name(f"{source.name}.outcomes.parquet")
        output = Path(asked.output) if asked.output else beside
        if output.resolve() == source.resolve():
            raise ValueError(f"output={output} is the file that is judged: choose another name")
        if output.is_dir():
            raise ValueError(f"output={output} is a folder: give the name of a file")
        task = build_task(possible(asked.task))
        found = judge_file(task, source, output, names, build_metrics(asked.metric, task))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {disk_full(error) or error}")
    left_out = output.with_name(f"{output.name}.unread.txt")
    print_figures(found.metrics, source.name, [output])
    for name, why in found.left_out.items():
        say(f"{name} is left out: {why}")
    left_out.unlink(missing_ok=True)
    if found.faults:
        write_text(left_out, "".join(f"{fault}\n" for fault in found.faults))
        say(f"{told(found.faults, NAMED)}\n  all of them: {left_out}")
        sys.exit(SOME_LEFT_OUT)


if __name__ == "__main__":
    main()
