"""Work that several processes share out, each on a device of its own: who does what, and what came of it.

    with sharing(lanes=4):                            # in each of the processes, which all do the same
        completions = generate(model, prompts, ...)   # each completes some; all get all of them

Within the context whatever is `dealt` (what models write and read, and verdicts) is done once among them.
Work is cut into the same pieces however many processes there are, and a piece is computed as a whole, so that
CPUs give the same bytes. A GPU's slots hold other neighbours if there are fewer prompts: there it is the same
but for rounding. Outside of the context each process does all that it is asked for, as in a training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from functools import lru_cache
from typing import Any, TypeVar

import torch
from torch import distributed

WAITING = timedelta(days=30)  # how long one waits for another, which may draw problems or judge
# batches that one process alone would complete side by side; None: nothing is shared out
LANES: ContextVar[int | None] = ContextVar("LANES", default=None)

P = TypeVar("P")
R = TypeVar("R")
T = TypeVar("T")


@contextmanager
def sharing(lanes: int) -> Iterator[None]:
    """Context in which the processes share work out. lanes: threads that one process alone would have."""
    token = LANES.set(lanes)
    try:
        yield
    finally:
        LANES.reset(token)


@contextmanager
def alone() -> Iterator[None]:
    """Context in which this process does all itself: others may not come to the same work."""
    token = LANES.set(None)
    try:
        yield
    finally:
        LANES.reset(token)


def lanes() -> int:
    """How many batches one process alone completes side by side on the CPU."""
    return LANES.get() or torch.get_num_threads()


def sharers() -> int:
    """How many processes share work out, here and now."""
    return 1 if LANES.get() is None else among()[1]


def dealt(pieces: Sequence[P], work: Callable[[P], R]) -> list[R]:
    """What comes of each piece, in their order."""
    return dealt_together(pieces, lambda mine: [work(piece) for piece in mine])


def dealt_together(pieces: Sequence[P], work: Callable[[Sequence[P]], Sequence[R]]) -> list[R]:
    """The same, where `work` is of several pieces at once: what comes of each, in their order.

    Of n processes each has every n-th piece. A ValueError in one of them is raised in all.
    """
    count = sharers()
    if count == 1:
        return list(work(pieces))
    mine: Any
    try:
        mine = list(work(pieces[among()[0] :: count]))
    except ValueError as error:
        mine = error
    parts = gathered(mine)
    for part in parts:
        if isinstance(part, ValueError):
            raise part
    return [parts[k % count][k // count] for k in range(len(pieces))]


def among() -> tuple[int, int]:
    """Rank of this process, and of how many it is one."""
    if not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def gathered(value: T) -> list[T]:
    """What all processes give, in the order of their ranks."""
    found: list[Any] = [value] * among()[1]
    if len(found) > 1:
        distributed.all_gather_object(found, value, group=hosts())
    return found


def hosts() -> Any:
    """The group of all processes' hosts."""
    return _hosts(distributed.group.WORLD)


@lru_cache(maxsize=1)
def _hosts(everyone: Any) -> Any:
    return distributed.new_group(backend="gloo", timeout=WAITING)
