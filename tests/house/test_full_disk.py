"""Disks that `bench/full_disk.py` pretends are full: some writes of some commands, and what it counts."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.helpers.bench import script
from tracelab.core.paths import ROOT

SAMPLE = ("train", "export")
OTHERS = ("evaluate", "report", "splits")

pytestmark = pytest.mark.skipif(not shutil.which(os.environ.get("CC", "cc")), reason="it takes a C compiler")


@pytest.fixture
def bench():
    with script("full_disk") as module:
        yield module


@pytest.mark.parametrize("names", [SAMPLE, pytest.param(OTHERS, marks=pytest.mark.slow)])
def test_whatever_cannot_be_written_the_same_command_ends_as_undisturbed(tmp_path, names):
    """The first and the last write of each."""
    words = ("--some", "2", "--results", str(tmp_path), "--only", *names)
    command = [sys.executable, str(ROOT / "bench" / "full_disk.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    counts = json.loads((tmp_path / "full_disk.json").read_text())["counts"]
    assert set(counts) == set(names)
    for count in counts.values():
        assert count["tried"] == 2
        assert count["chosen"].startswith("2 of the first, the middle and the last")
        assert count["writes"] > 10
        assert not count["wrong"]


WRITING = """
import os, sys
os.chdir(sys.argv[1])
with open("a.bin", "wb", buffering=0) as file:
    try:
        file.write(b"1234")
        file.write(b"5678")
        print("written")
    except OSError as error:
        print(error.errno)
"""


def test_the_disk_is_full_where_it_is_said_to_be(bench, tmp_path):
    """Half of the first write is there, the next fails; elsewhere there is room."""
    disk, (full, other) = bench.Disk(tmp_path), (tmp_path / "full", tmp_path / "other")
    full.mkdir()
    other.mkdir()

    def write(folder):
        command = [sys.executable, "-c", WRITING, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | disk.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    disk.watch(full, noted=True)
    assert write(full) == "written"
    assert disk.events() == [("file", "/a.bin"), ("write", "/a.bin"), ("write", "/a.bin")]
    disk.watch(full, 2)
    assert write(other) == "written"
    assert disk.failed == 0
    (full / "a.bin").unlink()
    assert write(full) == "28"
    assert (full / "a.bin").read_bytes() == b"12"
    assert disk.failed == 2


def test_a_count_of_one_command_leaves_the_others_as_they_were(bench, tmp_path):
    path = tmp_path / "full_disk.json"
    for name, count in (("train", 3), ("export", 4), ("export", 5)):
        bench.keep(path, name, bench.Count(count, bench.told(name == "export", None)))
    counts = json.loads(path.read_text())["counts"]
    assert {name: count["writes"] for name, count in counts.items()} == {"train": 3, "export": 5}
    assert counts["export"]["chosen"] == "every write" != counts["train"]["chosen"]


def test_writes_that_are_tried(bench):
    rows = [
        ("file", "/.a.0123456789ab.partial"),
        *[("write", "/.a.0123456789ab.partial")] * 9,
        ("write", "/b"),
    ]
    assert bench.chosen(rows, every=False) == [1, 2, 6, 10, 11]
    assert bench.chosen(rows, every=True) == list(range(1, 12))
    assert bench.spread([1, 2, 6, 10, 11], 3) == [1, 6, 11]
    assert bench.spread([1, 2], None) == [1, 2]
    assert bench.listed(rows) == ["1 x file /.a.partial", "9 x write /.a.partial", "1 x write /b"]
