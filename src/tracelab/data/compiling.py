"""Kernels that an experiment needs are compiled by several processes, before it needs them.

    compile_ahead(config)

Compiled when they are met, they would be compiled one after another. Which they are is found by a rehearsal:
a few problems are drawn, treated and judged by kernels that are plain Python. It is done once for each kind of
task and treatment and each version of the sources; what it did not meet is compiled when it is met.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import joblib
from joblib.externals.loky import get_reusable_executor
from omegaconf import OmegaConf

from tracelab.core.jit import sources_hash
from tracelab.core.waiting import waiting
from tracelab.data.store import digest
from tracelab.paths import cache_home

PARTS = ("task", "trace")
Needed = tuple[str, str, Any]  # module, name, signature


def compile_ahead(config: Any) -> None:
    """Compile, or find that it was done before. config: has `task` and `trace`, whose classes alone matter."""
    parts = {part: OmegaConf.to_container(config[part], resolve=True) for part in PARTS}
    names = "-".join(str(parts[part]["_target_"]) for part in PARTS)
    mark = cache_home() / "kernels" / sources_hash() / f"{digest(names.encode())}.compiled"
    workers = len(os.sched_getaffinity(0))
    if workers > 1 and not mark.is_file():
        compiled(needed(parts), workers)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def needed(parts: Mapping[str, Any]) -> list[Needed]:
    """What a task and a treatment call, in order."""
    command = [sys.executable, "-m", "tracelab.data.rehearsal"]
    path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    given = {"input": json.dumps(parts).encode(), "env": {**os.environ, **path}}
    with waiting("Looking what is to be compiled"):
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, **given)
    kernels: list[Needed] = pickle.loads(done.stdout)
    return kernels


def compiled(kernels: Sequence[Needed], workers: int) -> None:
    """Compile each, in so many processes; those that stand on disk are read."""
    parallel = joblib.Parallel(workers, "loky", return_as="generator_unordered", batch_size=1)
    with waiting("Compiling kernels (once per version)", len(kernels)) as done:
        for _ in parallel(joblib.delayed(_compile)(*kernel) for kernel in kernels):
            done(1)
    get_reusable_executor().shutdown()  # their memory is needed


def _compile(module: str, name: str, signature: Any) -> None:
    getattr(import_module(module), name).compile(signature)
