"""Questions that a grammar asks of a task, and a task's answers for a NamedTuple of its own.

    @stub
    def start(space): ...              # the grammar's question

    @implements(start, Grid)           # the task's answer
    def grid_start(space): ...

Code that calls a stub with a Grid gets Grid's own. Compiled, that is inlined and cached on disk, which
functions passed as arguments would not be; interpreted, it is looked up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from tracelab.core.jit import Function, Kernel, interpreted

WITHOUT_COUNTS: Any = {"_nrt": False, "error_model": "numpy"}  # see core.jit.kernel
OWN: dict[Kernel, dict[type, Kernel]] = {}  # stub -> its meanings


def stub(function: Function) -> Function:
    """A question that each NamedTuple class answers for itself; one that does not means the function here."""
    own: dict[type, Kernel] = {}

    @wraps(function)
    def ask(space: Any, *rest: Any) -> Any:
        return own.get(type(space), function)(space, *rest)

    asked = cast(Function, ask) if interpreted() else function
    OWN[asked] = own
    return asked


def implements(stub: Kernel, kind: type) -> Callable[[Function], Function]:
    """Make a function the meaning of `stub` for spaces of a NamedTuple class."""

    def register(function: Function) -> Function:
        OWN[stub][kind] = function
        if not interpreted():
            _overload(stub, function, lambda own: own is kind)
        return function

    return register


def means_itself(stub: Kernel) -> None:
    """Make a stub mean what stands in it for all classes that have no function of their own."""
    if not interpreted():
        own = OWN[stub]
        _overload(stub, stub, lambda kind: kind not in own)


def _overload(stub: Kernel, function: Kernel, concerns: Callable[[type], bool]) -> None:
    """Let compiled code take the function for a stub, for spaces of the classes that it concerns."""
    from numba import types
    from numba.extending import overload

    def choose(space: Any, *rest: Any) -> Kernel | None:
        return function if isinstance(space, types.NamedTuple) and concerns(space.instance_class) else None

    overload(stub, strict=False, jit_options=WITHOUT_COUNTS)(choose)
