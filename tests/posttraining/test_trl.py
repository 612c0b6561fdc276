"""Our losses against TRL's GRPOTrainer on the same frozen rollouts, where both offer a variant."""

import numpy as np
import pytest
import torch

from tracelab.algorithms.base import Batch
from tracelab.algorithms.grpo import GRPO
from tracelab.algorithms.gspo import GSPO

trl = pytest.importorskip("trl", reason="pip install -e '.[bench]' brings TRL")
pytestmark = pytest.mark.filterwarnings("ignore")

VOCABULARY, ROWS, PROMPT, NEW = 24, 8, 5, 9


@pytest.fixture(scope="module")
def rollouts():
    """Left-padded prompts, right-padded completions, old and reference log-probabilities, advantages."""
    generator = np.random.default_rng(0)
    prompts, before = (
        generator.integers(4, VOCABULARY, (ROWS, PROMPT)),
        generator.integers(2, PROMPT + 1, ROWS),
    )
    after = generator.integers(1, NEW + 1, ROWS)
    prompt_mask = np.arange(PROMPT) >= PROMPT - before[:, None]
    completion_mask = np.arange(NEW) < after[:, None]
    torch.manual_seed(0)
    return {
        "prompt_ids": torch.from_numpy(prompts * prompt_mask),
        "prompt_mask": torch.from_numpy(prompt_mask.astype(np.int64)),
        "completion_ids": torch.from_numpy(generator.integers(4, VOCABULARY, (ROWS, NEW)) * completion_mask),
        "completion_mask": torch.from_numpy(completion_mask.astype(np.int64)),
        "advantages": torch.randn(ROWS),
        "old_per_token_logps": -3 + 0.3 * torch.randn(ROWS, NEW),
        "ref_per_token_logps": -3 + 0.3 * torch.randn(ROWS, NEW),
        "num_items_in_batch": torch.tensor(float(completion_mask.sum())),
    }


def trainer(folder, **options):
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({f"w{i}": i for i in range(VOCABULARY)}, unk_token="w1"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    torch.manual_seed(1)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, **shape))
    settings = trl.GRPOConfig(
        output_dir=str(folder),
        per_device_train_batch_size=ROWS,
        num_generations=4,
        max_completion_length=NEW,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        temperature=0.8,
        **options,
    )
    names = {"pad_token": "w0", "unk_token": "w1", "eos_token": "w3"}
    words = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    data = Dataset.from_list([{"prompt": "w5 w6"}] * ROWS)
    return trl.GRPOTrainer(
        model, lambda completions, **_: [0.0] * len(completions), settings, data, processing_class=words
    )


def gradients(model):
    gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    model.zero_grad()
    return gradient


def logprobs_of(model, rollouts):
    """(ROWS, NEW), row by row without padding, at temperature 0.8."""
    rows = torch.zeros(ROWS, NEW)
    for i in range(ROWS):
        prompt = rollouts["prompt_ids"][i][rollouts["prompt_mask"][i] == 1]
        completion = rollouts["completion_ids"][i][rollouts["completion_mask"][i] == 1]
        logits = model(torch.cat([prompt, completion])[None]).logits[0, len(prompt) - 1 : -1] / 0.8
        chosen = logits.log_softmax(-1).gather(1, completion[:, None])[:, 0]
        rows = rows.index_put((torch.full_like(completion, i), torch.arange(len(completion))), chosen)
    return rows


VARIANTS = {
    "grpo": ({"loss_type": "grpo"}, GRPO()),
    "grpo, KL": ({"loss_type": "grpo", "use_bias_correction_kl": True}, GRPO(kl=0.1)),
    "dr_grpo": ({"loss_type": "dr_grpo"}, GRPO(per="constant", std=False)),
    "dapo": ({"loss_type": "dapo", "epsilon_high": 0.28}, GRPO(per="token", clip_high=0.28)),
    "gspo": (
        {"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon": 0.05, "epsilon_high": 0.1},
        GSPO(clip_low=0.05, clip_high=0.1),
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_same_loss_and_gradient(tmp_path, rollouts, name):
    options, algorithm = VARIANTS[name]
    theirs = trainer(tmp_path, **options)
    model = theirs.model
    theirs.beta = algorithm.kl  # given at once, it would look for a reference model on the hub
    model.train()
    theirs.current_gradient_accumulation_steps = 1
    loss = theirs._compute_loss(model, rollouts)
    loss.backward()
    wanted = gradients(model)
    mask = rollouts["completion_mask"].bool()
    weights = algorithm.weights(mask, rollouts["advantages"], NEW)
    reference = rollouts["ref_per_token_logps"] if algorithm.kl else None
    new, old = logprobs_of(model, rollouts), rollouts["old_per_token_logps"]
    terms = algorithm.loss(Batch(new, old, rollouts["advantages"], mask, weights, reference))
    terms.loss.backward()
    assert terms.loss.item() == pytest.approx(loss.item(), abs=1e-5)
    if not algorithm.kl:  # theirs differentiates the estimator as it stands
        assert torch.allclose(gradients(model), wanted, atol=1e-5)


def test_the_same_advantages():
    rewards = torch.rand(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mean, deviation = rewards.mean(1, keepdim=True), rewards.std(1, keepdim=True)
    assert torch.allclose(GRPO().advantages(rewards), (rewards - mean) / (deviation + 1e-4))
