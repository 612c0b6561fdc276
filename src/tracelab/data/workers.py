"""Who draws problems: this process's threads, its child processes, or a cluster, by joblib's backends.

Sets are the same bytes whoever draws them. A cluster's machines must have this version of tracelab installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import joblib

BACKENDS = ("threading", "loky", "dask", "ray")


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
    def parallel(self) -> Iterator[Any]:
        """`joblib.Parallel` while it is needed, which gives results as they come, in order.

        ValueError if the backend's package is missing.
        """
        with ExitStack() as stack:
            if self.backend in CLUSTERS:
                try:
                    stack.enter_context(CLUSTERS[self.backend](self))
                except ImportError as error:
                    raise ValueError(
                        f"backend={self.backend} is not installed: "
                        "python -m pip install -c constraints.txt -e '.[cluster]'"
                    ) from error
            stack.enter_context(joblib.parallel_config(self.backend, n_jobs=self.count or -1))
            yield stack.enter_context(
                joblib.Parallel(return_as="list" if self.backend == "ray" else "generator")
            )


@contextmanager
def _dask(workers: Workers) -> Iterator[None]:
    from distributed import Client

    local: dict[str, Any] = {"n_workers": workers.count, "threads_per_worker": 1, "dashboard_address": None}
    with Client(workers.address, **({} if workers.address else local)):
        yield


@contextmanager
def _ray(workers: Workers) -> Iterator[None]:
    import ray
    from ray.util.joblib import register_ray

    local: dict[str, Any] = {"num_cpus": workers.count, "include_dashboard": False}
    with ray.init(workers.address, **({} if workers.address else local)):
        register_ray()
        yield


CLUSTERS = {"dask": _dask, "ray": _ray}
