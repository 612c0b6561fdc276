"""format=stream_of_search borrows words of the public Stream of Search code and is not its format.

tests/data/stream_of_search.json: what that code wrote of two problems.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.task_checks import references
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.search.best_first.batch import examples_of
from tracelab.tasks.countdown import Countdown

SAMPLES = json.loads((Path(__file__).parents[1] / "data" / "stream_of_search.json").read_text())["samples"]


def ours(sample):
    """The reference completion of a sample's problem, in words."""
    task = Countdown(format="stream_of_search", target_range=[10, 100], number_range=[1, 50])
    drawn = task.generate(rng.keys(0, "train", 0, 1, "problem"), "train")
    problem = Ragged.of([[sample["target"], 1, *sample["numbers"]]], np.int16)
    searches = task._search(task._strategy, problem, rng.keys(0, "train", 0, 1, "problem"))
    examples = examples_of(drawn.identity, problem, searches, searches.measures[:, 2])
    return task.codec.words_of(references(task, replace(examples, index=drawn.index))[0])


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: str(s["target"]))
def test_our_text_is_not_theirs_and_the_differences_are_those_named(sample):
    text, theirs, target = ours(sample), sample["search"], str(sample["target"])
    states = [line for line in theirs.splitlines() if line.startswith("Current State: ")]
    own = text.split("Current State: ")[1:]
    assert len(states) > len(set(states))  # a state again after coming back
    assert len(own) == len({state.split(" Operations: ")[0] for state in own})
    assert all(line.startswith(f"Current State: {target}:[") for line in states)  # the target in each
    assert not any(target in state.split(" Operations: ")[0].split() for state in own[:-1])
    assert str(sample["numbers"]) in states[0]  # in the order of the problem
    assert own[0].startswith(" ".join(map(str, sorted(sample["numbers"]))) + " Operations: 0")
    assert theirs.endswith("equal: Goal Reached\n")  # seen when it is generated
    assert own[-1].startswith(f"{target} Operations: 2 solution")  # closed
    for words in ("Node #", "Moving to", "unequal: No Solution", "Resulting Numbers:"):
        assert words in theirs
        assert words not in text
    for words in ("Current State:", "Exploring Operation:", "Operations:"):
        assert words in theirs
        assert words in text
