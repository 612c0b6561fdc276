"""The runs, and the knobs in which they differ."""

from __future__ import annotations

from tracelab.analysis.arms import configs_that_differ
from tracelab.analysis.panels import save
from tracelab.report.markup import Html, table
from tracelab.report.study import Study

TITLE, PLACE = "Runs and configs", 150


def section(study: Study) -> Html:
    """The runs, and in what their configs differ."""
    frame = configs_that_differ(study.runs)
    save(study.data / "configs", frame)
    save(study.data / "runs", study.runs)
    knobs = frame.columns[2:]
    rows = [
        [study.name(row["run"]), row["arm"], *(row[name] for name in knobs)]
        for row in frame.iter_rows(named=True)
    ]
    return table("Runs, and the knobs in which they differ", ["run", "arm", *knobs], rows)
