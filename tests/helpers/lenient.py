"""A task with another judge, before which models that solve nothing are right now and then."""

from copy import copy
from dataclasses import replace


def lenient(task):
    """The task; solutions are said to be valid by their completions' lengths, one in four."""
    other = copy(task)

    def judge(examples, tokens):
        return replace(task.judge(examples, tokens), solution_valid=tokens.lengths % 4 == 1)

    object.__setattr__(other, "judge", judge)  # tasks are frozen
    return other
