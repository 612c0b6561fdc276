"""Commands killed at random moments end, begun again, with what they would have written.

    python bench/kills.py --kills 100            # an hour or two; the counts are in results/kills.json

Each command runs twice without a kill. Then, again and again, it runs elsewhere, SIGKILL hits it and all the
processes that it has started after a random part of its time, and the same command is given again, until it
ends. What it leaves then has to be what the first left: the same weights bit for bit, the same outcomes, the
same data sets. The cache of problems is empty at the beginning of each; compiled kernels are kept. Commands
are forked from a process that has imported what they need, for most kills would hit the imports.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
from common import FOLDER, keep, kept_in

from tracelab.core.paths import cache_home
from tracelab.runs.checkpoints import load_weights

LONGEST = 600  # seconds until a command that does not end is an error
TRIES = 20  # kills of one command, at most, before it may end
PASSES = ("passes_before.json", "passes_after.json")  # of a post-training
SMALL = (
    "task.size=5",
    "task.ood=[]",
    "model.layers=2",
    "model.width=32",
    "model.heads=2",
    "model.mlp=64",
    "data.train_size=2000",
    "data.val_size=32",
    "data.batch_tokens=1024",
    "eval.problems=64",
    "checkpoint_every=10",
    "validate_every=50",
    "validate_problems=8",
    "trainer=cpu",
    "threads=1",
    "trace=solution_only",  # short, so that samples are
)
TRAIN = (*SMALL, "budget.steps=150")
ROUNDS = (
    "budget.steps=6",
    "rollout.prompts=8",
    "held_out.problems=16",
    "held_out.every=2",
    "checkpoint_every=2",
    "passes.problems=8",
    "passes.samples=4",
    "reward=[form]",
)
PRELOADED = ("train", "posttrain", "evaluate", "generate", "report.command", "training.experiment")
PRELOADED += ("posttraining.experiment", "evaluation.judging", "report.writing", "data.frozen", "data.card")


@dataclass(frozen=True)
class Case:
    """A command, what has to be there before, and what it leaves.

    module: of tracelab; words: its arguments, given the folder to work in; needs: the folder of a finished
    case to copy first; left: what is compared, given the folder.
    """

    module: str
    words: Callable[[Path], Sequence[str]]
    left: Callable[[Path], Any]
    needs: str | None = None


def run_left(folder: Path) -> Any:
    """What a run has found, but for the times that it took."""
    weights = load_weights(folder / "checkpoints" / "last.ckpt")
    metrics = pl.read_csv(folder / "metrics.csv", infer_schema_length=None)
    timed = [name for name in metrics.columns if any(word in name for word in ("second", "minutes", "wait"))]
    return {
        "weights": {name: digest(weight.numpy().tobytes()) for name, weight in weights.items()},
        "outcomes": digest(pl.read_parquet(folder / "outcomes.parquet", glob=False).write_json().encode()),
        "metrics": json.loads((folder / "metrics.json").read_text(encoding="utf-8")) | {"sampling": None},
        "curves": digest(metrics.drop(timed).write_json().encode()),
        "status": json.loads((folder / "run.json").read_text(encoding="utf-8"))["status"],
    }


def passes_left(folder: Path) -> dict[str, Any]:
    """What a post-training has measured before and after, beside its run."""
    return {name: json.loads((folder / name).read_text(encoding="utf-8")) for name in PASSES}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def differing(one: Any, other: Any, name: str = "all") -> list[str]:
    """Names of the parts of two results that are not equal."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [name]
    parts = sorted(one.keys() | other.keys())
    return [at for part in parts for at in differing(one.get(part), other.get(part), f"{name}.{part}")]


def files_left(folder: Path) -> Any:
    """Every file that a command has written, but for parts of one that a kill left: nobody reads them."""
    files = (path for path in sorted(folder.glob("out/*")) if path.is_file() and path.suffix != ".partial")
    return {path.name: digest(path.read_bytes()) for path in files}


CASES = {
    "train": Case("train", lambda folder: (*TRAIN, f"run_dir={folder}/run"), lambda f: run_left(f / "run")),
    "posttrain": Case(
        "posttrain",
        lambda folder: (f"run={folder}/run", f"run_dir={folder}/after", *ROUNDS),
        lambda folder: run_left(folder / "after") | passes_left(folder / "after"),
        needs="train",
    ),
    "evaluate": Case(
        "evaluate",
        lambda folder: (f"run={folder}/run", "eval.problems=128"),
        lambda folder: run_left(folder / "run"),
        needs="train",
    ),
    "generate": Case(
        "generate",
        lambda f: ("task=maze", "trace=swapped", "count=20000", "workers=2", f"output={f}/out/a.parquet"),
        files_left,
    ),
    "sweep": Case(
        "train",
        lambda f: ("-m", *SMALL, "budget.steps=40", "seed=0,1", f"hydra.sweep.dir={f}/sweep"),
        lambda f: {run.parent.name: run_left(run.parent) for run in sorted(f.glob("sweep/*/run.json"))},
    ),
    "report": Case(
        "report.command",
        lambda folder: (f"{folder}/run", "--out", f"{folder}/out/page.html"),
        lambda folder: digest((folder / "out" / "page.html").read_bytes()),
        needs="train",
    ),
}


def command(module: str, words: Sequence[str], folder: Path) -> None:
    """A process's body: the command, with its output in a file, in a group of processes of its own."""
    os.setsid()
    os.environ |= {
        "TRACELAB_CACHE": str(folder / "cache"),
        "TRACELAB_FORMATS": "",
    }  # figures are half the time
    (folder / "cache").mkdir(parents=True, exist_ok=True)
    (folder / "out").mkdir(exist_ok=True)
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.chdir(folder)
    sys.argv = [module, *words]
    import_module(f"tracelab.{module}").main()


def attempt(case: Case, folder: Path, seconds: float | None) -> bool:
    """Give the command, and kill it after so many seconds -> did it end by itself? An error if it failed."""
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=command, args=(case.module, case.words(folder), folder))
    process.start()
    process.join(LONGEST if seconds is None else seconds)
    killed = process.exitcode is None
    if killed:
        kill(process)
    if killed and seconds is None:
        raise RuntimeError(f"{folder}: {case.module} did not end in {LONGEST} seconds; see its log.txt")
    if process.exitcode and not (killed and process.exitcode == -signal.SIGKILL):
        raise RuntimeError(f"{folder}: {case.module} ended with {process.exitcode}; see its log.txt")
    return process.exitcode == 0


def kill(process: Any) -> None:
    """SIGKILL to a command and to all that it has started. At first it has no group of its own yet."""
    for hit in (os.killpg, os.kill, os.killpg):  # it may get one in between
        with suppress(ProcessLookupError):
            hit(process.pid, signal.SIGKILL)
    process.join()


def prepared(folder: Path, whole: Path | None) -> Path:
    """A folder to work in, with the kernels, and the runs of another."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "cache").mkdir(parents=True)
    if (cache_home() / "kernels").is_dir():
        (folder / "cache" / "kernels").symlink_to(cache_home() / "kernels")
    if whole is not None:
        shutil.copytree(whole / "run", folder / "run")
    return folder


def killed(case: Case, folder: Path, seconds: float, chance: random.Random) -> int:
    """Give a command that takes so long until it ends -> how often it was killed."""
    kills = 0
    while kills < TRIES and chance.random() < (1 if kills == 0 else 0.5):
        if attempt(case, folder, chance.uniform(0, seconds)):
            return kills
        kills += 1
    attempt(case, folder, None)
    return kills


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100, help="how many in all (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seed", type=int, default=0, help="of the moments (%(default)s)")
    parser.add_argument("--results", type=Path, help=FOLDER)
    options = parser.parse_args()
    kept = kept_in(options.results, options.only, CASES)
    multiprocessing.set_forkserver_preload([f"tracelab.{name}" for name in PRELOADED])
    first = multiprocessing.get_context("forkserver").Process(target=int)  # waits for the imports
    first.start()
    first.join()
    chance, base = random.Random(options.seed), Path(tempfile.mkdtemp(prefix="kills-"))
    counts: dict[str, dict[str, int]] = {}
    wholes: dict[str, tuple[float, Any]] = {}
    for name in dict.fromkeys([*(CASES[only].needs for only in options.only), *options.only]):
        if name is not None:
            needs = CASES[name].needs
            whole = base / "whole" / needs if needs else None
            folder = prepared(base / "whole" / name, whole)
            attempt(CASES[name], folder, None)  # compiles what others will find compiled
            again, began = prepared(base / "again" / name, whole), time.monotonic()
            attempt(CASES[name], again, None)
            wholes[name] = time.monotonic() - began, CASES[name].left(folder)
            if CASES[name].left(again) != wholes[name][1]:
                sys.exit(f"{name} leaves something else each time, without a kill: {folder}, {again}")
            print(f"{name}: {wholes[name][0]:.1f} s without a kill", flush=True)
    while sum(count["kills"] for count in counts.values()) < options.kills:
        for name in options.only:
            case, (seconds, left) = CASES[name], wholes[name]
            count = counts.setdefault(name, {"commands": 0, "kills": 0, "different": 0})
            whole = base / "whole" / case.needs if case.needs else None
            folder = prepared(base / "killed" / name, whole)  # of the same name: runs are called by it
            began = time.monotonic()
            kills = killed(case, folder, seconds, chance)
            if not kills:  # it ended before its time: the machine is faster now
                wholes[name] = time.monotonic() - began, left
            count["kills"] += kills
            count["commands"] += 1
            if (found := case.left(folder)) != left:
                count["different"] += 1
                shutil.copytree(folder, base / f"different-{name}-{count['commands']}", symlinks=True)
                print(f"{name}: different are {', '.join(differing(found, left))}", flush=True)
            print(f"{name}: {count}", flush=True)
            keep(kept, "kills", {"counts": counts, "seed": options.seed})
    if any(count["different"] for count in counts.values()):
        sys.exit(f"what they left differs; see {base}")
    shutil.rmtree(base)


if __name__ == "__main__":
    main()
