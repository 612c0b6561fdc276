"""What a command takes: groups of which it chooses members, and words that are refused before Hydra has them.

axes_of("judge")              # {"task": "maze", "metric": [...]}
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from omegaconf import OmegaConf

from tracelab.core.paths import CONF
from tracelab.runs.choices import GROUPS
from tracelab.runs.older import admitted

SWEPT = ("train", "posttrain")  # whose YAML has conf/run.yaml, and with it the records of sweeps
OF_A_RUN = ("run", "base", "before")  # knobs that name the run whose model a command asks
PARTS = ("task", "trace", "model")  # of a run's config, that a command which asks its model takes over


def axes_of(config: str) -> dict[str, Any]:
    """Groups of which a command chooses members, and which by itself; none of a config that is not ours."""
    path = CONF / f"{config}.yaml"
    stated: Any = OmegaConf.to_container(OmegaConf.load(path)) if path.is_file() else {}
    chosen = [each for each in stated.get("defaults", []) if isinstance(each, dict)]
    return {str(axis): member for each in chosen for axis, member in each.items()}


def choices(config: str) -> str:
    """A line for each group of which a command chooses members, and for each folder in it: what there is."""
    folders = [
        folder for axis in sorted(axes_of(config)) for folder in (CONF / axis, *(CONF / axis).glob("*/"))
    ]
    names = {folder: ", ".join(sorted(path.stem for path in folder.glob("*.yaml"))) for folder in folders}
    return "\n".join(f"{folder.relative_to(CONF)}: {there}" for folder, there in names.items() if there)


def check_single(config: str, words: Sequence[str]) -> None:
    """End the program if it is to be swept (-m), and is none of those that keep the records of a sweep."""
    if config not in SWEPT and {"-m", "--multirun", "hydra.mode=MULTIRUN"} & {*words}:
        sys.exit(
            f"tracelab.{config} takes no -m, which is for sweeps of tracelab.train and tracelab.posttrain: "
            "give the command once for each value"
        )


def check_taken(config: str, words: Sequence[str]) -> None:
    """End the program if a choice that stands for several of training is made where there is none such.

    Hydra would say to add it, and then that its knobs are unknown.
    """
    named = [word.lstrip("+").partition("=") for word in words]
    asked = {name: f"{name}/{value}.yaml" for name, _, value in named if name in (*GROUPS, "experiment")}
    if not asked:
        return
    axes = axes_of(config)
    own = " and ".join(f"{axis}=" for axis in ("task", "trace") if axis in axes)
    for name, file in asked.items():
        if name not in axes and (CONF / file).is_file():
            mend = f": give what it stands for by {own} and their knobs (conf/{file})" if own else ""
            sys.exit(f"tracelab.{config} takes no {name}=, which is for training{mend}")


def check_inherited(config: str, words: Sequence[str]) -> None:
    """End the program if a part of a run's config is asked for where a run's model is what is asked.

    Hydra would say to add it, and then that it is unknown. Of a post-training the knobs of the run's task and
    treatment are changed one by one, behind a +.
    """
    stated: Any = OmegaConf.load(CONF / f"{config}.yaml")
    if not {*stated} & {*OF_A_RUN}:
        return
    for word in words:
        name = word.partition("=")[0].lstrip("+~")
        part, _, knob = name.partition(".")
        if part not in PARTS or part in axes_of(config) or "=" not in word:
            continue
        if part in stated and not knob:
            sys.exit(
                f"tracelab.{config} takes no {word}: the {part} is the run's; +{part}.<knob>= changes it"
            )
        if part not in stated:
            sys.exit(f"tracelab.{config} takes no {word}: the {part} is the run's")
        if admitted([word]) == [word] and not word.startswith("+"):
            sys.exit(
                f"give +{word}: a knob of the run's {part} is changed behind a +, what is not named stays"
            )
