"""What each process does that torchrun starts: a run, the same broken off and resumed, and its post-training.

torchrun --nnodes=2 ... -m tests.helpers.launched FOLDER
"""

import os
import sys
from pathlib import Path

import pytest

from tests.helpers.runs import post_training, small
from tracelab.posttraining.experiment import posttrain
from tracelab.training.experiment import train
from tracelab.training.learner import Learner

COMMON = ("trainer.precision=32-true", "trace=corrupted", "threads=1", "optim=adamw", "task.ood=[]")
SHARED = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.num_nodes=2", "trainer.devices=1")

AFTER = (
    "trainer.precision=32-true",
    "threads=1",
    "rollout.prompts=5",
    "rollout.group=4",
    "rollout.max_new=40",
    "rollout.equal=keep",
    "reward=[length]",
    "held_out.problems=3",
    "passes.problems=4",
    "passes.samples=2",
    "eval.problems=4",
    "budget.steps=2",
)


def after(folder, name, *words):
    """The settings of a post-training of the run that was not broken off."""
    return post_training(*AFTER, f"run={folder / 'shared'}", f"run_dir={folder / name}", *words)


def crashed(self):
    """In place of `Learner.stop_if_used`."""
    if self.progress.steps == 8:
        raise RuntimeError("crash")


def main(folder: Path) -> None:
    rank = os.environ["RANK"]
    with pytest.raises(ValueError, match="was started with another") as refused:
        train(small(folder / f"other-{rank}", *COMMON, *SHARED, f"seed={rank}", f"threads={1 + int(rank)}"))
    (folder / f"refused-{rank}").write_text(str(refused.value))
    states = [train(small(folder / "shared", *COMMON, *SHARED)).state]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Learner, "stop_if_used", crashed)
        with pytest.raises(RuntimeError, match="crash"):
            train(small(folder / "resumed", *COMMON, *SHARED))
    states += [train(small(folder / "resumed", *COMMON, *SHARED)).state for _ in range(2)]
    states.append(posttrain(after(folder, "after", *SHARED)).state)
    assert states == ["finished", "resumed", "skipped", "finished"]  # each process is told


if __name__ == "__main__":
    main(Path(sys.argv[1]))
