"""docs/concepts.md: its maze is in the default format, and its steps are the solver's."""

import re

import numpy as np

from tracelab.core.paths import CLONE
from tracelab.core.ragged import Ragged
from tracelab.data.frozen import references
from tracelab.tasks.maze import Maze

PAGE = (CLONE / "docs" / "concepts.md").read_text(encoding="utf-8")


def test_the_example_is_the_solvers():
    prompt, steps, _ = re.findall(r"```text\n(.*?)\n```", PAGE, re.S)
    task = Maze(size=5, format="compact")
    examples = task.solved(Ragged.of([task.parse(task.codec.tokens_of(prompt))], np.int16))
    assert task.codec.words_of(references(task, examples)[0]).startswith(f"reasoning {steps} ")
    step, cell, cost, more = re.search(
        r"such as `(close (\d,\d) c\d c\d)`: .*cost (\d), and the heuristic expects (\d) more", PAGE
    ).groups()
    assert step == f"close {cell} c{cost} c{more}"
    assert steps.endswith(step)
    assert "the cell ({}, {})".format(*cell.split(",")) in PAGE
