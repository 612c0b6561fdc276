"""A run's loggers from its first step to its last figure, and what is noted of a run that fails.

with tracking(run) as loggers:
    ...             # train, judge, draw
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lightning.pytorch.loggers import Logger

from tracelab import loggers
from tracelab.runs.build import build
from tracelab.runs.folder import Run
from tracelab.training.processes import own_environment


@contextmanager
def tracking(run: Run) -> Iterator[list[Logger]]:
    """The loggers of a run. They get its results when it is evaluated, and are closed whatever ends it."""
    own_environment()  # who logs is asked by the rank
    found: list[Logger] = [build(f"logger.{name}", part) for name, part in run.settings.logger.items()]
    status = "failed"
    try:
        yield found
        status = run.read_json("run.json")["status"]
        if status == "evaluated":
            loggers.report(found, run.folder)
    except (KeyboardInterrupt, SystemExit):
        status = "interrupted"
        raise
    except Exception:
        with suppress(OSError):  # a full disk may be what it failed of
            run.write_json("run.json", {**run.read_json("run.json"), "status": status})
        raise
    finally:
        loggers.finish(found, status)
