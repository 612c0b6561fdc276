"""Deduction in the obvious way: sets of ground literals, saturated; proofs and searches replayed on words."""

from dataclasses import dataclass
from itertools import product

HEADER, PREMISES = 7, 3
ONSETS, VOWELS, CODAS = "bdfgklmprstvz", "aeiou", "bkmnpx"


@dataclass(frozen=True)
class Rule:
    """On one entity: quantified rules are written out. any: one premise is enough."""

    label: str
    premises: tuple[str, ...]
    any: bool
    head: str


@dataclass(frozen=True)
class Theory:
    facts: frozenset[str]
    rules: tuple[Rule, ...]
    query: str


def read(task, problem):
    """The integers -> ground literals as words, as they stand in a trace."""
    rules, facts, _, entities, _, *asked = (int(x) for x in problem[:HEADER])
    signed, quantified = "not" in task.logic, "forall" in task.logic

    def literal(number, entity):
        atom, sign = divmod(number, 2) if signed else (number, 0)
        word = (
            ONSETS[atom % 13] + VOWELS[atom % 5] + CODAS[atom % 6] + (str(atom // 390) if atom >= 390 else "")
        )
        words = [["is", "not"][sign]] * signed + [word] + ["ABCDEFGHIJKLMNOPQRST"[entity]] * quantified
        return " ".join(words)

    at, given, ground = HEADER, set(), []
    for _ in range(facts):
        given.add(literal(int(problem[at]), int(problem[at + 1])))
        at += 2
    for _ in range(rules):
        label, kind, about, head, *premises = (int(x) for x in problem[at : at + 4 + PREMISES])
        for entity in range(entities) if about < 0 else [about]:
            body = tuple(literal(p, entity) for p in premises if p >= 0)
            ground.append(Rule(f"r{label}", body, kind == 1, literal(head, entity)))
        at += 4 + PREMISES
    assert at == len(problem)
    return Theory(frozenset(given), tuple(ground), literal(*asked))


def enough(rule, known):
    return (any if rule.any else all)(premise in known for premise in rule.premises)


def saturated(theory, among=None):
    """All that follows; or all of `among` that follows without the rest."""
    known = theory.facts
    while True:
        more = known | {
            rule.head
            for rule in theory.rules
            if (among is None or rule.head in among) and enough(rule, known)
        }
        if more == known:
            return known
        known = more


def shortest(theory):
    """Applications in the shortest proof of the query: over all choices of one rule per literal."""
    best, known = None, saturated(theory)

    def cost(goals, chosen):
        nonlocal best
        goals = [g for g in goals if g not in theory.facts and g not in chosen]
        if best is not None and len(chosen) >= best:
            return
        if not goals:
            if theory.query in saturated(theory, chosen):  # not round in a circle
                best = len(chosen)
            return
        for rule in theory.rules:
            if rule.head == goals[0]:
                for body in [[p] for p in rule.premises] if rule.any else [rule.premises]:
                    if set(body) <= known:
                        cost([*goals[1:], *body], chosen | {goals[0]})

    cost([theory.query], frozenset())
    return best


def literals_of(task):
    """Every literal that can be written."""
    words = [
        w for w in task.codec.words if len(w.rstrip("0123456789")) == 3 and w[0] in ONSETS and w[1] in VOWELS
    ]
    atoms = [w for w in words if w[2] in CODAS]
    signs = ["is ", "not "] if "not" in task.logic else [""]
    entities = [f" {e}" for e in "ABCDEFGHIJKLMNOPQRST"[: task.entities]] if "forall" in task.logic else [""]
    return {f"{sign}{atom}{entity}" for sign, atom, entity in product(signs, atoms, entities)}


def taken(words, at, literals):
    """-> (the literal that begins at a place or None, the place after it)."""
    for width in (1, 2, 3):
        if " ".join(words[at : at + width]) in literals:
            return " ".join(words[at : at + width]), at + width
    return None, at


def parse(task, words):
    """-> (steps, does the trace parse?, proof: rows, "unknown" or None where it does not parse)."""
    literals = literals_of(task)
    labels = {w for w in task.codec.words if w[0] == "r" and w[1:].isdigit()}
    at, steps = 1, []
    if not words or words[0] != "reasoning":
        at = 0
    while at and at < len(words) and words[at] in ("apply", "try", "fail"):
        ruled = words[at] != "fail"
        label = words[at + 1] if ruled and at + 1 < len(words) else None
        literal, after = taken(words, at + 1 + ruled, literals)
        if literal is None or (ruled and label not in labels):
            break
        steps.append((words[at], label, literal))
        at = after
    parses = bool(steps) and (at == len(words) or words[at] == "solution")
    tail = words[words.index("solution", at) + 1 :] if "solution" in words[at:] else None
    return steps, parses, None if tail is None else rows_of(tail, labels, literals)


def rows_of(words, labels, literals):
    at, rows = 0, []
    while at < len(words):
        if words[at] == "unknown":
            rows.append("unknown")
            at += 1
            continue
        literal, after = taken(words, at + 1, literals)
        if words[at] not in labels or literal is None:
            return None
        rows.append((words[at], literal))
        at = after
    return rows or None


def proves(theory, rows):
    """Does it follow step by step, to the query; or is it `unknown` and right?"""
    if rows is None or "unknown" in rows:
        return rows == ["unknown"] and theory.query not in saturated(theory)
    known = set(theory.facts)
    for label, literal in rows:
        if not licensed(theory, label, literal, known):
            return False
        known.add(literal)
    return rows[-1][1] == theory.query


def licensed(theory, label, literal, known):
    return any(r.label == label and r.head == literal and enough(r, known) for r in theory.rules)


def dead(rule, failed):
    return (all if rule.any else any)(premise in failed for premise in rule.premises)


def replay(theory, steps, forward):
    """-> (is each step legal?, is it a search besides?, how literals were derived: literal -> label)."""
    everything, known, failed, by = saturated(theory), set(theory.facts), set(), {}
    goals = [] if theory.query in known else [theory.query]  # open ones, the last opened at the end
    strict = True
    for op, label, literal in steps:
        done = theory.query in known or theory.query in failed or (forward and known == everything)
        strict &= not done
        goals = [g for g in goals if g not in known and g not in failed]
        mine = [r for r in theory.rules if r.label == label]
        if op == "apply":
            if not licensed(theory, label, literal, known):
                return False, False, by
            strict &= literal not in known and (forward or goals[-1:] == [literal])
            if literal not in known:
                by[literal] = label
            known.add(literal)
        elif forward:
            return False, False, by
        elif op == "try":
            parents = [r for r in mine if literal in r.premises and r.head in goals]
            if not parents:
                return False, False, by
            strict &= literal not in known | failed and literal not in goals
            strict &= any(
                r.head == goals[-1] and not enough(r, known) and not dead(r, failed) for r in parents
            )
            strict &= not any(r.head == goals[-1] and enough(r, known) for r in theory.rules)
            if literal not in known | failed and literal not in goals:
                goals.append(literal)
        else:
            rest = [r for r in theory.rules if r.head == literal and not dead(r, failed)]
            if literal not in goals or rest:
                return False, False, by
            strict &= goals[-1] == literal
            failed.add(literal)
    done = theory.query in known or theory.query in failed or (forward and known == everything)
    return True, strict and done, by


def judge(task, problem, words):
    theory = read(task, problem)
    if "end" not in words:
        return False, False, dict.fromkeys(task.levels, False)
    steps, parses, rows = parse(task, words[: words.index("end")])
    right = proves(theory, rows)
    best = right and (rows == ["unknown"] or len(rows) == shortest(theory))
    local, strict, by = replay(theory, steps, task.solver == "forward")
    if right and rows != ["unknown"]:
        strict &= all(by.get(literal) == label for label, literal in rows)
    strict &= right and (rows != ["unknown"] or theory.query not in by)
    return right, best, {"parses": parses, "local": parses and local, "strict": parses and local and strict}
