"""What this machine is, and whether tracelab can train on it: one screen.

python -m tracelab.doctor

Each finding is good, a note, or bad; what is bad says how to mend it. Exit status 1: training could not run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tracelab.core.files import read_text
from tracelab.core.paths import ROOT, cache_home
from tracelab.core.terminal import counted, endure

GOOD, NOTE, BAD = "ok", "note", "BAD"
LEAST_MEMORY, LEAST_DISK, SOME_DISK = 2.0, 0.5, 5.0  # GiB
BUSY = 0.5  # load per core from which on measured speeds are too low
AROUND = 1.5  # minutes of the demo that are not training: compiling, drawing, judging, figures


@dataclass(frozen=True)
class Finding:
    """A line of the screen. mend: what to do about it, if there is something."""

    about: str
    text: str
    state: str = GOOD
    mend: str = ""

    def __str__(self) -> str:
        line = f"{self.state:<5}{self.about:<12}{self.text}"
        return f"{line}\n{'':17}→ {self.mend}" if self.mend else line


def main() -> None:
    """Print the findings as they come; exit with 1 if one is bad."""
    endure()
    bad = False
    for finding in findings():
        print(finding, flush=True)
        bad |= finding.state == BAD
    print("Training cannot run here: mend what is BAD." if bad else "Training can run here.")
    sys.exit(int(bad))


def findings() -> Iterator[Finding]:
    """All of them, the quick ones first. A check that fails is a bad finding, and the others go on."""
    yield python()
    yield from versions()
    for about, check in CHECKS.items():
        try:
            yield check()
        except Exception as error:  # whatever it is, it belongs on the screen
            mend = "make install repairs the installation" if isinstance(error, ImportError) else ""
            yield Finding(about, f"{type(error).__name__}: {error}", BAD, mend)


def python() -> Finding:
    """The interpreter."""
    text, wanted = (
        f"{sys.version.split()[0]} at {sys.executable}",
        metadata.metadata("tracelab")["Requires-Python"],
    )
    if not SpecifierSet(wanted).contains(sys.version.split()[0], prereleases=True):
        return Finding("python", text, BAD, f"tracelab needs {wanted}: make PYTHON=<such a python> install")
    return Finding("python", text)


def versions() -> Iterator[Finding]:
    """The libraries that tracelab needs: as the project asks for, and as constraints.txt pins them?"""
    wanted = [Requirement(line) for line in metadata.requires("tracelab") or () if "extra ==" not in line]
    pinned, other = pins(), []
    for requirement in wanted:
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield Finding("versions", f"{requirement.name} is not installed", BAD, "make install")
            continue
        if not requirement.specifier.contains(version.split("+")[0], prereleases=True):
            text = f"{requirement.name} {version}, but {requirement.specifier} is needed"
            yield Finding("versions", text, BAD, f"python -m pip install '{requirement}'")
        elif version.split("+")[0] != pinned.get(requirement.name, version.split("+")[0]):
            other.append(f"{requirement.name} {version} (pinned: {pinned[requirement.name]})")
    if other:
        mend = "they may work; make install takes the versions that the tests run with"
        yield Finding("versions", ", ".join(other), NOTE, mend)
    else:
        yield Finding("versions", f"{len(wanted)} libraries as {'pinned' if pinned else 'asked for'}")


def pins() -> dict[str, str]:
    """Library -> version, of a clone's constraints.txt; {} in an installation that has none."""
    path = ROOT / "constraints.txt"
    lines = read_text(path).splitlines() if path.is_file() else []
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def processor() -> Finding:
    """The CPU's instructions and the cores that this process may use (a container may give fewer)."""
    import joblib
    import torch

    from tracelab.runs.folder import cpu_name

    given, there, load = joblib.cpu_count(), os.cpu_count(), os.getloadavg()[0]
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
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and read_text(limit).strip().isdigit():
        free = min(free, int(read_text(limit)))
    text = f"{free / 2**30:.1f} GiB free"
    if free < LEAST_MEMORY * 2**30:
        return Finding("memory", text, NOTE, "the demo needs about 2 GiB: end other programs")
    return Finding("memory", text)


def gpu() -> Finding:
    """The GPU that training takes unless trainer=cpu."""
    import torch

    if torch.cuda.is_available():
        return Finding("gpu", f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}")
    if shutil.which("nvidia-smi") and torch.version.cuda is None:
        mend = "there seems to be a GPU, but this torch is built for CPUs: install a CUDA build of it"
        return Finding("gpu", "not used", NOTE, mend)
    return Finding("gpu", "none; the CPU trains")


def precision() -> Finding:
    """The format of matrix products that training takes, and the rates that decided it."""
    from tracelab.demo import demo
    from tracelab.models.precision import forget
    from tracelab.runs.build import precision_of
    from tracelab.training import accelerate

    accelerate.start()
    forget()  # what was measured beside other programs is measured again
    chosen = precision_of(demo())
    return Finding("precision", f"{chosen.name} ({chosen.why})")


def compiler() -> Finding:
    """A C++ compiler and Python's headers, which compile=true needs on a CPU."""
    name = os.environ.get("CXX") or next(filter(shutil.which, ("g++", "clang++")), "")
    headers = (Path(sysconfig.get_path("include")) / "Python.h").is_file()
    if name and shutil.which(name) and headers:
        done = subprocess.run([name, "--version"], capture_output=True, check=False)
        said = done.stdout.decode(errors="replace").splitlines() or [name]
        return Finding("compiler", f"{said[0]}: compile=true works")
    lacks = "Python.h is missing" if name else "no C++ compiler"
    mend = "only compile=true needs it; on Debian: apt install g++ python3-dev"
    return Finding("compiler", lacks, NOTE, mend)


def folder(about: str, path: Path, mend: str) -> Finding:
    """Can a folder be written, and how much room has its disk?"""
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        return Finding(about, f"{path} cannot be written: {error.strerror}", BAD, mend)
    finally:
        if path != there and path.is_dir() and not any(path.iterdir()):
            path.rmdir()  # nothing is left behind
    free = shutil.disk_usage(there if there.is_dir() else there.parent).free / 2**30
    text = f"{path}: can be written, {free:.1f} GiB free"
    if free < LEAST_DISK:
        return Finding(about, text, BAD, f"make room: a run needs {LEAST_DISK} GiB, its problems included")
    return Finding(about, text, NOTE if free < SOME_DISK else GOOD)


def cache() -> Finding:
    """The folder of compiled kernels and frozen problems, without which all takes longer."""
    mend = "TRACELAB_CACHE=<folder> moves it; without it kernels are compiled at each start"
    try:
        found = folder("cache", cache_home(), mend)
    except FileNotFoundError as error:
        return Finding("cache", str(error), NOTE, mend)
    return replace(found, state=NOTE) if found.state == BAD else found


def runs() -> Finding:
    """The folder that runs go to by default."""
    return folder("runs", Path("runs").resolve(), "go to another folder, or give run_dir=<folder>")


def training() -> Finding:
    """How fast the demo's model trains, and how long `make demo` will take."""
    from tracelab.demo import demo, tokens_per_second
    from tracelab.training.budget import build_budget

    experiment = demo()
    speed = tokens_per_second(experiment)
    minutes = build_budget(experiment.budget).amount / speed / 60 + AROUND
    time = counted(round(minutes), "minute")
    text = f"{speed:,.0f} tokens/s: make demo takes about {time} ({AROUND} of them around)"
    return Finding("training", text)


CHECKS: dict[str, Callable[[], Finding]] = {
    "processor": processor,
    "memory": memory,
    "gpu": gpu,
    "precision": precision,
    "compiler": compiler,
    "cache": cache,
    "runs": runs,
    "training": training,
}


if __name__ == "__main__":
    main()
