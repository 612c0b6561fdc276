"""What each process does that torchrun starts: a run, and the same broken off after step 8 and resumed.

torchrun --nnodes=2 ... -m tests.helpers.launched FOLDER
"""

import sys
from pathlib import Path

import pytest

from tests.helpers.runs import small
from tracelab.training.experiment import train
from tracelab.training.learner import Learner

COMMON = ("trainer.precision=32-true", "trace=corrupted", "threads=1", "optim=adamw", "task.ood=[]")
SHARED = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.num_nodes=2", "trainer.devices=1")


def crashed(self):
    """In place of `Learner.stop_if_used`."""
    if self.progress.steps == 8:
        raise RuntimeError("crash")


def main(folder: Path) -> None:
    states = [train(small(folder / "shared", *COMMON, *SHARED)).state]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Learner, "stop_if_used", crashed)
        with pytest.raises(RuntimeError, match="crash"):
            train(small(folder / "resumed", *COMMON, *SHARED))
    states += [train(small(folder / "resumed", *COMMON, *SHARED)).state for _ in range(2)]
    assert states == ["finished", "resumed", "skipped"]  # each process is told


if __name__ == "__main__":
    main(Path(sys.argv[1]))
