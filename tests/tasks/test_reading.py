"""Every task reads what it writes, whatever was done to the traces; what is no problem of it is named."""

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
