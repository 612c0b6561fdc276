"""A run that is trained long enough to end its completions, and its export, by the command."""

import pytest

from tests.helpers import forked
from tests.helpers.runs import small
from tracelab.training.experiment import train


def command(name, *words, cwd):
    """A command in a process of its own -> it, done."""
    return forked.run("-m", f"tracelab.{name}", *words, cwd=cwd)


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """The folder of a run."""
    folder = tmp_path_factory.mktemp("exchange") / "run"
    short = (
        "trace=solution_only",
        "task.ood=[]",
        "eval.max_new=null",
        "budget.steps=100",
        "validate_every=50",
    )
    train(small(folder, *short, "data.batch_tokens=512", "trainer.precision=32-true", "threads=1"))
    return folder


@pytest.fixture(scope="session")
def folder(run):
    """Its export, beside it."""
    done = command("export", "run=run", "to=maze-model", cwd=run.parent)
    assert done.returncode == 0, done.stderr
    assert "maze-model/model.safetensors" in done.stdout.splitlines()
    return run.parent / "maze-model"
