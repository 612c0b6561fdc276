"""Problems that a local cluster draws while its workers are killed: the bytes of one machine, and how fast.

    python bench/clusters.py                                                    # 10 million: an hour or more
    python bench/clusters.py --problems 200000 --kills 2 --sides dask --task graph_path

A frozen set is drawn as a training draws it, in files of 100,000 problems: first by this process's threads,
then by a cluster of dask's and by one of ray's. While some of the files are drawn, SIGKILL hits one of the
cluster's workers, at a random moment. Each file has to be the one that threads have drawn, and nothing else
may lie beside it; it is deleted when it was looked at. Writes clusters.json.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from common import FOLDER, keep, kept_in

from tracelab.core.jit import kernels_folder
from tracelab.data.pieces import Frozen
from tracelab.data.workers import Workers
from tracelab.runs.build import build_task
from tracelab.runs.entry import compose

CLUSTERS = ("dask", "ray")
READY = 30  # seconds that a worker takes to start, at most
OF_A_WORKER = {"dask": "multiprocessing.spawn", "ray": "ray::_pickled"}  # in its command, while it draws


@contextmanager
def dask(count: int) -> Iterator[Workers]:
    """Workers of a dask cluster of this machine."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None) as cluster:
        yield Workers(None, "dask", cluster.scheduler_address)


@contextmanager
def ray(count: int) -> Iterator[Workers]:
    """Workers of a ray cluster of this machine."""
    import ray

    with ray.init(num_cpus=count, include_dashboard=False):
        yield Workers(None, "ray")


def kill_one(side: str, chance: random.Random, killed: list[int]) -> None:
    """SIGKILL a worker of the cluster that this process has started, if another one is left.

    One that is just starting again is let be: dask gives up a worker that dies before it has begun.
    """
    children = psutil.Process().children(recursive=True)
    workers = [child for child in children if OF_A_WORKER[side] in " ".join(child.cmdline())]
    ready = [worker.pid for worker in workers if time.time() - worker.create_time() > READY]
    if len(ready) > 1:
        killed.append(chance.choice(ready))
        os.kill(killed[-1], signal.SIGKILL)


def draw(chunks: Frozen, cache: Path, before: Callable[[int], Any]) -> tuple[list[list[str]], float]:
    """Draw all pieces -> names of the files of each, which have their checksums, and seconds."""
    names, began = [], time.perf_counter()
    for piece in range(len(chunks)):
        before(piece)
        assert len(chunks[piece]) == chunks.size(piece)
        files = sorted(path.name for path in (cache / "data").iterdir())
        names.append(files)
        for name in files:
            (cache / "data" / name).unlink()
    return names, time.perf_counter() - began


def on_a_cluster(
    side: str, options: argparse.Namespace, cache: Path, chunks: Callable[..., Frozen], each: float
) -> Any:
    """Draw on a cluster, of which workers are killed -> files, seconds, ids of those that were killed.

    each: seconds that a piece takes, about.
    """
    chance, killed = random.Random(options.seed), list[int]()
    with globals()[side](options.workers) as workers:
        drawn = chunks(workers=workers)
        hit = set(chance.choices(range(len(drawn)), k=options.kills))

        def before(piece: int) -> None:
            if piece in hit:
                threading.Timer(chance.uniform(0, each), kill_one, (side, chance, killed)).start()

        return *draw(drawn, cache, before), killed


def main() -> None:
    """Draw here, then on each cluster, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=10_000_000)
    parser.add_argument("--task", default="maze")
    parser.add_argument("--sides", nargs="+", default=CLUSTERS, choices=CLUSTERS)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--kills", type=int, default=10, help="of each cluster's workers, at most")
    parser.add_argument("--seed", type=int, default=0, help="of the kills' moments")
    parser.add_argument("--results", type=Path, help=FOLDER)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of the clusters' packages
    task = build_task(compose(dict, "train", f"task={options.task}")["task"])
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        (cache / "kernels").symlink_to(kernels_folder().parent)
        os.environ["TRACELAB_CACHE"] = folder

        def chunks(**options_: Any) -> Frozen:
            return Frozen(task, 0, "train", options.problems, **options_)

        here, seconds = draw(chunks(), cache, lambda _: None)
        found: dict[str, dict[str, Any]] = {"threads": {"seconds": seconds}}
        each = seconds / len(here)
        print(f"threads: {options.problems / seconds:,.0f} problems/s", flush=True)
        for side in options.sides:
            files, seconds, killed = on_a_cluster(side, options, cache, chunks, each)
            different = sum(ours != theirs for ours, theirs in zip(files, here, strict=True))
            found[side] = {"seconds": seconds, "killed": len(killed), "different": different}
            print(f"{side}: {options.problems / seconds:,.0f} problems/s, {found[side]}", flush=True)
    made = {
        "problems": options.problems,
        "files": len(here),
        "workers": options.workers,
        "task": options.task,
    }
    keep(kept_in(options.results, options.sides, CLUSTERS), "clusters", {**made, "sides": found})
    if any(side.get("different") for side in found.values()):
        sys.exit("a cluster has drawn other files than threads have")


if __name__ == "__main__":
    main()
