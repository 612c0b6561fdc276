"""What a nano model learns of each task in minutes: solution_only and correct, and what guessing gives.

    python bench/learning.py --difficulty easy               # all tasks; finished runs are not run again
    python bench/learning.py sat sudoku --difficulty easy medium hard --arms solution_only
    python bench/learning.py --collect                       # only write the table

Each run is `python -m tracelab.train task=TASK trace=ARM experiment=earlier` with the knobs below. Guessing:
of 100 solutions of training problems, the one that solves most test problems, whatever the problem. Writes
docs/results/learning.md and bench/results/learning.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS

from tracelab.core.ragged import Ragged
from tracelab.core.stats import wilson
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run
from tracelab.runs.machine import machine
from tracelab.runs.sets import test_sets

DOCS = RESULTS.parents[1] / "docs" / "results"
ARMS = ("solution_only", "correct")
# knobs that make a task easy or hard for the nano model; medium: the YAML's own
DIFFICULTIES: dict[str, dict[str, tuple[str, ...]]] = {
    "maze": {"easy": ("task.size=[7,5]",), "hard": ("task.size=11",)},
    "graph_path": {
        "easy": ("task.nodes=8",),
        "hard": ("task.nodes=30", "task.max_weight=9", "task.solver=dijkstra"),
    },
    "countdown": {
        "easy": ("task.operations=+-", "task.target_range=[10,50]", "task.held_out=0"),
        "hard": ("task.numbers=4", "task.longest=60"),
    },
    "arithmetic": {
        "easy": (
            "task.operations=[2,5]",
            "task.distractors=0",
            "task.edges=0",
            "task.operators=[add]",
        ),
        "hard": ("task.operations=[10,16]", "task.distractors=[4,8]"),
    },
    "deduction": {
        "easy": ("task.depth=[1,3]", "task.width=1", "task.distractors=[3,5]", "task.logic=[]"),
        "hard": ("task.depth=[4,6]", "task.width=3", "task.logic=[and,or,not,forall]"),
    },
    "sliding_tiles": {
        "easy": ("task.scramble=[2,4]", "task.heuristic=none"),
        "hard": ("task.scramble=[8,20]", "task.longest=80"),
    },
    "sokoban": {
        "easy": ("task.pulls=[1,3]", "task.longest=40"),
        "hard": ("task.boxes=2", "task.pulls=[2,8]", "task.longest=120"),
    },
    "planning": {
        "easy": ("task.scramble=[1,2]",),
        "hard": ("task.blocks=7", "task.longest=160"),
    },
    "sat": {
        "easy": ("task.variables=5", "task.clause_size=2", "task.ratio=1.6", "task.satisfiable=yes"),
        "hard": ("task.variables=12", "task.ratio=4.3"),
    },
    "sudoku": {"easy": ("task.size=4", "task.clues=[5,8]"), "hard": ("task.size=9", "task.clues=[28,34]")},
    "game": {"easy": ("task.left=[2,3]",), "hard": ("task.left=[5,6]", "task.search=alphabeta")},
    "knights_knaves": {"easy": ("task.people=3", "task.depth=1"), "hard": ("task.people=8", "task.depth=3")},
}


def overrides(task: str, difficulty: str) -> tuple[str, ...]:
    """What to say on the command line; test sets out of distribution are left out."""
    knobs = () if difficulty == "medium" else DIFFICULTIES[task][difficulty]
    return (f"task={task}", *knobs, *without_variants(task))


def without_variants(task: str) -> tuple[str, ...]:
    """The knobs that empty a task's out-of-distribution test sets."""
    text = (RESULTS.parents[1] / "conf" / "task" / f"{task}.yaml").read_text(encoding="utf-8")
    names = [line.split(":")[0] for line in text.splitlines() if line.startswith("ood")]
    return tuple(f"task.{name}=[]" for name in names)


def run(folder: Path, words: tuple[str, ...], options: argparse.Namespace) -> bool:
    """Train and judge, unless that is done; has it come to its end?"""
    record = folder / "run.json"
    if record.is_file() and json.loads(record.read_text(encoding="utf-8"))["status"] == "evaluated":
        return True
    command = [
        sys.executable,
        "-m",
        "tracelab.train",
        *words,
        "experiment=earlier",
        f"run_dir={folder}",
        f"threads={options.threads}",
    ]
    done = subprocess.run([*command, f"budget.tokens={options.tokens}", "data.workers=1"], check=False)
    return done.returncode == 0


def guessing(folder: Path) -> dict[str, Any]:
    """The best constant answer's accuracy on a run's test set."""
    experiment = Run.open(folder).settings
    task = build_task(experiment.task)
    _, examples = next(iter(test_sets(experiment, task).values()))
    donors = task.generate(np.arange(100, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15), "train")
    solutions = task.codec.encode(task.codec.solution, donors.solution)
    codec = task.codec
    n = len(examples)
    best = 0
    for k in range(100):
        copies = solutions.take(np.full(n, k))
        nothing = Ragged.of([[]] * n)
        completions = codec.assemble(nothing, nothing, copies).tokens
        best = max(best, int(task.judge(examples, completions).solution_valid.sum()))
    return {"value": best / n, "n": n}


def collect(folder: Path) -> dict[str, Any] | None:
    """A finished run's figures."""
    record = folder / "run.json"
    if not record.is_file() or json.loads(record.read_text(encoding="utf-8"))["status"] != "evaluated":
        return None
    content = json.loads(record.read_text(encoding="utf-8"))
    estimates = next(
        iter(json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["test sets"].values())
    )
    wanted = ("solution_valid", "solution_optimal", "trace_local", "trace_strict")
    tokens = json.loads((folder / "data_card.json").read_text(encoding="utf-8"))["splits"]["train"]["tokens"]
    shown = {name: estimates[name] for name in wanted}
    return {"progress": content["progress"], "tokens": tokens["whole"]["mean"], "estimates": shown}


def cell(estimate: dict[str, Any]) -> str:
    """`91.4 [87, 94]`."""
    return f"{100 * estimate['value']:.1f} [{100 * estimate['low']:.0f}, {100 * estimate['high']:.0f}]"


def table(results: dict[str, Any]) -> list[str]:
    """Markdown, a row per task and difficulty."""
    lines = [
        "| task | difficulty | guessing | solution_only | correct | correct: traces valid | tokens |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, arms in results.items():
        task, difficulty = name.split("-")
        low, high = wilson(arms["guessing"]["value"] * arms["guessing"]["n"], arms["guessing"]["n"])
        guess = cell({**arms["guessing"], "low": float(low), "high": float(high)})
        cells = [cell(arms[arm]["estimates"]["solution_valid"]) if arm in arms else "–" for arm in ARMS]
        strict = cell(arms["correct"]["estimates"]["trace_strict"]) if "correct" in arms else "–"
        trained = [f"{arms[arm]['progress']['tokens'] / 1e6:.2g}" for arm in ARMS if arm in arms]
        tokens = " / ".join(dict.fromkeys(trained))
        lines.append(f"| {task} | {difficulty} | {guess} | {' | '.join(cells)} | {strict} | {tokens} M |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tasks", nargs="*", default=[], metavar="task")
    parser.add_argument("--difficulty", nargs="+", default=["easy"], choices=["easy", "medium", "hard"])
    parser.add_argument("--arms", nargs="+", default=ARMS, choices=ARMS)
    parser.add_argument("--tokens", type=int, default=10_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("runs/learning"))
    parser.add_argument("--collect", action="store_true", help="run nothing")
    options = parser.parse_args()
    failed = []
    for task in () if options.collect else options.tasks or DIFFICULTIES:
        for difficulty in options.difficulty:
            for arm in options.arms:
                words = (*overrides(task, difficulty), f"trace={arm}")
                folder = options.folder / f"{task}-{difficulty}-{arm}"
                if not run(folder, words, options):
                    failed.append(str(folder))  # the others go on
    results: dict[str, Any] = {}
    for task in DIFFICULTIES:
        for difficulty in ("easy", "medium", "hard"):
            folders = {arm: options.folder / f"{task}-{difficulty}-{arm}" for arm in ARMS}
            found = {arm: figures for arm, folder in folders.items() if (figures := collect(folder))}
            if found:
                found["guessing"] = guessing(folders[next(iter(found))])
                results[f"{task}-{difficulty}"] = found
    write(results)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def write(results: dict[str, Any]) -> None:
    """The table for people, the figures for machines."""
    DOCS.mkdir(parents=True, exist_ok=True)
    (DOCS / "learning.md").write_text("\n".join([HEAD, *table(results), ""]), encoding="utf-8")
    content = {"settings": DIFFICULTIES, "results": results, "machine": machine()}
    (RESULTS / "learning.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(results)))


HEAD = """# What a nano model learns of each task

Problems solved, in per cent with Wilson 95 % intervals: some 0.8 M parameters, from scratch, seed 0,
256 test problems, greedy, with the earlier defaults (`experiment=earlier`). Guessing is the best constant
answer. Tokens: trained on; where they differ, by solution_only / correct.

`python bench/learning.py --tokens 5_000_000` trains the easy settings; rows with 10 M tokens were trained one
by one. `--difficulty medium hard --arms solution_only --tokens 2_500_000` trains the others. What makes a
task easy or hard is in that file. The hard problems of deduction were those of an earlier
version, whose facts told more (see the changelog).
"""


if __name__ == "__main__":
    main()
