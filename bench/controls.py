"""No traces, and as many examples as `correct` saw: a control for `bench/findings.py`.

Of the study's arms tokens are equal. A completion without a trace is short, so that `solution_only` sees more
examples of as many tokens.
"""

from __future__ import annotations

from pathlib import Path

from common import markdown
from told import estimate, points, rates

from tracelab import analysis
from tracelab.analysis.cells import FAR, TaskOutcomes
from tracelab.analysis.measures import RIGHT, between
from tracelab.analysis.verdicts import difference
from tracelab.core.files import read_json
from tracelab.runs.folder import Run


def lines(data: Path, task: str) -> list[str]:
    """The table of a task's control, which lies in a folder of its own; none if there is none."""
    folder = data / f"{task}_examples"
    if not folder.is_dir():
        return []
    runs = analysis.runs(data / task, folder).filter(treatment="solution_only")
    outcomes = TaskOutcomes(analysis.load(data / task, folder))
    rows = []
    for (arm,), mine in runs.group_by("arm", maintain_order=True):
        each = outcomes.cells(str(arm), RIGHT).on(outcomes.splits[0]).mean(1)
        seen = [read_json(Path(run) / "run.json")["progress"]["examples"] for run in mine["run"]]
        more = {part.split: part for part in between(outcomes, "correct", str(arm), RIGHT, difference)}
        less = []
        for split in (outcomes.splits[0], FAR):
            low, high = more[split].found.interval()
            less.append(estimate({"value": more[split].found.value, "low": low, "high": high}))
        rows.append(
            [
                "as many examples" if Run.open(mine["run"][0]).settings.budget.examples else "as many tokens",
                f"{sum(seen) / len(seen):,.0f}",
                *rates(outcomes, str(arm), RIGHT),
                *less,
                ", ".join(points(value) for value in each),
            ]
        )
    columns = ("right", "right, far", "`correct` less it", "`correct` less it, far")
    heads = ["solution_only", "examples", *columns, "right, by seed"]
    about = "Without traces, on as many tokens as `correct`, and on as many examples (a control, no verdict):"
    return [about, "", *markdown(heads, rows)]
