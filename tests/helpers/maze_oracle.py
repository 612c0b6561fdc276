"""Independent twins of the maze's search and verifiers: plain Python, from the definitions alone.

Nothing here imports the compiled code. A maze is two points and a set of free points, a trace is
words, the open list is a list, and every check is what its sentence in the documentation says.
Slow on purpose: for small mazes and for what the fast verdicts have to be proved on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Point = tuple[int, int]
Step = tuple[str, Point, int, int]  # (create | close, (x, y), g, h)

MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))  # up, right, down, left
UPDATES = ("astar", "dijkstra")  # reach an open state more cheaply: create it again


@dataclass(frozen=True)
class Maze:
    width: int
    height: int
    start: Point
    goal: Point
    free: frozenset[Point]

    def neighbours(self, at: Point) -> list[Point]:
        beside = [(at[0] + dx, at[1] + dy) for dx, dy in MOVES]
        return [point for point in beside if point in self.free]

    def h(self, at: Point) -> int:
        return abs(at[0] - self.goal[0]) + abs(at[1] - self.goal[1])

    def distances(self) -> dict[Point, int]:
        """Moves from the start to each point that it reaches."""
        far = {self.start: 0}
        queue = deque([self.start])
        while queue:
            at = queue.popleft()
            for after in self.neighbours(at):
                if after not in far:
                    far[after] = far[at] + 1
                    queue.append(after)
        return far


@dataclass(frozen=True)
class Dialect:
    """How a format writes its parts: words per point, markers (None: it has none), stop."""

    point_words: int
    trace_open: str | None
    solution_open: str | None
    plan_word: str | None
    stop: str
    creates_start: bool = False


DIALECTS = {
    "paper": Dialect(2, "reasoning", "solution", "plan", "end"),
    "searchformer": Dialect(2, None, None, "plan", "<|eos|>", creates_start=True),
    "compact": Dialect(1, "reasoning", "solution", None, "end"),
}


def read_problem(numbers: Sequence[int]) -> Maze:
    """A stored problem: width, height, start x, y, goal x, y; then one number a cell, 1 = free."""
    width, height, sx, sy, gx, gy, *cells = (int(number) for number in numbers)
    assert len(cells) == width * height
    free = frozenset((c % width, c // width) for c in range(len(cells)) if cells[c] == 1)
    return Maze(width, height, (sx, sy), (gx, gy), free)


def read_prompt(text: str, width: int, height: int) -> Maze:
    """A prompt in the paper's or Searchformer's words."""
    words, walls, ends = text.split(), set(), {}
    for i, word in enumerate(words):
        if word in ("start", "goal", "wall"):
            point = int(words[i + 1]), int(words[i + 2])
            if word == "wall":
                walls.add(point)
            else:
                ends[word] = point
    every = {(x, y) for x in range(width) for y in range(height)}
    return Maze(width, height, ends["start"], ends["goal"], frozenset(every - walls))


# --- the search, as in a textbook -------------------------------------------------------------


def search(maze: Maze, solver: str, tie_break: str, creates_start: bool) -> tuple[list[Step], list[Point]]:
    """Record a best-first search -> (steps, path). tie_break: fifo or lifo, by time of creation."""
    opened, closed, parent = [maze.start], set(), {maze.start: None}
    g, depth, expansion = {maze.start: 0}, {maze.start: 0}, {maze.start: 0}
    steps = [("create", maze.start, 0, maze.h(maze.start))] if creates_start else []
    while opened:
        ranks = [rank_of(solver, g[p], maze.h(p), depth[p], expansion[p]) for p in opened]
        ties = [i for i, rank in enumerate(ranks) if rank == min(ranks)]
        at = opened.pop(ties[0] if tie_break == "fifo" else ties[-1])
        closed.add(at)
        steps.append(("close", at, g[at], maze.h(at)))
        if at == maze.goal:
            path = []
            while at is not None:
                path.append(at)
                at = parent[at]
            return steps, path[::-1]
        for after in maze.neighbours(at):
            new_g = g[at] + 1
            if after in closed:
                continue
            if after in opened:
                if solver not in UPDATES or new_g >= g[after]:
                    continue
                if tie_break == "lifo":  # created anew, so the last created
                    opened.remove(after)
                    opened.append(after)
            else:
                opened.append(after)
            g[after], depth[after], parent[after] = new_g, depth[at] + 1, at
            expansion[after] = len(closed)
            steps.append(("create", after, new_g, maze.h(after)))
    raise AssertionError("no way from start to goal")


def rank_of(solver: str, g: int, h: int, depth: int, expansion: int) -> int:
    return {"astar": g + h, "dijkstra": g, "bfs": depth, "dfs": -expansion, "greedy": h}[solver]


def write(steps: list[Step], path: list[Point], dialect: str) -> str:
    """A completion's text."""
    d = DIALECTS[dialect]

    def point(p: Point) -> str:
        return f"{p[0]} {p[1]}" if d.point_words == 2 else f"{p[0]},{p[1]}"

    words = [d.trace_open] if steps and d.trace_open else []
    words += [f"{op} {point(p)} c{g} c{h}" for op, p, g, h in steps]
    words += [d.solution_open] if d.solution_open else []
    words += [f"{d.plan_word} {point(p)}" if d.plan_word else point(p) for p in path]
    return " ".join([*words, d.stop])


# --- reading a completion ---------------------------------------------------------------------


@dataclass(frozen=True)
class Completion:
    """ended: is the stop word there? trace_ok, solution_ok: do the parts parse to their ends?"""

    ended: bool
    steps: list[Step]
    trace_ok: bool
    path: list[Point]
    solution_ok: bool


def read_number(word: str, prefix: str = "") -> int | None:
    digits = word[len(prefix) :] if word.startswith(prefix) else ""
    return int(digits) if digits.isdecimal() else None


def read_point(words: Sequence[str], size: int) -> Point | None:
    if len(words) != size:
        return None
    numbers = [read_number(w) for w in (words if size == 2 else words[0].split(","))]
    return (numbers[0], numbers[1]) if len(numbers) == 2 and None not in numbers else None


def read_step(words: Sequence[str], at: int, d: Dialect) -> tuple[Step, int] | None:
    """The step that begins at a place, and the place after it."""
    after = at + 1 + d.point_words + 2
    if words[at] not in ("create", "close") or after > len(words):
        return None
    point = read_point(words[at + 1 : at + 1 + d.point_words], d.point_words)
    g, h = read_number(words[after - 2], "c"), read_number(words[after - 1], "c")
    return None if point is None or g is None or h is None else ((words[at], point, g, h), after)


def read_plan(words: Sequence[str], at: int, d: Dialect) -> tuple[Point, int] | None:
    """The part of a plan that begins at a place, and the place after it."""
    if d.plan_word is not None:
        if words[at] != d.plan_word:
            return None
        at += 1
    point = read_point(words[at : at + d.point_words], d.point_words)
    return None if point is None else (point, at + d.point_words)


def read(words: list[str], dialect: str) -> Completion:
    """Split at the stop word; read steps; find the solution; read it to the end."""
    d = DIALECTS[dialect]
    ended = d.stop in words
    body = words[: words.index(d.stop)] if ended else words
    at, steps = 0, []
    if d.trace_open is None or body[:1] == [d.trace_open]:
        at = 0 if d.trace_open is None else 1
        while at < len(body) and (found := read_step(body, at, d)):
            steps.append(found[0])
            at = found[1]
    begins = at
    opens = d.solution_open or d.plan_word
    while begins < len(body) and body[begins] != opens:
        begins += 1
    trace_ok = begins == at
    at, path = begins + (d.solution_open is not None), []
    while at < len(body) and (found := read_plan(body, at, d)):
        path.append(found[0])
        at = found[1]
    return Completion(ended, steps, trace_ok, path, len(path) > 0 and at >= len(body))


# --- the verdicts -----------------------------------------------------------------------------

# A verdict is (first bad step, every reason that holds there), or None where the trace passes.
Fault = tuple[int, frozenset[str]] | None


def judge(maze: Maze, words: list[str], solver: str, dialect: str) -> dict[str, object]:
    """Every verdict on a completion. "solution": reasons (empty if valid); levels: Fault."""
    completion = read(words, dialect)
    n = len(completion.steps)
    whole = set()  # faults of the trace as a whole
    if not completion.ended:
        whole.add("truncated")
    elif not completion.trace_ok:
        whole.add("syntax")
    elif n == 0:
        whole.add("empty")
    end: Fault = (n, frozenset(whole)) if whole else None
    local, strict = replay(maze, completion.steps, solver, DIALECTS[dialect].creates_start)
    if strict is None and end is None:
        strict = check_end(maze, completion, parents_of(completion.steps))
    solution = set() if completion.ended else {"truncated"}
    return {
        "steps": n,
        "parses": end,
        "local": local or end,
        "strict": strict or end,
        "paper": paper(maze, words, solver, dialect),
        "solution": solution or solution_faults(maze, completion),
        "cost": len(completion.path) - 1,
    }


def solution_faults(maze: Maze, completion: Completion) -> set[str]:
    path = completion.path
    if not path and completion.solution_ok is False:
        return {"empty", "syntax"}
    if not completion.solution_ok:
        return {"syntax"}
    if path[0] not in maze.free:
        return {"not_a_state"}
    if path[0] != maze.start:
        return {"wrong_start"}
    for here, there in pairwise(path):
        if there not in maze.free:
            return {"not_a_state"}
        if there not in maze.neighbours(here):
            return {"illegal_move"}
    return set() if path[-1] == maze.goal else {"goal_not_reached"}


def parents_of(steps: list[Step]) -> dict[Point, Point]:
    """Of a legal trace: who was closed last when a state was (last) created."""
    parents, last = {}, None
    for op, point, _, _ in steps:
        if op == "close":
            last = point
        elif last is not None:
            parents[point] = last
    return parents


def check_end(maze: Maze, completion: Completion, parents: dict[Point, Point]) -> Fault:
    """Of a legal trace: is the goal closed last, and is the solution the path of the parents?"""
    n = len(completion.steps)
    op, at, _, _ = completion.steps[-1]
    if op != "close" or at != maze.goal:
        return n, frozenset({"goal_not_closed"})
    path = [at]
    while path[-1] in parents:
        path.append(parents[path[-1]])
    same = completion.solution_ok and path[::-1] == completion.path
    return None if same else (n, frozenset({"solution_differs"}))


def replay(maze: Maze, steps: list[Step], solver: str, creates_start: bool) -> tuple[Fault, Fault]:
    """The first step that is not legal, and the first that is legal but no step of this search."""
    g: dict[Point, int] = {}
    depth: dict[Point, int] = {}
    expansion: dict[Point, int] = {}
    opened: set[Point] = set()
    closed: list[Point] = []
    owed: set[Point] = set()  # successors that the last expansion has yet to create
    strict: Fault = None
    if not creates_start:
        opened.add(maze.start)
        g[maze.start] = depth[maze.start] = expansion[maze.start] = 0
    for i, (op, at, step_g, step_h) in enumerate(steps):
        faults = set()
        done = maze.goal in closed
        last = closed[-1] if closed else None
        if at not in maze.free:
            faults.add("not_a_state")
        elif op == "create" and last is None:
            first = creates_start and at == maze.start and not opened
            if not first:
                faults.add("nothing_closed")
            else:
                faults |= {"wrong_g"} if step_g != 0 else set()
                faults |= {"wrong_h"} if step_h != maze.h(at) else set()
        elif op == "create":
            if at not in maze.neighbours(last):
                faults.add("not_a_successor")
            elif step_g != g[last] + 1:
                faults.add("wrong_g")
            if step_h != maze.h(at):
                faults.add("wrong_h")
            if at in closed:
                faults.add("already_closed")
            if at in opened and not (solver in UPDATES and step_g < g[at]):
                faults.add("no_improvement")
        elif at not in opened:
            faults.add("not_open")
        elif step_g != g[at] or step_h != maze.h(at):
            faults.add("cost_mismatch")
        if faults:
            bad = i, frozenset(faults)
            return bad, strict or (i, frozenset(faults | ({"after_goal"} if done else set())))
        flaws = {"after_goal"} if done else set()
        if op == "create":
            opened.add(at)
            owed.discard(at)
            g[at], expansion[at] = step_g, len(closed)
            depth[at] = depth[last] + 1 if last is not None else 0
        else:
            ranks = {p: rank_of(solver, g[p], maze.h(p), depth[p], expansion[p]) for p in opened}
            if ranks[at] != min(ranks.values()):
                flaws.add("not_best")
            if owed:
                flaws.add("missing_successor")
            opened.remove(at)
            closed.append(at)
            owed = {
                p
                for p in maze.neighbours(at)
                if p not in closed and (p not in opened or (solver in UPDATES and g[at] + 1 < g[p]))
            }
        if flaws and strict is None:
            strict = i, frozenset(flaws)
    return None, strict


# --- the published validator ------------------------------------------------------------------


def paper(maze: Maze, words: list[str], solver: str, dialect: str) -> Fault:
    """The rules of the published validator, with our one condition more: the stop word is there.

    A part of the plan may hold anything but a step's keyword or the end of sequence; a plan that does
    not parse, or none, is the plan's fault and not the trace's, and then no length is compared.
    """
    d = DIALECTS[dialect]
    if d.stop not in words:
        return -1, frozenset({"truncated"})
    body = words[: words.index(d.stop)]
    if d.trace_open is not None and body[:1] == [d.trace_open]:
        body = body[1:]
    body = [word for word in body if word != d.solution_open]
    at, steps, plan, plan_ok = 0, [], [], True
    part = d.point_words + (d.plan_word is not None)
    while at < len(body):
        if body[at] in ("create", "close"):
            found = read_step(body, at, d)
            if found is None:
                return len(steps), frozenset({"syntax"})
            steps.append(found[0])
            at, plan = found[1], []
        elif body[at] == d.plan_word or (d.plan_word is None and read_point([body[at]], 1)):
            window = body[at : at + part]
            keywords = [k for k, word in enumerate(window) if word in ("create", "close", "<|eos|>")]
            if keywords and window[keywords[0]] == "<|eos|>":
                return len(steps), frozenset({"syntax"})
            if keywords:
                plan_ok = False
                at += keywords[0]
            else:
                plan.append(read_plan(body, at, d))
                at += part
        else:
            return len(steps), frozenset({"syntax"})
    plan_ok = plan_ok and bool(plan) and None not in plan
    return simulate(maze, steps, len(plan) if plan_ok else None, solver, d.creates_start)


def simulate(maze: Maze, steps: list[Step], plan: int | None, solver: str, creates_start: bool) -> Fault:
    """Open list of exact entries, as published; rank is f for A*, the solver's own elsewhere."""
    entries: dict[Point, tuple[int, int, int]] = {}  # open: point -> (g, h, rank)
    depth = {maze.start: 0}
    parents: dict[Point, Point] = {}
    closed: list[Point] = []
    if not creates_start:
        h = maze.h(maze.start)
        entries[maze.start] = (0, h, rank_of(solver, 0, h, 0, 0))
    for i, (op, at, g, h) in enumerate(steps):
        fault = None
        if at not in maze.free:
            fault = "not_a_state"
        elif op == "create":
            if not closed:
                if not (creates_start and at == maze.start and not entries):
                    fault = "nothing_closed"
            elif at not in maze.neighbours(closed[-1]):
                fault = "not_a_successor"
            elif at in closed:
                fault = "already_closed"
            if fault is None and (at not in entries or g < entries[at][0]):
                if closed:
                    parents[at], depth[at] = closed[-1], depth[closed[-1]] + 1
                entries[at] = (g, h, rank_of(solver, g, h, depth[at], len(closed)))
        elif at not in entries:
            fault = "not_open"
        elif entries[at][:2] != (g, h):
            fault = "cost_mismatch"
        elif entries[at][2] != min(rank for _, _, rank in entries.values()):
            fault = "not_best"
        else:
            del entries[at]
            closed.append(at)
        if fault:
            return i, frozenset({fault})
    if maze.goal not in closed:
        return len(steps), frozenset({"goal_not_closed"})
    length, at = 1, maze.goal
    while at != maze.start:
        length, at = length + 1, parents[at]
    if plan is not None and plan != length:
        return len(steps), frozenset({"solution_differs"})
    return None


# --- counts -----------------------------------------------------------------------------------


def dead_ends(maze: Maze) -> float:
    """Share of the free cells that have at most one free neighbour."""
    return sum(len(maze.neighbours(p)) <= 1 for p in maze.free) / len(maze.free)


def image(maze: Maze, symmetry: int) -> Maze:
    """The maze mirrored (1: left-right, 2: upside down) and transposed (4)."""

    def move(p: Point) -> Point:
        x, y = p
        x = maze.width - 1 - x if symmetry & 1 else x
        y = maze.height - 1 - y if symmetry & 2 else y
        return (y, x) if symmetry & 4 else (x, y)

    sides = (maze.height, maze.width) if symmetry & 4 else (maze.width, maze.height)
    return Maze(*sides, move(maze.start), move(maze.goal), frozenset(map(move, maze.free)))
