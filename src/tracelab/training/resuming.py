"""Going on with a run: from which checkpoint, whether it is of this run, and what is noted of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracelab.core.files import whole
from tracelab.runs.checkpoints import is_sharded, load_progress, load_seconds, sound
from tracelab.runs.entry import say
from tracelab.runs.folder import Run, is_run
from tracelab.runs.knobs import FREE_TO_CHANGE, differences
from tracelab.runs.settings import Experiment, in_shards
from tracelab.runs.trained import check_vocabulary as check_vocabulary
from tracelab.training.budget import build_budget, extended, named

ASIDE = "best_of_later.ckpt"  # a best checkpoint of a course that was left


@dataclass(frozen=True)
class Before:
    """What a run goes on from: a checkpoint of its own or of itself in another folder.

    record: what run.json says there; steps: that were taken; budgets: that it had before the one it has now;
    seconds: of the sessions that led to the checkpoint, and, "judging", of what came after training in them;
    room: `context` and `max_new`, as they were worked out when the run began.
    """

    checkpoint: Path
    record: dict[str, Any]
    steps: int
    budgets: tuple[str, ...]
    seconds: dict[str, float]
    room: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """What run.json says of it."""
        return {"seconds": self.seconds} | ({"extended_from": list(self.budgets)} if self.budgets else {})


def before(experiment: Experiment) -> Before | None:
    """What an experiment goes on from, if anything. ValueError if it is given and is no part of it.

    A run that went on from a checkpoint elsewhere, and was stopped further on, goes on from its own.
    """
    path: Path | None
    given = Path(experiment.ckpt_path) if experiment.ckpt_path else None
    if given is not None and given.is_file():
        check_same_run(_run_of(given), experiment)
        path = _further(given, experiment.run_dir)
    else:
        path = latest(experiment.run_dir)
    if path is None:
        return None
    source = Run.open(path.parents[1])
    record = source.read_json("run.json") or {}
    budgets = [*had(source), extended(source.settings.budget, experiment.budget)]
    seconds = {"training": load_seconds(path), "judging": record.get("seconds", {}).get("judging", 0.0)}
    room = worked_out(source, record)
    return Before(path, record, _steps(path), tuple(filter(None, budgets)), seconds, room)


def worked_out(run: Run, record: Mapping[str, Any]) -> dict[str, int]:
    """The room for sequences and completions that a run's record has, where its config did not say how much.

    It is of the test problems that the run began with: others do not change how it is judged.
    """
    asked = {"context": run.config["model"].get("context"), "max_new": run.settings.eval.max_new}
    return {name: record[name] for name, given in asked.items() if given is None and name in record}


def latest(folder: str) -> Path | None:
    """The checkpoint in a run's folder that it goes on from, if it has one."""
    own = Path(folder) / "checkpoints"
    return sound(own / "last.ckpt", own / "best.ckpt")


def _further(given: Path, folder: str) -> Path:
    """The checkpoint of a run's folder, if it is of later steps than one that is given of elsewhere."""
    with suppress(ValueError):  # of what is damaged
        own = latest(folder)
        if own is not None and own.parent.resolve() != given.parent.resolve() and _steps(own) > _steps(given):
            say(f"{folder} is further than ckpt_path={given}")
            return own
    return given


def had(run: Run) -> list[str]:
    """The budgets that a run had before the one of its config.

    What ended it while it was extended, in `begin`, may have left run.json with that one, too.
    """
    noted: list[str] = (run.read_json("run.json") or {}).get("extended_from", [])
    return noted[:-1] if noted[-1:] == [named(build_budget(run.settings.budget))] else noted


def begin(experiment: Experiment, went: Before | None) -> Run:
    """Take the run's folder. ValueError if a run of another config lives there.

    Before config.yaml says what is asked for now, run.json says that it is not done yet, and which budgets
    there were: whatever ends the run in between, what it was is not taken for what it is to be.
    """
    folder = Path(experiment.run_dir)
    (folder / "error.txt").unlink(missing_ok=True)  # a sweep's, of what ended it before
    if is_run(folder):
        own = Run.open(folder)
        own.check_same(experiment)
        noted = own.read_json("run.json")
        if went is not None:
            noted.pop("extended_from", None)
            noted |= went.as_dict()
        own.write_json("run.json", {**noted, "status": "training"})
    return Run.start(experiment)


def _run_of(checkpoint: Path) -> Run:
    try:
        return Run.open(checkpoint.parents[1])
    except ValueError:
        raise ValueError(
            f"ckpt_path={checkpoint} lies in no run's folder, so nobody can tell whether it is of this run: "
            f"init_from={checkpoint} begins a new run with its weights"
        ) from None


def check_same_run(source: Run, experiment: Experiment) -> None:
    """ValueError if ckpt_path is of another run than the one that is to go on."""
    different = differences(source.config, experiment.as_dict(), FREE_TO_CHANGE)
    if experiment.ckpt_path and different:
        raise ValueError(
            f"ckpt_path={experiment.ckpt_path} is of another run (it differs in {', '.join(different)}): "
            f"init_from={experiment.ckpt_path} begins a new run with its weights"
        )


def resume_from(run: Run, vocabulary: tuple[str, ...], went: Before | None) -> Path | None:
    """The checkpoint to go on from, if any. ValueError if it is of another vocabulary."""
    if went is not None:
        check_vocabulary(went.checkpoint.parents[1], vocabulary)
        check_shards(went.checkpoint, in_shards(run.settings.trainer))
        say(f"Resuming from {went.checkpoint}")
        bring_best(run, went)
    run.write_json("vocab.json", list(vocabulary))
    return None if went is None else went.checkpoint


def bring_best(run: Run, went: Before) -> None:
    """Copy the best checkpoint until then into the run's folder, if it goes on from another one's.

    What lies there of later steps is set aside: they are taken again here, and may come out otherwise.
    """
    best, own = went.checkpoint.with_name("best.ckpt"), run.checkpoint("best")
    if own.is_file() and not _is_of(own, went.steps):
        own.replace(own.with_name(ASIDE))
        say(f"{own} is of later steps, which are taken again, or damaged: it is called {ASIDE} now")
    if best.resolve() == own.resolve():
        return
    if best.is_file() and _is_of(best, went.steps):
        with whole(own, flushed=True) as partial:
            shutil.copyfile(best, partial)
    elif run.settings.eval.checkpoint == "best":
        say(f"Beside {went.checkpoint} lies no best.ckpt of steps before: the best is that of what follows.")


def _is_of(best: Path, steps: int) -> bool:
    """Is a best checkpoint one of so many steps? What is damaged is none."""
    with suppress(ValueError):
        return _steps(best) <= steps
    return False


def _steps(checkpoint: Path) -> int:
    """How many steps were taken before a checkpoint. ValueError if it is damaged."""
    steps: int = load_progress(checkpoint)["steps"]
    return steps


def check_shards(path: Path, wished: bool) -> None:
    """ValueError if a checkpoint is of FSDP and FSDP is not wished for, or the other way round."""
    sharded = is_sharded(path)
    if sharded != wished:
        raise ValueError(
            f"{path} was written {'with' if sharded else 'without'} trainer=fsdp, which names the "
            "optimiser's state in another way: go on with the trainer that it was begun with"
        )
