"""Why a trace or a solution of the game-tree grammar is rejected: codes for compiled code."""

from __future__ import annotations

from typing import NamedTuple


class Reasons(NamedTuple):
    """Each code's place is its value; the name is what users read. The first four are every grammar's."""

    ok: int = 0
    syntax: int = 1  # the tokens do not parse as a step (or as a part of the solution)
    truncated: int = 2  # the length limit came before the stop token
    empty: int = 3  # nothing there
    illegal_move: int = 4  # the rules do not allow it here
    game_over: int = 5  # a move, a return or a cut where the game is over
    not_over: int = 6  # a leaf where the game goes on
    moves_left: int = 7  # a value is returned, but a move was not entered
    not_settled: int = 8  # a cut, but what is left could still matter
    wrong_value: int = 9  # the position has another value, by the rules or by what came back to it
    repeated: int = 10  # a move was entered here before
    cut_missed: int = 11  # a move is entered where alpha-beta cuts
    not_pruned: int = 12  # a cut, and the search is minimax
    nothing_left: int = 13  # a cut, and every move was entered: the value is returned
    after_end: int = 14  # steps after the value of the problem's position
    unfinished: int = 15  # the problem's position has no value at the end
    solution_differs: int = 16  # the solution is not a move that the trace finds
    too_much: int = 17  # more than one move
    worse_move: int = 18  # the solution gives away what another move keeps


R = Reasons()
NAMES = Reasons._fields
