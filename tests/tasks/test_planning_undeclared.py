"""PDDL that names what it does not declare is refused."""

import pytest

from tracelab.tasks.planning.from_pddl import read_plan, read_problem

PDDL = """(define (problem two) (:domain blocks) (:objects %s)
  (:init (ontable x) (ontable y) (clear x) (clear y) (handempty)) (:goal (on x %s)))"""


@pytest.mark.parametrize(
    ("objects", "goal", "fault"),
    [
        ("x", "y", "y is no object of the problem"),
        ("x y", "b", "b is no object of the problem"),
        ("x y - (either block obj)", "y", "an object has one type"),
    ],
)
def test_what_is_not_declared_is_not_guessed(objects, goal, fault):
    """b is what this task calls the second block; the file does not."""
    with pytest.raises(ValueError, match=fault):
        read_problem(PDDL % (objects, goal))


def test_a_plan_of_named_objects_names_no_others():
    _, names = read_problem(PDDL % ("x y", "y"))
    assert read_plan("(pick-up x) (stack x y)", names) == "pick-up a stack a b"
    with pytest.raises(ValueError, match="b is no object of the problem"):
        read_plan("(pick-up x) (stack x b)", names)
