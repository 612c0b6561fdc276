"""The published setting: its three arms differ in the traces alone."""

import pytest

from tests.runs import config

ARMS = {
    "paper_maze": "correct",
    "paper_maze_swapped": "swapped",
    "paper_maze_solution_only": "solution_only",
}
PROTOCOL = ["wilson", "kruskal", "dfs", "drunkards_walk", "searchformer", "free_space"]


@pytest.mark.parametrize("model", ["small", "base", "qwen2_380m"])
@pytest.mark.parametrize("experiment", ARMS)
def test_arms_are_one_setting(experiment, model):
    composed = config("train", f"experiment={experiment}", f"model={model}")
    assert composed.names.trace == ARMS[experiment]
    assert composed.names.model == model
    assert [composed.task.generator, *composed.task.ood_generators] == PROTOCOL
    assert (composed.task.size, composed.task.format, composed.task.ood_sizes) == (30, "paper", [])
    assert (composed.data.train_size, composed.data.packing, composed.eval.problems) == (50_000, 8192, 1000)
    assert composed.budget.default_tokens == 2_000_000_000
    assert composed.loss.trace_weight == composed.loss.solution_weight == 1.0
