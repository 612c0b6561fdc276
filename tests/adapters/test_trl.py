"""The reward as TRL calls it: completions of several problems, as text or as conversations, and its logs."""

import pytest

from tracelab.adapters.naming import task_named
from tracelab.adapters.trl import dataset, reward
from tracelab.adapters.words import Weights, drawn


def test_rewards_and_logs():
    questions = drawn(task_named("maze", size=5), 2, "train", seed=0)
    right, other = (question.answer for question in questions)
    answers = [right, right.partition("</trace>")[2], other, other]
    references = [questions[i].reference for i in (0, 0, 0, 1)]
    logged, extra = {}, {}
    wanted = [1.5, 1.0, 0.0, 1.5]
    for completions in (answers, [[{"role": "assistant", "content": answer}] for answer in answers]):
        found = reward(Weights(solution=1.0, trace=0.5))(
            completions=completions,
            completion_ids=[[0]] * 4,
            prompts=[""] * 4,
            reference=references,
            trainer_state=None,
            log_metric=logged.__setitem__,
            log_extra=extra.__setitem__,
        )
        assert found == wanted
    assert logged["solution"] == 0.75
    assert logged["trace_strict"] == 0.5
    assert logged["first_bad_step"] == pytest.approx(sum(p for p in extra["first_bad_step"] if p >= 0) / 2)
    assert extra["trace_reason"][::3] == ["ok", "ok"]
    assert extra["trace_reason"][1] == "empty"
    assert reward(Weights(1.0, 0.5))(answers, reference=references) == wanted, "without its loggers, too"


@pytest.mark.parametrize("names", [("maze", "sat", "sat"), ("sat", "maze", "sat")])
def test_a_level_that_some_tasks_lack_is_logged_over_the_others(names):
    """Only mazes are judged by the published validator; the tasks stand in any order."""
    questions = [drawn(task_named(name), 1, "train", seed=k)[0] for k, name in enumerate(names)]
    answers = [q.answer if name == "maze" else "" for q, name in zip(questions, names, strict=True)]
    logged = {}
    references = [question.reference for question in questions]
    reward()(answers, reference=references, log_metric=logged.__setitem__)
    assert logged["trace_paper"] == 1.0
    assert logged["trace_strict"] == logged["solution"] == pytest.approx(1 / 3)


def test_the_data_set_is_of_prompts():
    pytest.importorskip("datasets", reason="pip install 'tracelab[adapters]' brings it")
    task = task_named("maze", size=5)
    (question,) = drawn(task, 1, "val", seed=2)
    chat, plain, native = (
        dataset(task, 1, "val", 2, **form)[0] for form in ({}, {"chat": False}, {"native": True})
    )
    assert chat["prompt"] == [{"role": "user", "content": question.prompt}]
    assert plain["prompt"] == question.prompt
    assert native["prompt"] == question.problem
    assert chat["reference"] == plain["reference"] == native["reference"] == question.reference
