"""A run's folder: what it holds, who may write to it, and which other config may go on in it.

config.yaml  run.json  data_card.json  vocab.json  metrics.csv  metrics.json  outcomes.parquet
figures/  checkpoints/

A run's folder is one that holds config.yaml and run.json: other tools write files of the one name, too.
"""

from __future__ import annotations

import fcntl
import os
import platform
import struct
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
from omegaconf import OmegaConf
from yaml import YAMLError

from tracelab.core.files import UTF8, lock, read_json, read_text, write_json, write_text
from tracelab.core.paths import ROOT
from tracelab.runs.build import as_written
from tracelab.runs.knobs import FREE_TO_CHANGE, WITHOUT_EFFECT, differences, effectless
from tracelab.runs.older import in_todays_words, with_recorded
from tracelab.runs.settings import Experiment, shared
from tracelab.runs.trust import check_targets

Config = dict[str, Any]
OF_A_RUN = ("config.yaml", "run.json")
OF_EVALUATED = ("outcomes.parquet", "metrics.json")
LOCK = ".lock"
HELD: set[str] = set()  # the locks that this process has
FLOCK = "hhqqi4x"  # struct flock of Linux: kind, whence, start, length, process
LIBRARIES = ("tracelab", "torch", "lightning", "hydra-core", "numpy", "numba", "pyarrow")


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


@contextmanager
def claimed(folder: str | Path) -> Iterator[None]:
    """Keep other processes from training in a folder; ends with this one. ValueError if another does."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = os.path.realpath(Path(folder) / LOCK)
    with open(path, "ab") as file:
        if not lock(file, fcntl.lockf, wait=False):
            raise ValueError(f"another process is training in {folder}: wait for it, or stop it")
        HELD.add(path)
        try:
            yield
        finally:
            HELD.discard(path)


def is_claimed(folder: Path, unknown: bool = True) -> bool:
    """Is another process training in a folder? unknown: the answer on file systems without locks.

    It is asked without taking the lock, which would stop a run that begins. What this process has is not
    asked for: to close the file gives a lock up.
    """
    if os.path.realpath(folder / LOCK) in HELD:
        return False
    try:
        with (folder / LOCK).open("rb") as file:
            asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            answer = fcntl.fcntl(file, fcntl.F_GETLK, asked)
    except FileNotFoundError:
        return False
    except OSError:
        return unknown
    kind: int = struct.unpack(FLOCK, answer)[0]
    return kind != fcntl.F_UNLCK


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


def machine() -> dict[str, Any]:
    """Hardware and versions, for run.json and benchmark results."""
    import torch

    return {
        "cpu": cpu_name(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": joblib.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
        "git": commit_of(ROOT),
    }


def cpu_name() -> str:
    """The processor, as it names itself."""
    info = Path("/proc/cpuinfo")
    names = [line for line in read_text(info).splitlines() if "model name" in line] if info.is_file() else []
    return names[0].split(":")[1].strip() if names else platform.processor()


def commit_of(clone: Path) -> str | None:
    """The commit that a clone is at, with + if it was changed since. None if the folder is no clone itself:
    an installed package may lie in somebody else's.
    """

    def git(*words: str) -> str:
        command = ["git", "-C", str(clone), *words]
        done = subprocess.run(command, capture_output=True, encoding=UTF8, check=True)
        return str(done.stdout).strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != clone.resolve():
            return None
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


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
