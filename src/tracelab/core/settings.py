"""Typed, frozen settings: what a config says, checked once, where a command reads it.

    @settings
    class Loss:
        trace_weight: Weight = 1.0

    loss = read(Loss, {"trace_weight": 0.5})

A field's type says what it may be; pydantic checks it, and `read` says in one line what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, dataclass_transform, get_type_hints

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

Part = dict[str, Any]  # a component in a config: `_target_` names its class, the rest are its arguments

Count = Annotated[int, Field(ge=1)]
Number = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what torch, NumPy and Lightning all take
Place = Annotated[str, Field(coerce_numbers_to_str=True)]  # of a file or folder: run_dir=20251125 is a name
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Weight = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]

ALTERNATIVES = ("str", "int", "float", "bool", "list", "dict")  # what pydantic names of a union's members
T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def settings(cls: type[T]) -> type[T]:
    """Class decorator: a frozen dataclass, made by keywords, whose fields are checked when it is made."""
    decorate: Any = dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
    checked: type[T] = decorate(cls)
    return checked


def read(kind: type[T], given: Mapping[str, Any]) -> T:
    """The settings that a mapping describes. ValueError: each knob that is wrong, and why."""
    try:
        return kind(**given)
    except ValidationError as error:
        complaints = dict.fromkeys(_complaint(kind, one) for one in error.errors(include_url=False))
    raise ValueError("; ".join(complaints))


def _complaint(kind: type[Any], error: Any) -> str:
    """One fault in words, with the dotted name of its knob."""
    if error["type"] == "value_error":  # of a __post_init__, which says it all
        return str(error["ctx"]["error"])
    path = [str(part) for part in error["loc"] if str(part).partition("[")[0] not in ALTERNATIVES]
    name = ".".join(path)
    if error["type"] == "missing":
        return f"{name} is missing"
    if error["type"] == "unexpected_keyword_argument":
        near = get_close_matches(path[-1], _knobs(kind, path[:-1]))
        return f"{name} is no knob" + (f"; did you mean {near[0]}?" if near else "")
    message = error["msg"].replace("Input should", "it should")
    return f"{name}={error['input']}: {message}"


def _knobs(kind: type[Any], path: list[str]) -> list[str]:
    """Names of the fields of the settings at a path."""
    for name in path:
        kind = get_type_hints(kind)[name]
    return [field.name for field in fields(kind)]
