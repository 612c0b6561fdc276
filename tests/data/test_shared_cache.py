"""A cache that others use, too: it can only be read, two fill it at once, its clock is another."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from tracelab.core.paths import CLONE

DRAW = """
import sys
from numba.core import event
from tracelab.core import rng
from tracelab.data import store
if sys.argv[1:]:
    print(flush=True)
    sys.stdin.readline()  # until all are here
with event.install_recorder("numba:compile") as record:
    drawn = store.cached("set", {}, lambda: {"key": rng.keys(0, "train", 0, 50_000, "problem")})
    print(rng.mix64(drawn["key"][7]), len(record.buffer))
"""
ANEW = "Set TRACELAB_CACHE to a folder that can be written to"


def started(cache, *words, **environment):
    """A process that draws, from a cache or into it."""
    environment = os.environ | {"TRACELAB_CACHE": str(cache)} | environment
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", DRAW, *words]
    return subprocess.Popen(command, cwd=CLONE, env=environment, **pipes)


def ended(process, word=""):
    """-> (how many kernels it compiled, what it drew, what it said)."""
    out, said = process.communicate(word)
    assert process.returncode == 0, said[-3000:]
    drawn, compiled = out.split()
    return int(compiled), drawn, said


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache that two processes, which began at once, have filled, and what they drew."""
    cache = tmp_path_factory.mktemp("filled") / "cache"
    together = [started(cache, "wait") for _ in range(2)]
    for process in together:
        process.stdout.readline()
    for process in together:
        process.stdin.write("\n")
        process.stdin.flush()
    (compiled, one, said), (compiled_too, other, said_too) = map(ended, together)
    assert one == other
    assert compiled or compiled_too  # one that is late finds what the other has compiled
    assert not said
    assert not said_too
    return cache, one


@contextmanager
def read_only(folder):
    """Nothing can be written below a folder: by rights, and for root by a mount."""
    if os.geteuid():
        subprocess.run(["chmod", "-R", "a-w", str(folder)], check=True)
        try:
            yield
        finally:
            subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
        return
    for words in (["--bind", str(folder), str(folder)], ["-o", "remount,ro,bind", str(folder)]):
        if subprocess.run(["mount", *words], capture_output=True).returncode:
            pytest.skip("no right to mount a folder")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_two_that_fill_a_cache_at_once_leave_one_that_is_whole(filled):
    cache, drawn = filled
    assert [path.suffix for path in (cache / "data").iterdir()] == [".arrow"]
    assert not [path for path in cache.rglob("*") if "tmp" in path.name or path.suffix == ".partial"]
    assert ended(started(cache)) == (0, drawn, ""), "nothing is compiled or said"


def test_a_cache_that_can_only_be_read_is_read(filled, tmp_path):
    cache = shutil.copytree(filled[0], tmp_path / "cache")
    with read_only(cache):
        assert ended(started(cache)) == (0, filled[1], "")


@pytest.mark.parametrize("lacks", ["data", "all"])
def test_what_a_cache_lacks_that_can_only_be_read_is_made(filled, tmp_path, lacks):
    """It is said once, whatever could not be kept."""
    cache = shutil.copytree(filled[0], tmp_path / "cache")
    for path in cache.iterdir():
        if lacks in (path.name, "all"):
            shutil.rmtree(path)
    before = sorted(cache.rglob("*"))
    with read_only(cache):
        compiled, drawn, said = ended(started(cache))
    assert (compiled > 0) == (lacks == "all")
    assert drawn == filled[1]
    assert said.count(ANEW) == 1
    assert "Read-only file system" in said or "Permission denied" in said
    assert sorted(cache.rglob("*")) == before


@pytest.mark.parametrize("days", [-400, 400])
def test_files_of_another_clock_are_as_good(filled, tmp_path, days):
    """The clock was set back, or the cache is a machine's whose clock is ahead."""
    cache = shutil.copytree(filled[0], tmp_path / "cache")
    then = time.time() + 86_400 * days
    for path in [cache, *cache.rglob("*")]:
        os.utime(path, (then, then))
    assert ended(started(cache)) == (0, filled[1], "")
    shutil.rmtree(cache / "data")
    assert ended(started(cache)) == (0, filled[1], "")
