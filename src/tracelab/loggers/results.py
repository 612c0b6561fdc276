"""What a run's folder holds at its end, as every tracker takes it: figures, pictures, files.

results = Results.of(folder)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracelab.core.files import read_json

PARTS = {"value": "", "low": "_low", "high": "_high"}  # of an estimate, and what is put after its name


@dataclass(frozen=True)
class Results:
    """A finished run's results.

    figures: `test/<test set>/<metric>`, of a post-training `passes/before/pass-1` and so on, and the same
    with `_low` and `_high` for its 95 % interval; pictures: PNGs; files: the outcomes and the metrics; step:
    how many there were.
    """

    figures: dict[str, float]
    pictures: list[Path]
    files: list[Path]
    step: int

    @staticmethod
    def of(folder: Path) -> Results:
        """The results in a run's folder."""
        figures = dict(_figures("test", read_json(folder / "metrics.json")["test sets"]))
        for when in ("before", "after"):  # a post-training's pass@k
            estimates = read_json(folder / f"passes_{when}.json") or {}
            estimates.pop("measured_on", None)  # which problems they are of
            figures |= dict(_figures("passes", {when: estimates}))
        files = [folder / "outcomes.parquet", folder / "metrics.json"]
        steps: int = read_json(folder / "run.json")["progress"]["steps"]
        return Results(figures, sorted((folder / "figures").glob("*.png")), files, steps)


def _figures(kind: str, sets: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of estimates, with names of the signs that all trackers take."""
    for split, estimates in sets.items():
        for metric, estimate in estimates.items():
            name = re.sub(r"[^\w/. -]", "-", f"{kind}/{split}/{metric}")
            for part, after in PARTS.items():
                if estimate[part] is not None:
                    yield name + after, float(estimate[part])
