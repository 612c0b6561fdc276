"""Our rows and scores in verl itself: its loader reads the Parquet, its managers reward with our function."""

import asyncio
import importlib.util

import numpy as np
import pytest

from tracelab.adapters.naming import task_named
from tracelab.adapters.verl import compute_score, compute_scores, rows, write
from tracelab.adapters.words import drawn

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


def batch_of(task, answers):
    """What a manager is given: one token an answer."""
    import torch
    from verl import DataProto

    given = rows(task, len(answers))
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
        batch = batch_of(task, said)
        return [await naive.run_single(batch[i : i + 1]) for i in range(3)]

    found = asyncio.run(singly())
    assert [one["reward_score"] for one in found] == [0.75, 0.0, 0.75]
    assert [one["reward_extra_info"]["solution"] for one in found] == [1.0, 0.0, 1.0]
    together = BatchRewardManager(Said(said), 0, compute_scores, trace=0.25)(
        batch_of(task, said), return_dict=True
    )
    assert together["reward_tensor"].sum(-1).tolist() == [0.75, 0.0, 0.75]
    assert together["reward_extra_info"]["trace_strict"] == [1.0, 0.0, 1.0]
