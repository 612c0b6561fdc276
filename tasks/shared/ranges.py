"""Knobs that are a whole number or a range of them."""

from __future__ import annotations

from collections.abc import Sequence


def ends_of(knob: str, bounds: int | Sequence[int], least: int, most: int) -> tuple[int, int]:
    """A number or [fewest, most] -> both ends. ValueError if it is neither."""
    ends = list(bounds) if isinstance(bounds, Sequence) else [bounds, bounds]
    if len(ends) != 2 or not all(isinstance(end, int) for end in ends):
        raise ValueError(f"task.{knob}={bounds} must be a whole number or [fewest, most]")
    if not least <= ends[0] <= ends[1] <= most:
        raise ValueError(f"task.{knob}={bounds} must be from {least} to {most}, fewest first")
    return ends[0], ends[1]
