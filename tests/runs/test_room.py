"""How long completions may be: half as long again as the tests' references, and as long as what is taught."""

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.runs import KEPT
from tracelab.core import rng
from tracelab.core.paths import CONF
from tracelab.data import frozen
from tracelab.data.card import Arm
from tracelab.evaluate import Changes, place_of
from tracelab.runs.folder import Run
from tracelab.runs.room import room_for
from tracelab.runs.settings import Sampling
from tracelab.tasks.maze import Maze
from tracelab.traces.correct import Correct
from tracelab.traces.solution_only import SolutionOnly


def taught(treatment):
    task = Maze(size=5)
    examples = task.generate(rng.keys(0, "train", 0, 300, "problem"), "train")
    return task, Arm(examples, *frozen.arm(task, treatment, examples, 0, "train"))


@pytest.mark.parametrize("treatment", [Correct(), SolutionOnly()])
def test_traces_no_longer_than_the_references_change_nothing(treatment):
    assert room_for(100, *taught(treatment)) == 150


def test_right_completions_of_longer_traces_are_not_cut():
    """Each sequence written twice: its second half counts as trace, too."""
    task, train = taught(Correct())
    twice = replace(train.sequences, tokens=train.sequences.tokens.joined(train.sequences.tokens))
    longest = int((train.sequences.tokens.lengths - train.sequences.prompt).argmax())
    tokens, prompt = len(train.sequences.tokens[longest]), int(train.sequences.prompt[longest])
    wanted = int(np.ceil(100 * (2 * tokens - prompt) / (tokens - prompt)))
    assert room_for(100, task, train._replace(sequences=twice)) == wanted > 200


@pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")
def test_a_run_is_judged_with_its_own_limit_whatever_it_is_asked():
    run = Run.open(KEPT)
    before = run.read_json("run.json")["max_new"]
    assert run.settings.eval.max_new is None
    for asked, limit in ((Changes(problems=999, seed=7), before), (Changes(max_new=before + 1), before + 1)):
        assert place_of(run, asked)[0].limit({"max_new": before}) == limit
    said = (CONF / "evaluate.yaml").read_text(encoding="utf-8")
    assert "worked out when it was trained, whatever problems and seed are" in said
    assert "more where longer traces are taught" in " ".join((Sampling.__doc__ or "").split())
    assert "more where\n  # longer traces are taught" in (CONF / "train.yaml").read_text(encoding="utf-8")
