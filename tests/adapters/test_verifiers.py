"""Our taskset in verifiers itself: found by its name, its problems scored on traces of messages."""

import asyncio

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs


@pytest.fixture
def vf():
    return pytest.importorskip("verifiers.v1", reason="pip install 'tracelab[adapters]' brings it")


@pytest.fixture
def problems(vf):
    from verifiers.v1.utils.loaders import load_taskset, taskset_class

    kind = taskset_class("tracelab_verifiers")
    from tracelab.adapters.verifiers import Settings

    assert issubclass(kind, vf.Taskset)
    knobs = {"size": 5}
    settings = Settings(id="tracelab_verifiers", knobs=knobs, count=3, task={"solution": 0.75, "trace": 0.25})
    return list(load_taskset(settings))


def said(vf, problem, text):
    """The trace of one turn."""
    from verifiers.v1.graph import MessageNode
    from verifiers.v1.trace import AgentInfo, TraceTask
    from verifiers.v1.types import AssistantMessage

    node = MessageNode(message=AssistantMessage(content=text), sampled=True)
    task = TraceTask(type="Problem", data=problem.data)
    return vf.Trace(task=task, agent=AgentInfo(config=vf.AgentConfig()), nodes=[node])


def test_problems_are_scored(vf, problems):
    assert [problem.data.idx for problem in problems] == [0, 1, 2]
    first, other = problems[:2]
    solution = first.data.answer.partition("</trace>")[2]
    for text, reward, strict in ((first.data.answer, 1, 1), (solution, 0.75, 0), (other.data.answer, 0, 0)):
        trace = said(vf, first, text)
        asyncio.run(first.score(trace))
        assert trace.reward == reward
        assert trace.metrics["trace_strict"] == strict
        assert trace.metrics["solution"] == (reward > 0)
        assert "first_bad_step" not in trace.metrics, "a mean would count what has none"


def test_reference_answers_validate(problems):
    assert all(asyncio.run(problem.validate(None)) for problem in problems)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"task_name": "sat", "task": {"level": "paper"}}, "level='paper'"), ({"split": "ood"}, "split='ood'")],
)
def test_what_a_task_lacks_is_refused_when_it_is_loaded(vf, wrong, named):
    from verifiers.v1.utils.loaders import load_taskset

    from tracelab.adapters.verifiers import Settings

    with pytest.raises(ValueError, match=named):
        list(load_taskset(Settings(id="tracelab_verifiers", count=1, **wrong)))
