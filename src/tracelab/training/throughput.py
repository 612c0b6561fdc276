"""How fast training goes: tokens per second, time spent waiting for data, and on known GPUs MFU.

Model FLOPs utilisation is the arithmetic that training takes (`Model.flops`), per second, as a share of what
the device can do at best.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tracelab.batches.padding import Counts
from tracelab.models.base import Model

# Peak of bfloat16 matrix products without sparsity, in 10^12 operations per second, by what a device's name
# holds (first match). From NVIDIA's data sheets (https://www.nvidia.com/en-us/data-center/, a page each);
# where they give the figure with sparsity it is halved.
PEAK = {
    "B200": 2250.0,
    "GH200": 989.4,
    "H200 NVL": 835.5,
    "H200": 989.4,
    "H100 NVL": 835.5,
    "H100 PCIe": 756.5,
    "H100": 989.4,
    "A100": 312.0,
    "A40": 149.7,
    "A30": 165.0,
    "L40S": 362.0,
    "L4": 121.0,
}


def peak_flops(device: str) -> float | None:
    """Operations per second of a GPU of this name, in bfloat16; None if it is not in the table, or is a
    slice of one (MIG).
    """
    if re.search(r"\bMIG\b", device):
        return None
    known = (peak * 1e12 for name, peak in PEAK.items() if re.search(rf"\b{name}\b", device))
    return next(known, None)


@dataclass
class Throughput:
    """What went by since figures were last asked for. peak: of all devices together; None if unknown."""

    peak: float | None = None
    minutes: float = 0.0
    counts: list[Counts] = field(default_factory=list)
    _waited: float = 0.0

    def add(self, counts: Counts, minutes: float) -> None:
        """One more batch, and how long it took."""
        self.counts.append(counts)
        self.minutes += minutes

    def figures(self, model: Model, waited: float) -> dict[str, float]:
        """Since the last call, {} if nothing went by. waited: seconds that training waited for data, ever."""
        if not self.counts:
            return {}
        total = Counts(*(sum(column) for column in zip(*self.counts, strict=True)))
        seconds = max(60 * self.minutes, 1e-9)
        figures = {
            "tokens_per_second": total.tokens / seconds,
            "data_wait_ms": 1000 * (waited - self._waited) / len(self.counts),  # per batch
        }
        if self.peak is not None:
            figures["mfu"] = model.flops(*total.read) / seconds / self.peak
        self.minutes, self.counts, self._waited = 0.0, [], waited
        return figures
