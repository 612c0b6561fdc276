"""Seconds per step of GRPO against TRL's GRPOTrainer: 16 prompts, 8 completions each, 128 new tokens.

    python bench/posttraining.py        # three rounds, about two minutes on a CPU

Both sample with their own engine and take one update on what was sampled. No completion stops early. Time to
compile (ours_compiled) is not counted.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from typing import Any, cast

import numpy as np
import torch
from common import Row, arguments, in_turn, report
from models import VOCABULARY, best, llama, nano

from tracelab.models.precision import REDUCED

PROMPTS, GROUP, PROMPT, NEW = 16, 8, 32, 128
STEPS, WARM = 8, 2
SIDES = ("ours", "trl", "trl_float32", "ours_compiled")
N = f"{STEPS - WARM} steps"
EQUAL = f"0.83M, {PROMPTS} x {GROUP} completions of {NEW} tokens, one update, AdamW, no KL, threads"
ROWS = (
    Row("GRPO step", "trl", f"{EQUAL}, the faster number format", N),
    Row("GRPO step", "trl_float32", f"{EQUAL}; it computes in float32, which is its default on a CPU", N),
    Row(
        "GRPO step, compiled",
        "trl",
        f"{EQUAL}, the faster number format; it is not compiled",
        N,
        "ours_compiled",
    ),
)


def prompts() -> list[list[int]]:
    """Made-up prompts, of 24 to 32 tokens."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(PROMPT - 8, PROMPT + 1, PROMPTS * STEPS)
    return [generator.integers(4, VOCABULARY, length).tolist() for length in lengths]


def ours(compile: bool = False) -> float:
    """Steps per second of the learner, under Lightning."""
    from tracelab.algorithms.grpo import GRPO
    from tracelab.core.ragged import Ragged
    from tracelab.decoding.sampling import Stream, generate
    from tracelab.optim.adamw import adamw
    from tracelab.optim.schedule import Linear
    from tracelab.posttraining.groups import Sampler
    from tracelab.posttraining.learner import PostLearner, Rounds
    from tracelab.posttraining.rollout import Rollout, Rollouts
    from tracelab.posttraining.updates import Updates
    from tracelab.training import accelerate
    from tracelab.training.budget import Budget
    from tracelab.training.budgeted import Recipe

    accelerate.start(torch.get_num_threads())
    rows, marks = prompts(), []

    class MadeUp(Sampler):
        """Prompts without a task, rewards by chance; no token is a stop."""

        def __init__(self) -> None:
            self.settings = Rollout(PROMPTS, GROUP, NEW, equal="keep")

        def __call__(self, model: Any, used: float) -> tuple[Rollouts, dict[str, float]]:
            marks.append(time.perf_counter())
            first = round(used * STEPS) * PROMPTS
            mine = Ragged.of(rows[first : first + PROMPTS])
            nothing = cast(Any, None)
            options = {"max_new": NEW, "samples": GROUP, "temperature": 1.0}
            done = generate(model, mine, stop=VOCABULARY, stream=Stream(first=first * GROUP), **options)
            rewards = np.random.default_rng(first).random((PROMPTS, GROUP))
            return Rollouts(nothing, mine, done, nothing, rewards, np.zeros(PROMPTS, np.int64)), {}

    learner = PostLearner(
        nano(),
        Recipe(lambda model: adamw(model, lr=1e-5), Linear(decay=0.0), Budget(steps=STEPS)),
        GRPO(),
        MadeUp(),
        Updates(),
        held_out=lambda model: {},
        every=1000,
        compile=compile,
    )
    quiet_trainer().fit(learner, Rounds())
    return speed([*marks, time.perf_counter()])


def quiet_trainer() -> Any:
    """Lightning's trainer without logs, checkpoints and bars."""
    import lightning

    return lightning.Trainer(
        accelerator="cpu",
        precision=best().name,
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )


def trl(reduced: bool) -> float:
    """Steps per second of TRL's trainer on a Llama of our shape, with a reward of Python."""
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    words = {f"w{i}": i for i in range(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w1"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="w0", unk_token="w1", eos_token="w3")
    texts = [{"prompt": " ".join(f"w{token}" for token in prompt)} for prompt in prompts()]
    chance, marks = np.random.default_rng(0), []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_: object, **__: object) -> None:
            marks.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        settings = GRPOConfig(
            output_dir=folder,
            per_device_train_batch_size=PROMPTS * GROUP,
            num_generations=GROUP,
            max_completion_length=NEW,
            max_steps=STEPS,
            generation_kwargs={"min_new_tokens": NEW},
            beta=0.0,
            learning_rate=1e-5,
            bf16=reduced,
            use_cpu=True,
            gradient_checkpointing=False,
            logging_steps=100,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        GRPOTrainer(
            llama("eager"),
            lambda completions, **_: chance.random(len(completions)).tolist(),
            settings,
            Dataset.from_list(texts),
            processing_class=fast,
            callbacks=[Clock()],
        ).train()
    return speed([*marks, time.perf_counter()])


def speed(marks: list[float]) -> float:
    """Times at the beginning of each step, and at the end -> steps per second once it is warm."""
    return (len(marks) - 1 - WARM) / (marks[-1] - marks[WARM])


def main() -> None:
    options = arguments("Post-training speed", SIDES)
    torch.set_num_threads(options.threads)
    if not options.side:
        figures = in_turn(__file__, SIDES, options, tuned=["trl", "trl_float32"])
        report("posttraining", "steps/s", figures, ROWS, options)
        return
    warnings.filterwarnings("ignore")
    sides = {
        "ours": ours,
        "ours_compiled": lambda: ours(compile=True),
        "trl": lambda: trl(reduced=best().products == REDUCED),
        "trl_float32": lambda: trl(reduced=False),
    }
    print(sides[options.side]())


if __name__ == "__main__":
    main()
