"""Programs of modular arithmetic, evaluated and judged in the obvious way."""

from string import ascii_uppercase

HEADER, WIDTH = 4, 4
RULES = {
    "let": lambda a, b: a,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
}


def name_of(k):
    return ascii_uppercase[k % 26] + (str(k // 26) if k >= 26 else "")


def read(problem):
    """-> (name -> (rule, operands: names or numbers), modulus, the name that is asked for)."""
    definitions = {}
    for at in range(HEADER, len(problem), WIDTH):
        name, rule, *operands = (int(x) for x in problem[at : at + WIDTH])
        words = [name_of(o) if o >= 0 else -1 - o for o in operands]
        definitions[name_of(name)] = (list(RULES)[rule], words[:1] if rule == 0 else words)
    return definitions, int(problem[2]), name_of(int(problem[3]))


def value(definitions, modulus, name):
    """By recursion."""
    rule, operands = definitions[name]
    numbers = [o if isinstance(o, int) else value(definitions, modulus, o) for o in operands]
    return RULES[rule](numbers[0], numbers[-1]) % modulus


def needed(definitions, name):
    """The name, and all that it rests on."""
    found = {name}
    for operand in definitions[name][1]:
        if not isinstance(operand, int):
            found |= needed(definitions, operand)
    return found


def parse(words, definitions_possible, modulus):
    """-> (steps, does the trace parse?, the words of the solution, or None)."""
    numbers, steps, at = {str(n): n for n in range(modulus)}, [], 0
    if not words or words[0] != "reasoning":
        return [], False, tail(words, 0)
    at = 1
    while at < len(words) and words[at] in RULES:
        width = 3 if words[at] == "let" else 5
        name, *rest = words[at + 1 : at + width] or [""]
        if len(rest) != width - 2 or name not in definitions_possible or not set(rest) <= set(numbers):
            break
        steps.append((words[at], name, [numbers[word] for word in rest]))
        at += width
    return steps, at == len(words) or words[at] == "solution", tail(words, at)


def tail(words, at):
    """What stands behind the first `solution` from there on."""
    return words[words.index("solution", at) + 1 :] if "solution" in words[at:] else None


def judge(task, problem, words):
    definitions, modulus, query = read(problem)
    if "end" not in words:
        return False, False, dict.fromkeys(task.levels, False)
    words = words[: words.index("end")]
    steps, parses, solution = parse(words, {name_of(k) for k in range(len(task.codec.vocabulary))}, modulus)
    if not words or words[0] != "reasoning":  # no trace: the solution may still be there
        parses = False
    answer = int(solution[0]) if solution and len(solution) == 1 and solution[0].isdigit() else None
    right = answer is not None and answer == value(definitions, modulus, query)
    parses = parses and bool(steps)
    local, strict = parses, parses
    known, wanted = {}, needed(definitions, query)
    for rule, name, numbers in steps:
        if not licensed(definitions, modulus, known, rule, name, numbers):
            local = strict = False
            break
        strict &= name not in known and name in wanted and query not in known
        known[name] = numbers[-1]
    strict &= query in known and answer == known[query]
    return right, right, {"parses": parses, "local": local, "strict": local and strict}


def licensed(definitions, modulus, known, rule, name, numbers):
    if name not in definitions or definitions[name][0] != rule:
        return False
    operands = [o if isinstance(o, int) else known.get(o) for o in definitions[name][1]]
    if None in operands:
        return False
    if rule != "let" and operands != numbers[:2]:
        return False
    return RULES[rule](operands[0], operands[-1]) % modulus == numbers[-1]
