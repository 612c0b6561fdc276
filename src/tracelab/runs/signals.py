"""What tells a program to stop: which signals, and how they reach the processes that it has started."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

STOPS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1  # Ctrl-C, and how batch systems end jobs
WARNING = signal.SIGUSR2  # what submitit has SLURM send some time before a job's time is up


def heeded() -> list[signal.Signals]:
    """The signals that stop a training. `nohup` has one ignored, which stays so."""
    return [n for n in STOPS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]


@contextmanager
def as_ctrl_c() -> Iterator[None]:
    """While this lasts, what batch systems send stops the program as Ctrl-C does, whatever it is at.

    What is heeded or ignored already stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    taken = [number for number in heeded() if signal.getsignal(number) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def held() -> Iterator[None]:
    """While this lasts, signals that stop wait. Processes that are started within never get them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def passed_on(processes: Callable[[], Iterable[int]]) -> Iterator[list[int]]:
    """While this lasts, the first signal that stops is passed on -> the signals that came: none, or one.

    processes: ids of those that run by then. A second signal is for this process.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def pass_on(number: int, _: Any) -> None:
        restore()
        came.append(number)
        for process in processes():
            os.kill(process, number)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    before = {number: signal.signal(number, pass_on) for number in heeded()}
    try:
        yield came
    finally:
        restore()


@contextmanager
def warned() -> Iterator[list[int]]:
    """While this lasts, the warning that time is up stops what runs, as other signals do -> the warnings."""
    came: list[int] = []

    def stop(number: int, _: Any) -> None:
        came.append(number)
        os.kill(os.getpid(), signal.SIGUSR1)  # for whoever heeds it by then: a training, or its processes

    before = {
        WARNING: signal.signal(WARNING, stop),
        signal.SIGUSR1: signal.signal(signal.SIGUSR1, signal.default_int_handler),
    }
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def unwarned() -> Iterator[None]:
    """Processes that are started while this lasts do not hear the warning, which SLURM sends to all of a job.

    It would end them. Who started them passes on what stops them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [WARNING])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
