"""docs/new_task.md: the task that stands there keeps the contract of all tasks, and fails as it should.

Its kernels are plain Python here, in a process of their own.
"""

import os
import re
import subprocess
import sys

import pytest

from tracelab.core.paths import CLONE

PAGE = (CLONE / "docs" / "new_task.md").read_text()
START = """
import inspect, sys
from tracelab.core import jit
jit.interpret()
import number_walk
task = number_walk.NumberWalk(**KNOBS)
"""
CONTRACT = """
import tracelab.tasks
tracelab.tasks.number_walk = sys.modules["tracelab.tasks.number_walk"] = number_walk
import tests.helpers.runs
tests.helpers.runs.task_names = lambda: []
from tests.tasks import test_task_contract as contract
held = 0
for name, test in inspect.getmembers(contract, inspect.isfunction):
    if name.startswith("test_") and list(inspect.signature(test).parameters) == ["task"]:
        test(task)
        held += 1
print(held)
"""
TOO_SMALL = """
import numpy as np
from tracelab.core import rng
from tracelab.search.best_first import batch
problems = batch.ragged(np.array([[3, 40]], np.int16))
keys = rng.keys(0, "train", 0, 1, "problem")
for room in ((1,), (7,), (40,), (258,), ()):
    try:
        batch.solve(task._line(), task._strategy, problems, keys, (4, 2), *room)
        print(*room, "is enough")
    except ValueError as error:
        print(*room, error)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("task")
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (folder / "number_walk.py").write_text(code)
    return folder


def run(folder, code, knobs=None):
    path = os.pathsep.join(map(str, (folder, CLONE, CLONE / "src")))
    code = START.replace("KNOBS", repr(knobs or {})) + code
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


@pytest.mark.parametrize("knobs", [{}, {"numbers": 30, "solver": "dfs", "tie_break": "random"}])
def test_it_keeps_the_contract(folder, knobs):
    assert int(run(folder, CONTRACT, knobs)) > 8


def test_its_yaml_names_every_knob(folder):
    (yaml,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    named = set(re.findall(r"^(\w+):", yaml, re.MULTILINE)) - {"_target_"}
    assert named == set(run(folder, "print(*type(task).__dataclass_fields__)").split())


def test_its_test_sets_are_called_as_it_says(folder):
    assert run(folder, "print(*task.test_sets())") == "numbers_128"


def test_too_little_room_is_said(folder):
    """And nothing is written past the end."""
    *few, most, none_said = run(folder, TOO_SMALL).splitlines()
    assert [line.split()[0] for line in few] == ["1", "7", "40"]
    assert all("give `solve` more `steps`" in line for line in few)
    assert (most.strip(), none_said.strip()) == ("258 is enough", "is enough")
