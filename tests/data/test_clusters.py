"""Sets that clusters draw: a worker is killed in the middle, and the bytes are those of one machine."""

import os
import threading
from importlib.util import find_spec

import pytest

from tests.helpers.deadly import DEADLY, Deadly
from tracelab.core.files import read_json
from tracelab.core.paths import CLONE
from tracelab.data import store, workers
from tracelab.data.frozen import _columns, problems
from tracelab.data.workers import Workers
from tracelab.tasks.maze import Maze

KNOBS = {"size": 7, "format": "compact"}
PACKAGES = {"dask": "distributed", "ray": "ray"}


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_page_says_what_was_drawn():
    told = (CLONE / "docs" / "sweeps.md").read_text("utf-8")
    for side, words in {
        "dask": "dask drew {} mazes a second and threads {} in the same run",
        "ray": "ray drew {}, and threads {} beside it",
    }.items():
        record = read_json(CLONE / "bench" / "results" / f"clusters_{side}.json")
        assert (record["problems"], record["files"], record["workers"]) == (10_000_000, 100, 3)
        assert (record["sides"][side]["killed"], record["sides"][side]["different"]) == (6, 0)
        rates = [record["problems"] / record["sides"][name]["seconds"] for name in (side, "threads")]
        assert words.format(*(f"{round(rate, -3):,.0f}" for rate in rates)) in told


@pytest.mark.filterwarnings("ignore")  # of the clusters' packages
def test_a_cluster_without_workers_is_waited_for_and_then_named(own_cache, monkeypatch):
    """Who comes late is waited for: after a kill the only worker may just be starting again."""
    if not find_spec("distributed"):
        pytest.skip("distributed is not installed: it comes with the extra cluster")
    from distributed import LocalCluster

    monkeypatch.setattr(workers, "WAIT", 0.5)
    with LocalCluster(n_workers=0, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        with pytest.raises(ValueError, match=f"address={address}: no worker came within 0.5 seconds"):
            problems(Maze(**KNOBS), seed=0, split="train", count=64, workers=Workers(None, "dask", address))
        monkeypatch.setattr(workers, "WAIT", 60)
        timer = threading.Timer(1.0, cluster.scale, (1,))
        timer.start()
        late = problems(Maze(**KNOBS), seed=0, split="train", count=64, workers=Workers(1, "dask", address))
        timer.join()
    assert len(late) == 64


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the clusters' packages
@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_cluster_that_loses_a_worker_draws_the_same_bytes(own_cache, tmp_path, backend):
    if not find_spec(PACKAGES[backend]):
        pytest.skip(f"{PACKAGES[backend]} is not installed: it comes with the extra cluster")
    log = tmp_path / "log"
    deadly = Deadly(**KNOBS, log=str(log), owner=os.getpid())
    found = {
        "here": problems(Maze(**KNOBS), seed=0, split="train", count=2000),
        backend: problems(deadly, seed=0, split="train", count=2000, workers=Workers(3, backend)),
    }
    pieces = [int(line) for line in log.read_text().splitlines()]
    assert not is_alive(pieces[DEADLY - 1]), "nobody was killed"
    assert len(set(pieces[DEADLY:])) > 1, "the others went on"
    for name, examples in found.items():
        store.save(tmp_path / f"{name}.arrow", _columns(examples))
    assert (tmp_path / "here.arrow").read_bytes() == (tmp_path / f"{backend}.arrow").read_bytes()
    assert sorted(path.suffix for path in (own_cache / "data").iterdir()) == [".arrow", ".arrow"]
