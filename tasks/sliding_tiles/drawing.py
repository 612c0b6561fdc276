"""A sliding-tile search drawn as a tree of boards, for the terminal and on matplotlib axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tracelab.core.ragged import Integers
from tracelab.search.best_first.search import CLOSE
from tracelab.tasks.shared.trees import MARKS, Step, Tree, draw_tree, plot_tree, tree_of
from tracelab.tasks.sliding_tiles.space import FIRST, HEADER, TILE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEGEND = f"{MARKS}   5: 12_/435: tile 5 slid, then the board row by row; ?: it cannot"
Cells = tuple[int, ...]


def text(cells: Sequence[int], columns: int) -> str:
    """A board row by row: `123/4_5`; blanks between tiles where some have two digits."""
    words = [str(tile) if tile else "_" for tile in cells]
    between = " " if max(map(len, words), default=1) > 1 else ""
    return "/".join(between.join(words[k : k + columns]) for k in range(0, len(words), columns))


def after(cells: Cells, tile: int, columns: int) -> Cells | None:
    """The board after a tile slid into the gap; None if it does not stand beside it."""
    if tile not in cells or 0 not in cells:
        return None
    gap, at = cells.index(0), cells.index(tile)
    if abs(at // columns - gap // columns) + abs(at % columns - gap % columns) != 1:
        return None
    board = list(cells)
    board[gap], board[at] = tile, 0
    return tuple(board)


def start_of(problem: Integers) -> Cells:
    """The board to begin with."""
    return tuple(int(tile) for tile in problem[HEADER : HEADER + problem[0] * problem[1]])


def _steps(problem: Integers, trace: Integers) -> Iterator[Step]:
    """A creation without a board is of the one that its tile makes of the board closed last."""
    columns, last = int(problem[1]), start_of(problem)
    for row in trace:
        cells, closes = tuple(int(tile) for tile in row[FIRST:-2] if tile >= 0), bool(row[0] == CLOSE)
        cells = cells or after(last, int(row[TILE]), columns) or ()
        last = cells if closes else last
        moved = f"{row[TILE]}: " if row[TILE] >= 0 else ""
        yield Step(closes, cells, moved + (text(cells, columns) or "?"))


def _tree(problem: Integers, trace: Integers) -> Tree:
    columns, root = int(problem[1]), start_of(problem)
    return tree_of(Step(False, root, text(root, columns)), _steps(problem, trace))


def boards(problem: Integers, solution: Integers) -> list[Cells]:
    """The boards before and after each move, as far as they can be followed."""
    reached = [start_of(problem)]
    for row in solution:
        board = after(reached[-1], int(row[TILE]), int(problem[1]))
        if board is None:
            break
        reached.append(board)
    return reached


def draw_tiles(problem: Integers, trace: Integers, solution: Integers, step: int | None = None) -> str:
    """Start and goal, then a line a state, indented by depth; the solution is marked if no step is given."""
    columns, count = int(problem[1]), int(problem[0] * problem[1])
    words = [(str(tile) if tile else "_").rjust(len(str(count - 1))) for tile in problem[HEADER:]]
    lines = [" ".join(words[k : k + columns]) for k in range(0, len(words), columns)]
    sides = zip(lines[: len(lines) // 2], lines[len(lines) // 2 :], strict=True)
    grid = [f"{start}  {'->' if k == 0 else '  '}  {goal}" for k, (start, goal) in enumerate(sides)]
    path = boards(problem, solution) if step is None else []
    return "\n".join([*grid, *draw_tree(_tree(problem, trace[:step]), path)])


def plot_tiles(ax: Axes, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
    """The tree from left to right, the solution as a line, step `bad` crossed."""
    columns, goal = int(problem[1]), [int(tile) for tile in problem[HEADER + problem[0] * problem[1] :]]
    labels = [step.label for step in _steps(problem, trace)]
    shown = labels[bad] if bad is not None and bad < len(trace) else None
    plot_tree(ax, _tree(problem, trace[:bad]), boards(problem, solution), shown)
    ax.set_title(f"{text(start_of(problem), columns)} to {text(goal, columns)}", fontsize=8)
