"""The verifier's promises at full size: every count that the documentation quotes.

    python -m tests.helpers.full_checks            # minutes; writes bench/results/verifier.json
    python -m tests.helpers.full_checks --share 0.01

Each check returns its counts and raises AssertionError where a promise is broken; the test suite
runs the same checks with smaller numbers.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import networkx as nx
import numba
import numpy as np

from tests.helpers import maze_oracle as oracle
from tests.helpers.garbling import KINDS, garble, mutate
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Verdicts
from tracelab.search.best_first.judge import LEVELS
from tracelab.search.best_first.reasons import NAMES
from tracelab.search.best_first.search import SOLVERS, TIE_BREAKS
from tracelab.tasks.maze import FORMATS, Maze
from tracelab.tasks.maze.layouts import GENERATORS

RESULTS = Path(__file__).resolve().parents[2] / "bench" / "results" / "verifier.json"


def problems(task: Maze, n: int, seed: int = 0, split: str = "train") -> Examples:
    return task.generate(rng.keys(seed, split, 0, n, "problem"), split)


def completions(task: Maze, examples: Examples) -> Ragged:
    """What the reference solver would complete the prompts with."""
    codec = task.codec
    trace = codec.encode(codec.trace, examples.trace)
    solution = codec.encode(codec.solution, examples.solution)
    return codec.assemble(Ragged.of([[]] * len(examples)), trace, solution).tokens


def settings(low: int, high: int, draw: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Every generator, solver, tie-break and format, for ever, each time in another order and size."""
    every = list(product(GENERATORS, SOLVERS, TIE_BREAKS, FORMATS))
    while True:
        for k in draw.permutation(len(every)):
            generator, solver, tie_break, written = every[k]
            size = [int(side) for side in draw.integers(low, high + 1, 2)]
            yield {
                "generator": generator,
                "solver": solver,
                "tie_break": tie_break,
                "format": written,
                "size": size if draw.random() < 0.5 else size[0],
            }


def rounds(n: int, per_task: int) -> Iterator[int]:
    """n in parts of at most per_task."""
    for start in range(0, n, per_task):
        yield min(per_task, n - start)


# --- (a) no correct trace is rejected ---------------------------------------------------------


def check_correct(n: int, per_task: int = 70, low: int = 5, high: int = 30) -> dict[str, int]:
    """n traces of the reference solvers pass every level."""
    draw, rejected, longest = np.random.default_rng(1), 0, 0
    chosen = settings(low, high, draw)
    for k, count in enumerate(rounds(n, per_task)):
        task = Maze(**next(chosen))
        examples = problems(task, count, seed=k)
        verdicts = task.judge(examples, completions(task, examples))
        good = verdicts.trace_ok.all(axis=1) & verdicts.solution_valid
        good &= task.judge_traces(examples, examples.trace)
        if task.solver in ("astar", "dijkstra", "bfs"):
            good &= verdicts.solution_optimal
        rejected += int((~good).sum())
        longest = max(longest, int(examples.trace.lengths.max()))
    assert rejected == 0, f"{rejected} correct traces of {n} are rejected"
    return {"traces": n, "rejected": rejected, "longest_trace_in_steps": longest}


# --- (b) no mutated trace is accepted unless it is a valid variant ----------------------------


def check_mutations(n: int, low: int = 4, high: int = 12, every: int = 10) -> dict[str, Any]:
    """Each of n mutants is rejected by the strict verdict or proved valid by the oracle.

    The oracle judges every accepted mutant, and every tenth whatever its verdict.
    """
    draw, reasons, judged, untouched = np.random.default_rng(2), Counter[str](), 0, 0
    chosen = settings(low, high, draw)
    for k, count in enumerate(rounds(n, 100)):
        task = Maze(**next(chosen))
        examples = problems(task, count, seed=1000 + k)
        originals = completions(task, examples)
        mutants = Ragged.of([mutate(row, len(task.codec.vocabulary), draw) for row in originals])
        verdicts = task.judge(examples, mutants)
        strict = verdicts.trace_reason[:, LEVELS.index("strict")]
        reasons.update(NAMES[r] for r in strict)
        shown = (strict == 0) | (np.arange(count) % every == 0)
        judged += int(shown.sum())
        for i in np.flatnonzero(strict == 0):
            stop = int(np.flatnonzero(mutants[i] == task.codec.stop)[0])
            untouched += np.array_equal(mutants[i][: stop + 1], originals[i])
        compare(task, examples, mutants, verdicts, np.flatnonzero(shown))
    accepted = reasons.pop("ok", 0)
    return {
        "mutants": n,
        "rejected": n - accepted,
        "accepted_and_proved_valid": accepted,
        "of_these_original_up_to_the_stop": untouched,
        "judged_by_the_oracle": judged,
        "reasons": dict(reasons.most_common()),
    }


# --- (c) optimal costs and counts of optimal paths --------------------------------------------


def graph_of(maze: oracle.Maze) -> nx.Graph:
    graph = nx.Graph()
    graph.add_nodes_from(maze.free)
    graph.add_edges_from((p, q) for p in maze.free for q in maze.neighbours(p))
    return graph


def check_optimal(n: int, few: int | None = None) -> dict[str, int]:
    """Optimal costs are networkx's; on small mazes, so are the numbers of optimal paths."""
    draw, counted, few = np.random.default_rng(3), 0, few if few is not None else n // 4
    kinds = [(g, small) for small in (False, True) for g in GENERATORS]
    shares = {False: n - few, True: few}
    for generator, small in kinds:
        total = shares[small] // len(GENERATORS) + (generator == "wilson") * (shares[small] % len(GENERATORS))
        for k, count in enumerate(rounds(total, max(1, total // 20))):
            size = [int(side) for side in (draw.integers(3, 7, 2) if small else draw.integers(5, 31, 2))]
            solver = ("astar", "dijkstra", "bfs")[k % 3]
            task = Maze(generator=generator, size=size, solver=solver, braid=0.5)
            examples = problems(task, count, seed=2000 + k)
            for i in range(count):
                maze = oracle.read_problem(examples.problem[i])
                graph, ends = graph_of(maze), (maze.start, maze.goal)
                cost = nx.shortest_path_length(graph, *ends)
                assert examples.complexity["optimal_cost"][i] == cost == len(examples.solution[i]) - 1
                if small:
                    paths = sum(1 for _ in nx.all_shortest_paths(graph, *ends))
                    assert examples.complexity["optimal_paths"][i] == paths
                    counted += 1
    return {"problems": n, "wrong_costs": 0, "path_counts": counted, "wrong_path_counts": 0}


# --- (d) any token sequence gets the oracle's verdict -----------------------------------------


def garble_steps(kind: int, maze: oracle.Maze, mine: oracle.Completion, draw: Any) -> oracle.Completion:
    """A completion that is well written and wrong, or right in another way; kind 0..5."""
    steps, path = list(mine.steps), list(mine.path)
    i, j = (int(k) for k in draw.integers(0, len(steps), 2))
    match kind:
        case 0:  # neighbouring steps change places
            steps[i - 1], steps[i] = steps[i], steps[i - 1]
        case 1:
            del steps[i]
        case 2:
            steps.insert(j, steps[i])
        case 3:  # wrong from the start, in step with itself from there on
            wrong = steps[i][1:]
            steps = [(op, p, g + ((p, g, h) == wrong), h) for op, p, g, h in steps]
        case 4:  # a solution that goes astray, or back and forth
            k = int(draw.integers(len(path)))
            path[k:k] = [path[k], path[k - 1]] if draw.random() < 0.5 else [mine.steps[i][1]]
        case _:
            steps, path = wander(maze, steps[0][0] == "create", draw)
    return oracle.Completion(True, steps, True, path, True)


def wander(maze: oracle.Maze, creates_start: bool, draw: np.random.Generator) -> tuple[list[Any], list[Any]]:
    """Close open states at random: legal steps that follow no strategy, some with successors left out."""
    opened, parents, closed = {maze.start: 0}, {}, []
    steps: list[Any] = [("create", maze.start, 0, maze.h(maze.start))] if creates_start else []
    forgetful = draw.random() < 0.3
    while opened and (maze.goal not in closed or draw.random() < 0.3):
        at = sorted(opened)[int(draw.integers(len(opened)))]
        g = opened.pop(at)
        closed.append(at)
        steps.append(("close", at, g, maze.h(at)))
        for after in maze.neighbours(at):
            new = after not in opened or (g + 1 < opened[after] and draw.random() < 0.8)
            if after not in closed and new and not (forgetful and draw.random() < 0.2):
                opened[after], parents[after] = g + 1, at
                steps.append(("create", after, g + 1, maze.h(after)))
        if at == maze.goal and draw.random() < 0.9:
            while draw.random() < 0.7 and steps[-1][0] == "create":
                steps.pop()
            break
    path = [maze.goal]
    while path[-1] in parents:
        path.append(parents[path[-1]])
    return steps, path[::-1]


def check_garbage(n: int, low: int = 3, high: int = 8) -> dict[str, Any]:
    """n random and adversarial sequences raise nothing and get the oracle's verdicts, all of them."""
    draw, passed, reasons = np.random.default_rng(4), Counter[str](), Counter[str]()
    chosen = settings(low, high, draw)
    for k, count in enumerate(rounds(n, 120)):
        task = Maze(**next(chosen))
        examples = problems(task, count, seed=3000 + k)
        solver, tie_break = str(draw.choice(SOLVERS)), str(draw.choice(TIE_BREAKS))
        elsewhere = replace(task, solver=solver, tie_break=tie_break)
        rival = completions(task, problems(elsewhere, count, seed=3000 + k))
        own, vocabulary, rows = completions(task, examples), task.codec.vocabulary, []
        for i in range(count):
            kind, other = i % 20, int(draw.integers(count)) if draw.random() < 0.5 else i
            if kind < KINDS:
                rows.append(garble(kind, own[i], own[other], task.codec, draw))
            elif kind < 19:
                maze = oracle.read_problem(examples.problem[i])
                good = oracle.read([vocabulary[t] for t in own[i]], task.format)
                wrong = garble_steps(kind - 13, maze, good, draw)
                rows.append(as_tokens(task, oracle.write(wrong.steps, wrong.path, task.format)))
            else:
                rows.append(rival[i])
        garbage = Ragged.of(rows, dtype=np.int64)
        verdicts = task.judge(examples, garbage)
        compare(task, examples, garbage, verdicts, np.arange(count))
        passed.update({level: int(ok) for level, ok in zip(LEVELS, verdicts.trace_ok.sum(0), strict=True)})
        passed["solution"] += int(verdicts.solution_valid.sum())
        reasons.update(NAMES[r] for r in verdicts.trace_reason[:, LEVELS.index("strict")])
    return {
        "sequences": n,
        "raised": 0,
        "disagreements_with_the_oracle": 0,
        "passed": dict(passed),
        "strict_reasons": dict(reasons.most_common()),
    }


def as_tokens(task: Maze, text: str) -> np.ndarray:
    """Tokens of a text; a word that the vocabulary lacks is a token outside it."""
    token = task.codec.token
    return np.array([token.get(word, len(token)) for word in text.split()], np.int64)


def compare(task: Maze, examples: Examples, tokens: Ragged, verdicts: Verdicts, rows: np.ndarray) -> None:
    """Hold the verdicts on some rows against the oracle's: every level's place and reason."""
    vocabulary = task.codec.vocabulary
    for i in rows:
        maze = oracle.read_problem(examples.problem[i])
        words = [vocabulary[t] if 0 <= t < len(vocabulary) else "?" for t in tokens[i]]
        wanted = oracle.judge(maze, words, task.solver, task.format)
        story = f"\n{task}\nproblem {examples.problem[i].tolist()}\n{' '.join(words)}\n"
        assert verdicts.steps[i] == wanted["steps"], story
        for j, level in enumerate(LEVELS):
            got = int(verdicts.trace_at[i, j]), NAMES[verdicts.trace_reason[i, j]]
            fault = wanted[level]
            if fault is None:
                assert got == (-1, "ok"), f"{level}: {got} where the oracle accepts{story}"
                continue
            at, reasons = fault
            assert got[1] in reasons, f"{level}: {got}, oracle {fault}{story}"
            assert at < 0 or got[0] == at, f"{level}: {got}, oracle {fault}{story}"
        reason = NAMES[verdicts.solution_reason[i]]
        assert reason in (wanted["solution"] or {"ok"}), f"{reason}, oracle {wanted['solution']}{story}"
        assert verdicts.solution_valid[i] == (not wanted["solution"]), story
        best = not wanted["solution"] and wanted["cost"] == maze.distances()[maze.goal]
        assert verdicts.solution_optimal[i] == best, story


# --- (e) near-linear time ---------------------------------------------------------------------


@lru_cache(maxsize=1)
def _arena() -> tuple[Maze, Examples, np.ndarray]:
    task = Maze(generator="free_space", size=30, lattice="even", min_distance=20)
    examples = problems(task, 1, seed=5)
    return task, examples, completions(task, examples)[0]


def long_inputs(length: int) -> dict[str, np.ndarray]:
    """Sequences of about so many tokens that would hurt a careless verifier."""
    task, examples, good = _arena()
    token, draw = task.codec.token, np.random.default_rng(6)
    ends = np.array([token["end"]])
    step = good[1:6]  # the closing of the start
    first_creation = good[6:11]
    sx, sy = (int(v) for v in examples.problem[0][2:4])
    beside = sx + (1 if sx < 29 else -1)
    walk = task.codec.tokens_of(f"plan {sx} {sy} plan {beside} {sy}")

    def fill(row: np.ndarray) -> np.ndarray:
        return np.tile(row, length // len(row) + 1)[:length]

    opening = np.array([token["reasoning"]])
    return {
        "random": draw.integers(0, len(task.codec.vocabulary), length),
        "one word": np.full(length, token["close"]),
        "only markers": draw.choice([token["reasoning"], token["solution"]], length),
        "closing repeated": np.concatenate([opening, fill(step), ends]),
        "creation repeated": np.concatenate([opening, step, fill(first_creation), ends]),
        "no end": np.concatenate([opening, fill(step)]),
        "endless legal walk": np.concatenate([[token["solution"]], fill(walk), ends]),
        "good, then plans": np.concatenate([good[:-1], fill(walk), ends]),
        "good, then itself": np.concatenate([fill(good[:-1]), ends]),
        "outside the vocabulary": draw.integers(-(2**40), 2**40, length),
    }


def check_time(length: int = 1_000_000) -> dict[str, Any]:
    """Ten times the tokens take no more than about ten times as long."""
    task, examples, _ = _arena()
    seconds: dict[str, dict[str, float]] = {}
    for n in (length // 10, length):
        for name, tokens in long_inputs(n).items():
            batch = Ragged.of([tokens], dtype=np.int64)
            task.judge(examples, batch)
            best = min(_timed(task, examples, batch) for _ in range(3))
            seconds.setdefault(name, {})[str(n)] = round(best, 5)
    for name, times in seconds.items():
        short, long = times.values()
        assert long < 30 * short + 0.05, f"{name}: {times}"
    slowest = max(times[str(length)] for times in seconds.values())
    return {"tokens": length, "slowest_seconds": slowest, "seconds": seconds}


def _timed(task: Maze, examples: Examples, batch: Ragged) -> float:
    begins = time.perf_counter()
    task.judge(examples, batch)
    return time.perf_counter() - begins


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--share", type=float, default=1.0, help="share of the full numbers")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    share = arguments.share
    checks = {
        "correct traces": lambda: check_correct(int(100_000 * share)),
        "one-token mutants": lambda: check_mutations(int(100_000 * share), every=1),
        "optimal costs": lambda: check_optimal(int(10_000 * share)),
        "adversarial sequences": lambda: check_garbage(int(100_000 * share)),
        "long inputs": lambda: check_time(int(1_000_000 * share)),
    }
    report: dict[str, Any] = {}
    for name, check in checks.items():
        begins = time.perf_counter()
        report[name] = check()
        took = round(time.perf_counter() - begins, 1)
        counts = ", ".join(f"{k} {v:,}" for k, v in report[name].items() if isinstance(v, int | float))
        print(f"{name:24} {took:7.1f} s   {counts}", flush=True)
        report[name]["took_seconds"] = took
    report["versions"] = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "networkx": nx.__version__,
    }
    report["command"] = "python -m tests.helpers.full_checks" + (f" --share {share}" if share != 1 else "")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"-> {arguments.out}")


if __name__ == "__main__":
    main()
