"""A pretended GPU where there is none: fake tensors on `cuda:0` run forward, backward and optimisers.

    python -m tests.helpers.pretended             # all of `pretended_checks`: figures by check, as JSON
    python -m tests.helpers.pretended muon flex   # some

A device of a few lines of C++ that does nothing, and torch's FakeTensors, which have no memory: what lies on
two devices fails as on a GPU, and copies between host and device are seen. Numbers, time and memory are not.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tracelab.core.paths import cache_home

SOURCE = Path(__file__).with_suffix(".cpp")


def built() -> Path:
    """The library, compiled by g++ the first time (five seconds), for this source and this torch."""
    torch = Path(find_spec("torch").submodule_search_locations[0])
    parts = SOURCE.read_bytes(), str(torch).encode(), (torch / "version.py").read_bytes()
    library = cache_home() / f"pretended-{hashlib.sha256(b'|'.join(parts)).hexdigest()[:16]}.so"
    if not library.is_file():
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            made = Path(folder) / library.name
            found = [
                f"-I{torch}/include",
                f"-L{torch}/lib",
                f"-Wl,-rpath,{torch}/lib",
                "-ltorch_cpu",
                "-lc10",
            ]
            command = ["g++", "-std=c++20", "-shared", "-fPIC", SOURCE, "-o", made, *found]
            subprocess.run(command, check=True, capture_output=True, text=True)
            os.replace(made, library)
    return library


def load(library: Path) -> None:
    """Let torch, which is not imported yet, believe in a GPU, one with units for bfloat16."""
    ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    import torch

    torch.cuda.is_bf16_supported = lambda *_, **__: True
    torch.cuda.get_device_capability = lambda *_, **__: (9, 0)
    torch.cuda.amp.common.amp_definitely_not_available = lambda: False
    torch.autograd.set_multithreading_enabled(False)  # threads of backward passes do not know of fake tensors


def main() -> None:
    """Run all checks of `pretended_checks`, or those that are named -> JSON: figures by check."""
    load(built())
    from tests.helpers import pretended_checks

    checks = {name[6:]: f for name, f in vars(pretended_checks).items() if name.startswith("check_")}
    print(json.dumps({name: outcome(checks[name]) for name in sys.argv[1:] or checks}))


def outcome(check: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A check's figures, or how it failed."""
    began = time.process_time()
    try:
        return check() | {"seconds": round(time.process_time() - began, 1)}
    except Exception:
        return {"failed": traceback.format_exc()}


if __name__ == "__main__":
    main()
