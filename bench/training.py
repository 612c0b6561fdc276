"""Training speed in real (non-padding) tokens per second against what one would use instead.

    python bench/training.py            # all sides in turn, three rounds, about five minutes on a CPU

ours: the learner through Lightning, Muon included. hf_grouped: HF Trainer, batches grouped by length.
hf_tuned: the same with every setting that made it faster (eager attention, lengths padded to 32,
freed memory kept). plain_loop: a GPT-2-like model in a bare loop on fixed blocks without padding.
Ours alone has QK-norm. The matrices are of equal size on all sides, batches of about 4,096 tokens.
ours_adamw: AdamW in place of Muon, as the peers have. ours_compiled: with `compile=True`; the half
minute that takes is not counted.
"""

from __future__ import annotations

import math
import tempfile
import time
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from common import Row, arguments, in_turn, report
from models import VOCABULARY, best, llama, nano
from torch import nn
from torch.nn import functional as nnf

from tracelab.models.precision import REDUCED

if TYPE_CHECKING:
    from tracelab.models.gpt import GPT

SIDES = ("ours", "hf_grouped", "hf_tuned", "plain_loop", "ours_adamw", "ours_compiled")
PROMPT, BATCH_TOKENS = 42, 4096
SHORTEST, LONGEST = 60, 400
STEPS, WARM = 70, 15
WHAT, N = "training a nano model", f"{STEPS - WARM} steps of {BATCH_TOKENS:,}"
EQUAL = "0.83M, the faster number format, the same sequences of 60 to 400 tokens, clipping, threads"
ROWS = (
    Row(f"{WHAT}, Muon", "hf_grouped", f"{EQUAL}; it has AdamW", N),
    Row(f"{WHAT}, Muon", "hf_tuned", f"{EQUAL}; it has AdamW", N),
    Row(f"{WHAT}, Muon", "plain_loop", f"{EQUAL}; it has AdamW, GPT-2's shape, blocks of 256 tokens", N),
    Row(f"{WHAT}, AdamW", "hf_grouped", f"{EQUAL}, AdamW", N, "ours_adamw"),
    Row(f"{WHAT}, AdamW", "hf_tuned", f"{EQUAL}, AdamW", N, "ours_adamw"),
    Row(f"{WHAT}, AdamW", "plain_loop", f"{EQUAL}, AdamW; it has GPT-2's shape, blocks", N, "ours_adamw"),
    Row(f"{WHAT}, compiled", "hf_grouped", f"{EQUAL}; it is not compiled", N, "ours_compiled"),
    Row(f"{WHAT}, compiled", "hf_tuned", f"{EQUAL}; it is not compiled", N, "ours_compiled"),
    Row(f"{WHAT}, compiled", "plain_loop", f"{EQUAL}; it is not compiled", N, "ours_compiled"),
)


def rows() -> list[np.ndarray]:
    """Sequences as long as traces of small mazes are."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(SHORTEST, LONGEST + 1, 4000)
    return [generator.integers(4, VOCABULARY, length) for length in lengths]


def ours(compiled: bool = False, plain_adamw: bool = False) -> float:
    """Our own path, exactly as an entry point sets it up."""
    from tracelab.optim.adamw import adamw
    from tracelab.optim.muon import MuonAdamW

    return speed(trained(nano(), rows(), STEPS, adamw if plain_adamw else MuonAdamW, compiled))


def trained(
    model: GPT,
    sequences: list[np.ndarray],
    steps: int,
    optimizer: Any = None,
    compiled: bool = False,
    more: Sequence[Any] = (),
) -> list[tuple[float, int]]:
    """(time, tokens so far) after each step. optimizer: Muon unless given; more: callbacks."""
    import lightning

    from tracelab.batches.loader import FixedLoader, Loader
    from tracelab.core.codec import Sequences
    from tracelab.core.ragged import Ragged
    from tracelab.optim.muon import MuonAdamW
    from tracelab.optim.schedule import Linear
    from tracelab.training import accelerate
    from tracelab.training.budget import Budget
    from tracelab.training.budgeted import Recipe
    from tracelab.training.learner import Learner

    accelerate.start(torch.get_num_threads())
    tokens = Ragged.of(sequences)
    prompt = np.full(len(tokens), PROMPT, np.int32)
    data = Sequences(tokens, prompt, (tokens.lengths - PROMPT - 12).astype(np.int32))
    recipe = Recipe(optimizer or MuonAdamW, Linear(), Budget(steps=steps))
    learner = Learner(model, recipe, compile=compiled)

    class Clock(lightning.Callback):
        def on_train_batch_end(self, trainer: object, module: Learner, *_: object) -> None:
            marks.append((time.perf_counter(), module.progress.tokens))

    marks: list[tuple[float, int]] = []
    trainer = lightning.Trainer(
        accelerator="cpu",
        precision=best().name,
        max_epochs=1,
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Clock(), *more],
        num_sanity_val_steps=0,
        limit_val_batches=0,
    )
    sizes = {"batch_tokens": BATCH_TOKENS, "context": model.context}
    trainer.fit(learner, Loader(lambda k: data, **sizes), FixedLoader(data.take(np.arange(2)), **sizes))
    return marks


def hf_trainer(attention: str, multiple: int) -> float:
    """A Llama of our shape in the HF Trainer; the loss is on completions too."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    sizes: list[int] = []

    def collate(features: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        lengths = [len(feature["input_ids"]) for feature in features]
        width = math.ceil(max(lengths) / multiple) * multiple
        ids = torch.zeros(len(features), width, dtype=torch.int64)
        labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
        for i, feature in enumerate(features):
            row = torch.tensor(feature["input_ids"])
            ids[i, : len(row)] = row
            labels[i, PROMPT : len(row)] = row[PROMPT:]
            mask[i, : len(row)] = 1
        sizes.append(sum(lengths))
        return {"input_ids": ids, "labels": labels, "attention_mask": mask}

    ends: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: object, **__: object) -> None:
            ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=round(BATCH_TOKENS / ((SHORTEST + LONGEST) / 2)),
            train_sampling_strategy="group_by_length",
            max_steps=STEPS,
            bf16=best().products == REDUCED,
            use_cpu=True,
            max_grad_norm=1.0,
            logging_steps=50,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        data = [{"input_ids": row.tolist()} for row in rows()]
        model = llama(attention, use_cache=False)
        Trainer(model, settings, collate, train_dataset=data, callbacks=[Clock()]).train()  # type: ignore[arg-type]
    return speed(list(zip(ends, np.cumsum(sizes)[: len(ends)].tolist(), strict=True)))


class PlainBlock(nn.Module):
    """A GPT-2 block: LayerNorm, fused attention, GELU."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width, bias=False) for _ in range(2))
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, width) -> the same."""
        B, T, C = x.shape
        parts = self.qkv(self.norms[0](x)).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = nnf.scaled_dot_product_attention(*parts, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(B, T, C))
        return x + self.down(nnf.gelu(self.up(self.norms[1](x))))


def plain_loop() -> float:
    """The usual minimal script: one stream of tokens, blocks of 256, AdamW."""
    stream = torch.from_numpy(np.concatenate(rows()))
    embed, place = nn.Embedding(VOCABULARY, 128), nn.Embedding(256, 128)
    blocks = nn.Sequential(*(PlainBlock(128, 4) for _ in range(4)), nn.LayerNorm(128, bias=False))
    model = nn.ModuleList([embed, place, blocks])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    marks, products = [], best().products
    for step in range(STEPS):
        starts = torch.randint(len(stream) - 257, (BATCH_TOKENS // 256,))
        block = torch.stack([stream[start : start + 257] for start in starts])
        with torch.autocast("cpu", products, enabled=products == REDUCED):
            x = blocks(embed(block[:, :-1]) + place.weight)
            loss = nnf.cross_entropy((x @ embed.weight.T).flatten(0, 1), block[:, 1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        marks.append((time.perf_counter(), (step + 1) * BATCH_TOKENS))
    return speed(marks)


def speed(marks: list[tuple[float, int]], warm: int = WARM) -> float:
    """(time, tokens so far) after each step -> tokens per second once it is warm."""
    (start, before), (end, after) = marks[warm], marks[-1]
    return (after - before) / (end - start)


def main() -> None:
    options = arguments("Training speed", SIDES)
    torch.set_num_threads(options.threads)
    if not options.side:
        figures = in_turn(__file__, SIDES, options, tuned=["hf_tuned"])
        report("training", "real tokens/s", figures, ROWS, options)
        return
    warnings.filterwarnings("ignore")
    sides = {
        "ours": ours,
        "ours_adamw": lambda: ours(plain_adamw=True),
        "ours_compiled": lambda: ours(compiled=True),
        "hf_grouped": lambda: hf_trainer("sdpa", 1),
        "hf_tuned": lambda: hf_trainer("eager", 32),
        "plain_loop": plain_loop,
    }
    print(sides[options.side]())


if __name__ == "__main__":
    main()
