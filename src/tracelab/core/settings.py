"""Typed, frozen settings: what a config says, checked once, where a command reads it.

    @settings
    class Loss:
        trace_weight: Weight = 1.0

    loss = read(Loss, {"trace_weight": 0.5})
    typed("trace", {"rate": 0.5}, Corrupted)  # a component's knobs, by its parameters' types

A field's type says what it may be; pydantic checks it, and what is wrong is said in one line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from inspect import isclass
from typing import Annotated, Any, TypeVar, dataclass_transform, get_type_hints

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

Part = dict[str, Any]  # a component in a config: `_target_` names its class, the rest are its arguments


def _no_flag(value: Any) -> Any:
    """Python takes true for 1."""
    if isinstance(value, bool):
        raise PydanticCustomError("flag", "Input should be a number, not true or false")
    return value


def _no_twice(values: list[Any]) -> list[Any]:
    """What is asked for twice would count twice."""
    if len(set(values)) < len(values):
        raise PydanticCustomError("twice", "Input should have no value twice")
    return values


def _finite_logits(temperature: float) -> float:
    """Logits are divided by it, and float32 ends at 3.4e38."""
    if 0 < temperature < COLDEST:
        raise PydanticCustomError("cold", f"Input should be {COLDEST} or more, or 0 where that is allowed")
    return temperature


def _some(value: T) -> T:
    """What is empty names nothing: `run=$FOLDER` without such a variable, `splits=[]`."""
    if value in ("", []):
        raise PydanticCustomError("empty", "Input should not be empty")
    return value


T = TypeVar("T")
NoFlag = BeforeValidator(_no_flag)
Once = AfterValidator(_no_twice)  # of lists
COLDEST = 1e-30  # a temperature that any logits may have
MOST = 2**63  # a computer's whole numbers lie below it
Count = Annotated[int, NoFlag, Field(ge=1, lt=MOST)]
Number = Annotated[int, NoFlag, Field(ge=0, lt=MOST)]
Seed = Annotated[int, NoFlag, Field(ge=0, lt=2**32)]  # what torch, NumPy and Lightning all take
# Of a file or folder: run_dir=20251125 is a name.
Place = Annotated[str, Field(coerce_numbers_to_str=True), AfterValidator(_some)]
Places = Annotated[Place | list[Place], AfterValidator(_some)]
Some = Annotated[list[T], AfterValidator(_some)]  # what is chosen of more: one at least
Share = Annotated[float, NoFlag, Field(ge=0.0, le=1.0)]
Fraction = Annotated[float, NoFlag, Field(gt=0.0, le=1.0)]  # a share above 0
Weight = Annotated[float, NoFlag, Field(ge=0.0, le=1e9)]
Positive = Annotated[float, NoFlag, Field(gt=0.0, allow_inf_nan=False)]
Temperature = Annotated[Weight, AfterValidator(_finite_logits)]  # of sampling; 0 is greedy
Warm = Annotated[Positive, AfterValidator(_finite_logits)]  # a temperature that is not greedy
Below1 = Annotated[float, NoFlag, Field(ge=0.0, lt=1.0)]  # of an average that forgets
Finite = Annotated[float, NoFlag, Field(allow_inf_nan=False)]
Depth = Annotated[int, NoFlag, Field(ge=1, le=1000)]  # of a model, and its widths: more is a slip of the pen
Size = Annotated[int, NoFlag, Field(ge=1, le=2**17)]
Context = Annotated[int, NoFlag, Field(ge=1, le=2**24)]
Rate = Annotated[float, NoFlag, Field(ge=0.0, le=100.0)]  # of learning, and of decay
Threads = Annotated[int, NoFlag, Field(ge=1, le=4096)]

ALTERNATIVES = ("str", "int", "float", "bool", "list", "dict")  # what pydantic names of a union's members


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
    return _wrong(name, error)


def _wrong(name: str, error: Any) -> str:
    return f"{name}={error['input']}: {_message(error)}"


def _message(error: Any) -> str:
    if error["type"] == "sequence_str" or error.get("ctx", {}).get("class") == "Sequence":
        return "it should be a list"
    return str(error["msg"]).replace("Input should", "it should").replace("Value error, ", "")


def typed(name: str, part: Part, target: Callable[..., Any]) -> Part:
    """A component's knobs, checked by the types of its parameters; 1e3 is a whole number where one is due,
    and 1 a fraction.

    name: of the part in the config. What says nothing of its type, and what is a component itself, passes.
    ValueError: each knob that is wrong, and why.
    """
    of = target if is_dataclass(target) else target.__init__ if isclass(target) else target
    try:
        hints = get_type_hints(of, include_extras=True)
    except NameError:  # of a class that imports its types for type checkers alone
        hints = {}
    checked, complaints = dict(part), dict[str, dict[str, None]]()
    for knob, value in part.items():
        if knob not in hints or (isinstance(value, dict) and "_target_" in value):
            continue
        try:
            checked[knob] = _as(hints[knob], value)
        except ValidationError as error:
            for one in error.errors(include_url=False):
                place = [str(step) for step in one["loc"] if isinstance(step, int)]
                what = f"{'.'.join([name, knob, *place])}={one['input']}"
                complaints.setdefault(what, {})[_message(one)] = None
    if complaints:
        raise ValueError("; ".join(f"{what}: {', or '.join(said)}" for what, said in complaints.items()))
    return checked


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False))


def _as(hint: Any, value: Any) -> Any:
    """The value, as a number of this type where it is one, within lists and mappings, too. ValidationError if
    it is not of this type.
    """
    adapter = _adapter(hint)
    try:
        found = adapter.validate_python(value, strict=not isinstance(value, list | tuple | dict))
    except ValidationError:
        if not (isinstance(value, float) and value.is_integer()):
            raise
        found = adapter.validate_python(int(value), strict=True)
    return _numbers(value, found)


def _numbers(given: Any, found: Any, *place: int | str) -> Any:
    """What was given, with the numbers of what pydantic has found in it. place: within the knob's value.

    ValidationError if they were texts or flags, which pydantic takes for numbers, or are too large.
    """
    if isinstance(given, list | tuple) and isinstance(found, list | tuple):
        pairs = zip(given, found, strict=True)
        numbers = [_numbers(one, other, *place, k) for k, (one, other) in enumerate(pairs)]
        return tuple(numbers) if isinstance(given, tuple) else numbers
    if isinstance(given, dict) and isinstance(found, dict):
        rows = zip(given.items(), found.values(), strict=True)
        return {name: _numbers(one, other, *place, name) for (name, one), other in rows}
    if type(found) not in (int, float):
        return given
    if type(given) not in (int, float):
        raise _fault(given, "Input should be a number, not text, true or false", place)
    if int in (type(given), type(found)) and abs(found) >= MOST:
        raise _fault(given, f"Input should be below {MOST}", place)
    return found


def _fault(given: Any, words: str, place: tuple[int | str, ...]) -> ValidationError:
    error: Any = {"type": PydanticCustomError("number", words), "loc": place, "input": given}
    return ValidationError.from_exception_data("number", [error])


def _knobs(kind: type[Any], path: list[str]) -> list[str]:
    """Names of the fields of the settings at a path."""
    for name in path:
        kind = get_type_hints(kind)[name]
    return [field.name for field in fields(kind)]
