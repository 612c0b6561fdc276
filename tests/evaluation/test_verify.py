"""`tracelab.verify`: the verdicts of the task's judge, for words and token ids, whatever the text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracelab
from tests.house.test_imports import loaded_by
from tests.tasks.test_task_contract import discover
from tracelab.core import rng
from tracelab.data.frozen import references
from tracelab.tasks.maze import Maze

TASK = Maze(size=7)
PROMPT = "query start 0 0 goal 1 0 wall 3 3"
GOOD = (
    "reasoning close 0 0 c0 c1 create 1 0 c1 c0 create 0 1 c1 c2 close 1 0 c1 c0 "
    "solution plan 0 0 plan 1 0 end"
)


def rows(problems, completions, task=TASK):
    return tracelab.verify(task, problems, completions).to_pylist()


@pytest.fixture(params=discover())
def task(request):
    return request.param


def test_verdicts_are_the_judges(task):
    """From prompts in words, in token ids, and from the drawn problems themselves."""
    examples = task.generate(rng.keys(0, "train", 0, 12, "problem"), "train")
    prompts, own = task.prompts(examples), references(task, examples)
    mixed = [own[i - 1] if i % 3 == 0 else own[i] for i in range(len(own))]
    wanted = task.judge(examples, type(own).of(mixed))
    words = task.codec.words_of
    for problems, completions in (
        (list(map(words, prompts)), list(map(words, mixed))),
        ([row.tolist() for row in prompts], mixed),
        (examples, list(map(words, mixed))),
    ):
        table = tracelab.verify(task, problems, completions)
        assert table["not_judged"].null_count == len(own)
        assert table["solution_valid"].to_pylist() == wanted.solution_valid.tolist()
        assert table["solution_optimal"].to_pylist() == wanted.solution_optimal.tolist()
        assert table["solution_reason"].to_pylist() == [task.reasons[r] for r in wanted.solution_reason]
        assert table["trace_steps"].to_pylist() == wanted.steps.tolist()
        for k, level in enumerate(task.levels):
            reasons, at = wanted.trace_reason[:, k], wanted.trace_at[:, k].tolist()
            assert table[f"trace_{level}"].to_pylist() == (reasons == 0).tolist()
            assert table[f"trace_{level}_reason"].to_pylist() == [task.reasons[r] for r in reasons]
            assert table[f"trace_{level}_at"].to_pylist() == [None if place < 0 else place for place in at]


def test_a_problem_that_cannot_be_read_has_no_verdict():
    """It keeps its row, with the reason; completions around it are judged."""
    found = rows(
        [PROMPT, "query start", PROMPT + " wall 99 99", PROMPT, [1, 2], None, PROMPT],
        [GOOD, GOOD, GOOD, 3.5, GOOD, GOOD, GOOD],
    )
    assert [row["solution_valid"] for row in found] == [True, None, None, None, None, None, True]
    assert found[1]["trace_strict"] is None
    reasons = [row["not_judged"] for row in found]
    assert reasons[0] is reasons[6] is None
    assert reasons[3] == "the completion is neither words nor a list of token ids"
    assert reasons[5] == "the prompt is neither words nor a list of token ids"
    assert "the word '99' is not in this vocabulary" in reasons[2]


def test_nothing_is_nothing():
    assert len(tracelab.verify(TASK, [], [])) == 0
    with pytest.raises(ValueError, match="1 completions of 2 problems: give one of each"):
        tracelab.verify(TASK, [PROMPT] * 2, [GOOD])


def test_an_unknown_word_breaks_the_step_it_stands_in():
    found = rows([PROMPT] * 3, [GOOD.replace("c1 c2", "c1 many"), f"{GOOD} and more", GOOD[:-4]])
    assert [(row["trace_strict_reason"], row["trace_strict_at"]) for row in found] == [
        ("syntax", 2),
        ("ok", None),
        ("truncated", 4),
    ]
    assert [row["solution_reason"] for row in found] == ["ok", "ok", "truncated"]


WORDS = st.lists(st.sampled_from([*TASK.codec.vocabulary, "word", "\ud800", "\0"])).map(" ".join)
IDS = st.lists(st.integers() | st.sampled_from(range(len(TASK.codec.vocabulary))))
ANYTHING = WORDS | IDS | st.text() | st.none() | st.floats() | st.lists(st.text()) | st.binary()


@settings(max_examples=200)
@given(st.lists(st.tuples(st.just(PROMPT) | ANYTHING, st.just(GOOD) | ANYTHING), max_size=8))
def test_nothing_in_a_text_raises(pairs):
    """And neighbours do not matter: a good completion is good beside any other."""
    found = rows(*(list(column) for column in zip(*pairs, strict=True))) if pairs else []
    for row, (prompt, completion) in zip(found, pairs, strict=True):
        assert (row["not_judged"] is None) == (row["solution_valid"] is not None)
        if isinstance(prompt, str) and isinstance(completion, str) and (prompt, completion) == (PROMPT, GOOD):
            assert row["trace_strict"]


def test_a_million_tokens_are_judged():
    tokens = np.tile(TASK.codec.tokens_of("plan 1 0 plan 0 0"), 170_000)
    assert rows([PROMPT], [tokens])[0]["solution_reason"] == "truncated"
    assert rows([PROMPT], ["plan 1 0 plan 0 0 " * 170_000])[0]["trace_strict_reason"] == "truncated"


def test_it_needs_no_torch():
    assert not loaded_by("tracelab") & {"torch", "numpy", "pyarrow", "numba"}
    needed = loaded_by("tracelab.judge", "tracelab.evaluation.verifying", "tracelab.runs.build")
    assert not needed & {"torch", "lightning", "matplotlib", "wandb"}
