"""Choices that stand for knobs, as `arm=corrupted_010` for `trace=corrupted trace.rate=0.1`: do they count?

An experiment, or another choice beside them, may set the same knobs, and one of the two is then lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from tracelab.runs.knobs import flat_config, text_of

GROUPS = ("arm", "size", "logic")
OVERRIDE = "override /"  # what begins the choice of another group's member in a YAML's defaults


def check_choices(config: Mapping[str, Any], given: set[str]) -> None:
    """ValueError if a choice has no effect, since something beside it sets what it stands for.

    config: as it was composed; given: knobs that the command line sets itself, whatever the choice says.
    """
    choices, flat = HydraConfig.get().runtime.choices, flat_config(dict(config))
    for group in GROUPS:
        name = choices.get(group)
        for knob, wanted in _stands_for(f"{group}/{name}.yaml").items():
            found = choices.get(knob) if knob in choices else flat.get(knob, wanted)
            if text_of(found) != text_of(wanted) and (knob in choices or knob not in given):
                raise ValueError(
                    f"{group}={name} stands for {knob}={wanted}, and has no effect beside what sets "
                    f"{knob}={found} (a choice of {knob.partition('.')[0]}, or the experiment): leave one out"
                )


def _stands_for(name: str) -> dict[str, Any]:
    """What a file of the configs chooses and sets, by dotted name, but for what is made of other knobs."""
    sources = HydraConfig.get().runtime.config_sources  # conf/, and what --config-dir adds
    paths = [Path(source.path, name) for source in sources if source.schema == "file"]
    stated: Any = next((OmegaConf.load(path) for path in paths if path.is_file()), None)
    if stated is None:
        return {}
    plain: Any = OmegaConf.to_container(stated)
    pairs = [pair for entry in plain.pop("defaults", []) if isinstance(entry, dict) for pair in entry.items()]
    chosen = {knob.removeprefix(OVERRIDE): to for knob, to in pairs if knob.startswith(OVERRIDE)}
    flat = {knob: value for knob, value in flat_config(plain).items() if "${" not in str(value)}
    return chosen | flat
