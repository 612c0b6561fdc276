"""Our tasks in lm-evaluation-harness itself: found by their folder, one file a task, evaluated end to end."""

import pytest
import yaml

from tracelab.adapters.lm_eval import FOLDER
from tracelab.adapters.naming import names

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs


@pytest.fixture(scope="module")
def lm_eval():
    return pytest.importorskip("lm_eval", reason="pip install 'tracelab[adapters]' brings it")


def test_each_task_has_its_file():
    found = {path.stem: yaml.safe_load(path.read_text()) for path in FOLDER.glob("[!_]*.yaml")}
    assert set(found) == set(names())
    for name, told in found.items():
        shared = {"include": "_tracelab.yaml", "dataset_kwargs": {"name": name}}
        assert told == {**shared, "task": f"tracelab_{name}"}


def test_it_evaluates_them(lm_eval):
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager

    class Solver(LM):
        """Answers every second question with the reference."""

        def generate_until(self, requests):
            right = [request.doc["answer"] if request.doc_id % 2 else "no" for request in requests]
            self.asked = [request.args[0] for request in requests]
            return right

        def loglikelihood(self, requests): ...
        def loglikelihood_rolling(self, requests): ...

    manager = TaskManager(
        include_path=str(FOLDER), include_defaults=False, metadata={"count": 6, "knobs": {"size": 5}}
    )
    assert {f"tracelab_{name}" for name in names()} <= set(manager.all_tasks)
    solver = Solver()
    found = lm_eval.simple_evaluate(solver, tasks=["tracelab_maze"], task_manager=manager, bootstrap_iters=0)
    metrics = found["results"]["tracelab_maze"]
    assert len(solver.asked) == 6
    assert all("size=5" in prompt for prompt in solver.asked)
    for name in ("solution", "optimal", "trace_parses", "trace_local", "trace_strict"):
        assert metrics[f"{name},none"] == 0.5
