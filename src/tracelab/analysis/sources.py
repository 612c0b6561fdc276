"""Which run each post-trained run went on from, by its label in a table of runs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracelab.runs.arms import config_of, judged_source_of, source_of
from tracelab.runs.folder import Run
from tracelab.runs.identity import lineage


def tell_sources(rows: list[dict[str, Any]]) -> None:
    """Give each post-trained run the label of the run before it, if that is one of the rows; where it lies,
    if it is not. What is no such run's outcomes is named in a warning.
    """
    labels = {Path(row["run"]).resolve(): str(row["run"]) for row in rows}
    trained = [row for row in rows if row["algorithm"]]
    ids = {lineage(Run.open(place))[0]: label for place, label in labels.items()} if trained else {}
    for row in rows:
        row["source"] = None
    for row in trained:
        folder = Path(row["run"])
        before = lineage(Run.open(folder))[1:2]
        row["source"] = _source(folder, labels, ids.get(before[0]) if before else None)


def _source(folder: Path, labels: Mapping[Path, str], label: str | None) -> str | None:
    """The run that a post-trained one went on from; None if nothing says so. labels: of the runs at hand, by
    place; label: of a run at hand that has its id.
    """
    try:
        place = Path(label).resolve() if label else source_of(folder).resolve()
    except ValueError:  # it is gone
        gone: str | None = config_of(folder).get("run")
        return gone
    try:
        judged_source_of(folder, place)
    except ValueError as error:
        warnings.warn(f"nothing is compared with the run before it: {error}", stacklevel=4)
        return None
    return labels.get(place, str(place))
