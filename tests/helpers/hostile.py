"""Judging what nobody meant well, in numbers: sequences of all tasks against their oracles, and files.

    python -m tests.helpers.hostile                                  # writes bench/results/hostile.json
    python -m tests.helpers.hostile maze sat --sequences 2000 --lines 1000 --out mine.json

Mutated, spliced and random sequences raise nothing and get the oracle's verdict at every level, each of them;
where one does not, the others are judged all the same, and the exit status is 1.
Lines of a file are judged or named, all of them, and those that are good get the verdict that they deserve.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from tests.helpers import full_checks, task_checks
from tests.helpers.garbling import KINDS, garble, mutate
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task, Verdicts
from tracelab.evaluation.verifying import judge_file
from tracelab.runs.machine import machine
from tracelab.tasks.maze import Maze

RESULTS = task_checks.RESULTS.with_name("hostile.json")
NAMES = [*task_checks.NAMES, "maze"]
SURE = ("mutated", "spliced", "random")


def check_sequences(name: str, n: int) -> dict[str, Any]:
    """n mutated, spliced and random sequences of a task: none raises; whose verdict is not the oracle's."""
    draw, kinds, passed, seconds = np.random.default_rng(11), Counter[str](), Counter[str](), 0.0
    wrong = list[str]()
    for task, examples, own in task_checks.rounds(name, n, "hostile"):
        rows = []
        for i in range(len(examples)):
            kind = SURE[int(draw.integers(len(SURE)))]
            kinds[kind] += 1
            rows.append(_sequence(kind, own[i], own[int(draw.integers(len(own)))], task, draw))
        tokens = Ragged.of(rows, np.int64)
        began = time.perf_counter()
        verdicts = task.judge(examples, tokens)
        seconds += time.perf_counter() - began
        wrong += disagreements(name, task, examples, tokens, verdicts)
        passed.update(dict(zip(task.levels, verdicts.trace_ok.sum(0).tolist(), strict=True)))
        passed["solution"] += int(verdicts.solution_valid.sum())
    counts = {"sequences": n, "raised": 0, "judged_by_the_oracle": n, "other_than_the_oracle": len(wrong)}
    told = {"kinds": dict(kinds), "passed": dict(passed), "judging_seconds": round(seconds, 2)}
    return {**counts, **told, "first_disagreements": wrong[:10]}


def disagreements(name: str, task: Any, examples: Examples, tokens: Ragged, verdicts: Verdicts) -> list[str]:
    """Each row that the oracle judges otherwise, with both verdicts."""
    compare = full_checks.compare if name == "maze" else partial(task_checks.compare, name)
    found = []
    for row in range(len(examples)):
        try:
            compare(task, examples, tokens, verdicts, np.array([row]))
        except AssertionError as error:
            found.append(str(error))
    return found


def _sequence(kind: str, mine: np.ndarray, other: np.ndarray, task: Task, draw: Any) -> np.ndarray:
    vocabulary = len(task.codec.vocabulary)
    if kind == "mutated":
        for _ in range(int(draw.integers(1, 4))):
            mine = mutate(mine, vocabulary, draw) if len(mine) else mine
        return mine
    if kind == "random":
        return garble(0, mine, other, task.codec, draw)
    return garble(int(draw.integers(1, KINDS)), mine, other, task.codec, draw)


# --- lines of files ---------------------------------------------------------------------------

GOOD = {
    "prompt": "query start 0 0 goal 1 0 wall 3 3",
    "completion": "reasoning close 0 0 c0 c1 create 1 0 c1 c0 create 0 1 c1 c2 close 1 0 c1 c0 "
    "solution plan 0 0 plan 1 0 end",
}
TASK = Maze(size=7)
VALUES = (
    3,
    None,
    [],
    {},
    True,
    1e300,
    float("nan"),
    float("inf"),
    "",
    [[1]],
    [1.5],
    ["a"],
    "\ud800\0",
    -(10**40),
)


def line(kind: int, draw: np.random.Generator) -> bytes:
    """A hostile line without its end; kind 0 to LINES - 1."""
    good = json.dumps(GOOD).encode()
    value = VALUES[int(draw.integers(len(VALUES)))]
    match kind:
        case 0:
            return draw.integers(0, 256, int(draw.integers(1, 300)), np.uint8).tobytes()
        case 1:
            return good[: int(draw.integers(1, len(good)))]
        case 2:
            return json.dumps({**GOOD, ("prompt", "completion")[int(draw.integers(2))]: value}).encode()
        case 3:
            return json.dumps([{"text": value}, value, {"prompt": value}][int(draw.integers(3))]).encode()
        case 4:
            ids = draw.integers(-(2**62), 2**62, 20).tolist()
            return json.dumps({**GOOD, "completion": [*ids, 10 ** int(draw.integers(400))]}).encode()
        case 5:
            return (b"[", b'{"text":', b'{"a":[')[int(draw.integers(3))] * int(draw.integers(1, 50_000))
        case 6:
            return b'{"text": ' + b"9" * int(draw.integers(1, 10_000)) + b"}"
        case 7:
            at = int(draw.integers(len(good)))
            return good[:at] + draw.integers(0, 256, 2, np.uint8).tobytes() + good[at + 1 :]
        case 8:
            words = f"{GOOD['prompt']} {GOOD['completion']}".split()
            return json.dumps(
                {"text": " ".join(draw.permutation(words)[: int(draw.integers(len(words)))])}
            ).encode()
        case _:
            words = mutate(np.arange(20), 20, draw).tolist()
            return json.dumps(
                {**GOOD, "completion": " ".join(GOOD["completion"].split()[w % 19] for w in words)}
            ).encode()


LINES = 10


def check_lines(n: int, folder: Path) -> dict[str, Any]:
    """Each of n lines is judged or named by its number; every fourth is good, and is judged to be."""
    draw, path = np.random.default_rng(12), folder / "hostile.jsonl"
    good, blank = [], set()
    with path.open("wb") as file:
        for number in range(1, n + 1):
            if number % 4 == 1:
                good.append(number)
                content = json.dumps(GOOD).encode()
            else:
                content = line(number % LINES, draw).replace(b"\n", b" ")
            blank |= {number} if not content.decode(errors="replace").strip() else set()
            file.write(content + b"\n")
    began = time.perf_counter()
    found = judge_file(TASK, path, folder / "out.parquet")
    seconds = time.perf_counter() - began
    table = pq.read_table(folder / "out.parquet", columns=["line", "solution_valid", "trace_strict"])
    judged, named = set(table["line"].to_pylist()), {fault.line for fault in found.faults}
    assert not judged & named
    assert judged | named == set(range(1, n + 1)) - blank
    assert all(0 < len(fault.reason) < 170 for fault in found.faults)
    rows = {row["line"]: row for row in table.to_pylist()}
    assert all(rows[number]["solution_valid"] and rows[number]["trace_strict"] for number in good)
    return {"lines": n, "judged": len(judged), "named": len(named), "raised": 0, "seconds": round(seconds, 1)}


def main() -> None:
    """Check the tasks that are named, or all, and a file's lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tasks", nargs="*", metavar="task", help=", ".join(NAMES))
    parser.add_argument("--sequences", type=int, default=1_000_000, help="over all tasks that are named")
    parser.add_argument("--lines", type=int, default=100_000, help="of a file")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    if unknown := set(options.tasks) - set(NAMES):
        parser.error(f"no oracle for {', '.join(unknown)}; there is one for {', '.join(NAMES)}")
    names, done, began = options.tasks or NAMES, dict[str, Any](), time.perf_counter()
    for name in names:
        start = time.perf_counter()
        done[name] = check_sequences(name, options.sequences // len(names))
        took = time.perf_counter() - start
        counts = f"{done[name]['sequences']:,} sequences, {done[name]['other_than_the_oracle']:,} disagree"
        print(
            "\n".join([f"{name:16} {took:6.0f} s  {counts}", *done[name]["first_disagreements"]]), flush=True
        )
    rate = options.sequences / (time.perf_counter() - began)
    with tempfile.TemporaryDirectory() as folder:
        lines = check_lines(options.lines, Path(folder))
    print(f"file             {lines['seconds']:6.0f} s  {lines}")
    asked = [*options.tasks, "--sequences", str(options.sequences), "--lines", str(options.lines)]
    command = f"python -m tests.helpers.hostile {' '.join(asked)}"
    content = {"command": command, "sequences_per_second": round(rate), "tasks": done, "file": lines}
    options.out.write_text(json.dumps({**content, "machine": machine()}, indent=1) + "\n")
    print(f"{rate:,.0f} sequences a second, oracles included -> {options.out}")
    sys.exit(any(counts["other_than_the_oracle"] for counts in done.values()))


if __name__ == "__main__":
    main()
