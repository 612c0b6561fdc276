"""Frozen sets, streams and their files: the same bytes whoever makes them, whole or not there."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tracelab.data import frozen, store
from tracelab.data.frozen import arm, columns, drawn, problems
from tracelab.data.pieces import Endless
from tracelab.data.workers import Workers
from tracelab.tasks.maze import Maze
from tracelab.traces.corrupted import Corrupted
from tracelab.traces.filler import Filler
from tracelab.traces.solution_only import SolutionOnly
from tracelab.traces.swapped import Swapped

TASK = Maze(size=7, format="compact")


@pytest.fixture(autouse=True)
def cache(own_cache):
    """Every test has a cache folder of its own."""
    return own_cache / "data"


def bytes_of(examples):
    sha = hashlib.sha256()
    for name, column in frozen._columns(examples).items():
        parts = (column.values, column.offsets) if hasattr(column, "offsets") else (column,)
        for part in parts:
            sha.update(f"{name} {part.dtype} {part.shape}".encode() + part.tobytes())
    return sha.hexdigest()


def test_same_bytes_with_any_number_of_workers_and_any_chunk(cache, monkeypatch):
    made, sizes = [], set()
    monkeypatch.setattr(frozen, "PIECES", 1)
    for workers, chunk in ((1, 1024), (2, 1024), (4, 64), (3, 100)):
        monkeypatch.setattr(frozen, "CHUNK", chunk)
        sizes.add(frozen.piece_of(700))
        made.append(bytes_of(problems(TASK, seed=0, split="train", count=700, workers=Workers(workers))))
        shutil.rmtree(cache)
    assert sizes == {700, 64, 100}
    assert len(set(made)) == 1


@pytest.mark.filterwarnings("ignore")  # of the clusters' packages
@pytest.mark.parametrize("backend", ["loky", "dask", pytest.param("ray", marks=pytest.mark.slow)])
def test_processes_give_the_same_bytes(cache, backend):
    pytest.importorskip({"dask": "distributed"}.get(backend, backend))
    threads = bytes_of(problems(TASK, seed=0, split="val", count=20))
    shutil.rmtree(cache)
    workers = Workers(2, backend)
    assert bytes_of(problems(TASK, seed=0, split="val", count=20, workers=workers)) == threads


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"count": 0}, "take 1 at least"),
        ({"backend": "slurm"}, "choose one of threading, loky, dask, ray"),
        ({"address": "tcp://host:8786"}, "set backend to dask or ray"),
    ],
)
def test_workers_that_there_cannot_be(wrong, says):
    with pytest.raises(ValueError, match=says):
        Workers(**wrong)


def test_the_first_distinct_problems_of_the_stream(cache):
    task = Maze(size=5)
    examples = problems(task, seed=0, split="train", count=1500)
    stream_ = drawn(task, 0, "train", "problem", 0, int(examples.index[-1]) + 1)
    _, first = np.unique(stream_.identity, return_index=True)
    assert len(first) < len(stream_), "the stream repeats itself"
    assert examples.index.tolist() == np.sort(first).tolist()
    assert bytes_of(examples) == bytes_of(stream_.take(np.sort(first)))


def test_repetitions_are_kept_where_asked(cache):
    task = Maze(size=5)
    examples = problems(task, seed=0, split="train", count=1500, distinct=False)
    assert bytes_of(examples) == bytes_of(drawn(task, 0, "train", "problem", 0, 1500))


def test_from_the_file_as_made(cache):
    made = problems(TASK, seed=0, split="train", count=50)
    (path,) = cache.glob("*.arrow")
    changed = path.stat().st_mtime_ns
    again = problems(TASK, seed=0, split="train", count=50)
    assert path.stat().st_mtime_ns == changed
    stream_ = drawn(TASK, 0, "train", "problem", 0, int(made.index[-1]) + 1)
    assert bytes_of(made) == bytes_of(again) == bytes_of(stream_.take(made.index))
    assert bytes_of(again.take(np.arange(5))) == bytes_of(made.take(np.arange(5)))


def test_loading_copies_nothing_and_writing_stays_in_memory(cache):
    examples = problems(TASK, seed=0, split="train", count=50)
    (path,) = cache.glob("*.arrow")
    before = path.read_bytes()
    for column in (examples.index, examples.identity, examples.trace.values, examples.problem.offsets):
        while column.base is not None and not isinstance(column, np.memmap):
            column = column.base
        assert isinstance(column, np.memmap)
    examples.trace.values[:] = 0
    assert path.read_bytes() == before


def test_another_config_is_another_file(cache):
    for task, seed, split, count in (
        (TASK, 0, "train", 50),
        (TASK, 1, "train", 50),
        (TASK, 0, "val", 50),
        (TASK, 0, "train", 51),
        (replace(TASK, solver="bfs"), 0, "train", 50),
        (replace(TASK, tie_break="lifo"), 0, "train", 50),
    ):
        problems(task, seed=seed, split=split, count=count)
    problems(TASK, seed=0, split="train", count=50, name="other")
    assert len(list(cache.glob("*.arrow"))) == 7


def test_other_code_makes_sets_anew(cache, monkeypatch):
    problems(TASK, seed=0, split="train", count=10)
    monkeypatch.setattr(store, "sources_hash", lambda: "changed")
    problems(TASK, seed=0, split="train", count=10)
    assert len(list(cache.glob("*.arrow"))) == 2


@pytest.mark.parametrize("place", [0, 100, 0.5, -1])
def test_a_damaged_file_is_named_and_made_anew(cache, place):
    wanted = bytes_of(problems(TASK, seed=0, split="train", count=50))
    (path,) = cache.glob("*.arrow")
    content = bytearray(path.read_bytes())
    content[int(place * len(content)) if isinstance(place, float) else place] ^= 1
    path.write_bytes(content)
    with pytest.warns(UserWarning, match=rf"are drawn anew: {re.escape(str(path))} is damaged"):
        assert bytes_of(problems(TASK, seed=0, split="train", count=50)) == wanted
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bytes_of(problems(TASK, seed=0, split="train", count=50)) == wanted


@pytest.mark.parametrize("length", [0, 1000])
def test_a_truncated_file_is_made_anew(cache, length):
    wanted = bytes_of(problems(TASK, seed=0, split="train", count=50))
    (path,) = cache.glob("*.arrow")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.warns(UserWarning, match="is damaged"):
        assert bytes_of(problems(TASK, seed=0, split="train", count=50)) == wanted
    assert store.read(path)


def test_a_failed_write_leaves_nothing(cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.warns(UserWarning, match=r"No space left.*Set TRACELAB_CACHE"):
            drawn_alone = problems(TASK, seed=0, split="train", count=50)
    assert list(cache.iterdir()) == []
    kept = problems(TASK, seed=0, split="train", count=50)
    assert bytes_of(kept) == bytes_of(drawn_alone)
    assert [a.dtype for a in vars(kept).values() if hasattr(a, "dtype")] == [
        a.dtype for a in vars(drawn_alone).values() if hasattr(a, "dtype")
    ]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting takes root")
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True
    )
    if mount.returncode:
        pytest.skip("no right to mount a small file system")
    try:
        monkeypatch.setenv("TRACELAB_CACHE", str(disk))
        with pytest.warns(UserWarning, match=r"No space left.*Set TRACELAB_CACHE"):
            assert len(problems(TASK, seed=0, split="train", count=500)) == 500
        assert list((disk / "data").iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_what_a_killed_writer_leaves_is_not_trusted(cache):
    killed = (
        "import os; from tracelab.data import store, frozen; from tracelab.tasks.maze import Maze\n"
        "store._checksum = lambda *_: os._exit(9)\n"
        "frozen.problems(Maze(size=7, format='compact'), seed=0, split='train', count=50)"
    )
    assert subprocess.run([sys.executable, "-c", killed]).returncode == 9
    assert [p.suffix for p in cache.iterdir()] == [".partial"]
    assert len(problems(TASK, seed=0, split="train", count=50)) == 50


def test_two_at_once_leave_one_file(cache):
    def make(_):
        return bytes_of(problems(TASK, seed=0, split="train", count=300, workers=Workers(1)))

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(make, range(4)))) == 1
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("count", [0, -3])
def test_no_problems_asked_for(count):
    with pytest.raises(ValueError, match="ask for one at least"):
        problems(TASK, seed=0, split="train", count=count)


def test_too_small_a_space_is_explained():
    with pytest.raises(ValueError, match=r"distinct ones: there are too few problems.*task\.size"):
        problems(Maze(size=3), seed=0, split="train", count=500)


def test_polars_reads_it(cache):
    polars = pytest.importorskip("polars")
    examples = problems(TASK, seed=0, split="train", count=20)
    (path,) = cache.glob("*.arrow")
    frame = polars.read_ipc(path)
    assert frame["identity"].to_list() == examples.identity.tolist()
    assert frame["trace"].to_list()[3] == examples.trace[3].tolist()
    assert frame["expansions"].to_list() == examples.complexity["expansions"].tolist()


def test_datasets_reads_it(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    examples = problems(TASK, seed=0, split="train", count=20)
    sequences, treated = arm(TASK, Corrupted(), examples, 0, "train")
    path = tmp_path / "set.arrow"
    store.save(path, columns(examples, sequences, treated))
    rows = datasets.load_dataset("arrow", data_files=str(path), split="train", cache_dir=str(tmp_path / "hf"))
    assert rows["identity"][:] == examples.identity.tolist()
    assert rows[3]["tokens"] == sequences.tokens[3].tolist()
    assert rows[3]["damaged"] == treated.damaged[3].tolist()
    assert rows[3]["trace_length"] == sequences.trace[3]
    assert rows[3]["trace"] == examples.trace[3].tolist()
    assert rows[3]["problem"] == examples.problem[3].tolist()


def test_columns_have_the_types_that_are_promised(cache):
    problems(TASK, seed=0, split="train", count=20)
    (path,) = cache.glob("*.arrow")
    schema = pa.ipc.open_file(path).schema
    rows = "large_list<item: fixed_size_list<item: int32>[{}]>"
    assert {name: str(schema.field(name).type) for name in ("index", "identity", "problem", "trace")} == {
        "index": "int64",
        "identity": "uint64",
        "problem": "large_list<item: int16>",
        "trace": rows.format(4),
    }
    assert b'"seed": 0' in schema.metadata[b"tracelab"]


@pytest.mark.parametrize("treatment", [Corrupted(), Swapped(), SolutionOnly(), Filler()], ids=str)
def test_columns_of_an_arm_are_the_arm(treatment):
    examples = problems(TASK, seed=0, split="train", count=40)
    sequences, treated = arm(TASK, treatment, examples, 0, "train")
    found = columns(examples, sequences, treated)
    assert found["tokens"].values.tobytes() == sequences.tokens.values.tobytes()
    assert found["donor"].tolist() == treated.donor.tolist()
    assert ("steps" in found) == ("damaged" in found) == (treated.rows is not None)
    assert found["expansions"].tolist() == examples.complexity["expansions"].tolist()


def test_a_treatment_goes_with_the_index_not_with_the_company():
    """Dropping a problem from a set leaves the others' damage what it was (but for borrowed values)."""
    examples = drawn(TASK, 0, "train", "problem", 0, 50)
    whole = arm(TASK, Corrupted(0.3, "op"), examples, 0, "train")[1]
    part = arm(TASK, Corrupted(0.3, "op"), examples.take(np.arange(10, 50, 3)), 0, "train")[1]
    for k, i in enumerate(range(10, 50, 3)):
        assert part.trace[k].tolist() == whole.trace[i].tolist()


def test_a_stream_is_the_frozen_sets_beginning_and_never_repeats():
    chunks, treatment = Endless(TASK, 0, "train", 32), Corrupted(0.2, "op")
    together = arm(TASK, Corrupted(0.2, "op"), drawn(TASK, 0, "train", "problem", 0, 96), 0, "train")[0]
    for k in (2, 0, 1):
        mine = arm(TASK, treatment, chunks[chunks.piece(k)], 0, "train")[0]
        assert len(mine) == chunks.size(k) == 32
        for i, tokens in enumerate(mine.tokens):
            assert tokens.tolist() == together.tokens[32 * k + i].tolist()
