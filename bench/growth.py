"""How time and memory grow with the size of what is asked for: each point in its own process.

    python bench/growth.py                            # all parts, about ten minutes on two cores
    python bench/growth.py --only streaming sampling  # the others' points stay as they were
    python bench/growth.py --draw                     # only the figure

generation, verification: milliseconds a maze against its side (one core). length, width: training tokens/s
against tokens of a sequence and against the model's width. streaming: memory of a process that surveys and
batches a frozen set from its files, against problems (5x5 mazes, up to 10 million: 3.4 GiB in a temporary
folder). sampling: new tokens/s against the batch. analysis: seconds and memory against outcomes. Writes
bench/results/growth.json, docs/results/growth.png and .csv.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import DOCS, RESULTS, own_process, write_json

GIB = 2**20  # KiB
STEPS, WARM = 40, 10
POINTS: dict[str, tuple[int, ...]] = {
    "mazes": (10, 20, 30, 50, 100, 200),
    "length": (64, 128, 256, 512, 1024, 2048),
    "width": (64, 128, 256, 512),
    "streaming": (10_000, 100_000, 1_000_000, 10_000_000),
    "sampling": (1, 4, 16, 64, 256, 1024),
    "analysis": (100_000, 1_000_000, 10_000_000),
}
Figures = dict[str, float]


def peak() -> float:
    """The most memory that this process has held, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GIB


def mazes(side: int) -> Figures:
    """Wilson mazes in the published format: generated with trace and tokens, then verified."""
    from tasks import generate, verify
    from tracelab.tasks.maze import Maze

    task, count = Maze(size=side), max(30, 2_000_000 // side**2)
    return {f"{f.__name__}_ms": 1000 / f(task, count) for f in (generate, verify)} | {"problems": count}


def length(tokens: int) -> Figures:
    """The nano model on sequences of one length."""
    from training import VOCABULARY, nano, speed, trained

    sequences = list(np.random.default_rng(0).integers(4, VOCABULARY, (1000, tokens)))
    marks = trained(nano(context=max(tokens, 64)), sequences, STEPS)
    return {"tokens_per_second": speed(marks, WARM)}


def width(columns: int) -> Figures:
    """Four layers of this width on the mixed sequences of bench/training.py."""
    from training import nano, rows, speed, trained

    model = nano(columns)
    parameters = sum(p.numel() for p in model.parameters())
    return {"tokens_per_second": speed(trained(model, rows(), STEPS), WARM), "parameters": parameters}


def streaming(problems: int) -> Figures:
    """One pass over a frozen set of 5x5 mazes that lies in files, as a training makes it."""
    from tracelab.batches.loader import Loader
    from tracelab.data import frozen
    from tracelab.data.card import Arm
    from tracelab.data.pieces import Frozen
    from tracelab.data.survey import survey
    from tracelab.tasks.maze import Maze
    from tracelab.traces.correct import Correct
    from tracelab.training import accelerate

    accelerate.start(1)
    task, treatment = Maze(size=5, format="compact"), Correct()
    chunks = Frozen(task, 0, "train", problems)

    def arm(piece: int) -> Arm:
        examples = chunks[piece]
        return Arm(examples, *frozen.arm(task, treatment, examples, 0, "train"))

    began = time.perf_counter()
    whole = survey(task, treatment, map(arm, range(len(chunks))), {})
    surveyed = time.perf_counter()
    loader = Loader(lambda k: arm(chunks.piece(k)).sequences, batch_tokens=32_768, context=whole["longest"])
    seen = 0
    for batch in loader:
        seen += batch.counts.examples
        if batch.after[0] == len(chunks):
            break
    assert seen == problems == whole["problems"]
    seconds = {"survey_s": surveyed - began, "pass_s": time.perf_counter() - surveyed}
    return {"gib": peak(), "tokens": whole["tokens"], **seconds}


def sampling(batch: int) -> Figures:
    """The nano model, greedy, 160 new tokens."""
    from sampling import ours

    return {"tokens_per_second": ours(batch, count=max(8, min(2 * batch, 1024)))}


def analysis(outcomes: int) -> Figures:
    """Rates of two verdicts and their joint table, of 250 runs with so many outcomes in all."""
    from analysis import measure

    return measure("ours", Path(os.environ["TRACELAB_SWEEP"]))


PARTS: dict[str, Callable[[int], Figures]] = {f.__name__: f for f in (mazes, length, width)}
PARTS |= {f.__name__: f for f in (streaming, sampling, analysis)}


def points(part: str, threads: int, largest: int) -> list[Figures]:
    """All points of a part."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for at in (at for at in POINTS[part] if at <= largest):
            figures = {"at": at, **point(part, at, threads, Path(folder))}
            found.append(figures)
            shown = "  ".join(f"{name} {value:,.4g}" for name, value in figures.items() if name != "at")
            print(f"{part:10s} {at:12,}  {shown}", flush=True)
    return found


def point(part: str, at: int, threads: int, folder: Path) -> Figures:
    """One point, in a process of its own."""
    environment = {"OMP_NUM_THREADS": str(threads)}

    def run() -> Figures:
        figures: Figures = json.loads(own_process(__file__, environment, part=part, at=at, threads=threads))
        return figures

    if part == "streaming":
        environment["TRACELAB_CACHE"] = str(folder)  # the first process fills it, the second reads it
        made = run()
        data = sum(path.stat().st_size for path in (folder / "data").iterdir()) / 2**30
        return {**run(), "making_gib": made["gib"], "files_gib": data}
    if part == "analysis":
        environment["TRACELAB_SWEEP"] = str(sweep(folder, at))
    return run()


def sweep(folder: Path, outcomes: int) -> Path:
    """A made-up sweep: a small run's outcomes, repeated."""
    from analysis import make

    source, made = folder / "run", folder / str(outcomes)
    if not source.is_dir():
        words = ("budget.steps=20", "data.train_size=1000", f"run_dir={source}", "trainer=cpu")
        subprocess.run([sys.executable, "-m", "tracelab.train", *words], check=True, capture_output=True)
    made.mkdir()
    make(source, made, outcomes)
    return made


PANELS = (  # part, figures shown, labels
    ("mazes", ("generate_ms", "verify_ms"), "side of the maze", "milliseconds a problem"),
    ("length", ("tokens_per_second",), "tokens of a sequence", "training tokens/s"),
    ("width", ("tokens_per_second",), "width of the model", "training tokens/s"),
    ("streaming", ("gib", "files_gib"), "problems in the frozen set", "GiB"),
    ("sampling", ("tokens_per_second",), "sequences in a batch", "new tokens/s"),
    ("analysis", ("seconds", "gib"), "outcomes", "seconds, GiB"),
)
NAMES = {
    "generate_ms": "generation",
    "verify_ms": "verification",
    "gib": "memory",
    "files_gib": "files",
    "seconds": "time",
}


def short(number: float) -> str:
    """`10k`, `2M`; small ones as they are."""
    for scale, letter in ((1_000_000, "M"), (1000, "k")):
        if number >= scale and not number % scale:
            return f"{number / scale:g}{letter}"
    return f"{number:g}"


def draw(parts: dict[str, list[Figures]]) -> None:
    """A panel for each part, both axes logarithmic."""
    from tracelab.plots import BLUE, ORANGE, figure, write_csv

    data = []
    with figure(DOCS / "results" / "growth", 9.6, 5.4, columns=3, rows=2, formats=("png",)) as (_, axes):
        panels = [panel for panel in PANELS if panel[0] in parts]
        for ax, (part, shown, below, beside) in zip(axes.flat, panels, strict=False):
            for name, colour in zip(shown, (BLUE, ORANGE), strict=False):
                pairs = [(point["at"], point[name]) for point in parts[part]]
                ax.plot(*zip(*pairs, strict=True), "o-", color=colour, ms=3, lw=1, label=NAMES.get(name))
                data += [(part, name, *pair) for pair in pairs]
            ax.set(xlabel=below, ylabel=beside, xscale="log", yscale="log")
            ax.set_xticks([at for at, _ in pairs], [short(at) for at, _ in pairs], minor=False)
            ax.set_xticks([], minor=True)
            if len(shown) > 1:
                ax.legend(fontsize=7)
    write_csv(DOCS / "results" / "growth", ("part", "figure", "at", "value"), data)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=list(POINTS), choices=POINTS)
    parser.add_argument("--largest", type=int, default=10**9, help="leave out larger points")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    parser.add_argument("--part", choices=POINTS, help="measure one point, print JSON")
    parser.add_argument("--at", type=int)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(PARTS[options.part](options.at)))
        return
    path = RESULTS / "growth.json"
    parts = json.loads(path.read_text(encoding="utf-8"))["parts"] if path.is_file() else {}
    for part in () if options.draw else options.only:
        parts[part] = points(part, options.threads, options.largest)
        write_json(path, {"parts": parts, "threads": options.threads})
    draw(parts)


if __name__ == "__main__":
    main()
