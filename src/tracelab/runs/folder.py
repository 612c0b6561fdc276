"""A run's folder: what it holds, and which other config may go on in it.

config.yaml  run.json  data_card.json  vocab.json  metrics.csv  metrics.json  outcomes.parquet
figures/  checkpoints/

A run's folder is one that holds config.yaml and run.json: other tools write files of the one name, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError

from tracelab.core.files import read_json, write_json, write_text
from tracelab.runs.build import as_written
from tracelab.runs.knobs import FREE_TO_CHANGE, WITHOUT_EFFECT, differences, effectless
from tracelab.runs.older import in_todays_words, with_recorded
from tracelab.runs.settings import Experiment, shared
from tracelab.runs.trust import check_targets

Config = dict[str, Any]
OF_A_RUN = ("config.yaml", "run.json")
OF_EVALUATED = ("outcomes.parquet", "metrics.json")


@dataclass(frozen=True)
class Run:
    """The folder of a run, and its config: names -> values, as config.yaml has them."""

    folder: Path
    config: Config

    @cached_property
    def settings(self) -> Experiment:
        """What its config says that every experiment has."""
        return shared(self.config)

    @staticmethod
    def start(experiment: Experiment) -> Run:
        """Take the experiment's run_dir. ValueError if a run of another config lives there.

        A run whose precision was given keeps it where none is asked for.
        """
        folder = Path(experiment.run_dir)
        config = as_written(experiment.as_dict())
        if is_run(folder):  # before there is a run.json, what is asked for may still be refused
            before = Run(folder, _load(folder))
            before.check_same(experiment)
            if config["trainer"]["precision"] == "auto":
                config["trainer"]["precision"] = before.config["trainer"]["precision"]
        folder.mkdir(parents=True, exist_ok=True)
        run = Run(folder, config)
        run.write_text("config.yaml", OmegaConf.to_yaml(OmegaConf.create(config)))
        return run

    def check_same(self, experiment: Experiment) -> None:
        """ValueError if the experiment that is to go on here is another than this run's."""
        free = (*FREE_TO_CHANGE, "names.source")  # of what has no checkpoint yet it is the source's of today
        different = differences(self.config, experiment.as_dict(), free)
        if different:
            raise ValueError(
                f"run_dir={self.folder} holds a run of another config (it differs in "
                f"{', '.join(different)}); choose another run_dir (of a sweep: hydra.sweep.dir), or the same "
                "config to resume it"
            )

    @staticmethod
    def finished(experiment: Experiment) -> Run | None:
        """The run in the experiment's run_dir, if it is evaluated and nothing that is asked for differs.

        Evaluated is what has its outcomes and its metrics, too: either may have been deleted.
        """
        folder = Path(experiment.run_dir)
        if not is_run(folder):
            return None
        run = Run(folder, _load(folder))
        there = all((folder / name).is_file() for name in OF_EVALUATED)
        done = there and (run.read_json("run.json") or {}).get("status") == "evaluated"
        asked = experiment.as_dict()
        return run if done and not differences(run.config, asked, effectless(asked)) else None

    @staticmethod
    def open(folder: str | Path, knob: str = "run") -> Run:
        """A run that exists. knob: which names it. ValueError if none does."""
        if not (str(folder) and is_run(Path(folder))):  # an empty word is not the current folder
            raise ValueError(f"{knob}={folder} is no run's folder: it does not hold {' and '.join(OF_A_RUN)}")
        return Run(Path(folder), _load(Path(folder)))

    @property
    def name(self) -> str:
        """Folder names from below `runs` on: what was overridden, and the time."""
        parts = self.folder.resolve().parts
        return "/".join(parts[parts.index("runs") + 1 :] if "runs" in parts else parts[-2:])

    def checkpoint(self, name: str = "last") -> Path:
        """Where a checkpoint is or will be; name: last or best."""
        return self.folder / "checkpoints" / f"{name}.ckpt"

    def trained(self, name: str = "last") -> Path:
        """A checkpoint that is there. ValueError if it is not."""
        path = self.checkpoint(name)
        if not path.is_file():
            there = [f"there is {other.stem}" for other in path.parent.glob("*.ckpt")]
            there += ["nothing of it is trained yet"]
            raise ValueError(f"{self.folder} holds no checkpoints/{path.name}: {there[0]}")
        return path

    def write_text(self, name: str, text: str) -> Path:
        """Write a file of the folder, whole or not at all."""
        path = self.folder / name
        write_text(path, text)
        return path

    def write_json(self, name: str, content: Any) -> Path:
        """Write a JSON file of the folder."""
        path = self.folder / name
        write_json(path, content)
        return path

    def read_json(self, name: str) -> Any:
        """Read a JSON file of the folder; None if there is none. ValueError if it is damaged."""
        return read_json(self.folder / name)


def is_run(folder: Path) -> bool:
    """Is it a run's folder?"""
    return all((folder / name).is_file() for name in OF_A_RUN)


def check_free(to: Path, config: Config, **made: Any) -> None:
    """ValueError if a folder holds a run, but for one of this config that is to be made and judged again.

    made: what its run.json says of how it was made.
    """
    if not is_run(to):
        return
    run = Run.open(to, "to")
    record = run.read_json("run.json") or {}
    other = any(record.get(name) != value for name, value in made.items())
    if other or record.get("status") == "evaluated" or differences(run.config, config, WITHOUT_EFFECT):
        raise ValueError(f"to={to} holds a run already: choose another folder")


def runs_below(folder: Path, wanted: Callable[[Path], bool] = is_run) -> list[Path]:
    """The folders of runs at, or at any depth below, a folder, in order. Links are followed, once.

    wanted: is a folder a run's?
    """
    found, seen = [], set()
    for place, below, _ in os.walk(folder, followlinks=True):
        below.sort(key=lambda name: (os.path.islink(os.path.join(place, name)), name))
        if (real := os.path.realpath(place)) in seen:
            below.clear()
        elif wanted(Path(place)):
            found.append(Path(place))
        seen.add(real)
    return sorted(found)


def runs_at(folders: Iterable[str | Path]) -> list[Run]:
    """The runs in, or at any depth below, each of the folders. ValueError if there is none."""
    found = []
    for folder in map(Path, folders):
        below = [folder] if is_run(folder) else runs_below(folder)
        if not below:
            raise ValueError(f"run={folder} is no run's folder, and there is none below it")
        found += [Run.open(run) for run in below]
    return found


def _load(folder: Path) -> Config:
    """A run's config.yaml. ValueError if it holds no config, or what is no plain YAML."""
    config: Any
    fault = ""
    try:
        config = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"), resolve=True)
    except (YAMLError, UnicodeError) as error:
        config, fault = None, f" ({' '.join(str(error).split())})"
    if not isinstance(config, dict) or not config:
        raise ValueError(
            f"{folder / 'config.yaml'} is damaged, or no run's{fault}: a run's folder starts with it"
        )
    check_targets(config, str(folder / "config.yaml"))
    return with_recorded({str(name): value for name, value in in_todays_words(config).items()}, folder)
