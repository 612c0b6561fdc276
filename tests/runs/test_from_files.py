"""Trained on files in place of drawn problems: their tokens as they are, a card, and no test problem."""

import json

import numpy as np
import pytest

from tests.helpers.forked import run
from tests.helpers.runs import small
from tracelab.core import rng
from tracelab.core.types import BINS, SPLITS
from tracelab.data.from_files import read_files, summary
from tracelab.data.frozen import KEPT_OF, arm, drawn
from tracelab.data.jsonl import write_jsonl
from tracelab.probes import memorisation
from tracelab.probes.exposure import seen
from tracelab.runs.build import build_task
from tracelab.runs.entry import compose
from tracelab.runs.folder import Run
from tracelab.runs.sets import prepare
from tracelab.tasks.knights_knaves import KnightsKnaves
from tracelab.tasks.maze import Maze
from tracelab.traces.correct import Correct
from tracelab.traces.swapped import Swapped
from tracelab.training.experiment import train
from tracelab.training.settings import Training

MAZES = Maze(size=5, format="compact", ood=[{"generator": "dfs"}])


def written(path, split="train", seed=5, n=60, extra=""):
    """Mazes with one another's traces, in a file."""
    examples = drawn(MAZES, seed, split, "problem", 0, n)
    sequences = arm(MAZES, Swapped(), examples, 0, split)[0]
    write_jsonl(path, MAZES, sequences)
    with open(path, "a") as file:
        file.write(extra)
    return examples, sequences


def test_a_files_tokens_are_trained_on_and_described(tmp_path):
    """Not a word is changed; the card says what was read, and what the verifier finds."""
    ones, first = written(tmp_path / "a.jsonl", extra="{\n")
    others, second = written(tmp_path / "b.jsonl", seed=6)
    files = f"data.files=[{tmp_path}/a.jsonl,{tmp_path}/b.jsonl]"
    data = prepare(small(tmp_path, files))
    both = [*first.tokens.values, *second.tokens.values]
    assert data.train.tokens.values.tolist() == both
    assert data.chunk(0).tokens.values.tolist() == data.chunk(3).tokens.values.tolist() == both
    part, treatment = data.card["splits"]["train"], data.card["treatment"]
    assert treatment["class"] == "tracelab.data.from_files.AsRead"
    assert treatment["files"] == [f"{tmp_path}/a.jsonl", f"{tmp_path}/b.jsonl"]
    assert part["problems"] == 120
    assert part["distinct"] == len(np.union1d(ones.identity, others.identity))
    assert part["solution"]["solution optimal"]["rate"] == 1
    assert part["trace"]["strict"]["rate"] < 0.5
    assert data.card["splits"]["val"]["trace"]["strict"]["rate"] == 1, "the generator's"
    assert [file["read"] for file in data.card["read"]["files"]] == [60, 60]
    assert [file["left_out"] for file in data.card["read"]["files"]] == [1, 0]
    assert "a.jsonl: 60 lines read, 1 left out" in data.summary
    assert "line 61: Expecting property name" in data.summary
    json.dumps(data.card)


def test_without_traces(tmp_path):
    _, own = written(tmp_path / "a.jsonl", n=20)
    data = prepare(small(tmp_path, f"data.files=[{tmp_path}/a.jsonl]", "trace=solution_only"))
    assert (data.train.trace == 0).all()
    assert data.train.prompt.tolist() == own.prompt.tolist()
    for i in range(20):
        left = np.delete(own.tokens[i], np.s_[own.prompt[i] : own.prompt[i] + own.trace[i]])
        assert data.train.tokens[i].tolist() == left.tolist()


def test_what_may_be_tested_on_is_left_out(tmp_path):
    """By the canonical hash, for every seed of the test sets."""
    mine, _ = written(tmp_path / "a.jsonl")
    tested, _ = written(tmp_path / "test.jsonl", "test", n=10)
    files = read_files([f"{tmp_path}/a.jsonl", f"{tmp_path}/test.jsonl"], MAZES)
    assert files.examples.identity.tolist() == mine.identity.tolist()
    assert files.about["of other splits"] == len(tested)
    assert (files.examples.identity % np.uint64(BINS) < SPLITS["train"][1]).all()
    with pytest.raises(ValueError, match=r"none of the 10 problems of .*test\.jsonl belongs to the split"):
        read_files([f"{tmp_path}/test.jsonl"], MAZES)


def test_each_problem_once(tmp_path):
    mine, _ = written(tmp_path / "a.jsonl", n=30)
    twice = read_files([f"{tmp_path}/a.jsonl"] * 2, MAZES)
    once = read_files([f"{tmp_path}/a.jsonl"] * 2, MAZES, distinct=True)
    assert len(twice.examples) == 60
    assert len(once.examples) == len(np.unique(mine.identity)) == 60 - once.about["repeated"]
    assert f"of other splits left out, {once.about['repeated']} repeated" in summary(once.about)
    assert "repeated" not in summary(twice.about)


def test_how_many_draws_are_kept_of_the_generators_sets(tmp_path):
    """Of the file nobody knows."""
    task = KnightsKnaves(people=3, max_steps=6, ood=[{"people": 4}])
    examples = drawn(task, 5, "train", "problem", 0, 20)
    write_jsonl(tmp_path / "a.jsonl", task, arm(task, Correct(), examples, 0, "train")[0])
    knobs = ("task=knights_knaves", "task.people=3", "task.max_steps=6", "task.ood=[{people:4}]")
    few = ("data.val_size=8", "eval.problems=8", f"run_dir={tmp_path}/run")
    data = prepare(compose(Training, "train", *knobs, *few, f"data.files=[{tmp_path}/a.jsonl]"))
    assert list(data.card["kept"]) == ["val", "knights_knaves", "4_people"]
    flags = task.kept(rng.keys(0, "val", 0, KEPT_OF, "problem"), "val")
    assert data.card["kept"]["val"]["rate"] == flags.mean() < 1
    assert "val: draws kept" in data.summary


@pytest.mark.parametrize(
    ("knob", "message"),
    [
        ("trace=swapped", "trace=swapped is made of the solver's own traces, and data.files come with"),
        ("trace=shuffled", "take trace=correct to train on them as they are"),
        ("data.online=true", "data.online=true draws problems, data.files has them"),
        ("data.files=3", "data.files=3: "),
    ],
)
def test_what_cannot_be_had_of_files_is_said(knob, message, tmp_path):
    written(tmp_path / "a.jsonl", n=10)
    with pytest.raises(ValueError, match=message):
        prepare(small(tmp_path, f"data.files=[{tmp_path}/a.jsonl]", knob))


def test_a_run_on_a_file(tmp_path):
    """From the file to judged completions; what it was trained on is known afterwards."""
    mine, _ = written(tmp_path / "a.jsonl")
    settings = small(tmp_path / "run", f"data.files=[{tmp_path}/a.jsonl]", "data.batch_tokens=400")
    train(settings)
    card = json.loads((tmp_path / "run" / "data_card.json").read_text())
    assert card["splits"]["train"]["problems"] == 60
    known = seen(settings, build_task(settings.task), 25)
    once = np.unique(known.content, return_index=True)[1]  # a maze may stand in the file twice
    assert known.times[once].sum() == 25
    assert np.isin(known.identity, mine.identity).all()
    with pytest.raises(ValueError, match=r"take a run whose problems were drawn \(data.files=null\)"):
        memorisation.of_run(Run.open(tmp_path / "run"))


def test_what_the_command_writes_is_trained_on(tmp_path):
    """`generate` with a treatment whose traces are no steps; README's way from one command to the other."""
    made = ("task.size=5", "task.ood=[]", "trace=shuffled", "count=30", f"output={tmp_path}/a.jsonl")
    done = run("-m", "tracelab.generate", *made, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    data = prepare(small(tmp_path, "task.ood=[]", f"data.files=[{tmp_path}/a.jsonl]"))
    generated = json.loads((tmp_path / "a.jsonl.card.json").read_text())["splits"]["train"]
    assert {**data.card["splits"]["train"], "drawn": 0} == {**generated, "drawn": 0}
    assert "0 left out" in data.summary
