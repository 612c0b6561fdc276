"""Sliding tiles judged in plain Python: boards as tuples, every rule as its sentence says."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations

from tests.oracles import _best_first as grammar

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


class Written(Puzzle):
    """A puzzle as a task writes it. A step names (tile or None, cells)."""

    creates_start = False

    def __init__(self, task, numbers: Sequence[int]) -> None:
        super().__init__(numbers, task.heuristic)
        self.solver, self.most, self.boards = task.solver, task.words, task.format == "boards"

    def read_step(self, words: list[str], at: int) -> tuple[grammar.Step, int] | None:
        op, at, tile = words[at], at + 1, None
        if op == "create":
            tile = tile_of(words[at]) if at < len(words) else None
            at += 1
            if tile is None:
                return None
        elif op != "close":
            return None
        end = at
        most = self.most if op == "close" or self.boards else 0
        while end < len(words) and end - at < most and tile_of(words[end]) is not None:
            end += 1
        costs = grammar.read_costs(words[end : end + 2])
        if (most and end == at) or costs is None or len(costs) < 2:
            return None
        return (op, (tile, tuple(tile_of(word) for word in words[at:end])), *costs), end + 2

    def read_path(self, words: list[str]) -> list[Cells]:
        path = [self.start]
        for word in words:
            after = dict(self.moves(path[-1])).get(tile_of(word))
            if after is None:
                return []
            path.append(after)
        return path if words else []

    def named(self, written: tuple[int | None, Cells]) -> Cells:
        return written[1]

    def created(self, last: Cells, written: tuple[int, Cells]) -> Cells | None:
        after = dict(self.moves(last)).get(written[0])
        return None if self.boards and written[1] != after else after

    def successors(self, board: Cells) -> dict[Cells, int]:
        return {after: 1 for _, after in self.moves(board)}

    def solved(self, board: Cells) -> bool:
        return board == self.goal

    def least(self) -> int:
        return fewest_moves(self)


def judge(task, numbers: Sequence[int], words: list[str]) -> tuple[bool, bool, dict[str, bool]]:
    """(solution valid, solution optimal, {level: ok}) of a completion."""
    return grammar.judge(Written(task, numbers), words)


def tile_of(word: str) -> int | None:
    return 0 if word == "_" else int(word) if word.isdecimal() else None
