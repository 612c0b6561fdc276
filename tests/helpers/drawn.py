"""Digests of what kernels give, for every setting of a task: drawn, treated, judged, whatever comes to them.

python -m tests.helpers.drawn maze        # kernels interpreted, and held to their signatures
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.helpers import signatures

if __name__ == "__main__":
    signatures.check_all()

import yaml
from hydra.utils import instantiate

from tests.helpers.garbling import KINDS, garble
from tests.helpers.students import asking_none
from tests.tasks.test_task_contract import completions, draw, settings_of
from tracelab.core import rng
from tracelab.core.paths import CONF
from tracelab.core.ragged import Ragged

PROBLEMS = 13  # of each setting: one for each kind of wrong completion
FEW = 3  # that are treated and changed, by each treatment: those with the shortest traces


def digests(name: str) -> dict[str, str]:
    """What is drawn, treated or judged -> its digest."""
    found = {}
    for knobs, task in settings_of(name):
        found.update({f"{knobs} {what}": value for what, value in of_task(task)})
        for variant, other in task.test_sets().items():
            found[f"{knobs} {variant}"] = digest(draw(other, 4, split="ood"))
    return found


def of_task(task: Any) -> Iterator[tuple[str, str]]:
    """Each thing that kernels do for a task."""
    examples, keys = draw(task, PROBLEMS), rng.keys(0, "train", 0, PROBLEMS, "treatment")
    yield "drawn", digest(examples)
    yield "prompts", digest(task.prompts(examples))
    yield "judged", digest(task.judge(examples, completions(task, examples)))
    yield "garbled", digest(task.judge(examples, garbled(task, examples)))
    rolled = examples.trace.take(np.roll(np.arange(PROBLEMS), 1))
    yield "others", digest(task.judge_traces(examples, rolled))
    few = np.sort(np.argsort(examples.trace.lengths, kind="stable")[:FEW])
    examples, keys, rolled = examples.take(few), keys[few], rolled.take(few)
    for path in sorted((CONF / "trace").glob("*.yaml")):
        treatment = asking_none(instantiate(yaml.safe_load(path.read_text())))
        treated = treatment(task, examples, keys)
        yield path.stem, digest(treated)
        if treated.rows is not None:
            yield (
                f"{path.stem}, judged",
                digest(task.judge(examples, completions(task, examples, treated.rows))),
            )
    if hasattr(task, "tree"):
        yield "tree", digest(task.tree(examples, rolled, examples.solution))
    for kind in getattr(task, "perturbations", ()):
        yield kind, digest(task.perturb(examples, kind, keys))


def garbled(task: Any, examples: Any) -> Ragged:
    """A wrong completion of each kind."""
    good, generator = completions(task, examples), np.random.default_rng(0)
    pairs = ((good[i], good[i - 1]) for i in range(PROBLEMS))
    rows = [garble(i % KINDS, mine, other, task.codec, generator) for i, (mine, other) in enumerate(pairs)]
    return Ragged.of(rows, dtype=np.int64)


def digest(value: Any) -> str:
    """Of arrays, their types and shapes, within dataclasses, mappings and tuples."""
    return hashlib.sha256(b"".join(written(value))).hexdigest()[:16]


def written(value: Any) -> Iterator[bytes]:
    """A value's bytes."""
    if isinstance(value, np.ndarray):
        yield f"{value.dtype}{value.shape}".encode() + value.tobytes()
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key.encode()
            yield from written(inner)
    elif hasattr(value, "__dataclass_fields__"):
        yield from written({name: getattr(value, name) for name in value.__dataclass_fields__})
    else:
        yield repr(value).encode()


if __name__ == "__main__":
    print(json.dumps(digests(sys.argv[1])))
