"""What the machine is: its processor, memory and GPU."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tracelab.core.files import read_text
from tracelab.doctor.finding import NOTE, Finding

LEAST_MEMORY = 2.0  # GiB
CGROUP = Path("/sys/fs/cgroup")  # of a container
BUSY = 0.5  # load per core from which on measured speeds are too low


def processor() -> Finding:
    """The CPU's instructions and the cores that this process may use (a container may give fewer)."""
    import joblib
    import torch

    from tracelab.runs.machine import cpu_name

    given = joblib.cpu_count()
    there = os.cpu_count()
    load = os.getloadavg()[0]
    cores = f"{given} core{'s' * (given != 1)}" + (f" of {there}" if given != there else "")
    text = f"{cpu_name()}, {torch.backends.cpu.get_cpu_capability()}, {cores}"
    if load > BUSY * given:
        mend = (
            f"other programs are at work (load {load:.1f}): speeds below are too low; threads=1 suffers least"
        )
        return Finding("processor", text, NOTE, mend)
    return Finding("processor", text)


def memory() -> Finding:
    """Memory that is free here, within a container's limit."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    info = Path("/proc/meminfo")
    if info.is_file():  # what caches hold is free, too
        lines = dict(line.split(":") for line in read_text(info).splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    free = within_limit(CGROUP, free)
    text = f"{free / 2**30:.1f} GiB free"
    if free < LEAST_MEMORY * 2**30:
        return Finding("memory", text, NOTE, "the demo needs about 2 GiB: end other programs")
    return Finding("memory", text)


def within_limit(group: Path, free: int) -> int:
    """Bytes that are free in a control group. free: those of the machine, which its limit may cut short."""
    limit = group / "memory.max"
    if not limit.is_file() or not (most := read_text(limit).strip()).isdigit():
        return free
    parts = dict(line.split() for line in read_text(group / "memory.stat").splitlines())
    used = int(read_text(group / "memory.current")) - int(parts["inactive_file"])  # caches give that back
    return min(free, max(int(most) - used, 0))


def gpu() -> Finding:
    """The GPU that training takes unless trainer=cpu."""
    import torch

    if torch.cuda.is_available():
        return Finding("gpu", f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}")
    if shutil.which("nvidia-smi") and torch.version.cuda is None:
        mend = "there seems to be a GPU, but this torch is built for CPUs: install a CUDA build of it"
        return Finding("gpu", "not used", NOTE, mend)
    return Finding("gpu", "none; the CPU trains")
