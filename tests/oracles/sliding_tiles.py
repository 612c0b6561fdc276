"""Sliding tiles judged in plain Python: boards as tuples, every rule as its sentence says."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations

Cells = tuple[int, ...]


class Puzzle:
    """A stored problem: rows, columns, start, goal."""

    def __init__(self, numbers: Sequence[int], heuristic: str) -> None:
        self.rows, self.columns, *cells = (int(n) for n in numbers)
        count = self.rows * self.columns
        self.start, self.goal, self.heuristic = tuple(cells[:count]), tuple(cells[count:]), heuristic

    def moves(self, board: Cells) -> Iterator[tuple[int, Cells]]:
        """(tile, the board after it slid) of every move."""
        gap = board.index(0)
        for at in range(len(board)):
            rows_apart = abs(at // self.columns - gap // self.columns)
            columns_apart = abs(at % self.columns - gap % self.columns)
            if rows_apart + columns_apart == 1:
                after = list(board)
                after[gap], after[at] = board[at], 0
                yield board[at], tuple(after)

    def h(self, board: Cells) -> int:
        if self.heuristic == "none":
            return 0
        where = {tile: divmod(self.goal.index(tile), self.columns) for tile in board}
        here = {tile: divmod(k, self.columns) for k, tile in enumerate(board)}
        tiles = [tile for tile in board if tile]
        total = sum(abs(where[t][i] - here[t][i]) for t in tiles for i in (0, 1))
        if self.heuristic == "linear_conflict":
            for axis, length in ((0, self.rows), (1, self.columns)):
                for line in range(length):
                    total += 2 * self.must_leave(
                        [t for t in tiles if here[t][axis] == line == where[t][axis]],
                        {t: (here[t][1 - axis], where[t][1 - axis]) for t in tiles},
                    )
        return total

    @staticmethod
    def must_leave(tiles: list[int], places: dict[int, tuple[int, int]]) -> int:
        """The fewest tiles without which the others need not pass one another: by trying all sets."""
        for size in range(len(tiles), -1, -1):
            for kept in combinations(tiles, size):
                if all(
                    (places[a][0] < places[b][0]) == (places[a][1] < places[b][1])
                    for a, b in combinations(kept, 2)
                ):
                    return len(tiles) - size
        raise AssertionError


@cache
def distances(rows: int, columns: int, goal: Cells, limit: int = 30) -> dict[Cells, int]:
    """Moves to the goal of every board within the limit, by breadth-first search."""
    puzzle = Puzzle((rows, columns, *goal, *goal), "none")
    found, queue = {goal: 0}, deque([goal])
    while queue:
        board = queue.popleft()
        for _, after in puzzle.moves(board) if found[board] < limit else ():
            if after not in found:
                found[after] = found[board] + 1
                queue.append(after)
    return found


def fewest_moves(puzzle: Puzzle) -> int:
    """From both ends, one layer at a time."""
    sides, seen, moves = [{puzzle.start}, {puzzle.goal}], [{puzzle.start}, {puzzle.goal}], 0
    while not seen[0] & seen[1]:
        k = len(sides[0]) > len(sides[1])
        sides[k] = {after for board in sides[k] for _, after in puzzle.moves(board)} - seen[k]
        seen[k] |= sides[k]
        moves += 1
    return moves


def judge(task, numbers: Sequence[int], words: list[str]) -> tuple[bool, bool, dict[str, bool]]:
    """-> (solution valid, solution optimal, {level: ok})."""
    puzzle = Puzzle(numbers, task.heuristic)
    nothing = dict.fromkeys(("parses", "local", "strict"), False)
    if "end" not in words:
        return False, False, nothing
    body = words[: words.index("end")]
    path = slides(puzzle, body[body.index("solution") + 1 :] if "solution" in body else [])
    valid = bool(path) and path[-1] == puzzle.goal
    optimal = valid and len(path) - 1 == fewest_moves(puzzle)
    steps = read_trace(task, body)
    if steps is None:
        return valid, optimal, nothing
    local, strict = replay(puzzle, task, steps, path)
    return valid, optimal, {"parses": True, "local": local, "strict": strict}


def tile_of(word: str) -> int | None:
    return 0 if word == "_" else int(word) if word.isdecimal() else None


def slides(puzzle: Puzzle, words: list[str]) -> list[Cells]:
    """The boards before and after each slide; empty if one is wrong or there is none."""
    path = [puzzle.start]
    for word in words:
        after = dict(puzzle.moves(path[-1])).get(tile_of(word))
        if after is None:
            return []
        path.append(after)
    return path if words else []


# A step: (op, tile or None, cells, g, h)
Step = tuple[str, int | None, Cells, int, int]


def read_trace(task, body: list[str]) -> list[Step] | None:
    """The steps before the solution; None if the words are none."""
    if body[:1] != ["reasoning"]:
        return None
    steps, at = [], 1
    while at < len(body) and body[at] != "solution":
        op, at, tile = body[at], at + 1, None
        if op == "create":
            tile = tile_of(body[at]) if at < len(body) else None
            at += 1
            if tile is None:
                return None
        elif op != "close":
            return None
        end = at
        most = task.words if op == "close" or task.format == "boards" else 0
        while end < len(body) and end - at < most and tile_of(body[end]) is not None:
            end += 1
        costs = body[end : end + 2]
        if (
            (most and end == at)
            or len(costs) < 2
            or not all(c[0] == "c" and c[1:].isdecimal() for c in costs)
        ):
            return None
        cells = tuple(tile_of(word) for word in body[at:end])
        steps.append((op, tile, cells, int(costs[0][1:]), int(costs[1][1:])))
        at = end + 2
    return steps or None


def replay(puzzle: Puzzle, task, steps: list[Step], path: list[Cells]) -> tuple[bool, bool]:
    """-> (is each step legal after those before it, is the whole the solver's search for this path?)"""
    solver, again = task.solver, task.solver in ("astar", "dijkstra")
    opened, closed, last, strict = {puzzle.start: (0, puzzle.h(puzzle.start))}, {}, None, True
    depth, ranks, parents, owed = {puzzle.start: 0}, {puzzle.start: 0}, {puzzle.start: None}, set()
    for op, tile, cells, g, h in steps:
        board, done = cells, last == puzzle.goal
        if op == "create":
            after = dict(puzzle.moves(last)).get(tile) if last is not None else None
            board = cells if task.format == "boards" else after
            if after is None or board != after or g != closed[last][0] + 1 or h != puzzle.h(board):
                return False, False
            if board in closed or (board in opened and not (again and g < opened[board][0])):
                return False, False
            opened[board], parents[board], depth[board] = (g, h), last, depth[last] + 1
            by = {"astar": g + h, "dijkstra": g, "bfs": depth[board], "dfs": -len(closed), "greedy": h}
            ranks[board] = by[solver]
            owed.discard(board)
            strict = strict and not done
        else:
            if opened.get(board) != (g, h):
                return False, False
            least = ranks[board] == min(ranks[other] for other in opened)
            strict = strict and not done and not owed and least
            closed[board], last = opened.pop(board), board
            owed = {
                after
                for _, after in puzzle.moves(board)
                if after not in closed and (after not in opened or (again and g + 1 < opened[after][0]))
            }
    if strict and last == puzzle.goal:
        true_path = [last]
        while parents[true_path[-1]] is not None:
            true_path.append(parents[true_path[-1]])
        return True, path == true_path[::-1]
    return True, False
