"""Which kernels an experiment needs, and for which types: found by playing it through, interpreted.

python -m tracelab.data.rehearsal < config.json > kernels.pickle      # as data.compiling does

The output is a list of (the task's module, a kernel's module and name, signature), in the order in which they
are needed. (The task's module makes known to the compiler what its spaces mean by each question.)
"""

from __future__ import annotations

import json
import pickle
import sys
from contextlib import suppress
from typing import Any

from tracelab.core import jit

PROBLEMS = 6  # played through; treatments need a few to choose donors among


def main() -> None:
    """Read what the task and the treatment are, write what they need."""
    config, calls = json.load(sys.stdin), jit.rehearse()
    with suppress(ValueError):  # of these few problems no arm can be made, say: the rest is compiled when met
        play(config)
    task = config["task"]["_target_"].rpartition(".")[0]
    sys.stdout.buffer.write(pickle.dumps([(task, *kernel) for kernel in signatures(calls)]))


def play(config: Any) -> None:
    """Draw, treat, write and judge, as an experiment does."""
    from hydra.utils import instantiate

    from tracelab.data import frozen

    task, treatment = (instantiate(config[part], _convert_="all") for part in ("task", "trace"))
    examples = frozen.drawn(task, 0, "train", "problem", 0, PROBLEMS)
    task.judge(examples, frozen.references(task, examples))
    frozen.arm(task, treatment, examples, 0, "train")


def signatures(calls: list[tuple[jit.Kernel, tuple[Any, ...]]]) -> list[tuple[str, str, Any]]:
    """Each kernel that was called, and for which types; each once."""
    from numba import typeof

    found: dict[tuple[str, str, Any], None] = {}
    for function, arguments in calls:
        types = tuple(typeof(argument) for argument in arguments)
        found[function.__module__, function.__qualname__, types] = None
    return list(found)


if __name__ == "__main__":
    main()
