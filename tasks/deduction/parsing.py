"""Facts, rules and a question from a prompt that was read from a file."""

from __future__ import annotations

import numpy as np

from tracelab.core.codec import Codec
from tracelab.core.ragged import Integers
from tracelab.tasks.deduction.rules import AND, EVERY, PREMISES
from tracelab.tasks.deduction.text import parts_of, prompt_rows
from tracelab.tasks.shared.reading import alone, check_written, stored

RULE_ROW, FACT_ROW, QUERY_ROW = range(3)  # rows of a prompt
LITERALS, ABOUT, CONCLUSION = [2, 5, 8], 11, 10  # columns of one: premises, entity, conclusion


def problem_of(codec: Codec, prompt: Integers, entities: int, signs: int, quantified: bool) -> Integers:
    """The stored problem that a prompt's tokens write. ValueError if they write none."""
    read = codec.read_prompt(prompt)
    rows, facts, asked = (read[read[:, 0] == op] for op in (RULE_ROW, FACT_ROW, QUERY_ROW))
    if len(asked) != 1 or len(rows) == 0:
        raise ValueError("the prompt has no rules, or does not ask for one literal")
    if len(set(rows[:, 1].tolist())) < len(rows):
        raise ValueError("two rules have one name")
    about = np.where(rows[:, ABOUT] == entities, EVERY, rows[:, ABOUT]) if quantified else 0 * rows[:, 0]
    kinds = np.where(rows[:, 4] < 0, AND, rows[:, 4])
    rules = np.column_stack([rows[:, 1], kinds, about, rows[:, CONCLUSION], rows[:, LITERALS]])
    named = [(literal, entity if quantified else 0) for literal, entity in [*facts[:, 2:4], asked[0, 2:4]]]
    if max(entity for _, entity in named) >= entities:
        raise ValueError("a fact or the question is not about an entity")
    if named[-1] in named[:-1]:
        raise ValueError(
            "what is asked is a fact, so that there is nothing to prove: ask for another literal"
        )
    highest = max(int(rules[:, 3:].max()), *(literal for literal, _ in named))
    header = [len(rules), len(facts), highest // signs + 1, entities, levels_under(named[-1][0], rules)]
    problem = stored([*header, *named[-1], *np.ravel(named[:-1]).astype(int), *rules.ravel()])
    check_written(codec, prompt, prompt_rows(alone(problem), entities, quantified))
    return problem


def refuse_circles(problem: Integers) -> None:
    """ValueError if rules prove a literal by itself: a search back from the question would give up a goal for
    want of one that is still open, and take it for failed.
    """
    facts, rules = parts_of(problem.astype(np.int64))
    for entity in range(int(problem[3])):
        given = set(facts[facts[:, 1] == entity, 0].tolist())
        under: dict[int, set[int]] = {}
        for row in rules[np.isin(rules[:, 2], [EVERY, entity])].tolist():
            if row[3] not in given:
                under.setdefault(row[3], set()).update(p for p in row[4:] if p >= 0 and p not in given)
        while True:  # what rests on nothing that is left is in no circle
            loose = [head for head, premises in under.items() if not premises & under.keys()]
            if not loose:
                break
            for head in loose:
                del under[head]
        if under:
            raise ValueError(
                "its rules prove something by itself, round in a circle, which the search back from the "
                "question cannot settle: read it with task.solver=forward"
            )


def levels_under(query: int, rules: Integers) -> int:
    """How many levels of rules lie under a literal, distractors that lead to it among them: the depth of a
    problem whose drawing is not known.
    """
    known, front, levels = {query}, {query}, 0
    while front:
        serving = rules[np.isin(rules[:, 3], list(front)), -PREMISES:]
        levels += len(serving) > 0
        front = set(serving[serving >= 0].tolist()) - known
        known |= front
    return levels
