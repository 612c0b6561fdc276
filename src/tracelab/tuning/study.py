"""A study of Optuna that is kept in a database and goes on where it was.

    study = Study(asked, space, made_of, Path("runs/sweep"))
    while trials := study.batch():
        for trial in trials:
            study.tell(trial, value, folder)

A trial that was proposed and has no value yet (its command was killed) comes first. Then come those that had
failed under an earlier command, each once more; then new ones, up to as many as are asked for.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Literal, NamedTuple

import optuna
from hydra.utils import get_class, instantiate
from optuna.distributions import distribution_to_json
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from tracelab.core import rng
from tracelab.core.settings import Count, Part, Seed, settings
from tracelab.runs.columns import VALIDATION
from tracelab.runs.knobs import WITHOUT_EFFECT, differences
from tracelab.tuning.spaces import Space

MADE_OF, PLACE = "tracelab", "place"  # what is noted of a study
FOLDER, AGAIN = "folder", "again"  # and of a trial
# What may differ between two commands of one search; how many held-out problems there are is its objective.
FREE = tuple(name for name in WITHOUT_EFFECT if name != "validate_problems")
LOSS = "loss"


@settings
class Asked:
    """The knobs of a search: conf/hydra/sweeper/optuna.yaml says what each is."""

    objective: str
    direction: Literal["minimize", "maximize"]
    n_trials: Count
    n_jobs: Count
    study_name: str
    storage: str
    seed: Seed
    sampler: Part
    params: dict[str, Any]

    def __post_init__(self) -> None:
        if not self.objective.startswith(VALIDATION):
            raise ValueError(
                f"hydra.sweeper.objective={self.objective}: choose knobs by the validation set, by a column "
                f"{VALIDATION}... of metrics.csv; a test set by which something was chosen tests it no more"
            )
        if self.objective.endswith(LOSS) and self.direction == "maximize":
            raise ValueError(
                f"hydra.sweeper.objective={self.objective} would be made as large as can be: "
                "take hydra.sweeper.direction=minimize"
            )


class Trial(NamedTuple):
    """A trial that is to be run. key: of the database's."""

    number: int
    key: int
    params: dict[str, Any]


class Study:
    """A study of a database. made_of: the config that all its trials share; folder: in which their runs lie.
    ValueError if either was another.
    """

    def __init__(self, asked: Asked, space: Space, made_of: dict[str, Any], folder: Path) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.asked, self.space = asked, space
        self.given = sampler(asked, None) if "seed" in asked.sampler else None
        sampler(asked, 0)  # before there is a study, a knob that it does not know is refused
        try:
            self.storage = RDBStorage(asked.storage)
        except (ImportError, SQLAlchemyError, ValueError) as error:
            raise ValueError(f"hydra.sweeper.storage={asked.storage} cannot be opened: {error}") from error
        self.study = optuna.create_study(
            storage=self.storage,
            study_name=asked.study_name,
            direction=asked.direction,
            load_if_exists=True,
        )
        self._check_place(folder.resolve())
        self._check_same(made_of)
        self.unfinished = self._unfinished()
        self._ask_again()
        known = sum(trial.state != TrialState.FAIL for trial in self.trials())
        waiting = sum(trial.state == TrialState.WAITING for trial in self.trials())
        self.left = waiting + max(0, asked.n_trials - known)  # to be asked for; unfinished ones are there

    def trials(self) -> list[FrozenTrial]:
        """All of them, in order."""
        return self.study.get_trials(deepcopy=False)

    def batch(self) -> list[Trial]:
        """The trials to run side by side, n_jobs at most; none if there are as many as were asked for.

        A batch ends where n_jobs divides the trials so far. So a search that was killed between two values of
        one runs the rest of it alone, and proposes the next by all of its values, as if it had not been.
        """
        found: list[Trial] = []
        while len(found) < self.asked.n_jobs and (trial := self.next()) is not None:
            found.append(trial)
            if (trial.number + 1) % self.asked.n_jobs == 0:
                break
        return found

    def next(self) -> Trial | None:
        """The trial to run next; None if there are as many as were asked for."""
        if self.unfinished:
            return self.unfinished.pop(0)
        if not self.left:
            return None
        self.left -= 1
        self.study.sampler = self.given or sampler(self.asked, len(self.trials()))
        trial = self.study.ask(self.space.swept)
        return Trial(trial.number, trial._trial_id, trial.params)

    def tell(self, trial: Trial, value: float | None, folder: str) -> None:
        """Note what a trial came to. value: None if its run failed; folder: of its run."""
        self.storage.set_trial_user_attr(trial.key, FOLDER, folder)
        if value is None:
            self.study.tell(trial.number, state=TrialState.FAIL)
        else:
            self.study.tell(trial.number, value)

    def best(self) -> FrozenTrial | None:
        """The trial with the best value so far; None if none has one."""
        complete = any(trial.state == TrialState.COMPLETE for trial in self.trials())
        return self.study.best_trial if complete else None

    def _check_place(self, folder: Path) -> None:
        """Note where the runs lie. ValueError if they lie elsewhere: another command's trials are not this
        one's. A study that lies beside its runs may have been moved with them.
        """
        there = self.study.user_attrs.get(PLACE)
        moved = there is not None and self.asked.storage.startswith("sqlite") and not Path(there).exists()
        if there not in (None, str(folder)) and not moved:
            raise ValueError(
                f"the study {self.asked.study_name} in {self.asked.storage} has its runs in {there}: go on "
                f"with hydra.sweep.dir={there}, or name another study by hydra.sweeper.study_name=other"
            )
        if there != str(folder):
            self.study.set_user_attr(PLACE, str(folder))

    def _check_same(self, made_of: dict[str, Any]) -> None:
        """Note what the study is made of. ValueError if it was begun with something else."""
        space = {knob: distribution_to_json(each) for knob, each in self.space.swept.items()}
        now = {"objective": self.asked.objective, "space": space, "config": made_of}
        begun = self.study.user_attrs.get(MADE_OF)
        different = [] if self.study.direction.name.lower() == self.asked.direction else ["direction"]
        if begun is None and self.trials():
            different.append("trials, which were not made by this command")
        elif begun is not None:
            different += differing(begun, now, self.best() is not None)
        if different:
            raise ValueError(
                f"the study {self.asked.study_name} in {self.asked.storage} is another search (it differs in "
                f"{', '.join(different)}): give the command that began it, or name another one by "
                "hydra.sweep.dir=runs/other, or by hydra.sweeper.study_name=other in a shared storage"
            )
        if begun != now:
            self.study.set_user_attr(MADE_OF, now)

    def _unfinished(self) -> list[Trial]:
        """Trials without a value. One that was not proposed in full has no run: it is given up."""
        found = []
        for trial in self.trials():
            if trial.state == TrialState.RUNNING and trial.params.keys() >= self.space.swept.keys():
                found.append(Trial(trial.number, trial._trial_id, trial.params))
            elif trial.state == TrialState.RUNNING:
                self.study.tell(trial.number, state=TrialState.FAIL)
        return found

    def _ask_again(self) -> None:
        """Propose once more what has failed, so that its run goes on."""
        begun = {trial.user_attrs.get(AGAIN) for trial in self.trials()}
        for trial in self.trials():
            failed = trial.state == TrialState.FAIL and trial.params.keys() >= self.space.swept.keys()
            if failed and trial.number not in begun:
                self.study.enqueue_trial(trial.params, {AGAIN: trial.number})


def differing(begun: dict[str, Any], now: dict[str, Any], valued: bool) -> list[str]:
    """Names of what differs between two commands of a search. valued: has a trial a value by now?"""
    found = ["objective"] if valued and begun["objective"] != now["objective"] else []
    knobs = {**begun["space"], **now["space"]}
    found += [knob for knob in knobs if begun["space"].get(knob) != now["space"].get(knob)]
    return found + differences(begun["config"], now["config"], FREE)


def sampler(asked: Asked, number: int | None) -> BaseSampler:
    """The sampler. number: of the trial that it is to propose, by which it is seeded, if it can be.

    ValueError if there is none of that name, or with such knobs.
    """
    try:
        kind = get_class(asked.sampler.get("_target_", ""))
        seeds = (
            number is not None
            and "seed" in inspect.signature(kind).parameters
            and "seed" not in asked.sampler
        )
        seed: Part = {"seed": seed_of(asked.seed, number or 0)} if seeds else {}
        found = instantiate(asked.sampler, **seed)
    except Exception as error:
        raise ValueError(f"hydra.sweeper.sampler={asked.sampler}: {error}") from error
    if not isinstance(found, BaseSampler):
        raise ValueError(f"hydra.sweeper.sampler={asked.sampler} is no sampler of Optuna's")
    return found


def seed_of(seed: int, number: int) -> int:
    """What seeds the proposal of a trial, by its number."""
    return int(rng.keys(seed, "search", number, number + 1, "proposal")[0] >> 32)
