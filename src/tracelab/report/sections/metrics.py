"""All that the runs' metrics say, as in each run's metrics.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tracelab.core.files import read_json
from tracelab.report.markup import Html, details, number, share, table
from tracelab.report.study import Study
from tracelab.runs.tables import headings

TITLE, PLACE = "Every run's metrics", 130


def section(study: Study) -> Html | None:
    """A table per test set, folded away but for the first: a row per run, a column per metric shown.

    Runs without a metrics.json are left out.
    """
    files = {run: read_json(Path(run) / "metrics.json") for run in study.runs["run"]}
    found = {run: content["test sets"] for run, content in files.items() if content is not None}
    if not found:
        return None
    parts: list[Html] = []
    for split in study.splits:
        here = {run: sets[split] for run, sets in found.items() if split in sets}
        if not here:
            continue
        shown = headings(here)
        rows = [
            [study.name(run), *(cell(estimates.get(name)) for name in shown)]
            for run, estimates in here.items()
        ]
        one = table(f"Every run on {split}", ["run", *shown.values()], rows)
        parts.append(details(split, one) if parts else one)
    return Html("".join(parts))


def cell(estimate: dict[str, Any] | None) -> Html | None:
    """A share in per cent or a number, with its interval; None where there is none."""
    if estimate is None or estimate["value"] is None:
        return None
    shown = share if estimate.get("share", estimate["low"] is not None) else number
    return shown(estimate["value"], estimate["low"], estimate["high"])
