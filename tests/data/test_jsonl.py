"""The published text format: read, judged, written again byte for byte."""

import json
from pathlib import Path

import numpy as np
import pytest

from tracelab.core.codec import Sequences
from tracelab.data.frozen import arm, drawn
from tracelab.data.jsonl import read_jsonl, write_jsonl
from tracelab.tasks.maze import Maze
from tracelab.traces.correct import Correct
from tracelab.traces.solution_only import SolutionOnly

PUBLISHED = Path(__file__).parent / "published_wilson_30x30.jsonl"
TASK = Maze(size=30)
SMALL = Maze(size=7)


def test_published_mazes_are_read_judged_and_written(tmp_path):
    examples = read_jsonl(PUBLISHED, TASK)
    sequences, treated = arm(TASK, Correct(), examples, 0, "train")
    assert treated.residual_valid.all()
    verdicts = TASK.judge(examples, completions(sequences))
    assert verdicts.trace_ok.all(), "parses, local, strict and the paper's"
    assert verdicts.solution_optimal.all()
    assert (examples.complexity["free_cells"] == 449).all(), "a spanning tree of 15 x 15 rooms"
    write_jsonl(tmp_path / "again.jsonl", TASK, sequences)
    assert (tmp_path / "again.jsonl").read_bytes() == PUBLISHED.read_bytes()


def completions(sequences: Sequences):

    lengths = sequences.tokens.lengths - sequences.prompt
    return sequences.tokens.between(sequences.prompt, lengths)


@pytest.mark.parametrize("style", ["paper", "searchformer", "compact"])
def test_what_was_written_is_read(style, tmp_path):
    task = Maze(size=7, format=style, generator="braided")
    examples = drawn(task, 0, "train", "problem", 0, 30)
    write_jsonl(tmp_path / "set.jsonl", task, arm(task, Correct(), examples, 0, "train")[0])
    read = read_jsonl(tmp_path / "set.jsonl", task)
    assert read.identity.tolist() == examples.identity.tolist()
    for name in ("problem", "trace", "solution"):
        ours, theirs = getattr(examples, name), getattr(read, name)
        assert ours.values.tolist() == theirs.values.tolist()
        assert ours.values.dtype == theirs.values.dtype
        assert ours.offsets.tolist() == theirs.offsets.tolist()
    for name, values in examples.complexity.items():
        assert values.dtype == read.complexity[name].dtype
        assert values == pytest.approx(read.complexity[name])


def test_solutions_without_traces_are_read(tmp_path):
    examples = drawn(SMALL, 0, "train", "problem", 0, 10)
    write_jsonl(tmp_path / "set.jsonl", SMALL, arm(SMALL, SolutionOnly(), examples, 0, "train")[0])
    read = read_jsonl(tmp_path / "set.jsonl", SMALL)
    assert (read.trace.lengths == 0).all()
    assert read.identity.tolist() == examples.identity.tolist()


GOOD = "query start 0 0 goal 1 0 wall 3 3 reasoning close 0 0 c0 c1 solution plan 0 0 plan 1 0 end"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: "),
        ("[1]", "not of the form"),
        ('{"words": "a"}', "not of the form"),
        ('{"text": 3}', "not of the form"),
        (GOOD.replace("3 3", "3 29"), "the word '29' is not in this vocabulary"),
        (GOOD.replace("c1", ""), "'solution' or another step should stand"),
        (GOOD.replace("solution", "plan"), "word 17 is 'plan' where 'solution'"),
        (GOOD.replace(" end", ""), "it ends where 'end' should stand"),
        (GOOD + " end", "1 words follow 'end'"),
        (GOOD.replace("wall 3 3", "wall 0 0"), "the start stands on a wall"),
        (GOOD.replace("wall 3 3", "goal 3 3"), "the prompt has 2 goals"),
        (GOOD.replace("query start 0 0", ""), "the prompt has 0 starts"),
        (
            GOOD.replace("wall 3 3", "wall 1 0")
            .replace("goal 1 0", "goal 2 0")
            .replace("wall 1 0", "wall 1 0 wall 0 1"),
            "no way leads",
        ),
        ("", "line 2: "),
    ],
)
def test_bad_lines_are_named(line, message, tmp_path):
    path = tmp_path / "set.jsonl"
    line = json.dumps({"text": line}) if line.startswith("query") or line.startswith(" goal") else line
    path.write_text(json.dumps({"text": GOOD}) + "\n" + line + "\n")
    with pytest.raises(ValueError, match=message) as error:
        read_jsonl(path, SMALL)
    assert f"{path}, line 2: " in str(error.value)


def test_a_cell_outside_a_smaller_maze(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps({"text": GOOD.replace("3 3", "6 2")}) + "\n")
    with pytest.raises(ValueError, match=r"cell \(6, 2\) is outside a 5x5 maze"):
        read_jsonl(path, Maze(size=5, reach={"side": 7}))


def test_an_empty_file(tmp_path):
    (tmp_path / "set.jsonl").write_text("")
    with pytest.raises(ValueError, match="is empty"):
        read_jsonl(tmp_path / "set.jsonl", SMALL)


def test_a_read_set_is_known_by_content():
    """Same mazes, same identity, whether drawn or read: disjointness covers files too."""
    examples = read_jsonl(PUBLISHED, TASK)
    assert len(np.unique(examples.identity)) == 20
    assert examples.index.tolist() == list(range(20))
