"""The doctor's screen: all checks in turn, a finding each. A check that fails is itself a finding."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence

from tracelab.core.terminal import endure, interruptible
from tracelab.doctor import folders, hardware, software, speed
from tracelab.doctor.finding import BAD, Finding
from tracelab.runs.signals import as_ctrl_c

CHECKS: dict[str, Callable[[], Finding]] = {
    "processor": hardware.processor,
    "memory": hardware.memory,
    "gpu": hardware.gpu,
    "precision": speed.precision,
    "compiler": software.compiler,
    "cache": folders.cache,
    "runs": folders.runs,
    "training": speed.training,
}


def main(arguments: Sequence[str] = ()) -> None:
    """Print the findings as they come; exit with 1 if one is bad."""
    endure()
    parser = argparse.ArgumentParser(
        prog="python -m tracelab.doctor",
        description="What this machine is, and whether tracelab can train on it: one screen, in a minute.",
        epilog="exit status: 0 training can run here, 1 something is BAD, with what to do about it",
    )
    parser.parse_args(arguments)
    bad = False
    with interruptible("Not everything was looked at."), as_ctrl_c():
        for finding in findings():
            print(finding, flush=True)
            bad |= finding.state == BAD
    print("Training cannot run here: mend what is BAD." if bad else "Training can run here.")
    sys.exit(int(bad))


def findings() -> Iterator[Finding]:
    """All of them, the quick ones first. A check that fails is a bad finding, and the others go on."""
    yield software.python()
    yield from software.versions()
    for about, check in CHECKS.items():
        try:
            yield check()
        except Exception as error:  # whatever it is, it belongs on the screen
            mend = "make install repairs the installation" if isinstance(error, ImportError) else ""
            yield Finding(about, f"{type(error).__name__}: {error}", BAD, mend)
