"""Our data sets in reasoning-gym itself: registered, drawn again from their seed, scored."""

import pytest

from tracelab.adapters.naming import names
from tracelab.adapters.reasoning_gym import register

pytestmark = pytest.mark.filterwarnings("default")  # theirs


@pytest.fixture
def gym():
    return pytest.importorskip("reasoning_gym", reason="pip install 'tracelab[adapters]' brings it")


def test_every_task_is_a_data_set(gym):
    assert register() == register() == tuple(f"tracelab_{name}" for name in names())
    for name in register():
        data = gym.create_dataset(name, size=2, seed=7)
        assert [data.score_answer(item["answer"], item) for item in data] == [1.0, 1.0]
        assert gym.get_score_answer_fn(name)(data[0]["answer"], data[0]) == 1.0


def test_items_are_those_of_their_seed(gym):
    register()
    ours = {"size": 3, "seed": 1, "knobs": {"size": 5}}
    data, again, other = (
        gym.create_dataset("tracelab_maze", **{**ours, "seed": seed, "size": size})
        for seed, size in ((1, 3), (1, 9), (2, 3))
    )
    assert list(data) == [again[i] for i in range(3)]
    assert data[0]["question"] != other[0]["question"]
    assert data[2]["metadata"]["source_index"] == 2


def test_answers_are_scored_in_parts(gym):
    register()
    data = gym.create_dataset("tracelab_maze", size=1, seed=1, solution=0.75, trace=0.25, level="local")
    trace, _, solution = data[0]["answer"].partition("</trace>")
    assert data.score_answer(solution, data[0]) == 0.75
    assert data.score_answer(f"{trace}</trace>", data[0]) == 0.25
    assert data.score_answer("", data[0]) == data.score_answer(None, data[0]) == 0.0


def test_wrong_settings_are_named(gym):
    register()
    faults = {
        "split='trial'": {"split": "trial"},
        "by its name: kruskal, dfs": {"split": "ood"},
        "together": {"trace": 0.6},
        "level": {"level": "perfect"},
        "sise": {"knobs": {"sise": 5}},
    }
    for named, wrong in faults.items():
        with pytest.raises(ValueError, match=named):
            gym.create_dataset("tracelab_maze", seed=0, **wrong)


def test_they_may_be_mixed_with_others(gym):
    from reasoning_gym.composite import DatasetSpec

    register()
    specs = [DatasetSpec(name, 1, {}) for name in ("tracelab_maze", "leg_counting")]
    mixed = gym.create_dataset("composite", size=6, seed=0, datasets=specs)
    assert {item["metadata"]["source_dataset"] for item in mixed} == {"tracelab_maze", "leg_counting"}
    assert all(mixed.score_answer(item["answer"], item) == 1.0 for item in mixed)
