"""Sokoban judged in plain Python: sets of cells, every rule as its sentence says."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations

from tests.oracles import _best_first as grammar

Cell = tuple[int, int]  # y, x
State = tuple[Cell, frozenset[Cell]]
SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))


def add(cell: Cell, side: Cell, times: int = 1) -> Cell:
    return cell[0] + times * side[0], cell[1] + times * side[1]


class Yard:
    """A stored problem: rows, columns, boxes, worker, the boxes, the docks, which cells are free."""

    def __init__(self, numbers: Sequence[int], heuristic: str, deadlocks: bool | str) -> None:
        rows, columns, count, *rest = (int(n) for n in numbers)
        places, cells = rest[: 1 + 2 * count], rest[1 + 2 * count :]
        where = [divmod(place, columns) for place in places]
        self.start: State = where[0], frozenset(where[1 : 1 + count])
        self.docks = frozenset(where[1 + count :])
        self.free = {(y, x) for y in range(rows) for x in range(columns) if cells[y * columns + x]}
        self.heuristic = heuristic
        tests = {True: self.lone_box_gets_home, False: lambda cell: True, "corners": self.is_no_corner}
        self.allowed = {cell for cell in self.free if tests[deadlocks](cell)}

    def is_no_corner(self, cell: Cell) -> bool:
        """A dock, or two free cells that face each other beside it."""
        free = [add(cell, side) in self.free for side in SIDES]
        return cell in self.docks or (free[0] and free[1]) or (free[2] and free[3])

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
        if self.heuristic == "open_docks":
            empty = self.docks - boxes
            out = boxes - self.docks
            return sum(min(abs(y - v) + abs(x - u) for v, u in empty) for y, x in out)
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


class Written(Yard):
    """A yard as a task writes it. A step names (worker, boxes in their order)."""

    def __init__(self, task, numbers: Sequence[int]) -> None:
        super().__init__(numbers, task.heuristic, task.deadlocks)
        self.solver, self.most, self.numbers = task.solver, 1 + task._most_boxes, numbers
        self.long = self.creates_start = task.format != "compact"
        self.omits = task.format == "published"
        several = task.heuristic == "worker" and task.boxes > 1
        self.reopens = task.heuristic == "open_docks" or several

    def read_cell(self, words: list[str], at: int) -> tuple[Cell, int] | None:
        """A cell and the place behind it: `x,y`, or `x y`."""
        width = 2 if self.long else 1
        numbers = words[at : at + 2] if self.long else "".join(words[at : at + 1]).split(",")
        if len(numbers) != 2 or not all(n.isdecimal() for n in numbers):
            return None
        return (int(numbers[1]), int(numbers[0])), at + width

    def read_step(self, words: list[str], at: int) -> tuple[grammar.Step, int] | None:
        op, at, cells = words[at], at + 1, []
        if op not in ("create", "close"):
            return None
        while len(cells) < self.most:
            if self.omits and cells and words[at : at + 1] != ["box"]:
                break
            if self.long and words[at : at + 1] != ["box" if cells else "worker"]:
                return None
            found = self.read_cell(words, at + self.long)
            if found is None and self.omits:
                return None
            if found is None:
                break
            cells.append(found[0])
            at = found[1]
        costs = grammar.read_costs(words[at : at + 2])
        few = len(cells) < (1 if self.omits else self.most if self.long else 2)
        if few or costs is None or len(costs) < 2:
            return None
        return (op, (cells[0], cells[1:]), *costs), at + 2

    def read_path(self, words: list[str]) -> list[State]:
        path, at = [] if self.omits else [self.start], 0
        while at < len(words):
            if self.long and words[at] != "plan":
                return []
            found = self.read_cell(words, at + self.long)
            states = self.moves(path[-1]) if path else [self.start]
            after = {state[0]: state for state in states}
            if found is None or found[0] not in after:
                return []
            path.append(after[found[0]])
            at = found[1]
        return path if words else []

    def choices(self, written: tuple[Cell, list[Cell]]) -> list[State | None]:
        """Boxes that are left out stand on docks, and it is open on which."""
        worker, boxes = written
        if not self.omits:
            return [self.named(written)]
        if len(set(boxes)) < len(boxes) or self.docks & set(boxes):
            return []
        ways = combinations(sorted(self.docks - {worker}), len(self.docks) - len(boxes))
        return [(worker, frozenset({*boxes, *docks})) for docks in ways]

    def named(self, written: tuple[Cell, list[Cell]]) -> State | None:
        worker, boxes = written
        return (worker, frozenset(boxes)) if len(set(boxes)) == len(boxes) else None

    def created(self, last: State, written: tuple[Cell, list[Cell]]) -> State | None:
        if self.omits:  # the worker's step says which
            after = {state[0]: state for state in self.moves(last)}.get(written[0])
            return after if after in self.choices(written) else None
        return self.named(written)

    def successors(self, state: State) -> dict[State, int]:
        return dict.fromkeys(self.moves(state), 1)

    def least(self) -> int | None:
        return fewest_steps(tuple(int(n) for n in self.numbers))


def judge(task, numbers: Sequence[int], words: list[str]) -> tuple[bool, bool, dict[str, bool]]:
    """(solution valid, solution optimal, {level: ok}) of a completion."""
    return grammar.judge(Written(task, numbers), marked(words) if task.format == "published" else words)


def marked(words: list[str]) -> list[str]:
    """A completion without opening words, with the grammar's: the plan begins with the first `plan`."""
    if "<|eos|>" not in words:
        return []
    body = ["?" if word in ("reasoning", "solution", "end") else word for word in words]
    body = body[: body.index("<|eos|>")]
    begins = body.index("plan") if "plan" in body else len(body)
    plan = ["solution", *body[begins:]] if begins < len(body) else []
    return ["reasoning", *body[:begins], *plan, "end"]
