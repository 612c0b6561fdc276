"""Does the GPU's code hold on a GPU, and what does it reach? One process, at most nine minutes.

    python bench/gpu_check.py                          # `make check-gpu`
    python bench/gpu_check.py --smoke --output FILE    # the same at toy sizes, anywhere: does it run?
    python bench/gpu_check.py --only attention --output FILE

Stages follow each other, each within its seconds. What one finds, or how it failed, is in the JSON before the
next begins. The first four are checks, and decide the exit status; the others are figures.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import RESULTS, peers
from gpu_checks import attention, ceilings, learning, memory, sampling, training
from gpu_models import REAL, SMOKE, Sizes
from gpu_sampling import sample

from tracelab.runs.machine import machine
from tracelab.training import accelerate

Stage = Callable[[Sizes], dict[str, Any]]
CHECKS: dict[str, tuple[Stage, int]] = {  # stage -> what runs, its seconds
    "ceilings": (ceilings, 20),
    "attention": (attention, 120),
    "sampling": (sampling, 60),
    "learning": (learning, 120),
}
FIGURES: dict[str, tuple[Stage, int]] = {
    "train base": (lambda sizes: training("base", sizes), 50),
    "train small": (lambda sizes: training("small", sizes), 40),
    "sample base": (lambda sizes: sample("base" if sizes is REAL else "toy", 0, sizes), 40),
    "memory qwen2_380m": (lambda sizes: memory("qwen2_380m", sizes), 90),  # compiles longest
}


def late(*_: object) -> None:
    raise TimeoutError("out of time")


def ran(stage: Stage, sizes: Sizes, seconds: int) -> dict[str, Any]:
    """What a stage finds, or how it failed, and how long it took."""
    began = time.monotonic()
    signal.alarm(seconds)
    try:
        found = stage(sizes)
    except Exception:
        found = {"failed": traceback.format_exc()[-2000:]}
    finally:
        signal.alarm(0)
    return found | {"seconds": round(time.monotonic() - began, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="toy sizes, any machine")
    parser.add_argument("--only", choices=CHECKS | FIGURES, nargs="+", help="these stages", metavar="STAGE")
    parser.add_argument("--output", type=Path, default=RESULTS / "gpu_check.json")
    options = parser.parse_args()
    if (options.smoke or options.only) and options.output == RESULTS / "gpu_check.json":
        parser.error("that would take the place of a record of all stages: name another file, --output FILE")
    if not options.smoke and not torch.cuda.is_available():
        raise SystemExit("There is no GPU here; --smoke --output FILE tries the same at toy sizes")
    warnings.filterwarnings("ignore")
    signal.signal(signal.SIGALRM, late)
    accelerate.start()
    results: dict[str, Any] = {}
    wanted = options.only or CHECKS | FIGURES
    stages = {name: stage for name, stage in (CHECKS | FIGURES).items() if name in wanted}
    for name, (stage, seconds) in stages.items():
        results[name] = ran(stage, SMOKE if options.smoke else REAL, seconds)
        content = {"stages": results, "machine": machine(), "peers": peers()}
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        print(f"{name:20s} {results[name].get('failed', results[name])}", flush=True)
    failed = [name for name in CHECKS if "failed" in results.get(name, {})]
    print(f"Written: {options.output}")
    sys.exit(f"Failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
