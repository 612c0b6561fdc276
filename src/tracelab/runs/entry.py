"""What the entry points share: Hydra with our `conf/`, started without importing torch.

@entry("train", Training)
def main(experiment: Training): ...
"""

from __future__ import annotations

import logging
import re
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import hydra
from hydra import initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from tracelab.core.full_disk import disk_full
from tracelab.core.paths import CONF
from tracelab.core.settings import read
from tracelab.core.terminal import endure, interruptible
from tracelab.runs.choices import check_choices
from tracelab.runs.knobs import UNNAMED, within
from tracelab.runs.older import admitted, as_typed, in_todays_words, parts_of
from tracelab.runs.refusals import check_given, refusal, remove_empty
from tracelab.runs.signals import as_ctrl_c
from tracelab.runs.words import axes_of, check_inherited, check_single, check_taken, choices

T = TypeVar("T")
LONGEST_NAME = 120  # characters of a run's folder name; file systems allow 255 bytes
# What a name shows as "-", though a value may consist of it: neither marks of lists and paths, nor in a path.
SIGNS = re.compile(r"""[^\w\s.+=,:@~"'()\[\]{}/-]|(?<![\w.])/(?![\w.~])""")


class Accuracy(float):
    """What a job returns to Hydra: its solution accuracy, for sweepers that optimise it, and its state.

    state: finished, resumed or skipped.
    """

    def __new__(cls, value: float, state: str) -> Accuracy:
        """A float with a state; both survive pickling."""
        accuracy = super().__new__(cls, value)
        accuracy.state = state
        return accuracy

    state: str

    def __getnewargs__(self) -> tuple[float, str]:  # type: ignore[override]
        return float(self), self.state


def prepare_process() -> None:
    """What each process is to know of Hydra: our resolvers, and that YAML of our plug-ins is no mistake.

    Hydra has all libraries report; those of fonts would, on every table and every font of the machine.
    """
    register_resolvers()
    for fonts in ("fontTools", "matplotlib.font_manager"):
        logging.getLogger(fonts).setLevel(logging.WARNING)
    plugins = r"\s*'hydra/(launcher|sweeper)/\w+' is validated against ConfigStore"
    warnings.filterwarnings("ignore", message=plugins)


def register_resolvers() -> None:
    """`run_name`, `run_folder`: made of what was overridden; `absolute`: a path; `processes`: of a run;
    `choices`: of a command.
    """
    OmegaConf.register_new_resolver("run_name", run_name, replace=True)
    OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)
    OmegaConf.register_new_resolver("absolute", lambda path: str(Path(path).resolve()), replace=True)
    OmegaConf.register_new_resolver("processes", processes, replace=True)
    OmegaConf.register_new_resolver("choices", choices, replace=True)


def processes(devices: int | Sequence[int], nodes: int) -> int:
    """How many processes train a run. devices: how many on each machine, or which."""
    return nodes * (devices if isinstance(devices, int) else len(devices))


def run_name(overrides: str) -> str:
    """`seed=1,task.size=5,trace=correct` -> `seed-1_trace-correct_task.size-5`; "defaults" for none.

    Groups come first. Only characters that Hydra takes in `run=<folder>` without quotes are used. A long
    name is cut and ends with a hash of the whole, and so does one of signs (`task.operations=+/`), so that
    two runs share no folder. Of two that differ in a mark of lists or paths alone (`a/b`, `a-b`), the second
    is refused.
    """
    parts = re.split(r",(?=[\w.@/]+=)", as_typed(overrides))
    ordered = "_".join(sorted(parts, key=lambda part: "." in part.split("=")[0]))
    safe = "".join(c if c.isalnum() or c in "._+" else "-" for c in ordered)
    if len(safe) > LONGEST_NAME or SIGNS.search(ordered):
        safe = f"{safe[:LONGEST_NAME]}-{zlib.crc32(overrides.encode()):08x}"
    return safe or "defaults"


def run_folder(mode: Any, now: str, runs: str, sweep: str, overrides: str) -> str:
    """`<runs>/<name>/<now>` of a single run; `<sweep>/<name>` of a sweep's, which a repeated sweep finds.

    So knobs that make no other run of it are left out there; earlier versions left out fewer.
    """
    name = run_name(overrides)
    if mode != RunMode.MULTIRUN:
        return f"{runs}/{name}/{now}"
    if Path(sweep, name).is_dir():
        return f"{sweep}/{name}"
    naming = [part for part in parts_of(overrides) if not within(knob_of(part), UNNAMED)]
    return f"{sweep}/{run_name(','.join(naming))}"


def knob_of(override: str) -> str:
    """`eval.seed` of `++eval.seed=1`, `metric` of `metric@metric.mine=joint`."""
    return override.partition("=")[0].lstrip("+~").partition("@")[0]


def entry(config: str, settings: type[T]) -> Callable[[Callable[[T], Any]], Callable[[], None]]:
    """Make a function of settings a command-line program. config: the file in conf/ that describes them."""
    prepare_process()

    def decorate(function: Callable[[T], Any]) -> Callable[[], None]:
        def run(composed: DictConfig) -> Any:
            with in_plain_words(None if "to" in composed else composed.get("run_dir")):
                return function(read_composed(settings, composed))

        def main() -> None:
            endure()
            check_single(config, sys.argv[1:])
            check_taken(config, sys.argv[1:])
            check_inherited(config, sys.argv[1:])
            sys.argv[1:] = admitted(chosen(config, sys.argv[1:]))
            with interruptible("What was written is kept."), as_ctrl_c():
                start(hydra.main(version_base="1.3", config_path=str(CONF), config_name=config)(run))

        main.__doc__ = function.__doc__
        return main

    return decorate


@contextmanager
def in_plain_words(run_dir: str | None) -> Iterator[None]:
    """A full disk and a refusal end the program with what to do, and not with where in the code it was met.

    In a sweep it is raised, and stands in the table. run_dir: of the run that goes on, if any, which is
    removed if nothing is in it.
    """
    try:
        yield
    except Exception as error:
        full, swept = disk_full(error, run_dir), HydraConfig.get().mode == RunMode.MULTIRUN
        if full is not None and swept:
            raise full from error
        if full is not None:
            sys.exit(full.words(f", with run_dir={run_dir}" if run_dir else ""))
        if run_dir is not None and not swept:
            remove_empty(run_dir)
        if swept or (words := refusal(error)) is None:
            raise
        sys.exit(words)


def start(program: Callable[[], Any]) -> None:
    """Start Hydra, which makes folders, too, and says of a full disk where in its code it was met."""
    try:
        program()
    except SystemExit as ended:
        if ended.code == 1 and (full := disk_full(ended.__context__)) is not None:
            say(str(full))
        raise


def chosen(config: str, words: Sequence[str]) -> list[str]:
    """A command line; of a command that is called as an axis, `probe states` is `probe probe=states`.

    Help is of all members of the axis, but Hydra wants one to be chosen.
    """
    axis, (first, *rest) = CONF / config, words or [""]
    if not axis.is_dir():
        return list(words)
    if first in ("--help", "-h"):
        return [f"{config}={min(axis.glob('*.yaml')).stem}", *words]
    return [f"{config}={first}", *rest] if re.fullmatch(r"\w+", first) else list(words)


def compose(settings: type[T], config: str, *overrides: str) -> T:
    """The settings that a command would read from these overrides: `compose(Training, "train", "seed=1")`."""
    return read_composed(settings, composed_config(config, *overrides))


def composed_config(config: str, *overrides: str) -> DictConfig:
    """A config of conf/ with overrides, as Hydra hands it to a command."""
    prepare_process()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = hydra.compose(config, admitted(chosen(config, overrides)), return_hydra_config=True)
    HydraConfig.instance().set_config(composed)  # for what the config says about itself
    with open_dict(composed):
        del composed["hydra"]
    return composed


def read_composed(settings: type[T], composed: DictConfig) -> T:
    """The settings that a composed config describes. ValueError says which knob is wrong, and why."""
    axes = axes_of(str(HydraConfig.get().job.config_name))
    check_given({*composed}, OmegaConf.missing_keys(composed), axes)
    plain: Any = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    check_choices(plain, {knob_of(word) for word in HydraConfig.get().overrides.task})
    return read(settings, in_todays_words(plain))


def say(text: str) -> None:
    """A line for the person at the terminal."""
    print(text, file=sys.stderr, flush=True)
