"""Why a trace or a solution of the derivation grammar is rejected: codes for compiled code."""

from __future__ import annotations

from typing import NamedTuple


class Reasons(NamedTuple):
    """Each code's place is its value; the name is what users read. The first four are every grammar's."""

    ok: int = 0
    syntax: int = 1  # the tokens do not parse as a step (or as a part of the solution)
    truncated: int = 2  # the length limit came before the stop token
    empty: int = 3  # nothing there
    not_given: int = 4  # the problem has no such statement
    wrong_rule: int = 5  # another rule than the statement's
    premise_missing: int = 6  # a premise is neither given nor derived before
    wrong_premise: int = 7  # a premise is not as it was derived
    wrong_conclusion: int = 8  # the rule gives something else
    repeated: int = 9  # it was derived before
    not_needed: int = 10  # the question does not depend on it
    after_answer: int = 11  # steps after the question was answered
    unanswered: int = 12  # the question is not answered at the end
    solution_differs: int = 13  # the solution is not what was derived
    wrong_answer: int = 14  # the solution is not the right one
    too_much: int = 15  # more than one answer
    other_search: int = 16  # goals belong to the search back from the question
    not_a_goal: int = 17  # it is no premise of a rule for an open goal, or no open goal
    rule_left: int = 18  # failed while a rule may still give it


R = Reasons()
NAMES = Reasons._fields
