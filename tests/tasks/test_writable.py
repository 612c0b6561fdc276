"""Whatever a task draws can be written; what cannot be drawn so is refused, and the knob is named."""

import json
import os
import subprocess
import sys

from tests.helpers import writable
from tests.helpers.runs import task_names
from tracelab.core.paths import CLONE


def test_whatever_is_drawn_can_be_written():
    """Every task with every solver, knobs at their ends; kernels interpreted."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CLONE), str(CLONE / "src")])}
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.writable"],
        env=environment,
        cwd=CLONE,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert set(found) == set(task_names()) == set(writable.EXTREMES)
    failed = {knobs: why for task in found.values() for knobs, why in task.items()}
    assert [f"{knobs}: {why}" for knobs, why in failed.items() if not why.startswith("refused: task.")] == []
    tried = sum(
        1 for ends in writable.EXTREMES.values() for _, knobs in ends for _ in writable.crossed(knobs)
    )
    assert len(failed) < tried / 10  # most knobs are not refused
