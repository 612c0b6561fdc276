"""Kernels say what they take and return, and nothing keeps mypy from checking that."""

import ast
import subprocess
import sys

import numba

from tests.helpers.layers import FILES
from tracelab.core.paths import CLONE

KERNELS = {"kernel", "njit", "dense", "implements", "stub"}  # what makes a kernel of a function
# lines that are hidden from mypy, elsewhere: of Lightning, of pickling
HIDDEN = {"training/learner.py": 1, "runs/entry.py": 1}


def name_of(path):
    return "/".join(path.parts[-2:])


def decorators(function):
    """Names of a function's decorators: "kernel", and "implements" of `problems.implements(...)`."""
    called = (d.func if isinstance(d, ast.Call) else d for d in function.decorator_list)
    return {d.attr if isinstance(d, ast.Attribute) else getattr(d, "id", "") for d in called}


def test_every_kernel_has_a_signature():
    found, bare = 0, set()
    for path in FILES:
        functions = (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef))
        for function in (f for f in functions if decorators(f) & KERNELS):
            found += 1
            if not function.returns or not all(argument.annotation for argument in function.args.args):
                bare.add(name_of(path))
    assert found > 400
    assert not bare


def test_nothing_else_is_hidden_from_mypy():
    marks = {name_of(path): path.read_text().count("# type: ignore") for path in FILES}
    assert {name: n for name, n in marks.items() if n} == HIDDEN


def test_numba_looks_at_the_arguments_alone():
    names = {}
    code = "def half(n: Nobody) -> Knows:\n    m: This = n // 2\n    return m"
    exec("from __future__ import annotations\n" + code, names)
    half = numba.njit(names["half"])
    assert half(7) == 3
    assert half(7.0) == 3.0


def test_a_call_that_is_not_as_signed_is_found():
    """By what `test_interpreted_kernels_give_the_same_bytes_and_verdicts` checks signatures with."""
    code = """
from tests.helpers import signatures
signatures.check_all()
import numpy as np
from tracelab.core import rng
rng.below(np.zeros(1, np.uint64), 3)
try:
    rng.below(np.zeros(1, np.uint64), 3.0)
except TypeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=CLONE)
    assert done.stdout.strip() == "tracelab.core.rng.below: n is <class 'float'>, not <class 'int'>", (
        done.stderr
    )
