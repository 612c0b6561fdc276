"""Every task's verifier against its independent oracle, at full size.

    python -m tests.helpers.task_checks                       # all tasks; writes bench/results/verifiers.json
    python -m tests.helpers.task_checks sokoban sat --n 1000

No reference trace is rejected; a mutant is rejected or the oracle accepts it; random and adversarial
sequences raise nothing and get the oracle's verdicts. The maze's, with more to compare, is full_checks.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers.garbling import KINDS, garble, mutate
from tests.tasks.test_task_contract import settings_of
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task, Verdicts
from tracelab.data.frozen import references
from tracelab.runs.machine import machine

RESULTS = Path(__file__).resolve().parents[2] / "bench" / "results" / "verifiers.json"
NAMES = sorted(path.stem for path in (Path(__file__).parents[1] / "oracles").glob("[!_]*.py"))
PER_ROUND = 250


def rounds(name: str, n: int, purpose: str) -> Iterator[tuple[Task, Examples, Ragged]]:
    """n problems with reference completions, in every setting of a task's in turn."""
    tasks = [task for _, task in settings_of(name)]
    for k, start in enumerate(range(0, n, PER_ROUND)):
        task, count = tasks[k % len(tasks)], min(PER_ROUND, n - start)
        examples = task.generate(rng.keys(k, "train", 0, count, purpose), "train")
        yield task, examples, references(task, examples)


def check_correct(name: str, n: int) -> dict[str, Any]:
    """n reference completions pass every verdict."""
    longest = 0
    for task, examples, completions in rounds(name, n, "correct"):
        verdicts = task.judge(examples, completions)
        good = verdicts.trace_ok.all(axis=1) & verdicts.solution_valid
        assert good.all(), f"{name}: a correct trace is rejected: {examples.problem[int(np.argmin(good))]}"
        assert task.judge_traces(examples, examples.trace).all()
        longest = max(longest, int(completions.lengths.max()))
    return {"traces": n, "rejected": 0, "longest_in_tokens": longest}


def check_mutants(name: str, n: int, every: int = 20) -> dict[str, Any]:
    """Each of n one-token mutants is rejected, or proved valid; the oracle judges every 20th besides."""
    draw, reasons, judged = np.random.default_rng(2), Counter[str](), 0
    for task, examples, originals in rounds(name, n, "mutants"):
        vocabulary, strict = len(task.codec.vocabulary), task.levels.index("strict")
        mutants = Ragged.of([mutate(row, vocabulary, draw) for row in originals])
        verdicts = task.judge(examples, mutants)
        reasons.update(task.reasons[r] for r in verdicts.trace_reason[:, strict])
        doubtful = (verdicts.trace_reason[:, strict] == 0) | (np.arange(len(examples)) % every == 0)
        judged += compare(name, task, examples, mutants, verdicts, np.flatnonzero(doubtful))
    accepted = reasons.pop("ok", 0)
    counts = {"mutants": n, "rejected": n - accepted, "accepted_and_proved_valid": accepted}
    return {**counts, "judged_by_the_oracle": judged, "reasons": dict(reasons.most_common())}


def check_garbage(name: str, n: int, every: int = 5) -> dict[str, Any]:
    """n random and adversarial sequences raise nothing; every 5th is held against the oracle."""
    draw, passed, judged = np.random.default_rng(4), Counter[str](), 0
    for task, examples, own in rounds(name, n, "garbage"):
        rows, count = [], len(examples)
        for i in range(count):
            other = own[int(draw.integers(count))] if draw.random() < 0.5 else own[i]
            rows.append(garble(int(draw.integers(KINDS)), own[i], other, task.codec, draw))
        garbage = Ragged.of(rows, dtype=np.int64)
        verdicts = task.judge(examples, garbage)
        accepted = verdicts.trace_ok.any(axis=1) | verdicts.solution_valid
        doubtful = (np.arange(count) % every == 0) | (accepted & (np.arange(count) % 2 == 0))
        judged += compare(name, task, examples, garbage, verdicts, np.flatnonzero(doubtful))
        passed.update(dict(zip(task.levels, verdicts.trace_ok.sum(0).tolist(), strict=True)))
        passed["solution"] += int(verdicts.solution_valid.sum())
    return {"sequences": n, "raised": 0, "judged_by_the_oracle": judged, "passed": dict(passed)}


def compare(
    name: str, task: Task, examples: Examples, tokens: Ragged, verdicts: Verdicts, rows: np.ndarray
) -> int:
    """Hold the verdicts on some rows against the oracle's -> how many."""
    oracle, vocabulary = import_module(f"tests.oracles.{name}"), task.codec.vocabulary
    for i in rows:
        words = [vocabulary[t] if 0 <= t < len(vocabulary) else "<|unk|>" for t in tokens[i]]
        wanted = oracle.judge(task, examples.problem[i], words)
        levels = dict(zip(task.levels, verdicts.trace_ok[i].tolist(), strict=True))
        got = bool(verdicts.solution_valid[i]), bool(verdicts.solution_optimal[i]), levels
        story = f"\n{task}\nproblem {examples.problem[i].tolist()}\n{' '.join(words)}"
        assert got == wanted, f"{name}: verdicts {got}, oracle {wanted}{story}"
    return len(rows)


def agrees(name: str, task: Task, examples: Examples, draw: np.random.Generator) -> None:
    """On reference completions, on mutants, on steps that traded places, on garbage, in small."""
    own, vocabulary, n = references(task, examples), len(task.codec.vocabulary), len(examples)
    verdicts = task.judge(examples, own)
    assert verdicts.trace_ok.all()
    assert verdicts.solution_valid.all()
    rows = [row.copy() for row in examples.trace]
    for row in rows:
        at = int(draw.integers(1, len(row)))
        row[[at - 1, at]] = row[[at, at - 1]]
    moved = replace(examples, trace=Ragged(np.concatenate(rows), examples.trace.offsets))
    mutants = [mutate(row, vocabulary, draw) for row in own]
    garbage = [garble(int(draw.integers(KINDS)), own[i], own[i - 1], task.codec, draw) for i in range(n)]
    for tokens in (own, references(task, moved), Ragged.of(mutants), Ragged.of(garbage, np.int64)):
        compare(name, task, examples, tokens, task.judge(examples, tokens), np.arange(n))


def verdicts_on(
    name: str, task: Task, examples: Examples, text: str
) -> tuple[tuple[str, bool], dict[str, tuple[str, int]]]:
    """Of a completion of the first example, in words: (reason, optimal), and {level: (reason, place)}.

    The oracle must agree.
    """
    tokens = Ragged.of([task.codec.tokens_of(text)])
    verdicts = task.judge(examples, tokens)
    compare(name, task, examples, tokens, verdicts, np.array([0]))
    levels = {
        level: (task.reasons[verdicts.trace_reason[0, j]], int(verdicts.trace_at[0, j]))
        for j, level in enumerate(task.levels)
    }
    solution = task.reasons[verdicts.solution_reason[0]], bool(verdicts.solution_optimal[0])
    return solution, levels


CHECKS = {"correct traces": check_correct, "one-token mutants": check_mutants, "garbage": check_garbage}


def main() -> None:
    """Check the tasks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tasks", nargs="*", metavar="task", help=", ".join(NAMES))
    parser.add_argument("--n", type=int, default=100_000, help="of each check")
    options = parser.parse_args()
    if unknown := set(options.tasks) - set(NAMES):
        parser.error(f"no oracle for {', '.join(unknown)}; there is one for {', '.join(NAMES)}")
    done = json.loads(RESULTS.read_text())["tasks"] if RESULTS.is_file() else {}
    for name in options.tasks or NAMES:
        done[name] = {}
        for title, check in CHECKS.items():
            began = time.perf_counter()
            done[name][title] = check(name, options.n)
            seconds = time.perf_counter() - began
            counts = ", ".join(f"{k} {v:,}" for k, v in done[name][title].items() if isinstance(v, int))
            print(f"{name:16} {title:18} {seconds:6.0f} s  {counts}", flush=True)
    content = {"command": "python -m tests.helpers.task_checks", "tasks": done, "machine": machine()}
    RESULTS.write_text(json.dumps(content, indent=1) + "\n")
    print(f"-> {RESULTS}")


if __name__ == "__main__":
    main()
