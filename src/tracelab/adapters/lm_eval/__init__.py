"""Our tasks for lm-evaluation-harness: the YAML files beside this one, and what they call.

    lm_eval run --include_path FOLDER --tasks tracelab_maze --metadata '{"count": 200, "knobs": {"size": 9}}'

FOLDER is `tracelab.adapters.lm_eval.FOLDER`; the tag `tracelab` names all tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracelab.adapters.naming import task_named
from tracelab.adapters.words import drawn, scores

FOLDER = Path(__file__).parent
LEVELS = ("parses", "local", "strict")  # those that all tasks have


def dataset(
    name: str, count: int = 100, seed: int = 0, knobs: Mapping[str, Any] | None = None, **metadata: Any
) -> Any:
    """A `datasets.DatasetDict` whose split `test` has problems of the task's test set, in distribution."""
    from datasets import Dataset, DatasetDict

    questions = drawn(task_named(name, **(knobs or {})), count, "test", seed)
    return DatasetDict({"test": Dataset.from_list([question._asdict() for question in questions])})


def process_results(doc: Mapping[str, Any], results: list[str]) -> dict[str, float]:
    """The metrics of one answer: solution, optimal, and the trace at each level."""
    (parts,) = scores([doc["reference"]], results[:1])
    return {name: parts[name] for name in ("solution", "optimal", *(f"trace_{level}" for level in LEVELS))}
