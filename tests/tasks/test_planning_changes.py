"""Small changes of planning problems stay among the problems that the task draws."""

import pytest

from tracelab.core import rng
from tracelab.tasks.planning import Planning
from tracelab.tasks.planning.layout import layout_of


@pytest.mark.parametrize("knobs", [{}, {"domain": "logistics"}, {"domain": "logistics", "packages": 1}])
def test_changed_problems_could_have_been_drawn(knobs):
    """No block is in the hand, no package in a vehicle; trucks are in their cities, airplanes at airports."""
    task = Planning(**knobs, longest=None)
    examples = task.generate(rng.keys(0, "train", 0, 20, "problem"), "train")
    keys = rng.keys(0, "train", 0, 20, "perturbation")
    for kind in task.changes:
        changed = task.perturb(examples, kind, keys)
        assert len(changed) > 10
        for layout in map(layout_of, changed.problem):
            things, trucks = len(layout.start), layout.counts["trucks"]
            assert (
                max(layout.start) <= things if task.domain == "blocksworld" else min(layout.start) >= things
            )
            assert [layout.cities[at - things] for at in layout.start[:trucks]] == list(range(trucks))
            assert all(layout.airports[at - things] for at in layout.start[trucks : layout.packages.start])
