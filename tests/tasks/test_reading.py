"""Every task reads what it writes, whatever was done to the traces; what is no problem of it is named."""

import json
import re

import numpy as np
import pytest
import yaml
from hydra.utils import instantiate

from tests.helpers.garbling import mutate
from tests.helpers.students import asking_none
from tests.tasks.test_task_contract import discover
from tracelab.core import rng
from tracelab.core.codec import Sequences
from tracelab.core.paths import CONF
from tracelab.core.ragged import Ragged
from tracelab.data.frozen import arm, references
from tracelab.data.jsonl import read_jsonl, write_jsonl
from tracelab.evaluation import verifying
from tracelab.tasks.graph_path import GraphPath
from tracelab.tasks.maze import Maze
from tracelab.tasks.maze.parsing import check_extent
from tracelab.tasks.sokoban import Sokoban

TREATMENTS = {
    path.stem: asking_none(instantiate(yaml.safe_load(path.read_text())))
    for path in sorted((CONF / "trace").glob("*.yaml"))
}


@pytest.fixture(params=discover())
def task(request):
    return request.param


def draw(task, n):
    return task.generate(rng.keys(0, "train", 0, n, "problem"), "train")


def completions(sequences):
    return sequences.tokens.between(sequences.prompt, sequences.tokens.lengths - sequences.prompt)


def test_what_was_written_is_read(task, tmp_path):
    """Under every treatment: the same problems, the same tokens, the same verdicts."""
    examples = draw(task, 12)
    for name, treatment in TREATMENTS.items():
        if treatment.thinks is not None:  # which `generate` refuses
            continue
        written = arm(task, treatment, examples, 0, "train")[0]
        write_jsonl(tmp_path / name, task, written)
        read = read_jsonl(tmp_path / name, task)
        if read.faults:  # without a mark between them, a shuffled trace may begin as a prompt goes on
            assert (name, task.name, task.format) == ("shuffled", "sokoban", "published")
            assert all("the prompt has" in fault.reason for fault in read.faults)
            continue
        assert read.examples.identity.tolist() == examples.identity.tolist()
        for ours, theirs in zip(vars_of(written), vars_of(read.sequences), strict=True):
            assert ours.tolist() == theirs.tolist(), name
        before = task.judge(examples, completions(written))
        after = task.judge(read.examples, completions(read.sequences))
        assert all((ours == getattr(after, what)).all() for what, ours in vars(before).items()), name


def test_a_vocabulary_that_reaches_further_than_the_yard(tmp_path):
    """Published prompts end in a word that names no cell, at any width."""
    knobs = {"format": "published", "outer_walls": True, "heuristic": "open_docks", "deadlocks": "corners"}
    task = Sokoban(**knobs, longest=200, ood=({"size": 9},))
    examples = draw(task, 8)
    write_jsonl(tmp_path / "set", task, arm(task, TREATMENTS["correct"], examples, 0, "train")[0])
    assert read_jsonl(tmp_path / "set", task).examples.identity.tolist() == examples.identity.tolist()


def vars_of(sequences):
    return sequences.tokens.values, sequences.tokens.offsets, sequences.prompt, sequences.trace


def test_a_read_problem_has_its_reference_search(task, tmp_path):
    """The solver's own, as valid and as measured as that of a drawn one, wherever the problem stands."""
    examples = draw(task, 24)
    rows = np.arange(24)[::-1]
    sequences = arm(task, TREATMENTS["solution_only"], examples.take(rows), 0, "train")[0]
    write_jsonl(tmp_path / "set", task, sequences)
    read = read_jsonl(tmp_path / "set", task).examples
    assert task.judge_traces(read, read.trace).all()
    assert task.judge(read, references(task, read)).trace_ok.all()
    one = read_jsonl_of(task, sequences.take(np.array([5])), tmp_path / "one")
    assert one.trace.values.tolist() == read.trace[5].tolist(), "ties are broken by what the problem is"
    known = getattr(task, "tie_break", "first") != "random" and task.name != "deduction"
    for name, values in examples.complexity.items():
        assert values.dtype == read.complexity[name].dtype
        assert not known or values[rows] == pytest.approx(read.complexity[name])


def read_jsonl_of(task, sequences, path):
    write_jsonl(path, task, sequences)
    return read_jsonl(path, task).examples


def test_what_is_no_problem_is_named(task, tmp_path):
    """Prompts with one word changed, too few or too many: read, with a prompt that says so, or named."""
    generator, examples = np.random.default_rng(0), draw(task, 40)
    whole = arm(task, TREATMENTS["solution_only"], examples, 0, "train")[0]
    rows = []
    for tokens, prompt in zip(whole.tokens, whole.prompt, strict=True):
        changed = mutate(tokens[:prompt], len(task.codec.vocabulary), generator)
        rows.append(np.concatenate([changed, tokens[prompt:]]))
    rows[0] = whole.tokens[0]
    nothing = np.zeros(40, np.int32)
    write_jsonl(tmp_path / "set", task, Sequences(Ragged.of(rows), nothing, nothing))
    read = read_jsonl(tmp_path / "set", task)
    named = [fault.line for fault in read.faults]
    assert sorted([*read.line.tolist(), *named]) == list(range(1, 41))
    assert read.line[0] == 1
    assert named
    assert all(fault.reason for fault in read.faults)
    assert task.judge_traces(read.examples, read.examples.trace).all()


# --- problems that a task could write down wrongly, or not at all ---------------------------------------

LONG = "start 0 goal 3 0 1 c10 1 2 c10 2 3 c10 solution 0 1 2 3 end"  # the way costs 30


def fault_of(tmp_path, task, text):
    """Why a line is left out of a file whose other line is a problem of the task."""
    good = arm(task, TREATMENTS["correct"], draw(task, 1), 0, "train")[0]
    write_jsonl(tmp_path / "set", task, good)
    with (tmp_path / "set").open("a") as file:
        file.write(json.dumps({"text": text}) + "\n")
    (fault,) = read_jsonl(tmp_path / "set", task).faults
    return fault.reason


@pytest.mark.parametrize("reach", [{}, {"nodes": 40}], ids=["as many words", "more nodes than costs"])
def test_costs_that_have_no_word_are_not_written_as_others(tmp_path, reach):
    task = GraphPath(nodes=6, max_weight=2, solver="dijkstra", reach=reach or None)
    assert task.codec.words_of(task.codec.tokens_of("c10")) == "c10"
    assert "c11" not in task.codec.vocabulary
    assert "cannot be written" in fault_of(tmp_path, task, LONG)


def test_two_goals_have_no_coordinates(tmp_path):
    task = GraphPath(generator="grid", grid=[2, 2], density=1.0, coordinates=True, max_weight=2)
    words = task.codec.words_of(task.prompts(draw(task, 1))[0])
    start, goal = re.search(r"start (\d+)", words)[1], re.search(r"goal (\d+)", words)[1]
    other = next(node for node in "0123" if node not in (start, goal))
    both = words.replace(f"goal {goal}", f"goal {goal} goal {other}")
    assert "two goals" in fault_of(tmp_path, task, f"{both} solution {start} {goal} end")


def test_a_maze_has_two_ends(tmp_path):
    task = Maze(size=5)
    words = task.codec.words_of(task.prompts(draw(task, 1))[0])
    start, goal = re.search(r"start (\S+ \S+)", words), re.search(r"goal (\S+ \S+)", words)
    same = words.replace(goal[0], f"goal {start[1]}")
    assert fault_of(tmp_path, task, f"{same} solution plan {start[1]} end") == "the start is the goal"


def comb(side):
    """A maze of corridors that all lead to an open last column, stored."""
    free = np.zeros((side, side), np.int16)
    free[::2], free[:, -1] = 1, 1
    return Ragged.of([[side, side, 0, 0, 0, side - 1, *free.ravel()]], np.int16)


def test_a_column_that_is_open_by_chance_is_no_margin():
    check_extent(comb(25), 25, 25)
    wide = comb(25).values[6:].reshape(25, 25).copy()
    wide[:, -3:] = 1
    stored = Ragged.of([[25, 25, 0, 0, 0, 24, *wide.ravel()]], np.int16)
    with pytest.raises(ValueError, match="the mazes are of 22x25 cells, not 25x25"):
        check_extent(stored, 25, 25)


def test_all_mazes_of_a_file_say_of_what_size_they_are(monkeypatch):
    """Not those of one piece, which may be one maze."""
    small, task = Maze(size=9, reach={"side": 30}), Maze(size=30)
    given = [" ".join(small.codec.words_of(prompt).split()) for prompt in small.prompts(draw(small, 4))]
    stored = [task.parse(task.codec.tokens_of(words)) for words in given]
    read = task.solved(Ragged.of(stored, np.int16))
    few = verifying._Distinct("set", task)
    few.add(read.take(np.array([0, 0, 1])))
    few.add(read.take(np.array([2, 3])))
    with pytest.raises(ValueError, match=r"set: the mazes are of .x. cells, not 30x30"):
        few.check()
    monkeypatch.setattr(verifying, "ENOUGH", 2)
    with pytest.raises(ValueError, match=r"set: the mazes are of .x. cells, not 30x30"):
        verifying._Distinct("set", task).add(read)
