"""Sets that clusters draw: a worker is killed in the middle, and the bytes are those of one machine."""

import os
from importlib.util import find_spec

import pytest

from tests.helpers.deadly import DEADLY, Deadly
from tracelab.data import store
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
