"""Hashes of small data sets: what a config and a seed draw must not change from one version to the next.

    python -m tests.helpers.golden        # writes tests/data/golden.json anew, after a change that is meant

Kernels are interpreted, so that nothing is compiled for a few problems.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

RECORD = Path(__file__).parents[1] / "data" / "golden.json"
PROBLEMS = 12
SETTINGS = (  # words of the command line: at least one of each task, generator, grammar and treatment
    "task=maze",
    "task=maze task.generator=kruskal task.solver=dijkstra trace=swapped",
    "task=maze task.generator=prim task.solver=bfs trace=shuffled",
    "task=maze task.generator=dfs task.solver=dfs trace=dropped",
    "task=maze task.generator=braided task.solver=greedy trace=filler",
    "task=maze task.generator=drunkards_walk task.tie_break=random trace=corrupted",
    "task=maze task.generator=searchformer task.format=searchformer trace=corrupted trace.rate=0.2",
    "task=maze task.generator=searchformer task.density=[0.3,0.5] task.format=searchformer trace=corrupted "
    "trace.rate=0.2",
    "task=maze task.generator=free_space task.format=paper task.tie_break=lifo trace=swapped",
    "task=sokoban",
    "task=sokoban task.format=searchformer task.boxes=2 trace=corrupted trace.kind=cost trace.rate=0.1",
    "task=countdown",
    "task=countdown task.format=stream_of_search task.heuristic=multiply trace=dropped",
    "task=graph_path",
    "task=graph_path task.generator=star task.solver=dfs trace=swapped",
    "task=graph_path task.generator=grid task.coordinates=true task.ood=[] task.solver=astar trace=corrupted",
    "task=graph_path task.generator=two_targets task.layers=4 task.ood=[] task.format=plain trace=shuffled",
    "task=sliding_tiles",
    "task=sliding_tiles task.shape=[2,3] task.format=boards task.heuristic=linear_conflict trace=swapped",
    "task=planning",
    "task=planning task.domain=logistics task.format=states task.tie_break=random trace=corrupted",
    "task=knights_knaves",
    "task=knights_knaves task.rule=most_constrained task.tie_break=random trace=corrupted",
    "task=sat",
    "task=sat task.generator=planted task.satisfiable=natural task.rule=any trace=swapped",
    "task=sudoku",
    "task=sudoku task.size=4 task.clues=6 task.ood=[] task.hidden_singles=true trace=corrupted",
    "task=deduction",
    "task=deduction task.logic=[and,or,not,forall] task.solver=backward trace=shuffled",
    "task=arithmetic",
    "task=arithmetic task.solver=backward task.tie_break=random trace=solution_only",
    "task=game",
    "task=game task.game=connect task.search=alphabeta task.tie_break=random trace=corrupted",
    "task=game task.game=nim task.heaps=6 task.misere=true task.ood=[] trace=redundant",
    "task=hops",
    "task=hops task.solver=backward task.motifs=[bridge] trace=corrupted",
)


def digest(words: str) -> str:
    """SHA-256 of the tokens, prompts' and traces' lengths of the first training problems of a setting."""
    from tracelab.data import frozen
    from tracelab.runs.build import build_task
    from tracelab.runs.entry import compose
    from tracelab.runs.treatments import build_treatment
    from tracelab.training.settings import Training

    parsed = compose(Training, "train", *words.split(), "seed=3", "run_dir=unused")
    task, treatment = build_task(parsed.task), build_treatment(parsed.trace)
    examples = frozen.drawn(task, 3, "train", "problem", 0, PROBLEMS)
    sequences, _ = frozen.arm(task, treatment, examples, 3, "train")
    parts = (sequences.tokens.values, sequences.tokens.offsets, sequences.prompt, sequences.trace)
    whole = b"".join(np.ascontiguousarray(part, "<i8").tobytes() for part in parts)
    return hashlib.sha256(" ".join(task.codec.vocabulary).encode() + whole).hexdigest()


def main() -> None:
    """Print the digests as JSON, or write them."""
    from tracelab.core import jit

    jit.interpret()
    text = json.dumps({words: digest(words) for words in SETTINGS}, indent=1) + "\n"
    if sys.argv[1:] == ["--print"]:
        print(text)
    else:
        RECORD.write_text(text)


if __name__ == "__main__":
    main()
