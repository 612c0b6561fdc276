"""What of a run a file beside it was made from: which checkpoint, and how far the run was trained then.

    stamp = trained.settled(run)                   # before the run is asked
    stamps.fault(stamp, run.config, record)        # None, or what of the run is another now

A run that is trained for longer is another model, and files that were made before it still lie there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

KEY = b"tracelab"  # of a Parquet file's metadata
PROGRESS = ("steps", "tokens")

Stamp = Mapping[str, Any]


def stamp(checkpoint: str, progress: Mapping[str, Any]) -> dict[str, Any]:
    """The stamp of what is made now. checkpoint: which was asked; progress: of the run's last one."""
    return {"checkpoint": checkpoint, **{name: progress.get(name) for name in PROGRESS}}


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

    config, record: what the run's config.yaml and run.json say.
    """
    if found is None:
        return None
    judged = config.get("eval", {}).get("checkpoint", "last")
    now = stamp(judged, record.get("progress", {}))
    if found["checkpoint"] != judged:
        return f"it is of the checkpoint {found['checkpoint']}, and the run was evaluated at {judged}"
    if dict(found) != now:
        return f"it was made at step {found['steps']} of the run, which is at step {now['steps']} now"
    return None
