"""The search itself: trials are proposed, run as jobs of a sweep, and their values told to the study.

What a trial comes to is read from its run's metrics.csv, so that a run that is skipped or resumed tells the
same.
"""

from __future__ import annotations

import csv
import fcntl
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from tracelab.core.files import lock, whole_lines, write_text
from tracelab.core.settings import read
from tracelab.core.terminal import counted
from tracelab.runs.columns import VALIDATION, objectives
from tracelab.runs.entry import say
from tracelab.sweeps import ENDED_WELL, Record, Sweep, sweep_of
from tracelab.tuning.spaces import Space, space_of
from tracelab.tuning.study import FOLDER, LOSS, Asked, Study, Trial

RESULTS = "optimization_results.yaml"  # as Hydra's sweepers call it
PROBLEMS = f"{VALIDATION}problems"  # a column of metrics.csv: how many were completed
LOCK = ".search.lock"
Launch = Callable[[Sequence[Sequence[str]], int], Sequence[JobReturn]]


def search(
    knobs: dict[str, Any], arguments: Sequence[str], context: HydraContext, config: DictConfig, launch: Launch
) -> list[JobReturn]:
    """Run trials until there are as many as are asked for -> what their jobs return.

    knobs: of hydra.sweeper; arguments: the command's overrides; launch: runs jobs, given the first one's
    number. What is wrong with the knobs ends the program before a trial is begun.
    """
    folder = Path(config.hydra.sweep.dir)
    try:
        asked = read(Asked, {**knobs, "params": knobs.get("params") or {}})
        words = [f"{knob}={'null' if value is None else value}" for knob, value in asked.params.items()]
        space = space_of([*words, *arguments], context.config_loader)
        made_of = composed(asked, space, context, config)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, folder / "multirun.yaml")
        with alone(folder):
            study = Study(asked, space, made_of, folder)
            return run_all(study, sweep_of(context), launch, folder, problems_of(made_of))
    except ValueError as error:
        sys.exit(str(error))


def run_all(
    study: Study, sweep: Sweep, launch: Launch, folder: Path, problems: int | None
) -> list[JobReturn]:
    """Run the trials that are left, a batch at a time -> what their jobs return.

    folder: of the sweep; problems: held-out ones that runs are to complete, None where it is not known.
    """
    returned: list[JobReturn] = []
    while trials := study.batch():
        commands: dict[tuple[str, ...], list[Trial]] = {}
        for trial in trials:  # those with the same values are one run
            commands.setdefault(tuple(study.space.overrides(trial.params)), []).append(trial)
        first = len(returned)
        returned += launch([[*command] for command in commands], first)
        for number, same in enumerate(commands.values(), first):
            record = sweep.record(number)
            value = value_of(record, study.asked.objective, problems)
            for trial in same:
                study.tell(trial, value, record["folder"])
        describe(study, folder)
    sweep.may_be_empty = True
    say(outcome(study))
    return returned


def composed(asked: Asked, space: Space, context: HydraContext, config: DictConfig) -> dict[str, Any]:
    """The config that all trials share, as it is written.

    ValueError if a trial could not be composed, or would not measure what it is chosen by.
    """

    def plain(words: list[str]) -> dict[str, Any]:
        whole = context.config_loader.load_sweep_config(config, words)
        with open_dict(whole):
            del whole["hydra"]
        found: Any = OmegaConf.to_container(whole, resolve=False)
        return {str(name): value for name, value in found.items()}

    try:
        trials = [plain(corner) for corner in space.corners()]
        shared = plain(space.fixed)
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(f"a trial cannot be composed: {error}") from error
    for trial in trials:
        check_measured(asked, trial)
    return shared


def check_measured(asked: Asked, config: dict[str, Any]) -> None:
    """ValueError if runs of a config will not measure what they are chosen by, or not all on one set."""
    known = objectives(config)
    if known is not None and asked.objective not in known:
        near = get_close_matches(asked.objective, known, 1)
        guess = f"did you mean {near[0]}? " if near else ""
        raise ValueError(
            f"hydra.sweeper.objective={asked.objective} is not measured by these runs: {guess}They have "
            f"{', '.join(known)}"
        )
    if config.get("validate_problems") == 0 and not asked.objective.endswith(LOSS):
        raise ValueError(
            f"hydra.sweeper.objective={asked.objective} is not measured with validate_problems=0: say how "
            f"many problems of the validation set are completed, or take objective={VALIDATION}{LOSS}"
        )
    taught = (config.get("data") or {}).get("teacher") is not None
    if taught and not asked.objective.endswith((LOSS, "/level")):
        raise ValueError(
            f"hydra.sweeper.objective={asked.objective} is of the level that data.teacher has led a run to, "
            "so that one which never left the easy problems would be the best: take "
            f"objective={VALIDATION}{LOSS} and direction=minimize, which is of the last level's problems"
        )


def problems_of(config: dict[str, Any]) -> int | None:
    """How many held-out problems runs of a config complete; None if it differs, or is not said."""
    known = config.get("validate_problems"), (config.get("data") or {}).get("val_size")
    numbers = [number for number in known if isinstance(number, int)]
    return min(numbers) if len(numbers) == len(known) else None


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other commands from searching in a sweep's folder. ValueError if one does."""
    with (folder / LOCK).open("ab") as file:
        if not lock(file, fcntl.flock, wait=False):
            raise ValueError(f"another command searches in {folder}: wait for it, or stop it")
        yield


def value_of(record: Record, objective: str, problems: int | None = None) -> float | None:
    """What a run came to by its last validation; None if it failed.

    problems: held-out ones that it was to complete. ValueError if it has not measured it, or has completed
    others: a run that lay there before may.
    """
    if record["state"] not in ENDED_WELL:
        return None
    path = Path(record["folder"]) / "metrics.csv"
    rows = [*csv.DictReader(whole_lines(path))]
    values = [float(row[objective]) for row in rows if row.get(objective)]
    if not values:
        known = sorted({name for row in rows for name in row if name.startswith(VALIDATION)})
        raise ValueError(f"hydra.sweeper.objective={objective} is not in {path}; it has {', '.join(known)}")
    asked = [int(float(row[PROBLEMS])) for row in rows if row.get(objective) and row.get(PROBLEMS)]
    if problems is not None and not objective.endswith(LOSS) and asked and asked[-1] != problems:
        raise ValueError(
            f"{path.parent} was validated on {asked[-1]} problems, and this search chooses by "
            f"{problems}: take validate_problems={asked[-1]}, or another sweep by hydra.sweep.dir=runs/other"
        )
    return values[-1] if math.isfinite(values[-1]) else None


def describe(study: Study, folder: Path) -> None:
    """Write the best trial so far to the sweep's folder."""
    best = study.best()
    if best is None:
        return
    found = {
        "name": "optuna",
        "best_params": best.params,
        "best_value": best.value,
        "best_run": best.user_attrs[FOLDER],
        "objective": study.asked.objective,
        "direction": study.asked.direction,
    }
    write_text(folder / RESULTS, OmegaConf.to_yaml(OmegaConf.create(found)))


def outcome(study: Study) -> str:
    """The best trial, in a line."""
    best, complete = study.best(), sum(trial.value is not None for trial in study.trials())
    if best is None:
        return "No trial has a value."
    words = [word for word in study.space.overrides(best.params) if word not in study.space.fixed]
    return (
        f"Best of {counted(complete, 'trial')}: {study.asked.objective} {best.value:.4g} with "
        f"{' '.join(words)} (trial {best.number}, {best.user_attrs[FOLDER]}). "
        "The same command with a larger hydra.sweeper.n_trials goes on."
    )
