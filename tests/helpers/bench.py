"""A script below bench/ as a module, for as long as a test needs it."""

import sys
from contextlib import contextmanager
from importlib import import_module

import pytest

from tracelab.core.paths import ROOT


@contextmanager
def script(name):
    """bench/<name>.py; what it took from its folder is forgotten afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "bench"))
        before = set(sys.modules)
        yield import_module(name)
        beside = {path.stem for path in (ROOT / "bench").glob("*.py")}
        for module in beside & (set(sys.modules) - before):
            sys.modules.pop(module)
