"""Small worlds, asked and judged in the obvious way: facts are a dictionary, questions nested tuples."""

from string import ascii_uppercase

HEADER, STEP, FACT = 5, 4, 5


def name_of(k):
    return ascii_uppercase[k % 26] + (str(k // 26) if k >= 26 else "")


def read(problem):
    """-> (steps: (relation, operands: names or numbers of steps), facts: (relation, *names) -> name)."""
    numbers = [int(x) for x in problem]
    begins = HEADER + STEP * numbers[0]
    steps, facts = [], {}
    for at in range(HEADER, begins, STEP):
        kind, relation, *operands = numbers[at : at + STEP]
        used = [name_of(o) if o >= 0 else -2 - o for o in operands[: kind + 1]]
        steps.append((f"{'rp'[kind]}{relation + 1}", used))
    for at in range(begins, len(numbers), FACT):
        kind, relation, *operands, given = numbers[at : at + FACT]
        facts[(f"{'rp'[kind]}{relation + 1}", *map(name_of, operands[: kind + 1]))] = name_of(given)
    return steps, facts


def value(steps, facts, k):
    """By recursion."""
    relation, operands = steps[k]
    return facts[(relation, *(o if isinstance(o, str) else value(steps, facts, o) for o in operands))]


def written(steps, k):
    """A step as the prompt has it."""
    relation, operands = steps[k]
    return f"( {relation} {' '.join(o if isinstance(o, str) else written(steps, o) for o in operands)} )"


def parse(words, vocabulary):
    """-> (steps: (number, relation, operands, answer), does the trace parse?, the solution or None)."""
    names = {word for word in vocabulary if word[0].isupper()}
    if not words or words[0] != "reasoning":
        return [], False, tail(words, 0)
    steps, at = [], 1
    while at < len(words) and words[at] in ("hop", "join"):
        width = 4 if words[at] == "hop" else 5
        part = words[at + 1 : at + 1 + width]
        if len(part) < width or not set(part) <= set(vocabulary):
            break
        if not (
            part[0].isdigit() and part[1][0] in "rp" and part[1][1:].isdigit() and set(part[2:]) <= names
        ):
            break
        steps.append((int(part[0]) - 1, part[1], part[2:-1], part[-1]))
        at += len(part) + 1
    return steps, at == len(words) or words[at] == "solution", tail(words, at)


def tail(words, at):
    """What stands behind the first `solution` from there on."""
    return words[words.index("solution", at) + 1 :] if "solution" in words[at:] else None


def judge(task, problem, words):
    steps, facts = read(problem)
    if "end" not in words:
        return False, False, dict.fromkeys(task.levels, False)
    words = words[: words.index("end")]
    trace, parses, solution = parse(words, set(task.codec.words))
    right = solution == [value(steps, facts, len(steps) - 1)]
    parses = parses and bool(trace)
    local, strict, known = parses, parses, {}
    for k, relation, operands, answer in trace:
        licensed = k < len(steps) and relation == steps[k][0]
        licensed = licensed and operands == [known.get(o, o) for o in steps[k][1]]
        if not licensed or facts.get((relation, *operands)) != answer:
            local = strict = False
            break
        strict &= k not in known and len(steps) - 1 not in known
        known[k] = answer
    strict &= solution is not None and solution == [known.get(len(steps) - 1)]
    return right, right, {"parses": parses, "local": local, "strict": local and strict}
