"""What tells a program to stop: which signals, and how they reach the processes that it has started."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

STOPS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1  # Ctrl-C, and how batch systems end jobs


def heeded() -> list[signal.Signals]:
    """The signals that stop a training. `nohup` has one ignored, which stays so."""
    return [n for n in STOPS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]


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
