"""Where a training step's time goes on a CPU, and how close it comes to what the machine can do.

    python bench/profiling.py            # half a minute

The nano model on the sequences of bench/training.py, Muon, in the faster number format. Shares of the time
between the beginning of a step and the end of it: matrix products of the model and of Muon (torch.profiler,
self CPU time), all other operators, and what is no operator (Python, Lightning). The machine's rate is the
fastest of several square products of 1,024 to 4,096, measured in this run. Model FLOPs: `GPT.flops`.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from common import RESULTS, write_json
from models import best
from torch.profiler import ProfilerActivity, profile, record_function
from training import STEPS, WARM, nano, rows, speed, trained

from tracelab.models.precision import FULL
from tracelab.optim.muon import MuonAdamW

PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")
SQUARES = (1024, 2048, 4096)


def rate(dtype: torch.dtype) -> float:
    """Operations per second of the fastest square product, the best of three each."""
    best = 0.0
    for n in SQUARES:
        a, b = (torch.randn(n, n).to(dtype) for _ in range(2))
        a @ b
        for _ in range(3):
            began = time.perf_counter()
            a @ b
            best = max(best, 2.0 * n**3 / (time.perf_counter() - began))
    return best


class Watched(lightning.Callback):
    """Profiles the steps after the first WARM."""

    def __init__(self) -> None:
        self.profiler = profile(activities=[ProfilerActivity.CPU])
        self.steps, self.seconds = 0, 0.0

    def on_train_batch_start(self, *_: Any) -> None:
        """Begin after WARM steps."""
        if self.steps == WARM:
            self.profiler.start()
            self.seconds = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        """Count."""
        self.steps += 1

    def on_train_end(self, *_: Any) -> None:
        """The time that the profiled steps took."""
        self.seconds = time.perf_counter() - self.seconds
        self.profiler.stop()


def kind(event: Any) -> str:
    """What an operator's own time is spent on."""
    parent, of = event, "the model"
    while parent is not None:
        of = "Muon" if parent.name == "Muon" else of
        parent = parent.cpu_parent
    return f"{'matrix products' if event.name in PRODUCTS else 'other operators'} of {of}"


class Marked(MuonAdamW):
    """Muon, named in the profile. (Lightning runs forward and backward inside of an optimiser's step.)"""

    def _muon(self, group: dict[str, Any]) -> None:
        with record_function("Muon"):
            super()._muon(group)


def shares() -> dict[str, float]:
    """Shares of a step's time, by what it is spent on."""
    watched = Watched()
    trained(nano(), rows(), STEPS, Marked, more=[watched])
    spent: Counter[str] = Counter()
    for event in watched.profiler.events() or ():
        if event.name.startswith("aten::"):
            spent[kind(event)] += event.self_cpu_time_total / 1e6
    found = {name: seconds / watched.seconds for name, seconds in sorted(spent.items())}
    return found | {"no operator": 1 - sum(found.values())}


def flops_per_token() -> float:
    """FLOPs of training per token, the mean over the sequences; a sequence's last token is a target alone."""
    seen = np.array([len(row) - 1 for row in rows()])
    pairs = int((seen * (seen + 1) // 2).sum())
    return nano().flops(int(seen.sum()), pairs) / int((seen + 1).sum())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore")
    rates = {str(products).removeprefix("torch."): rate(products) for products in {best().products, FULL}}
    tokens = speed(trained(nano(), rows(), STEPS))
    achieved = tokens * flops_per_token()
    content: dict[str, Any] = {
        "shares": shares(),
        "tokens_per_second": tokens,
        "flops_per_token": flops_per_token(),
        "gflops": achieved / 1e9,
        "machine_gflops": {name: value / 1e9 for name, value in rates.items()},
        "utilisation": {name: achieved / value for name, value in rates.items()},
    }
    for name, share in content["shares"].items():
        print(f"{name:32s} {100 * share:6.1f} %")
    for name, share in content["utilisation"].items():
        print(f"model FLOPs, of the {name} rate {100 * share:6.1f} %")
    write_json(options.results / "profiling.json", content | {"threads": options.threads})


if __name__ == "__main__":
    main()
