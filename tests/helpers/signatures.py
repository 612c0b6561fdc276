"""Are kernels called with what their signatures say, and do they return it? Checked when interpreted.

signatures.check_all()        # before kernels are imported; a TypeError names what is not as it should be
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, wraps
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from tracelab.core import jit
from tracelab.search import questions

SCALARS = {int: (int, np.integer), bool: (bool, np.bool_), float: (float, np.floating)}


def check_all() -> None:
    """Interpret kernels and check all that are imported from here on."""
    jit.interpret()
    implements = questions.implements
    jit._compiled = lambda function, **_: checked(function)
    questions.implements = lambda stub, kind: lambda function: implements(stub, kind)(checked(function))


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with a TypeError for what is not as its signature says."""
    names = [*inspect.signature(function).parameters, "return"]
    hints = cache(lambda: get_type_hints(function))  # of names that the module has when it is loaded
    good = set()

    @wraps(function)
    def call(*arguments: Any) -> Any:
        result = function(*arguments)
        values = (*arguments, result)
        kinds = tuple(map(kind_of, values))
        if kinds not in good:
            for name, value, kind in zip(names, values, kinds, strict=True):
                hint = hints().get(name, Any)
                if not fits(value, hint):
                    raise TypeError(
                        f"{function.__module__}.{function.__name__}: {name} is {kind}, not {hint}"
                    )
            good.add(kinds)
        return result

    return call


def kind_of(value: Any) -> Any:
    """What of a value decides whether it fits: types, of an array that of its elements."""
    kind = type(value)
    if kind is np.ndarray:
        return value.dtype
    return tuple(map(kind_of, value)) if kind is tuple else kind


def fits(value: Any, hint: Any) -> bool:
    """Is a value what a hint says? (Of a protocol the attributes are looked for, not into.)"""
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(fits(value, part) for part in parts)
    if origin is np.ndarray:
        (kind,) = get_args(parts[1])
        return isinstance(value, np.ndarray) and np.issubdtype(value.dtype, get_origin(kind) or kind)
    if origin is tuple and isinstance(value, tuple):
        each = [parts[0]] * len(value) if parts[-1] is ... else parts
        return len(each) == len(value) and all(map(fits, value, each))
    if getattr(hint, "_is_protocol", False):
        return all(hasattr(value, name) for name, part in vars(hint).items() if isinstance(part, property))
    return isinstance(value, SCALARS.get(hint, origin or hint))
