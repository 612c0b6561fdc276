"""The space of a search, as Hydra's overrides describe it.

    space = space_of(["optim=adamw", "optim.optimizer.lr=tag(log,interval(1e-4,1e-2))"])
    space.fixed                                             # ["optim=adamw"]
    space.overrides({"optim.optimizer.lr": 3e-4})           # ["optim=adamw", "optim.optimizer.lr=0.0003"]

`interval` is of floats (of whole numbers where it is written `int(interval(1,8))`) and has both ends in it;
`range` ends before its second number, as in all of Hydra; `choice(a,b)` and `a,b` have no order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser, create_functions
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

TAGS = ("log", "int")
DIGITS = 12  # of a float in a command; a folder is called by it


@dataclass(frozen=True)
class Space:
    """fixed: the overrides that all trials share; swept: knob -> what it may be."""

    fixed: list[str]
    swept: dict[str, BaseDistribution]

    def overrides(self, params: Mapping[str, Any]) -> list[str]:
        """The overrides of a trial. params: knob -> value."""
        return [*self.fixed, *(f"{knob}={written(params[knob])}" for knob in self.swept)]

    def corners(self) -> Iterator[list[str]]:
        """Trials in which every choice and every end of an interval comes once, to see that they compose."""
        ends = [ends_of(distribution) for distribution in self.swept.values()]
        for values in zip_longest(*ends):
            given = (end[0] if value is None else value for value, end in zip(values, ends, strict=True))
            yield self.overrides(dict(zip(self.swept, given, strict=True)))


def ends_of(distribution: BaseDistribution) -> list[Any]:
    """All choices; or the two ends of an interval."""
    if isinstance(distribution, CategoricalDistribution):
        return [*distribution.choices]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return [distribution.low, distribution.high]


def written(value: Any) -> str:
    """A value in a command."""
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)


def space_of(words: Iterable[str], loader: ConfigLoader | None = None) -> Space:
    """The space that overrides describe; of those of one knob the last counts. loader: for glob().

    ValueError says what is wrong with one, or that nothing is to be searched.
    """
    parsed = parser(loader).parse_overrides([*words])
    latest = {override.get_key_element(): override for override in parsed}
    swept = {knob: override for knob, override in latest.items() if override.is_sweep_override()}
    if not swept:
        raise ValueError(
            "there is nothing to search: give a knob several values, as in "
            "optim.optimizer.lr='tag(log,interval(1e-4,1e-2))' (docs/sweeps.md)"
        )
    fixed = [override.input_line or "" for knob, override in latest.items() if knob not in swept]
    return Space(fixed, {knob: distribution_of(override) for knob, override in swept.items()})


def parser(loader: ConfigLoader | None) -> OverridesParser:
    """Hydra's parser of overrides, but for int() of an interval, whose ends it would cut: 0.5 to 0."""
    functions = create_functions()
    cast = functions.functions["int"]

    def whole(*values: Any, value: Any = None) -> Any:
        given = values[0] if values else value
        if isinstance(given, IntervalSweep):
            return replace(given, start=math.ceil(given.start or 0), end=math.floor(given.end or 0))
        return cast(*values, value=value)

    functions.functions["int"] = whole
    return OverridesParser(functions, loader)


def distribution_of(override: Override) -> BaseDistribution:
    """What a swept knob may be. ValueError says why it can be nothing."""
    sweep: Any = override.value()
    tags: set[str] = getattr(sweep, "tags", set())
    try:
        if unknown := sorted(tags - {*TAGS}):
            raise ValueError(f"the tag {unknown[0]} is unknown; there are {' and '.join(TAGS)}")
        if isinstance(sweep, IntervalSweep):
            return _interval(sweep, "log" in tags)
        if isinstance(sweep, RangeSweep):
            return _range(sweep, "log" in tags)
        if tags:
            raise ValueError("a choice has no order, so that no tag is of use")
        choices = [*dict.fromkeys(override.sweep_string_iterator())]
        if not choices:
            raise ValueError("it matches nothing")
        return CategoricalDistribution(choices)
    except ValueError as error:
        raise ValueError(f"{override.input_line}: {error}") from error


def _interval(sweep: IntervalSweep, log: bool) -> BaseDistribution:
    low, high = sweep.start, sweep.end
    assert low is not None
    assert high is not None
    if isinstance(low, int) or "int" in sweep.tags:
        least, most = math.ceil(low), math.floor(high)
        if least > most:
            raise ValueError("it holds no whole number")
        return IntDistribution(least, most, log=log)
    return FloatDistribution(float(low), float(high), log=log)


def _range(sweep: RangeSweep, log: bool) -> BaseDistribution:
    values = [*sweep.range()]
    if not values:
        raise ValueError("it holds no number (a range ends before its second number)")
    step, low, high = abs(sweep.step), min(values), max(values)
    if isinstance(low, int):
        return IntDistribution(low, int(high), log=log, step=int(step))
    return FloatDistribution(float(low), float(high), log=log, step=float(step))
