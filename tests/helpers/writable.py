"""Whatever is drawn can be written: every task, every solver, knobs at their ends.

    python -m tests.helpers.writable        # prints what was drawn and could not be written, as JSON

Kernels are interpreted, so that nothing is compiled for a few problems. A knob may be refused by its name.
"""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

SOLVERS = ("astar", "dijkstra", "bfs", "dfs", "greedy")
RULES = ("first", "most_constrained", "any")
DEPTH_FIRST = ("dfs", "greedy")  # their ways are the long ones
# task -> (which problems, knobs whose values are crossed): what makes searches, numbers and costs large
EXTREMES: dict[str, list[tuple[range, dict[str, tuple[Any, ...]]]]] = {
    "maze": [
        (range(3), {"generator": ("wilson", "free_space"), "size": (7, [3, 30]), "solver": SOLVERS}),
        (range(3), {"generator": ("searchformer",), "format": ("searchformer",), "solver": SOLVERS}),
    ],
    "sokoban": [
        # the way of problem 115 has 401 steps
        (range(115, 116), {"boxes": (2,), "walls": (0,), "longest": (None,), "solver": ("dfs",)}),
        (
            range(3),
            {"size": (5, [5, 9]), "walls": (0,), "format": ("compact", "searchformer"), "solver": SOLVERS},
        ),
        (range(1), {"size": (15,), "walls": (150,), "longest": (None,), "solver": DEPTH_FIRST}),
    ],
    "countdown": [
        (
            range(3),
            {"numbers": (2, 4), "limit": (100, 1000), "heuristic": ("sum", "multiply"), "solver": SOLVERS},
        ),
        (range(2), {"numbers": (5,), "limit": (1000,), "solver": DEPTH_FIRST}),
        (range(3), {"format": ("stream_of_search",), "limit": (1000,), "solver": ("bfs", "dfs", "dijkstra")}),
    ],
    "graph_path": [
        (range(3), {"nodes": (6, 60), "density": (1,), "max_weight": (1, 200), "solver": SOLVERS[:4]}),
        (
            range(3),
            {
                "generator": ("grid",),
                "grid": ([2, 30],),
                "density": (1,),
                "coordinates": (True,),
                "solver": SOLVERS,
            },
        ),
        (
            range(3),
            {"generator": ("star", "two_targets"), "max_weight": (200,), "solver": ("dijkstra", "dfs")},
        ),
    ],
    "sliding_tiles": [
        (range(3), {"shape": ([2, 3],), "scramble": ([1, 10],), "longest": (None,), "solver": SOLVERS}),
        (
            range(2),
            {"shape": ([4, 4], [2, 8]), "scramble": ([1, 8],), "format": ("boards",), "solver": ("astar",)},
        ),
    ],
    "planning": [
        (range(3), {"blocks": (2, [2, 4]), "solver": SOLVERS, "format": ("compact", "states")}),
        (range(1), {"blocks": (12,), "scramble": ([1, 2],), "solver": ("astar",)}),
        (
            range(2),
            {
                "domain": ("logistics",),
                "packages": (1,),
                "locations": (2,),
                "solver": SOLVERS,
                "longest": (None,),
            },
        ),
        (
            range(1),
            {
                "domain": ("logistics",),
                "packages": (3,),
                "cities": (5,),
                "locations": (4,),
                "planes": (4,),
                "scramble": ([1, 1],),
                "heuristic": ("misplaced",),
                "longest": (None,),
            },
        ),
    ],
    "sat": [
        (range(3), {"variables": (1, 30), "clause_size": (1,), "satisfiable": ("natural",), "rule": RULES}),
        (range(3), {"variables": (100,), "ratio": (0.5, 2.0), "satisfiable": ("yes",), "rule": RULES}),
    ],
    "sudoku": [(range(2), {"size": (4, 6, 9), "clues": (15,), "max_steps": (2000,), "rule": RULES})],
    "knights_knaves": [(range(3), {"people": (3, 8), "depth": (1, 4), "rule": RULES})],
    "game": [
        (
            range(2),
            {
                "game": ("tictactoe", "connect"),
                "board": ([3, 3], [3, 8]),
                "line": (3,),
                "left": (1, 4),
                "telling": (False,),
                "search": ("minimax", "alphabeta"),
            },
        ),
        (
            range(2),
            {"game": ("nim",), "heaps": (1, 26), "left": (1, 5), "telling": (False,), "search": ("minimax",)},
        ),
    ],
    "arithmetic": [
        (range(3), {"operations": (1, 100), "modulus": (2, 200), "solver": ("forward", "backward")}),
        (range(3), {"operations": (100,), "distractors": (100,), "edges": (0, 1)}),
    ],
    "hops": [
        (range(1), {"hops": (1, 98), "entities": (100,), "distractors": (0, 100)}),
        (range(1), {"hops": (50,), "entities": (52,), "motifs": (["bridge"], ["converging"])}),
    ],
    "deduction": [
        (
            range(3),
            {"depth": (1, 16), "width": (1, 3), "distractors": (50,), "solver": ("forward", "backward")},
        ),
        (range(1), {"logic": (["and", "or", "not", "forall"],), "entities": (2, 20), "distractors": (0, 50)}),
    ],
}


def crossed(knobs: dict[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Every choice of a value for each knob."""
    for values in product(*knobs.values()):
        yield dict(zip(knobs, values, strict=True))


def unwritten(name: str) -> Iterator[tuple[str, str]]:
    """(knobs, why) of a task's settings whose problems cannot be written; "refused" where a knob is named."""
    from tests.tasks.test_task_contract import classes_of
    from tracelab.core import rng
    from tracelab.data.frozen import references

    for places, ends in EXTREMES[name]:
        for knobs in crossed(ends):
            try:
                task = classes_of(name)[0](**knobs)
                examples = task.generate(rng.keys(0, "train", places.start, places.stop, "problem"), "train")
            except ValueError as error:
                yield str(knobs), f"refused: {error}"
                continue
            try:
                task.prompts(examples)
                references(task, examples)
            except ValueError as error:
                yield str(knobs), str(error)


def main() -> None:
    """Print task -> {knobs: why}."""
    from tracelab.core import jit

    jit.interpret()
    print(json.dumps({name: dict(unwritten(name)) for name in EXTREMES}, indent=1))


if __name__ == "__main__":
    main()
