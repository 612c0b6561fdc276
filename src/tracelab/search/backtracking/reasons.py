"""Why a trace or a solution of the backtracking grammar is rejected: codes for compiled code."""

from __future__ import annotations

from typing import NamedTuple


class Reasons(NamedTuple):
    """Each code's place is its value; the name is what users read. The first four are every grammar's."""

    ok: int = 0
    syntax: int = 1  # the tokens do not parse as a step (or as a part of the solution)
    truncated: int = 2  # the length limit came before the stop token
    empty: int = 3  # nothing there
    no_such_variable: int = 4  # the problem has none
    already_assigned: int = 5  # decided on or propagated, but it has a value
    not_in_domain: int = 6  # a decision for a value that the variable may not have
    does_not_follow: int = 7  # propagated, but the constraint does not force it
    not_a_conflict: int = 8  # the constraint can still hold, the variable has values left
    no_conflict: int = 9  # backtracking though no conflict was found
    no_decision: int = 10  # backtracking, but no decision has a value left
    wrong_decision: int = 11  # backtracking to another than the latest decision with a value left
    value_tried: int = 12  # backtracking to a value that was tried, or is not in the domain
    conflict_left: int = 13  # a conflict was found, and the next step is not to backtrack
    conflict_missed: int = 14  # a decision while there is a conflict
    propagation_missed: int = 15  # a decision while a literal follows
    wrong_variable: int = 16  # a decision on another variable than the rule's
    after_end: int = 17  # steps after the problem was refuted
    unfinished: int = 18  # neither is every variable assigned nor the problem refuted
    solution_differs: int = 19  # the solution is not what the trace ends in
    repeated: int = 20  # the solution names a variable twice
    incomplete: int = 21  # the solution leaves a variable out
    violated: int = 22  # the solution breaks a constraint
    satisfiable: int = 23  # the solution says that there is none, but there is


R = Reasons()
NAMES = Reasons._fields
