"""Small changes of a problem of deduction that keep what can be proved.

rename    atoms and rules have other names, drawn among all words
reorder   rules and facts in another order

`other_query` leaves the theory as it is and asks for another conclusion.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from tracelab.core.ragged import Integers
from tracelab.tasks.deduction.parsing import levels_under
from tracelab.tasks.deduction.rules import EVERY, HEADER
from tracelab.tasks.deduction.text import parts_of
from tracelab.tasks.shared.perturbing import KEPT, MAPPED, Change, Changed, kept, order_of

SAME = ("rules", "facts", "depth", "proof", "derivable")
LABEL, CONCLUSION = 0, 3  # columns of a rule; from the latter on there are literals
ATOMS, ENTITIES, DEPTH, QUERY = range(2, 6)  # of the header; behind the query's literal is its entity
RULE_NAMED, LITERAL = 1, 2  # columns of a solution


def changes_of(atoms: int, labels: int, signs: int) -> dict[str, Change]:
    """Changes by name. atoms, labels: how many words there are for them; signs: 2 where there is `not`."""
    return {
        "rename": Change(partial(rename, atoms, labels, signs), MAPPED, SAME),
        "reorder": Change(reorder, KEPT, SAME),
    }


def rename(atoms: int, labels: int, signs: int, problem: Integers, draw: np.random.Generator) -> Changed:
    """`not p` goes with p; entities keep their names."""
    rules_named, atoms_named = order_of(draw, labels), order_of(draw, atoms)
    literals = (signs * atoms_named[:, None] + np.arange(signs)).ravel()
    literals = np.append(literals, -1)  # what is absent, -1, stays so
    header, (facts, rules) = problem[:HEADER].copy(), (part.copy() for part in parts_of(problem))
    rules[:, LABEL] = rules_named[rules[:, LABEL]]
    rules[:, CONCLUSION:] = literals[rules[:, CONCLUSION:]]
    facts[:, 0] = literals[facts[:, 0]]
    header[QUERY] = literals[header[QUERY]]
    highest = max(rules[:, CONCLUSION:].max(), facts[:, 0].max(initial=0), header[QUERY])
    header[ATOMS] = highest // signs + 1

    def carry(rows: Integers) -> Integers:
        named, there = rows.copy(), rows[:, RULE_NAMED] >= 0
        named[there, RULE_NAMED] = rules_named[rows[there, RULE_NAMED]]
        named[:, LITERAL] = literals[rows[:, LITERAL]]
        return named

    return Changed(np.concatenate([header, facts.ravel(), rules.ravel()]), carry)


def reorder(problem: Integers, draw: np.random.Generator) -> Changed:
    """Rules stay before facts."""
    facts, rules = parts_of(problem)
    parts = facts[order_of(draw, len(facts))], rules[order_of(draw, len(rules))]
    return kept(np.concatenate([problem[:HEADER], *(part.ravel() for part in parts)]))


def other_query(problem: Integers, draw: np.random.Generator) -> Changed | None:
    """Something else is asked for that a rule may conclude and that is no fact: all are equally likely."""
    facts, rules = parts_of(problem)
    asked = set[tuple[int, int]]()
    for _, _, about, conclusion, *_ in rules.tolist():
        entities = range(int(problem[ENTITIES])) if about == EVERY else [about]
        asked |= {(conclusion, entity) for entity in entities}
    known = {tuple(fact) for fact in [*facts.tolist(), problem[QUERY:HEADER].tolist()]}
    others = sorted(asked - known)
    if not others:
        return None
    changed = problem.copy()
    literal, _ = changed[QUERY:HEADER] = others[draw.integers(len(others))]
    changed[DEPTH] = levels_under(literal, rules)
    return Changed(changed)
