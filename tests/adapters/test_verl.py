"""Our rows and scores in verl itself: its loader reads the Parquet, its managers reward with our function."""

import asyncio
import importlib.util
import re

import numpy as np
import pytest

from tracelab.adapters import verl
from tracelab.adapters.naming import names, task_named
from tracelab.adapters.rules import BEST_FIRST
from tracelab.adapters.verl import compute_score, compute_scores, rows, write
from tracelab.adapters.words import drawn
from tracelab.core.paths import CLONE

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs
needs_verl = pytest.mark.skipif(importlib.util.find_spec("verl") is None, reason="verl is not installed")
OURS = {"path": "pkg://tracelab.adapters.verl", "name": "compute_score"}


@pytest.fixture(scope="module")
def task():
    return task_named("maze", size=5)


@pytest.fixture(scope="module")
def answers(task):
    return [question.answer for question in drawn(task, 3, "train", 0)]


class Said:
    """A tokenizer whose token i is the text i."""

    def __init__(self, texts):
        self.texts = texts

    def decode(self, tokens, **_):
        return "".join(self.texts[int(token)] for token in tokens)

    def apply_chat_template(self, messages, **_):
        return [0] * len(messages[0]["content"].split())


def test_single_and_batched_scores_agree(task, answers):
    truths = [row["reward_model"]["ground_truth"] for row in rows(task, 3)]
    said = [answers[0], answers[0], answers[2].partition("</trace>")[2]]
    batch = compute_scores(["tracelab_maze"] * 3, said, truths, [None] * 3, trace=0.25)
    assert [parts["score"] for parts in batch] == [0.75, 0.0, 0.5]
    assert batch == [
        compute_score("tracelab_maze", s, t, trace=0.25) for s, t in zip(said, truths, strict=True)
    ]


def mixed(names):
    """A row and an answer each of some tasks; the first is right, the others have another problem's trace."""
    given, said = [], []
    for place, name in enumerate(names):
        task = task_named(name, size=5) if name == "maze" else task_named(name)
        own, other = drawn(task, 2, "test", 0)
        given += rows(task, 1, "test")
        said.append(other.answer.partition("</trace>")[0] + "</trace>" if place else own.answer)
    return given, said


@pytest.mark.parametrize("names", [("maze", "sat", "maze"), ("sat", "maze", "sat")])
def test_all_tasks_have_the_same_columns(names):
    """verl takes those of a batch's first answer; what an answer lacks is None, which its means leave out."""
    given, said = mixed(names)
    truths = [row["reward_model"]["ground_truth"] for row in given]
    batch = compute_scores([row["data_source"] for row in given], said, truths)
    assert batch[0].keys() == batch[1].keys() == batch[2].keys()
    assert [parts["trace_paper"] is None for parts in batch] == [name == "sat" for name in names]
    assert [parts["first_bad_step"] is None for parts in batch] == [True, False, False]
    assert [parts["trace_strict"] for parts in batch] == [1.0, 0.0, 0.0]
    assert all(parts["first_bad_step"] >= 0 for parts in batch[1:])


def test_a_test_set_out_of_distribution_is_a_source_of_its_own(task):
    """verl's means are over sources."""
    sources = [rows(task, 1, split)[0]["data_source"] for split in ("train", "test", "dfs")]
    assert sources == ["tracelab_maze", "tracelab_maze", "tracelab_maze_dfs"]


def test_no_task_has_another_level():
    assert all(set(task_named(name).levels) <= set(BEST_FIRST) for name in names())


def test_mistyped_weights_are_refused(task, answers):
    """What verl itself tells is not: it has no use here."""
    truth = rows(task, 1)[0]["reward_model"]["ground_truth"]
    told = {"reward_router_address": "localhost:1", "reward_model_tokenizer": None}
    assert compute_score("tracelab_maze", answers[0], truth, trace=0.25, **told)["score"] == 0.75
    for score, given in ((compute_score, answers[0]), (compute_scores, [answers[0]])):
        with pytest.raises(ValueError, match="reward_kwargs has no 'traces': give some of solution, trace,"):
            score("tracelab_maze", given, truth, traces=0)


@needs_verl
def test_its_loader_reads_our_rows(task, tmp_path):
    from omegaconf import OmegaConf
    from verl.utils.dataset.rl_dataset import RLHFDataset

    path = tmp_path / "train.parquet"
    write(task, 3, path)
    config = OmegaConf.create({"cache_dir": str(tmp_path), "filter_overlong_prompts_workers": 1})
    data = RLHFDataset(str(path), Said([]), config)
    assert len(data) == 3
    for item, row in zip((data[i] for i in range(3)), rows(task, 3), strict=True):
        assert item["reward_model"] == row["reward_model"]
        assert item["data_source"] == "tracelab_maze"
        assert item["raw_prompt"] == row["prompt"]


def batch_of(given, answers):
    """What a manager is given of rows: one token an answer."""
    import torch
    from verl import DataProto

    tensors = {
        "prompts": torch.zeros(len(answers), 1, dtype=torch.long),
        "responses": torch.arange(len(answers))[:, None],
        "attention_mask": torch.ones(len(answers), 2, dtype=torch.long),
    }
    others = {
        name: np.array([row[name] for row in given], dtype=object)
        for name in ("data_source", "reward_model", "extra_info")
    }
    return DataProto.from_dict(tensors=tensors, non_tensors=others)


@needs_verl
def test_its_managers_reward_with_our_function(task, answers):
    from omegaconf import OmegaConf
    from verl.trainer.ppo.reward import load_reward_manager
    from verl.workers.reward_manager import BatchRewardManager

    said = [answers[0], "nothing", answers[2]]
    custom = {**OURS, "reward_kwargs": {"trace": 0.25}}
    manager = {"source": "register", "name": "naive"}
    config = OmegaConf.create({"reward": {"custom_reward_function": custom, "reward_manager": manager}})

    async def singly():
        naive = load_reward_manager(config, Said(said))
        naive.loop = asyncio.get_running_loop()
        batch = batch_of(rows(task, 3), said)
        return [await naive.run_single(batch[i : i + 1]) for i in range(3)]

    found = asyncio.run(singly())
    assert [one["reward_score"] for one in found] == [0.75, 0.0, 0.75]
    assert [one["reward_extra_info"]["solution"] for one in found] == [1.0, 0.0, 1.0]
    together = BatchRewardManager(Said(said), 0, compute_scores, trace=0.25)(
        batch_of(rows(task, 3), said), return_dict=True
    )
    assert together["reward_tensor"].sum(-1).tolist() == [0.75, 0.0, 0.75]
    assert together["reward_extra_info"]["trace_strict"] == [1.0, 0.0, 1.0]


@needs_verl
@pytest.mark.parametrize("names", [("maze", "sat", "maze"), ("sat", "maze", "sat")])
def test_its_means_over_several_tasks(names):
    """A level over the task that has it, the first bad step over traces that fail."""
    from verl.trainer.ppo.metric_utils import process_validation_metrics
    from verl.workers.reward_manager import BatchRewardManager

    given, said = mixed(names)
    batch = batch_of(given, said)
    extra = BatchRewardManager(Said(said), 0, compute_scores)(batch, return_dict=True)["reward_extra_info"]
    assert {len(values) for values in extra.values()} == {3}
    sources = [f"tracelab_{name}" for name in names]
    means = process_validation_metrics(sources, ["a", "b", "c"], extra)
    assert "trace_paper" not in means["tracelab_sat"]
    assert 0 <= means["tracelab_maze"]["trace_paper"]["mean@1"] <= 1
    assert means[sources[0]]["first_bad_step"]["mean@1"] == extra["first_bad_step"][2]
    assert means[sources[0]]["trace_strict"]["mean@1"] == 0.5


def test_its_options_are_those_of_the_page():
    page = (CLONE / "docs" / "adapters.md").read_text(encoding="utf-8")
    named = [
        set(re.findall(r"\S*custom_reward_function\.(?:path|name)=\S+", text))
        for text in (verl.__doc__, page)
    ]
    assert len(named[0]) == 2
    assert named[0] == named[1]
