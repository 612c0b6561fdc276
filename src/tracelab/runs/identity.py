"""Who a run is, wherever its folder lies: its own id, its arm, and the files that it is trained on.

identity_of(record, config)     # of a run and of its copies: the same
arm_of(run)                     # correct 1f03ab
"""

from __future__ import annotations

import hashlib
import json
import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from tracelab.runs.folder import Run, is_run
from tracelab.runs.knobs import WITHIN_AN_ARM, WITHOUT_EFFECT, effectless, flat_config, text_of, without
from tracelab.runs.older import DIGITS
from tracelab.runs.settings import Experiment

E = TypeVar("E", bound=Experiment)


def own_id(run: Run) -> str:
    """The id that run.json has from a run's start on: its copies have it too, and no other run."""
    known: str | None = (run.read_json("run.json") or {}).get("id")
    return known or secrets.token_hex(8)


def identity_of(record: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """The same for copies of a run, another for all other runs. record: what run.json says.

    A copy that was changed (trained for longer, say) has another config, and is a run of its own. Of versions
    that wrote no id all of the record stands for it: no two trainings took the very same time.
    """
    who = record.get("id") or {name: value for name, value in record.items() if name != "status"}
    what = without(flat_config(dict(config)), WITHOUT_EFFECT)
    return hashlib.sha256(json.dumps([who, what], sort_keys=True, default=str).encode()).hexdigest()


def arm_of(run: Run, checkpoint: str = "last", older: bool = False) -> str:
    """What a run's arm is called by those that begin with its weights: `correct 1f03ab`.

    The number stands for all knobs that make the weights, so that two arms never have one name: how they are
    judged is none. checkpoint: which of the run's weights are taken, last or best. older: as versions named
    it that counted how it was judged.
    """
    free = WITHIN_AN_ARM if older else (*effectless(run.config, WITHIN_AN_ARM), "eval")
    names, making = run.settings.names, without(flat_config(run.config), free)
    before = (run.read_json("run.json") or {}).get("extended_from")
    making |= {"extended_from": before} if before else {}
    knobs = dict(sorted(making.items()))
    number = zlib.crc32((json.dumps(knobs) if older else text_of(knobs)).encode()) & 0xFFFFFF
    kind = "+".join(filter(None, (names.source, names.trace, names.algorithm)))
    return f"{kind} {number:06x}" + ("" if checkpoint == "last" else f" {checkpoint}")


def gone_on_with(knob: str, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The config of the run that one of this config goes on with, if that began with the same source.

    knob: which names the source. It is the run of ckpt_path, if one is given, or that of the folder. What was
    ended before its first checkpoint begins anew, with the source as it is now.
    """
    given = config.get("ckpt_path")
    places = [Path(str(given)).parent.parent] if given else []
    for folder in (*places, Path(str(config["run_dir"]))):
        if is_run(folder) and (run := Run.open(folder)).config.get(knob) == config[knob] and _has_begun(run):
            return run.config
    return None


def _has_begun(run: Run) -> bool:
    """Is there a checkpoint of a run, or was there one?"""
    done = (run.read_json("run.json") or {}).get("status") in ("trained", "evaluated")
    return done or any(run.folder.glob("checkpoints/*.ckpt"))


def is_arm_of(name: str | None, run: Run, checkpoint: str = "last") -> bool:
    """Is it the name of a run's arm as the run is now, in these or older words?"""
    return name in (arm_of(run, checkpoint), arm_of(run, checkpoint, older=True))


def lineage(run: Run) -> list[str]:
    """Who a run is, and who it goes back to: its id, its source's, that one's source's, and so on.

    A run notes its ancestors when it starts. Of versions that did not, their folders are asked, as far as
    they lie where they lay.
    """
    record = run.read_json("run.json") or {}
    before: list[str] | None = record.get("ancestors")
    if before is None:
        source = _source(run)
        before = [] if source is None else lineage(source)
    return [record.get("id") or identity_of(record, run.config), *before]


def _source(run: Run) -> Run | None:
    """The run that a run's config says it began with, if it says one, and that lies where it lay."""
    given = run.config.get("run") or run.config.get("init_from")
    if not given:  # no word is not the current folder
        return None
    place = Path(given)
    folder = place.parent.parent if place.suffix == ".ckpt" else place
    own = folder.resolve() == run.folder.resolve()  # `run=.`, asked for from elsewhere
    return Run.open(folder) if is_run(folder) and not own else None


def went_on(run: Run, source: Run) -> bool:
    """Did a run begin with the other's weights, as far as is known?"""
    return lineage(run)[1:2] == lineage(source)[:1]


def with_checksums(experiment: E) -> E:
    """The experiment with the checksums of its data.files, which are a part of what it is.

    A file that is gone has the one that the run in the folder was begun with, which may be finished.
    """
    data, folder = experiment.data, Path(experiment.run_dir)
    if not data.files:
        return experiment
    begun = Run.open(folder).settings.data if is_run(folder) else data
    known = dict(zip(begun.files or (), begun.checksums or (), strict=False))
    return replace(experiment, data=replace(data, checksums=checksums(data.files, known)))


def checksums(files: Sequence[str], known: Mapping[str, str]) -> list[str]:
    """The first digits of each file's SHA-256. known: of files that are gone. ValueError if unknown."""
    found = []
    for path in files:
        if Path(path).is_file():
            with open(path, "rb") as file:
                found.append(hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS])
        elif path in known:
            found.append(known[path])
        else:
            raise ValueError(f"data.files={path}: there is no such file")
    return found
