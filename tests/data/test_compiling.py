"""Kernels compiled ahead: all that an experiment calls, once, by writers that wait for each other."""

import fcntl
import os
import shutil
import subprocess
import sys
import threading

import numba
import numpy as np
import pytest
from omegaconf import OmegaConf

from tracelab.core import jit, paths, rng
from tracelab.core.paths import CONF
from tracelab.data import compiling, store
from tracelab.data.compiling import needed

TASKS = sorted(path.stem for path in CONF.glob("task/*.yaml"))


def parts(task, trace="correct"):
    files = {"task": CONF / "task" / f"{task}.yaml", "trace": CONF / "trace" / f"{trace}.yaml"}
    return {part: OmegaConf.to_container(OmegaConf.load(path)) for part, path in files.items()}


@pytest.mark.parametrize("task", TASKS)
def test_a_rehearsal_finds_who_draws_and_who_judges(task):
    names = [name for *_, name, _ in needed(parts(task, "corrupted"))]
    assert len(names) == len(set(names))
    assert "damage" in names
    assert sum("judge" in name for name in names) >= 2
    assert any(name in ("_generate", "draw_problems", "draw") for name in names)


def test_a_rehearsal_that_fails_stops_nobody():
    """A task whose kernels cannot run as Python is compiled when it is met."""
    wrong = {**parts("maze"), "task": {"_target_": "tracelab.tasks.no_such.Task"}}
    with pytest.warns(UserWarning, match=r"no_such\.Task: kernels are not compiled ahead"):
        assert needed(wrong) == []


def test_what_was_compiled_ahead_is_not_compiled_again(tmp_path):
    """From an empty cache, in other processes; this one then draws, treats and judges without a compiler."""
    code = """
from numba.core import event
import yaml
from tracelab.runs.build import build_task
from tracelab.runs.treatments import build_treatment
from tracelab.data import card, compiling, frozen
from tracelab.core.paths import CONF
paths = ("task/arithmetic.yaml", "trace/corrupted.yaml")
parts = [yaml.safe_load((CONF / path).read_text()) for path in paths]
compiling.compile_ahead(*parts)
with event.install_recorder("numba:compile") as record:
    task, treatment = build_task(parts[0]), build_treatment(parts[1])
    examples = frozen.problems(task, seed=0, split="train", count=40)
    arm = card.Arm(examples, *frozen.arm(task, treatment, examples, 0, "train"))
    card.data_card(task, treatment, {"train": arm})
print(len(record.buffer), {e.data["dispatcher"].py_func.__qualname__ for _, e in record.buffer})
"""
    environment = {**os.environ, "TRACELAB_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[0] == "0", done.stdout
    marks = sorted(path.name for path in tmp_path.glob("kernels/*/*.compiled"))
    assert marks == [
        "tracelab.tasks.arithmetic.Arithmetic.compiled",
        "tracelab.traces.corrupted.Corrupted.compiled",
    ]


def test_one_process_at_a_time_writes_to_the_cache(tmp_path, monkeypatch):
    """Numba itself would let two take one file name for kernels of different types."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    module = tmp_path / "halves.py"
    module.write_text("def half(n):\n    return n // 2\n")
    names = {}
    exec(compile(module.read_text(), str(module), "exec"), names)
    half = jit.njit(names["half"])
    with open(tmp_path / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        writer = threading.Thread(target=half, args=(7,))
        writer.start()
        writer.join(1.0)
        assert writer.is_alive()
        assert not list(tmp_path.rglob("*.nbi"))
    writer.join(60)
    assert len(list(tmp_path.rglob("*.nbi"))) == 1
    assert half(9) == 4


def test_literals_are_integers_to_a_kernel():
    """`below(random, 2)` within a kernel takes the code of `below(random, n)`."""
    fresh = jit.kernel(rng.below.py_func)
    names = {"below": fresh}
    exec("def draw(random, n):\n    return below(random, 2) + below(random, 3) + below(random, n)", names)
    numba.njit(names["draw"])(np.zeros(1, np.uint64), 5)
    assert len(fresh.signatures) == 1


DRAW = """
import sys
from numba.core import event
from tracelab.core import rng
with event.install_recorder("numba:compile") as record:
    print(rng.mix64(7))
print(len(record.buffer))
"""


def drawn(**environment):
    """-> (what is drawn, how many kernels were compiled, what was said)."""
    environment = {name: value for name, value in (os.environ | environment).items() if value is not None}
    done = subprocess.run([sys.executable, "-c", DRAW], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    value, compiled = done.stdout.split()
    return value, int(compiled), done.stderr


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A cache, and what was drawn by how many kernels that it keeps."""
    folder = tmp_path_factory.mktemp("whole")
    value, compiled, _ = drawn(TRACELAB_CACHE=str(folder))
    assert compiled
    assert drawn(TRACELAB_CACHE=str(folder))[:2] == (value, 0)
    return folder, value, compiled


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("length", [0, 100])
def test_half_a_kernel_is_compiled_anew(tmp_path, whole, suffix, length):
    folder, value, compiled = whole
    cache = shutil.copytree(folder, tmp_path / "cache")
    for path in cache.rglob(f"*.{suffix}"):
        path.write_bytes(path.read_bytes()[:length])
    assert drawn(TRACELAB_CACHE=str(cache))[:2] == (value, compiled)
    assert length or drawn(TRACELAB_CACHE=str(cache))[:2] == (value, 0), "it is kept again"


def test_without_a_cache_kernels_are_compiled_all_the_same(tmp_path):
    (tmp_path / "file").touch()
    value, _, said = drawn(TRACELAB_CACHE=str(tmp_path / "file" / "below"))
    assert "Set TRACELAB_CACHE to a folder that can be written to" in said
    assert value == str(rng.mix64(7))
    lines = {line for line in said.splitlines() if "Set TRACELAB_CACHE" in line}
    assert len(lines) == 1


def test_nothing_is_compiled_ahead_that_cannot_be_kept(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRACELAB_CACHE", str(tmp_path / "file" / "below"))
    monkeypatch.setattr(compiling.joblib, "cpu_count", lambda: 2)
    monkeypatch.setattr(compiling, "_compile_new", lambda *_: pytest.fail("compiled for nothing"))
    with pytest.warns(UserWarning, match="Set TRACELAB_CACHE"):
        compiling.compile_for([parts("maze")])


def test_a_user_without_a_home_needs_none(monkeypatch, tmp_path):
    """As in containers whose user is a number alone."""

    def unknown():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(paths.Path, "home", unknown)
    monkeypatch.setenv("TRACELAB_CACHE", str(tmp_path))
    assert paths.cache_home() == tmp_path
    for name in ("TRACELAB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(OSError, match="no home folder"):
        paths.cache_home()
    with pytest.warns(UserWarning, match="Set TRACELAB_CACHE"):
        assert store.cached("a", {}, lambda: {"a": np.arange(3)})["a"].tolist() == [0, 1, 2]
