"""What of a run a file beside it was made from: which checkpoint, how far the run was trained then, and how
it was judged.

    stamp = trained.settled(run)                   # before the run is asked
    outcomes.write(table, path, run, stamp)        # with `judging(run.config)`
    stamps.fault(stamp, run.config, record)        # None, or what of the run is another now

A run that is trained for longer is another model; one that is judged otherwise is asked about other problems.
Files that were made before it still lie there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tracelab.runs.knobs import IN_COMMON

KEY = b"tracelab"  # of a Parquet file's metadata
PROGRESS = ("steps", "tokens")
EVAL = "eval"  # of a stamp in a file: how the run was judged

Stamp = Mapping[str, Any]


def stamp(checkpoint: str, progress: Mapping[str, Any]) -> dict[str, Any]:
    """The stamp of what is made now. checkpoint: which was asked; progress: of the run's last one."""
    return {"checkpoint": checkpoint, **{name: progress.get(name) for name in PROGRESS}}


def judging(config: Mapping[str, Any], problems: int | None = None) -> dict[str, Any]:
    """How a run of this config is judged, for a file's stamp: which test problems, and how it is sampled.

    problems: so many were asked for, however many the run is judged on; None: as many.
    """
    names = [name.removeprefix("eval.") for name in IN_COMMON if name.startswith("eval.")]
    given = () if problems is None else ("problems",)
    known = config.get("eval", {})
    return {EVAL: {name: known[name] for name in names if name in known and name not in given}}


def of_outcomes(
    metrics: Mapping[str, Any], config: Mapping[str, Any], record: Mapping[str, Any]
) -> dict[str, Any]:
    """The stamp of a run's outcomes. metrics, config, record: its metrics.json, config.yaml and run.json.

    Versions that wrote none judged what run.json tells of.
    """
    judged = config.get("eval", {}).get("checkpoint", "last")
    return dict(metrics.get("judged") or stamp(judged, record.get("progress", {})))


def read(metadata: Mapping[bytes, bytes] | None) -> Stamp | None:
    """The stamp in a Parquet file's metadata; None of files of versions that wrote none."""
    content = (metadata or {}).get(KEY)
    found: Stamp | None = json.loads(content) if content else None
    return found


def fault(found: Stamp | None, config: Mapping[str, Any], record: Mapping[str, Any]) -> str | None:
    """What a file with this stamp is of, if the run is another now; None if it is not, or has no stamp.

    config, record: what the run's config.yaml and run.json say. Stamps of versions that did not note how the
    run was judged are believed.
    """
    if found is None:
        return None
    tested = config.get("eval", {})
    judged = tested.get("checkpoint", "last")
    now = stamp(judged, record.get("progress", {}))
    if found["checkpoint"] != judged:
        return f"it is of the checkpoint {found['checkpoint']}, and the run was evaluated at {judged}"
    if any(found.get(name) != value for name, value in now.items()):
        return f"it was made at step {found['steps']} of the run, which is at step {now['steps']} now"
    pairs = {name: (was, tested.get(name, was)) for name, was in found.get(EVAL, {}).items()}
    changed = [f"eval.{name}={was} ({now} now)" for name, (was, now) in pairs.items() if was != now]
    return f"it was made when the run was judged with {', '.join(changed)}" if changed else None
