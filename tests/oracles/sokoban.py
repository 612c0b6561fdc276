"""Sokoban judged in plain Python: sets of cells, every rule as its sentence says."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache

Cell = tuple[int, int]  # y, x
State = tuple[Cell, frozenset[Cell]]
SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))


def add(cell: Cell, side: Cell, times: int = 1) -> Cell:
    return cell[0] + times * side[0], cell[1] + times * side[1]


class Yard:
    """A stored problem: rows, columns, boxes, worker, the boxes, the docks, which cells are free."""

    def __init__(self, numbers: Sequence[int], heuristic: str, deadlocks: bool) -> None:
        rows, columns, count, *rest = (int(n) for n in numbers)
        places, cells = rest[: 1 + 2 * count], rest[1 + 2 * count :]
        where = [divmod(place, columns) for place in places]
        self.start: State = where[0], frozenset(where[1 : 1 + count])
        self.docks = frozenset(where[1 + count :])
        self.free = {(y, x) for y in range(rows) for x in range(columns) if cells[y * columns + x]}
        self.heuristic = heuristic
        self.allowed = {cell for cell in self.free if not deadlocks or self.lone_box_gets_home(cell)}

    def lone_box_gets_home(self, cell: Cell) -> bool:
        """Pushed about with the worker wherever it is wanted."""
        seen, stack = {cell}, [cell]
        while stack:
            box = stack.pop()
            if box in self.docks:
                return True
            for side in SIDES:
                after = add(box, side)
                if after in self.free and add(box, side, -1) in self.free and after not in seen:
                    seen.add(after)
                    stack.append(after)
        return False

    def solved(self, state: State) -> bool:
        return state[1] == self.docks

    def moves(self, state: State) -> Iterator[State]:
        worker, boxes = state
        for side in SIDES:
            cell, beyond = add(worker, side), add(worker, side, 2)
            if cell not in self.free:
                continue
            if cell not in boxes:
                yield cell, boxes
            elif beyond in self.allowed and beyond not in boxes:
                yield cell, boxes - {cell} | {beyond}

    def h(self, state: State) -> int:
        worker, boxes = state
        away = {box: min(abs(box[0] - y) + abs(box[1] - x) for y, x in self.docks) for box in boxes}
        total, left = sum(away.values()), [box for box in boxes if away[box]]
        if self.heuristic == "worker" and left:
            total += min(abs(worker[0] - y) + abs(worker[1] - x) for y, x in left) - 1
        return total


@cache
def fewest_steps(numbers: tuple[int, ...]) -> int | None:
    """By breadth-first search without heuristic or deadlock test; None if there is no way."""
    yard = Yard(numbers, "boxes", False)
    steps, queue = {yard.start: 0}, deque([yard.start])
    while queue:
        state = queue.popleft()
        if yard.solved(state):
            return steps[state]
        for after in yard.moves(state):
            if after not in steps:
                steps[after] = steps[state] + 1
                queue.append(after)
    return None


def judge(task, numbers: Sequence[int], words: list[str]) -> tuple[bool, bool, dict[str, bool]]:
    """-> (solution valid, solution optimal, {level: ok})."""
    yard = Yard(numbers, task.heuristic, task.deadlocks)
    nothing = dict.fromkeys(("parses", "local", "strict"), False)
    if "end" not in words:
        return False, False, nothing
    body = words[: words.index("end")]
    text = body[body.index("solution") + 1 :] if "solution" in body else []
    path = walk(yard, read_plan(task, text))
    valid = bool(path) and yard.solved(path[-1])
    optimal = valid and len(path) - 1 == fewest_steps(tuple(int(n) for n in numbers))
    steps = read_trace(task, body)
    if steps is None:
        return valid, optimal, nothing
    local, strict = replay(yard, task, steps, path)
    return valid, optimal, {"parses": True, "local": local, "strict": strict}


def read_cell(task, words: list[str], at: int) -> tuple[Cell, int] | None:
    """A cell and the place behind it: `x,y`, or `x y`."""
    width = 1 if task.format == "compact" else 2
    numbers = words[at].split(",") if width == 1 and at < len(words) else words[at : at + width]
    if len(numbers) != 2 or not all(n.isdecimal() for n in numbers):
        return None
    return (int(numbers[1]), int(numbers[0])), at + width


def read_plan(task, words: list[str]) -> list[Cell] | None:
    """The worker's cells; None if the words are no plan."""
    cells, at = [], 0
    while at < len(words):
        if task.format == "searchformer":
            if words[at] != "plan":
                return None
            at += 1
        found = read_cell(task, words, at)
        if found is None:
            return None
        cells.append(found[0])
        at = found[1]
    return cells or None


def walk(yard: Yard, cells: list[Cell] | None) -> list[State]:
    """The states that the worker goes through; empty if it cannot, or has no way."""
    path = [yard.start]
    for cell in cells or []:
        after = {state[0]: state for state in yard.moves(path[-1])}.get(cell)
        if after is None:
            return []
        path.append(after)
    return path if cells else []


# A step: (op, worker, boxes as they are written, g, h)
Step = tuple[str, Cell, list[Cell], int, int]


def read_trace(task, body: list[str]) -> list[Step] | None:
    """The steps before the solution; None if the words are none."""
    if body[:1] != ["reasoning"]:
        return None
    steps, at, long = [], 1, task.format == "searchformer"
    while at < len(body) and body[at] != "solution":
        op, at, cells = body[at], at + 1, []
        if op not in ("create", "close"):
            return None
        while len(cells) < 1 + task._most_boxes:
            if long and body[at : at + 1] != ["box" if cells else "worker"]:
                return None
            found = read_cell(task, body, at + long)
            if found is None:
                break
            cells.append(found[0])
            at = found[1]
        costs = body[at : at + 2]
        if len(cells) < 2 or (long and len(cells) != 1 + task._most_boxes) or len(costs) < 2:
            return None
        if not all(c[0] == "c" and c[1:].isdecimal() for c in costs):
            return None
        steps.append((op, cells[0], cells[1:], int(costs[0][1:]), int(costs[1][1:])))
        at += 2
    return steps or None


def replay(yard: Yard, task, steps: list[Step], path: list[State]) -> tuple[bool, bool]:
    """-> (is each step legal after those before it, is the whole the solver's search for this path?)"""
    solver, again = task.solver, task.solver in ("astar", "dijkstra")
    opened: dict[State, tuple[int, int]] = {}
    closed, last, strict = {}, None, True
    depth, ranks, parents, owed = {yard.start: 0}, {yard.start: 0}, {yard.start: None}, set()
    if task.format != "searchformer":
        opened[yard.start] = 0, yard.h(yard.start)
    for op, worker, boxes, g, h in steps:
        state, done = (worker, frozenset(boxes)), last is not None and yard.solved(last)
        if len(state[1]) != len(boxes):
            return False, False
        if op == "create":
            if last is None:
                first = task.format == "searchformer" and state == yard.start and not opened
                if not first or (g, h) != (0, yard.h(state)):
                    return False, False
                opened[state] = g, h
                continue
            if state not in set(yard.moves(last)) or g != closed[last][0] + 1 or h != yard.h(state):
                return False, False
            if state in closed or (state in opened and not (again and g < opened[state][0])):
                return False, False
            opened[state], parents[state], depth[state] = (g, h), last, depth[last] + 1
            by = {"astar": g + h, "dijkstra": g, "bfs": depth[state], "dfs": -len(closed), "greedy": h}
            ranks[state] = by[solver]
            owed.discard(state)
            strict = strict and not done
        else:
            if opened.get(state) != (g, h):
                return False, False
            least = ranks[state] == min(ranks[other] for other in opened)
            strict = strict and not done and not owed and least
            closed[state], last = opened.pop(state), state
            owed = {
                after
                for after in yard.moves(state)
                if after not in closed and (after not in opened or (again and g + 1 < opened[after][0]))
            }
    if strict and last is not None and yard.solved(last):
        true_path = [last]
        while parents[true_path[-1]] is not None:
            true_path.append(parents[true_path[-1]])
        return True, path == true_path[::-1]
    return True, False
