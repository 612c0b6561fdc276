"""Planning judged in plain Python: things and places by name, every rule as its sentence says."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence

from tests.oracles import _best_first as grammar

KINDS = ("blocks", "locations", "cities", "trucks", "planes", "packages")
ACTIONS = ["pick-up", "put-down", "stack", "unstack", "load-truck", "unload-truck", "drive-truck"]
ACTIONS += ["load-airplane", "unload-airplane", "fly-airplane"]
State = tuple[str, ...]  # the place of each thing, by name


class Puzzle:
    """A stored problem, with names."""

    def __init__(self, numbers: Sequence[int], heuristic: str) -> None:
        domain, *rest = (int(n) for n in numbers)
        counts = dict(zip(KINDS, rest, strict=False))
        self.blocks = list("abcdefghijkl"[: counts["blocks"]])
        self.trucks, self.planes, self.packages, self.locations = (
            [f"{letter}{k + 1}" for k in range(counts[kind])]
            for letter, kind in zip("tapl", ("trucks", "planes", "packages", "locations"), strict=True)
        )
        self.things = self.blocks + self.trucks + self.planes + self.packages
        self.of_blocks, n, rest = domain == 0, counts["locations"], rest[len(KINDS) :]
        self.city = dict(zip(self.locations, rest[:n], strict=True))
        self.airports = [at for at, flag in zip(self.locations, rest[n : 2 * n], strict=True) if flag]
        objects = self.things + (["table", "hand"] if self.of_blocks else self.locations)
        places = [objects[k] if k >= 0 else None for k in rest[2 * n :]]
        half, self.heuristic = len(self.things), heuristic
        self.start = tuple(places[:half])
        self.goal = {t: at for t, at in zip(self.things, places[half:], strict=True) if at is not None}
        self.known: dict[State, dict[tuple, State]] = {}

    def actions(self, state: State) -> dict[tuple, State]:
        """(action, thing, what it names besides or None) -> the state after it."""
        if state not in self.known:
            moves = self.stacking(state) if self.of_blocks else self.carrying(state)
            self.known[state] = {
                (action, thing, other): tuple(
                    place if t == thing else at for t, at in zip(self.things, state, strict=True)
                )
                for action, thing, other, place in moves
            }
        return self.known[state]

    def stacking(self, state: State) -> Iterator[tuple]:
        where = dict(zip(self.things, state, strict=True))
        held = [b for b in self.blocks if where[b] == "hand"]
        clear = [b for b in self.blocks if b not in state and b not in held]
        for block in held:
            yield "put-down", block, None, "table"
            yield from (("stack", block, under, under) for under in clear)
        for block in clear if not held else []:
            if where[block] == "table":
                yield "pick-up", block, None, "hand"
            else:
                yield "unstack", block, where[block], "hand"

    def carrying(self, state: State) -> Iterator[tuple]:
        where = dict(zip(self.things, state, strict=True))
        for truck in self.trucks:
            for to in self.locations:
                if to != where[truck] and self.city[to] == self.city[where[truck]]:
                    yield "drive-truck", truck, to, to
        for plane in self.planes:
            for to in self.airports:
                if to != where[plane] and where[plane] in self.airports:
                    yield "fly-airplane", plane, to, to
        for vehicle in self.trucks + self.planes:
            kind = "truck" if vehicle in self.trucks else "airplane"
            for package in self.packages:
                if where[package] == where[vehicle]:
                    yield f"load-{kind}", package, vehicle, vehicle
                if where[package] == vehicle:
                    yield f"unload-{kind}", package, vehicle, where[vehicle]

    def h(self, state: State) -> int:
        where = dict(zip(self.things, state, strict=True))
        if self.heuristic == "none":
            return 0
        if self.heuristic == "goals":
            return sum(where[t] != at for t, at in self.goal.items())
        return self.blocks_to_handle(where) if self.of_blocks else self.ways_to_go(where)

    def blocks_to_handle(self, where: dict) -> int:
        def wrong(block: str) -> bool:
            if self.goal.get(block, where[block]) != where[block]:
                return True
            return where[block] in where and wrong(where[block])

        held = {b for b in where if where[b] == "hand"}
        lifted = {b for b in where if b not in held and wrong(b)}
        return len(lifted) + len((lifted | held) & set(self.goal))

    def ways_to_go(self, where: dict) -> int:
        handled, by_truck, by_plane = 0, set(), set()
        for thing, goal in self.goal.items():
            at = where[thing]
            if thing in self.trucks:
                by_truck.add(goal)
            elif thing in self.planes:
                by_plane.add(goal)
            elif at != goal:
                for kind, legs in self.legs(at, where.get(at, at), goal):
                    handled += 2 - (kind in self.vehicle(at) and legs[0] is None)
                    (by_truck if kind == "truck" else by_plane).update(place for place in legs if place)
        by_truck -= {where[t] for t in self.trucks}
        by_plane -= {where[p] for p in self.planes}
        return handled + len(by_truck) + len(by_plane)

    def vehicle(self, place: str) -> str:
        return "truck" if place in self.trucks else "plane" if place in self.planes else "none"

    def legs(self, at: str, place: str, goal: str) -> list[tuple[str, tuple]]:
        """(vehicle, (from or None if it is in there, to)) of each leg of a way; one airport a city."""
        hub = {self.city[airport]: airport for airport in self.airports}
        boarded = self.vehicle(at)
        if boarded != "plane" and self.city[place] == self.city[goal]:
            return [("truck", (None if boarded == "truck" else place, goal))]
        last, legs = hub[self.city[goal]], []
        if boarded == "truck" or (boarded == "none" and place not in self.airports):
            legs.append(("truck", (None if boarded == "truck" else place, hub[self.city[place]])))
        legs.append(("plane", (None if boarded == "plane" else hub[self.city[place]], last)))
        return legs if last == goal else [*legs, ("truck", (last, goal))]

    def solves(self, state: State) -> bool:
        where = dict(zip(self.things, state, strict=True))
        return all(where[thing] == at for thing, at in self.goal.items())


def fewest_actions(puzzle: Puzzle) -> int:
    """The length of a shortest plan, by A* with the puzzle's own heuristic."""
    queue, best = [(puzzle.h(puzzle.start), 0, puzzle.start)], {puzzle.start: 0}
    while True:
        _, g, state = heapq.heappop(queue)
        if puzzle.solves(state):
            return g
        for after in puzzle.actions(state).values():
            if g + 1 < best.get(after, g + 2):
                best[after] = g + 1
                heapq.heappush(queue, (g + 1 + puzzle.h(after), g + 1, after))


def all_states(puzzle: Puzzle) -> dict[State, int]:
    """Every state that can be reached -> the fewest actions from it to a goal (all can be undone)."""
    seen, order = {puzzle.start}, deque([puzzle.start])
    while order:
        for after in set(puzzle.actions(order.popleft()).values()) - seen:
            seen.add(after)
            order.append(after)
    before: dict[State, list[State]] = {state: [] for state in seen}
    for state in seen:
        for after in puzzle.actions(state).values():
            before[after].append(state)
    found = {state: 0 for state in seen if puzzle.solves(state)}
    order = deque(found)
    while order:
        state = order.popleft()
        for other in before[state]:
            if other not in found:
                found[other] = found[state] + 1
                order.append(other)
    return found


class Written(Puzzle):
    """A puzzle as a task writes it. A step names (state or None, action or None)."""

    creates_start = False

    def __init__(self, task, numbers: Sequence[int]) -> None:
        super().__init__(numbers, task.heuristic)
        self.solver, self.states = task.solver, task.format == "states"
        words = [w for w in task.codec.words if w not in (*task.codec.format.trace, *ACTIONS)]
        skipped = ("reasoning", "solution", "end", "init", "goal", "in-city", "airport")
        self.objects = {w for w in words if (w not in skipped and w[0] != "c") or w == "c"}
        self.verbs = {w for w in task.codec.words if w in ACTIONS}
        self.most = sum(column.name[0] == "s" for column in task.columns)

    def read_named(self, words: list[str], at: int) -> int:
        """Where the names of a state end."""
        end = at
        while end < len(words) and end - at < self.most and words[end] in self.objects:
            end += 1
        return end

    def read_action(self, words: list[str], at: int) -> tuple[tuple | None, int]:
        if len(words) < at + 2 or words[at] not in self.verbs or words[at + 1] not in self.objects:
            return None, at
        other = words[at + 2] if at + 2 < len(words) and words[at + 2] in self.objects else None
        return (words[at], words[at + 1], other), at + 2 + (other is not None)

    def read_step(self, words: list[str], at: int) -> tuple[grammar.Step, int] | None:
        op, at, state, action = words[at], at + 1, None, None
        if op not in ("create", "close"):
            return None
        if op == "close" or self.states:
            end = self.read_named(words, at)
            if end == at:
                return None
            state, at = tuple(words[at:end]), end
        if op == "create":
            action, at = self.read_action(words, at)
            if action is None:
                return None
        costs = grammar.read_costs(words[at : at + 2])
        return None if costs is None or len(costs) < 2 else ((op, (state, action), *costs), at + 2)

    def read_path(self, words: list[str]) -> list[State]:
        path, at = [self.start], 0
        while at < len(words):
            action, at = self.read_action(words, at)
            after = self.actions(path[-1]).get(action)
            if after is None:
                return []
            path.append(after)
        return path if words else []

    def named(self, written: tuple) -> State:
        return written[0]

    def created(self, last: State, written: tuple) -> State | None:
        after = self.actions(last).get(written[1])
        return None if self.states and written[0] != after else after

    def successors(self, state: State) -> dict[State, int]:
        return dict.fromkeys(self.actions(state).values(), 1)

    def solved(self, state: State) -> bool:
        return self.solves(state)

    def least(self) -> int:
        return fewest_actions(self)


def judge(task, numbers: Sequence[int], words: list[str]) -> tuple[bool, bool, dict[str, bool]]:
    """(solution valid, solution optimal, {level: ok}) of a completion."""
    return grammar.judge(Written(task, numbers), words)
