"""What is kept is of today's code: an edit makes kernels and problem sets anew, of others' packages, too."""

import os
import subprocess
import sys

import pytest

from tracelab.core import sources

SPACE = """
from typing import NamedTuple
import numpy as np
from tracelab.core.jit import kernel
from tracelab.search.best_first import space

class Line(NamedTuple):
    seen: np.ndarray
    query: np.ndarray

@kernel
def cost(x):
    return x + PLUS

@space.implements(space.capacity, Line)
def capacity(line):
    return cost(1)

@space.implements(space.max_degree, Line)
def max_degree(line):
    return 1
"""
DRAWS = """
from tracelab.core.jit import kernel
from SPACE import cost

@kernel
def total(x):
    return 10 * cost(x)
"""
CALL = """
import sys
import numba
import numpy as np
from numba.core import event
from DRAWS import total
from SPACE import Line
from tracelab.search.best_first.search import max_rows
with event.install_recorder("numba:compile") as record:
    print(total(1), max_rows(Line(np.zeros(2, np.uint8), np.zeros(2))))
print(len(record.buffer))
"""
TASK = """
from dataclasses import dataclass, replace
from tracelab.tasks.maze import Maze

@dataclass(frozen=True)
class Mine(Maze):
    def generate(self, keys, split):
        examples = super().generate(keys, split)
        return replace(examples, complexity={**examples.complexity, "mine": examples.index * 0 + VALUE})
"""
DRAW = """
from tracelab.core import jit
jit.interpret()
from MODULE import Mine
from tracelab.data import frozen
print(frozen.problems(Mine(size=3), seed=0, split="train", count=1).complexity["mine"][0])
"""


def said(folder, code):
    """What a new process prints, whose modules and whose cache lie in a folder."""
    path = os.pathsep.join([str(folder), *sys.path])
    environment = os.environ | {"PYTHONPATH": path, "TRACELAB_CACHE": str(folder / "cache")}
    environment.pop("NUMBA_DISABLE_JIT", None)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split()


@pytest.mark.parametrize(("space", "draws"), [("mine.space", "mine.draws"), ("space_alone", "draws_alone")])
def test_kernels_are_never_stale(space, draws, tmp_path):
    """Of a package of one's own, and of modules alone: what calls a changed kernel is compiled anew, and so
    is what was compiled for spaces of theirs.
    """
    (tmp_path / "mine").mkdir()
    files = [tmp_path / f"{name.replace('.', '/')}.py" for name in (space, draws)]
    files[1].write_text(DRAWS.replace("SPACE", space))
    call = CALL.replace("SPACE", space).replace("DRAWS", draws)
    found = []
    for plus in (1, 2):
        files[0].write_text(SPACE.replace("PLUS", str(plus)))
        *numbers, compiled = said(tmp_path, call)
        assert compiled != "0"
        assert said(tmp_path, call) == [*numbers, "0"], "they are kept"
        found.append(numbers)
    assert [total for total, _ in found] == ["20", "30"]
    assert found[0][1] != found[1][1]


def test_kernels_of_no_file_are_compiled_and_not_kept(tmp_path):
    """As in a notebook."""
    code = "from tracelab.core.jit import njit\n@njit\ndef half(n):\n    return n // 2\nprint(half(7))"
    assert said(tmp_path, code) == ["3"]
    assert not list(tmp_path.rglob("*.nbi"))


@pytest.mark.parametrize(("module", "edited"), [("alone", "alone"), ("mine.task", "mine.value")])
def test_problems_of_a_changed_package_are_drawn_anew(module, edited, tmp_path):
    """In a file of the task's package, or in its one file."""
    (tmp_path / "mine").mkdir()
    first = f"from {edited} import VALUE\n" if edited != module else "VALUE = 0\n"
    (tmp_path / f"{module.replace('.', '/')}.py").write_text(first + TASK)
    source = tmp_path / f"{edited.replace('.', '/')}.py"
    draw = DRAW.replace("MODULE", module)
    for value in ("1", "2"):
        source.write_text(f"VALUE = {value}\n" + (TASK if edited == module else ""))
        assert said(tmp_path, draw) == [value]
    assert len(list((tmp_path / "cache" / "data").glob("*.arrow"))) == 2, "one for each version"


def test_problems_of_a_task_of_no_file_are_not_kept(tmp_path):
    code = DRAW.replace("from MODULE import Mine", TASK.replace("VALUE", "1"))
    assert said(tmp_path, code) == ["1"]
    assert not list(tmp_path.rglob("*.arrow"))


@pytest.mark.parametrize("where", ["kernels.py", "package/kernels.py"])
def test_a_changed_source_names_another_version(where, tmp_path, monkeypatch):
    """In a folder within tasks/, too: stale kernels and sets would be taken otherwise."""
    source = tmp_path / where
    source.parent.mkdir(exist_ok=True)
    monkeypatch.setattr(sources, "TASKS", tmp_path)
    hashes = set()
    for text in ("a = 1", "a = 2"):
        source.write_text(text)
        hashes.add(sources.sources_hash.__wrapped__())
    source.rename(tmp_path / "moved.py")
    hashes.add(sources.sources_hash.__wrapped__())
    assert len(hashes) == 3
