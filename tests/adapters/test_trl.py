"""The reward as TRL calls it: completions of several problems, as text or as conversations, and its logs."""

from collections import defaultdict

import pytest

from tracelab.adapters.naming import task_named
from tracelab.adapters.trl import dataset, reward
from tracelab.adapters.words import Weights, drawn


class Log(defaultdict):
    """What TRL does with a logged value: of each name it keeps all, and means them over all processes."""

    def __init__(self):
        super().__init__(list)

    def __call__(self, name, value):
        self[name].append(value)

    def mean(self, name):
        return sum(self[name]) / len(self[name])


def test_rewards_and_logs():
    questions = drawn(task_named("maze", size=5), 2, "train", seed=0)
    right, other = (question.answer for question in questions)
    answers = [right, right.partition("</trace>")[2], other, other]
    references = [questions[i].reference for i in (0, 0, 0, 1)]
    extra = {}
    wanted = [1.5, 1.0, 0.0, 1.5]
    for completions in (answers, [[{"role": "assistant", "content": answer}] for answer in answers]):
        logged = Log()
        found = reward(Weights(solution=1.0, trace=0.5))(
            completions=completions,
            completion_ids=[[0]] * 4,
            prompts=[""] * 4,
            reference=references,
            trainer_state=None,
            log_metric=logged,
            log_extra=extra.__setitem__,
        )
        assert found == wanted
    assert logged["solution"] == [1.0, 1.0, 0.0, 1.0]
    assert logged["trace_strict"] == [1.0, 0.0, 0.0, 1.0]
    assert logged["first_bad_step"] == [p for p in extra["first_bad_step"] if p >= 0]
    assert len(logged["first_bad_step"]) == 2
    assert extra["trace_reason"][::3] == ["ok", "ok"]
    assert extra["trace_reason"][1] == "empty"
    assert reward(Weights(1.0, 0.5))(answers, reference=references) == wanted, "without its loggers, too"


@pytest.mark.parametrize("names", [("maze", "sat", "sat"), ("sat", "maze", "sat")])
def test_a_level_that_some_tasks_lack_is_logged_over_the_others(names):
    """Only mazes are judged by the published validator; the tasks stand in any order."""
    questions = [drawn(task_named(name), 1, "train", seed=k)[0] for k, name in enumerate(names)]
    answers = [q.answer if name == "maze" else "" for q, name in zip(questions, names, strict=True)]
    logged = Log()
    references = [question.reference for question in questions]
    reward()(answers, reference=references, log_metric=logged)
    assert logged["trace_paper"] == [1.0]
    assert logged.mean("trace_strict") == logged.mean("solution") == pytest.approx(1 / 3)


def test_processes_with_unequal_numbers_of_failures_count_by_them():
    """One fails once and one three times: the mean is over the four, not over the two means."""
    (question,) = drawn(task_named("maze", size=5), 1, "train", seed=0)
    right = question.answer
    late = right.replace("</trace>", "nonsense\n</trace>")
    logged = Log()
    places = []
    for answers in ([right, right, ""], [late, late, late]):
        reward()(
            answers,
            reference=[question.reference] * 3,
            log_metric=logged,
            log_extra=lambda name, column: places.extend(column) if name == "first_bad_step" else None,
        )
    failed = [place for place in places if place >= 0]
    assert len(failed) == 4
    assert logged.mean("first_bad_step") == sum(failed) / 4 != (failed[0] + sum(failed[1:]) / 3) / 2


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
