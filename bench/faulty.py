"""Commands for `full_disk.py`: what each is given, what has to be there before, and what it leaves behind."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl

from tracelab.runs.checkpoints import load_weights

TIMED = ("second", "minutes", "wait", "per_second", "mfu")  # in names of columns and fields
UNLIKE = {"id", "ancestors", "sampling", "git"}  # fields that each run has its own of
LEFT_OUT = {"cache", ".lock", ".jobs"}
SMALL = (
    "task.size=5",
    "task.ood=[]",
    "model.layers=1",
    "model.width=16",
    "model.heads=1",
    "model.mlp=32",
    "data.train_size=200",
    "data.val_size=16",
    "data.batch_tokens=512",
    "eval.problems=16",
    "budget.steps=8",
    "checkpoint_every=4",
    "validate_every=4",
    "validate_problems=4",
    "trainer=cpu",
    "trainer.precision=32-true",
    "trainer.log_every_n_steps=2",
    "threads=1",
)
ROUNDS = (
    "trainer=cpu",
    "trainer.precision=32-true",
    "budget.steps=4",
    "rollout.prompts=4",
    "held_out.problems=4",
    "held_out.every=2",
    "checkpoint_every=2",
    "passes.problems=4",
    "passes.samples=2",
    "reward=[form]",
    "eval.problems=8",
)
ASKED = ("problems=4", "threads=1")


@dataclass(frozen=True)
class Case:
    """A command. words: its arguments, given the folder to work in; needs: a case to come before."""

    module: str
    words: Callable[[Path], Sequence[str]]
    needs: str | None = None


def of_run(module: str, *words: str) -> Case:
    """A command that asks a trained run something."""
    return Case(module, lambda folder: (*words, f"run={folder}/run"), "train")


CASES = {
    "train": Case("train", lambda folder: (*SMALL, f"run_dir={folder}/run")),
    "posttrain": Case(
        "posttrain", lambda folder: (f"run={folder}/run", f"run_dir={folder}/after", *ROUNDS), "train"
    ),
    "evaluate": of_run("evaluate", "eval.problems=24", "threads=1"),
    "sweep": Case(
        "train",
        lambda folder: ("-m", *SMALL, "validate_problems=0", "seed=0,1", f"hydra.sweep.dir={folder}/sweep"),
    ),
    "arrow": Case("generate", lambda folder: ("count=300", "workers=1", f"output={folder}/out/a.arrow")),
    "parquet": Case("generate", lambda folder: ("count=300", "workers=1", f"output={folder}/out/a.parquet")),
    "jsonl": Case(
        "generate",
        lambda folder: ("task.format=paper", "count=300", "workers=1", f"output={folder}/out/a.jsonl"),
    ),
    "splits": Case("generate", lambda folder: ("count=300", "workers=1", f"output={folder}/out")),
    "report": Case("report.command", lambda f: (f"{f}/run", "--out", f"{f}/page.html"), "train"),
    "package": Case("analysis.package", lambda f: (f"{f}/run", "--out", f"{f}/data"), "train"),
    "judge": Case(
        "judge",
        lambda folder: ("task.format=paper", f"completions={folder}/out/a.jsonl"),
        "jsonl",
    ),
    "intervene": of_run("intervene", "rates=[0.5]", "prefixes=[0.5]", *ASKED),
    "memorise": of_run("memorise", *ASKED),
    "assess": of_run("assess", *ASKED),
    "reask": of_run("reask", *ASKED),
    "grade": of_run("grade", "problems=24", "bins=2", "samples=2", "threads=1"),
    "states": of_run("probe", "states", "threads=1"),
    "export": Case("export", lambda folder: (f"run={folder}/run", f"to={folder}/out"), "train"),
    "import": Case("import_run", lambda f: (f"from={f}/out", f"to={f}/imported"), "export"),
    "arithmetic": Case(
        "arithmetic",
        lambda folder: (f"base={folder}/run", f"add={folder}/after", f"to={folder}/sum", "threads=1"),
        "posttrain",
    ),
    "diff": Case(
        "diff",
        lambda folder: (f"before={folder}/run", f"after={folder}/after", "features=8", *ASKED),
        "posttrain",
    ),
    "likelihood": Case("likelihood", lambda f: (f"run={f}/after", "threads=1"), "posttrain"),
    "steer": Case(
        "steer",
        lambda f: (f"run={f}/run", "contrast=runs", f"other={f}/after", "ways=[add]", "scales=[1]", *ASKED),
        "posttrain",
    ),
    "gallery": Case("gallery", lambda f: (f"output={f}/out/page.md", "tasks=[maze,game]", "among=4")),
}


def command(module: str, words: Sequence[str], folder: Path, said: Path) -> None:
    """A process's body: the command, which says what it says to a file."""
    os.setsid()
    os.environ |= {"TRACELAB_CACHE": str(folder / "cache"), "TRACELAB_FORMATS": "", "MPLCONFIGDIR": "/tmp"}
    log = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.chdir(folder)
    sys.argv = [module, *words]
    import_module(f"tracelab.{module}").main()


def left_by(folder: Path) -> dict[str, Any]:
    """Each file below a folder -> what it says, but for times and for what each run has its own of."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    named = {path.relative_to(folder): path for path in paths}
    kept = {name: path for name, path in named.items() if not LEFT_OUT & set(name.parts)}
    return {str(name): content_of(path, folder) for name, path in kept.items()}


def content_of(path: Path, folder: Path) -> Any:
    """What a file below a folder says, in a form that can be compared, wherever the folder lies."""
    if path.suffix == ".ckpt":
        return {name: digest(weight.numpy().tobytes()) for name, weight in load_weights(path).items()}
    content = path.read_bytes().replace(str(folder).encode(), b"folder")
    if path.suffix == ".parquet":
        rows = pl.read_parquet(path, glob=False).write_ndjson()
        return digest(rows.replace(str(folder), "folder").encode())
    if path.suffix == ".json":
        return timeless(json.loads(content))
    if path.name == "metrics.csv":
        table = pl.read_csv(path, infer_schema_length=None)
        timed = [name for name in table.columns if any(word in name for word in TIMED)]
        return digest(table.drop(timed).write_json().encode())
    return digest(re.sub(rb"<dc:date>.*</dc:date>", b"", content) if path.suffix == ".svg" else content)


def timeless(content: Any) -> Any:
    """JSON without times, at any depth."""
    if isinstance(content, list):
        return [timeless(each) for each in content]
    if not isinstance(content, dict):
        return content
    kept = {name for name in content if name not in UNLIKE and not any(word in name for word in TIMED)}
    return {name: timeless(value) for name, value in content.items() if name in kept}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
