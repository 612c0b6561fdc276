"""Who draws problems: this process's threads, its child processes, or a cluster, by joblib's backends.

Sets are the same bytes whoever draws them. A cluster's machines must have this version of tracelab installed.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any

import joblib

BACKENDS = ("threading", "loky", "dask", "ray")
RETRIES = 3  # of a piece whose worker died, under ray; dask has as many
WAIT = 300  # seconds, for a first worker of a cluster: of one on this machine all may just be starting again
AHEAD = 2  # pieces of each worker's that are begun before the next result is taken
Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]  # as `joblib.delayed` makes them
Parallel = Callable[[Iterable[Call]], Iterable[Any]]


@dataclass(frozen=True)
class Workers:
    """count: at once, None for as many as there are cores (of a cluster: all that it has).

    backend: one of BACKENDS; address: of dask's scheduler (tcp://host:8786) or of ray's head (auto, or
    ray://host:10001), None for a cluster that is started on this machine and stopped when the set is done.
    """

    count: int | None = None
    backend: str = "threading"
    address: str | None = None

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ValueError(f"backend={self.backend!r} is unknown; choose one of {', '.join(BACKENDS)}")
        if self.count is not None and self.count < 1:
            raise ValueError(f"workers={self.count}: take 1 at least, or null for as many as there are cores")
        if self.address is not None and self.backend not in CLUSTERS:
            raise ValueError(f"address={self.address} is a cluster's: set backend to dask or ray, too")

    @contextmanager
    def parallel(self) -> Iterator[Parallel]:
        """What does `joblib.delayed` calls, while it is needed, and gives results as they come, in order.

        What a worker of a cluster was at when it died is done by another. ValueError if the backend's package
        is missing, or the cluster has no worker.
        """
        with ExitStack() as stack:
            try:
                yield stack.enter_context(CLUSTERS.get(self.backend, _joblib)(self))
            except ImportError as error:
                raise ValueError(
                    f"backend={self.backend} is not installed: "
                    "python -m pip install -c constraints.txt -e '.[cluster]'"
                ) from error


@contextmanager
def _joblib(workers: Workers, **options: Any) -> Iterator[Parallel]:
    with (
        joblib.parallel_config(workers.backend, n_jobs=workers.count or -1, **options),
        joblib.Parallel(return_as="generator") as parallel,
    ):
        yield parallel


@contextmanager
def _dask(workers: Workers) -> Iterator[Parallel]:
    from distributed import Client

    local: dict[str, Any] = {"n_workers": workers.count, "threads_per_worker": 1, "dashboard_address": None}
    with ExitStack() as stack:
        stack.enter_context(Client(workers.address, **({} if workers.address else local)))
        try:
            parallel = stack.enter_context(_joblib(workers, wait_for_workers_timeout=WAIT))
        except TimeoutError as error:
            mend = "data.backend=threading needs none"  # of a cluster that was started here
            if workers.address is not None:
                mend = f"start some with `dask worker {workers.address}` on machines that reach it"
            raise ValueError(
                f"address={workers.address}: no worker came within {WAIT} seconds; {mend}"
            ) from error
        yield parallel


@contextmanager
def _ray(workers: Workers) -> Iterator[Parallel]:
    """Tasks of ray's own, in the cluster that this process is a part of already, if it is.

    (Tasks of ray's backend for joblib are lost with the worker that has them.)
    """
    import ray

    local: dict[str, Any] = {"num_cpus": workers.count, "include_dashboard": False}
    options = {} if workers.address else local
    with nullcontext() if ray.is_initialized() else ray.init(workers.address, **options):
        task = ray.remote(max_retries=RETRIES)(_pickled)
        ahead = AHEAD * (workers.count or max(1, int(ray.cluster_resources().get("CPU", 1))))

        def parallel(calls: Iterable[Call]) -> Iterator[Any]:
            begun, left = deque[Any](), iter(calls)
            while True:
                begun.extend(task.remote(*call) for call in islice(left, ahead - len(begun)))
                if not begun:
                    return
                yield pickle.loads(ray.get(begun.popleft()))

        yield parallel


def _pickled(function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> bytes:
    """What a call returns, as bytes: arrays that ray hands over as such cannot be written to."""
    return pickle.dumps(function(*args, **options))


CLUSTERS = {"dask": _dask, "ray": _ray}
