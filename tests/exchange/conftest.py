"""A run that is trained long enough to end its completions, and its export, by the command."""

import os
import subprocess
import sys

import pytest

from tests.helpers.runs import small
from tracelab.training.experiment import train


def command(name, *words, cwd):
    """A command in a process of its own -> it, done."""
    line = [sys.executable, "-m", f"tracelab.{name}", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """The folder of a run."""
    folder = tmp_path_factory.mktemp("exchange") / "run"
    short = ("trace=solution_only", "task.ood=[]", "budget.steps=100", "validate_every=50")
    train(small(folder, *short, "data.batch_tokens=512", "trainer.precision=32-true", "threads=1"))
    return folder


@pytest.fixture(scope="session")
def folder(run):
    """Its export, beside it."""
    done = command("export", "run=run", "to=maze-model", cwd=run.parent)
    assert done.returncode == 0, done.stderr
    assert "maze-model/model.safetensors" in done.stdout.splitlines()
    return run.parent / "maze-model"
