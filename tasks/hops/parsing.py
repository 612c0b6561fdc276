"""A small world and a question from a prompt that was read from a file."""

from __future__ import annotations

from tracelab.core.codec import Codec
from tracelab.core.ragged import Integers
from tracelab.tasks.hops.text import ASK, CLOSE, ENTITY, OPEN, prompt_rows
from tracelab.tasks.hops.world import HOP, JOIN, NONE
from tracelab.tasks.shared.reading import alone, check_written, stored

Step = tuple[int, int, int, int]  # kind, relation, operands: as they are stored


def problem_of(codec: Codec, prompt: Integers, hops: int, relations: int) -> Integers:
    """The stored problem that a prompt's tokens write. ValueError if they write none with an answer."""
    rows = codec.read_prompt(prompt).tolist()
    asked = [r for r, row in enumerate(rows) if row[0] == ASK]
    facts = rows[: asked[0]] if asked else rows
    if len(asked) != 1 or not facts or any(row[0] > JOIN for row in facts):
        raise ValueError("the prompt is no list of facts and then one question")
    given = {tuple(row[:4]): row[4] for row in facts}
    if len(given) < len(facts):
        raise ValueError("two facts are about the same")
    steps = steps_of([(row[0], row[1]) for row in rows[asked[0] + 1 :]], relations)
    if len(steps) > hops:
        raise ValueError(f"the question has {len(steps)} steps, and this vocabulary numbers {hops}")
    check_answered(steps, given)
    used = [[row[1] for row in facts if row[0] == kind] for kind in (HOP, JOIN)]
    entities = 1 + max(max(row[2:]) for row in facts)
    header = [len(steps), entities, *(1 + max(names, default=-1) for names in used), len(facts)]
    problem = stored([*header, *(n for step in steps for n in step), *(n for row in facts for n in row)])
    check_written(codec, prompt, prompt_rows(alone(problem), relations))
    return problem


def steps_of(parts: list[tuple[int, int]], relations: int) -> list[Step]:
    """The steps of a question, (op, name) each part of it, as their parentheses close. ValueError if it is no
    expression.
    """
    steps, opened, operands = list[Step](), list[int](), list[list[int]]()
    for op, name in parts:
        if steps and not opened:
            raise ValueError("something follows the question")
        if op == OPEN:
            opened.append(name)
            operands.append([])
        elif op not in (ENTITY, CLOSE) or not opened:
            raise ValueError("the question is no expression in parentheses")
        elif op == ENTITY:
            operands[-1].append(name)
        else:
            kind = int(opened[-1] >= relations)
            step = kind, opened.pop() - relations * kind, *operands.pop()
            if len(step) != 3 + kind:
                raise ValueError("a relation is of one entity, a pairing of two")
            if operands:
                operands[-1].append(-2 - len(steps))
            steps.append((kind, step[1], step[2], step[3] if kind == JOIN else NONE))
    if opened or not steps:
        raise ValueError("the question ends before all its parentheses do")
    return steps


def check_answered(steps: list[Step], given: dict[tuple[int, ...], int]) -> None:
    """ValueError unless a fact answers each step."""
    known = list[int]()
    for kind, relation, *operands in steps:
        fact = (kind, relation, *(known[-2 - o] if o < NONE else o for o in operands))
        if fact not in given:
            raise ValueError(f"no fact answers step {len(known) + 1} of the question")
        known.append(given[fact])
