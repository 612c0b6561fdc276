"""Games in plain Python: positions as tuples, values by recursion, traces replayed on a stack."""

from functools import cache
from string import ascii_lowercase, ascii_uppercase

LOSS, DRAW, WIN = range(3)
VALUES = ("loss", "draw", "win")
WAYS = ((0, 1), (1, 0), (1, 1), (1, -1))


def position_of(task, problem):
    """(the rules, the position): a board is (rows of marks, who is to move), heaps are their sizes."""
    numbers = [int(number) for number in problem]
    if task.game == "nim":
        return (("nim", 0, task.misere), tuple(numbers[2:]))
    height, width, mover = numbers[:3]
    cells = [tuple(numbers[3 + y * width :][:width]) for y in range(height)]
    return ((task.game, task.line, task.misere), (tuple(cells), mover))


def moves(rules, position):
    """Move in words -> the position after it. None where the game is over."""
    if rules[0] == "nim":
        return {
            f"{ascii_uppercase[heap]} {taken}": (*position[:heap], size - taken, *position[heap + 1 :])
            for heap, size in enumerate(position)
            for taken in range(1, size + 1)
        }
    rows, mover = position
    found = {}
    for y, row in enumerate(rows):
        for x, mark in enumerate(row):
            falls = rules[0] == "connect"
            if mark or (falls and y + 1 < len(rows) and rows[y + 1][x] == 0):
                continue
            after = (*row[:x], mover, *row[x + 1 :])
            word = ascii_lowercase[x] if falls else f"{ascii_lowercase[x]}{y + 1}"
            found[word] = ((*rows[:y], after, *rows[y + 1 :]), 3 - mover)
    return found


def final(rules, position):
    """What a position is worth to the side to move if the game is over there, else None."""
    name, length, misere = rules
    if name == "nim":
        return None if any(position) else WIN if misere else LOSS
    rows, _ = position
    marks = {(y, x): mark for y, row in enumerate(rows) for x, mark in enumerate(row) if mark}
    for (y, x), mark in marks.items():
        for down, right in WAYS:
            if all(marks.get((y + k * down, x + k * right)) == mark for k in range(length)):
                return WIN if misere else LOSS
    return DRAW if len(marks) == len(rows) * len(rows[0]) else None


@cache
def value(rules, position):
    """What a position is worth to the side to move: backwards from where games end."""
    over = final(rules, position)
    return over if over is not None else max(WIN - value(rules, p) for p in moves(rules, position).values())


def best(rules, position):
    """The moves that keep a position's value."""
    worth = {move: WIN - value(rules, after) for move, after in moves(rules, position).items()}
    return {move for move, its in worth.items() if its == max(worth.values())}


def textbook(rules, position, cuts, order, low=LOSS, high=WIN, asked=True):
    """(value for the side that is asked, words) of a recursive minimax, or alpha-beta from low to high."""
    over = final(rules, position)
    if over is not None:
        over = over if asked else WIN - over
        return over, ["leaf", VALUES[over]]
    found, words, options = None, [], moves(rules, position)
    for k, move in enumerate(order(options)):
        came, below = textbook(rules, options[move], cuts, order, low, high, not asked)
        words += ["enter", *move.split(), *below]
        found = came if found is None else max(found, came) if asked else min(found, came)
        low, high = (max(low, found), high) if asked else (low, min(high, found))
        if cuts and k + 1 < len(options) and low >= high:
            return found, [*words, "cut", VALUES[found]]
    return found, [*words, "return", VALUES[found]]


def read_step(words, at, nim):
    """((operation, move or value), the place after it), or None."""
    op, width = words[at], 2 if nim and words[at] == "enter" else 1
    rest = words[at + 1 : at + 1 + width]
    if len(rest) < width or op not in ("enter", "leaf", "return", "cut"):
        return None
    if op != "enter":
        return ((op, VALUES.index(rest[0])), at + 2) if rest[0] in VALUES else None
    return ((op, " ".join(rest)), at + 1 + width) if is_move(rest, nim) else None


def is_move(words, nim):
    """May words be a move of some position?"""
    if nim:
        name, *taken = words
        return name in ascii_uppercase and len(taken) == 1 and taken[0].isdecimal()
    return len(words) == 1 and words[0][0] in ascii_lowercase and (words[0][1:] or "1").isdecimal()


def judge(task, problem, words):
    """(solution valid, optimal, {level: ok}) of a completion."""
    if "end" not in words:
        return False, False, dict.fromkeys(task.levels, False)
    body, nim = words[: words.index("end")], task.game == "nim"
    at, steps = 0, []
    if body[:1] == ["reasoning"]:
        at = 1
        while at < len(body) and (found := read_step(body, at, nim)):
            steps.append(found[0])
            at = found[1]
    parses = len(steps) > 0 and body[at : at + 1] in ([], ["solution"])
    answer = " ".join(body[body.index("solution", at) + 1 :]) if "solution" in body[at:] else None
    rules, position = position_of(task, problem)
    right = answer in best(rules, position)
    local, strict = replay(rules, position, steps, task.search == "alphabeta", answer)
    return right, right, {"parses": parses, "local": parses and local, "strict": parses and strict}


def replay(rules, position, steps, cuts, answer):
    """(local, strict) of steps. A place of the stack: the position, and what came back, move by move."""
    stack, strict, done, came = [(position, [])], True, False, []
    for op, what in steps:
        if done:
            return False, False
        here, came = stack[-1]
        asked, options, over = len(stack) % 2 == 1, moves(rules, here), final(rules, here)
        values = [its for _, its in came]
        prefer = max if asked else min
        left = set(options) - {move for move, _ in came}
        settled = bool(values) and closes(stack, prefer(values), asked)
        if op == "enter":
            if over is not None or what not in options:
                return False, False
            strict &= what in left and not (cuts and settled)
            stack.append((options[what], []))
            came.append((what, None))
            continue
        if op == "leaf":
            sound = over is not None and what == (over if asked else WIN - over)
        elif op == "return":
            sound = over is None and not left and what == prefer(values)
        else:
            sound = over is None and settled and what == prefer(values)
            strict &= cuts and bool(left)
        if not sound:
            return False, False
        stack.pop()
        done = not stack
        if stack:
            before = stack[-1][1]
            before[-1] = (before[-1][0], what)
    if not done:
        return True, False
    top = [move for move, its in came if its == max(its for _, its in came)]
    return True, strict and answer in (top[:1] if cuts else top)


def closes(stack, mine, asked):
    """Can what is left in the last position not matter, given its best value?"""
    if mine == (WIN if asked else LOSS):
        return True
    for depth, (_, came) in enumerate(stack[:-1]):
        theirs = [its for _, its in came if its is not None]
        if (depth % 2 == 0) != asked and theirs and (mine >= min(theirs) if asked else mine <= max(theirs)):
            return True
    return False
