"""Checks of knobs: a ValueError that names the knob, its value, and what may stand there."""

from __future__ import annotations

import math
from collections.abc import Sequence


def one_of(knob: str, value: str, known: Sequence[str]) -> None:
    """ValueError if the value is none of those known."""
    if value not in known:
        raise ValueError(f"{knob}={value!r} is unknown; choose one of {', '.join(known)}")


def finite(knob: str, value: float) -> None:
    """ValueError if the value is infinite or not a number."""
    if not math.isfinite(value):
        raise ValueError(f"{knob}={value} must be a finite number")


def share(knob: str, value: float) -> None:
    """ValueError if the value is not in (0, 1]."""
    if not 0 < value <= 1:
        raise ValueError(f"{knob}={value} must be in (0, 1]")
