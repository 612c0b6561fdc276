"""Refusals: errors that say what is to be given otherwise, and need no traceback to be understood.

A ValueError that a `raise` in tracelab's own code made is one; what numpy, torch or a user's own module
raise is not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dis import opmap
from pathlib import Path
from types import TracebackType
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from omegaconf.errors import OmegaConfBaseException

from tracelab.core.files import read_text
from tracelab.core.paths import CONF

WHERE = "HYDRA_FULL_ERROR"  # Hydra's variable: 1 shows where in the code an error was met


def refusal(error: Exception) -> str | None:
    """What an error says to whoever gave the command; None: it is none about what was given, or the place in
    the code is asked for.
    """
    cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
    of, raised = _place(cause.__traceback__)
    refused = isinstance(cause, ValueError) and of == "tracelab" and raised
    of_knobs = isinstance(error, OmegaConfBaseException) and of == "omegaconf"
    if os.environ.get(WHERE) == "1" or not (refused or of_knobs):
        return None
    return f"error: {cause}\n({WHERE}=1 before the command shows where in the code)"


def _place(trace: TracebackType | None) -> tuple[str, bool]:
    """The package in whose code a traceback ends, and whether it is a `raise` that it ends at."""
    if trace is None:
        return "", False
    while trace.tb_next is not None:
        trace = trace.tb_next
    frame = trace.tb_frame
    package = frame.f_globals.get("__package__") or frame.f_globals.get("__name__", "")
    return package.partition(".")[0], frame.f_code.co_code[trace.tb_lasti] == opmap["RAISE_VARARGS"]


def check_given(there: Collection[str], missing: Collection[str], axes: Mapping[str, Any]) -> None:
    """ValueError names knobs that need a value and have none, with what the command's YAML says of them, and
    groups of which at least one member is needed.

    there: parts of the config; missing: knobs; axes: groups -> what the command chooses by itself.
    """
    for axis, members in axes.items():
        if isinstance(members, list) and axis not in there:
            choices = ", ".join(sorted(path.stem for path in (CONF / axis).glob("*.yaml")))
            raise ValueError(f"{axis}=[]: give at least one of {choices}")
    if missing:
        raise ValueError("give " + " and ".join(f"{knob}=<{_comment(knob)}>" for knob in sorted(missing)))


def _comment(knob: str) -> str:
    """What the YAML of the command says of a knob that it has no value for."""
    path = CONF / f"{HydraConfig.get().job.config_name}.yaml"
    found = re.search(rf"^{re.escape(knob)}: \?\?\? # (.*)$", read_text(path) if path.is_file() else "", re.M)
    return found[1] if found else "a value"


def remove_empty(folder: str) -> None:
    """Remove the folder of a run of which nothing has come, and those above it that hold nothing else.

    Of a path that begins at the root it is the last folder alone.
    """
    for place in _upwards(Path(folder)):
        try:
            place.rmdir()
        except OSError:  # it holds something, or is not there
            return


def _upwards(path: Path) -> Iterator[Path]:
    yield path
    if not path.is_absolute():
        yield from path.parents[:-1]
