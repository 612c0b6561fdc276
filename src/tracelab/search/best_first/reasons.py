"""Why a trace or a solution of the best-first grammar is rejected: codes for compiled code."""

from __future__ import annotations

from typing import NamedTuple


class Reasons(NamedTuple):
    """Each code's place is its value; the name is what users read."""

    ok: int = 0
    syntax: int = 1  # the tokens do not parse as a step (or as a part of the solution)
    truncated: int = 2  # the length limit came before the stop token
    empty: int = 3  # nothing there
    not_a_state: int = 4  # outside the grid, a wall
    nothing_closed: int = 5  # a creation before the first closing
    not_a_successor: int = 6  # created, but no successor of the state closed last
    already_closed: int = 7  # created after it was closed
    no_improvement: int = 8  # created again at no lower cost
    wrong_g: int = 9
    wrong_h: int = 10
    not_open: int = 11  # closed, but never created or closed before
    cost_mismatch: int = 12  # closed with another g or h than it was created with
    not_best: int = 13  # closed while a state of lower priority was open
    missing_successor: int = 14  # the next state was closed before all successors were created
    after_goal: int = 15  # steps after the goal was closed
    goal_not_closed: int = 16
    solution_differs: int = 17  # the solution is not the path that the trace's parents give
    wrong_start: int = 18
    illegal_move: int = 19
    goal_not_reached: int = 20
    wrong_move: int = 21  # what the row says of the move is not how its state is reached


R = Reasons()
NAMES = Reasons._fields
