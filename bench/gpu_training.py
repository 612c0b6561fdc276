"""Training at full size on packed rows, for `bench/gpu.py`: our learner, and Hugging Face's Trainer."""

from __future__ import annotations

import tempfile
import time
from typing import Any

import numpy as np
import torch
from gpu_models import VOCABULARY, Sizes, llama, model_of, wait

from tracelab.batches.loader import FixedLoader, Loader
from tracelab.core.codec import Sequences
from tracelab.core.ragged import Ragged
from tracelab.models.gpt import GPT
from tracelab.models.precision import REDUCED, name_of
from tracelab.training import accelerate
from tracelab.training.throughput import peak_flops


def sequences(sizes: Sizes) -> Sequences:
    """Sequences as long as of 30x30 mazes; the prompt is a third, the trace the rest but for 20.

    There are many, so that rows are as full as in a training: of few, the last ones find no partner.
    """
    generator = np.random.default_rng(0)
    lengths = generator.integers(sizes.shortest, sizes.longest + 1, sizes.sequences)
    rows = Ragged.of([generator.integers(4, VOCABULARY, length) for length in lengths])
    prompt = (lengths // 3).astype(np.int32)
    return Sequences(rows, prompt, (lengths - prompt - 20).astype(np.int32))


def train(name: str, row: int, sizes: Sizes) -> dict[str, Any]:
    """Our path, as an entry point sets it up."""
    import lightning

    from tracelab.optim.adamw import adamw
    from tracelab.optim.schedule import Cosine
    from tracelab.training.budget import Budget
    from tracelab.training.budgeted import Recipe
    from tracelab.training.learner import Learner

    accelerate.start()
    data, model = sequences(sizes), model_of(name, row)
    learner = Learner(model, Recipe(adamw, Cosine(), Budget(steps=sizes.warm + sizes.steps)))
    marks: list[tuple[float, int]] = []

    class Clock(lightning.Callback):
        def on_train_batch_end(self, *_: object) -> None:
            if len(marks) in (sizes.warm - 1, sizes.warm + sizes.steps - 1):
                wait()
            marks.append((time.perf_counter(), learner.progress.tokens))

    trainer = lightning.Trainer(
        accelerator="auto",
        devices=1,
        precision=name_of(REDUCED),
        max_epochs=1,
        gradient_clip_val=1.0,
        log_every_n_steps=10**6,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Clock()],
    )
    shape = {"batch_tokens": sizes.batch, "packing": row, "context": row}
    loader = Loader(lambda k: data, **shape, pins=torch.cuda.is_available())
    trainer.fit(learner, loader, FixedLoader(data.take(np.arange(4)), **shape))
    speed = rate(marks[sizes.warm - 1], marks[-1])
    waiting = 1000 * loader.waited / len(marks)
    return described(model, data, speed) | {"attention": learner.attention, "data_wait_ms": waiting}


def described(model: GPT, data: Sequences, tokens_per_second: float) -> dict[str, Any]:
    """Speed with what it means: model FLOPs per second, and MFU where the device's peak is known."""
    seen = data.tokens.lengths - 1
    per_token = model.flops(int(seen.sum()), int((seen * (seen + 1) // 2).sum()))
    flops = per_token / len(data.tokens.values) * tokens_per_second
    peak = peak_flops(torch.cuda.get_device_name()) if torch.cuda.is_available() else None
    mfu = None if peak is None else flops / peak
    parameters = sum(p.numel() for p in model.parameters())
    speed = {"tokens_per_second": tokens_per_second, "model_tflops": flops / 1e12, "mfu": mfu}
    return {"parameters": parameters} | speed


def hf_train(name: str, row: int, sizes: Sizes, compiled: bool = False) -> dict[str, Any]:
    """HF Trainer on the same rows; a Llama of the model's shape."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    data = sequences(sizes)
    packed = [*FixedLoader(data, batch_tokens=sizes.batch, packing=row, context=row)]
    rows = [row for batch in packed for row in as_hf(batch)]
    share = data.tokens.lengths.sum() / (len(packed) * sizes.batch)  # of columns that are tokens
    marks: list[tuple[float, int]] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: object, **__: object) -> None:
            if len(marks) in (sizes.warm - 1, sizes.warm + sizes.steps - 1):
                wait()
            marks.append((time.perf_counter(), round((len(marks) + 1) * sizes.batch * share)))

    on_gpu = torch.cuda.is_available()
    torch.set_float32_matmul_precision("high")
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=sizes.batch // row,
            max_steps=sizes.warm + sizes.steps,
            num_train_epochs=1000,
            bf16=True,
            use_cpu=not on_gpu,
            optim="adamw_torch_fused",
            max_grad_norm=1.0,
            torch_compile=compiled and on_gpu,
            logging_steps=10**6,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=on_gpu,
        )
        model = llama(name, "flex_attention" if on_gpu else "sdpa", row)
        Trainer(model, settings, stacked, train_dataset=rows, callbacks=[Clock()]).train()  # type: ignore[arg-type]
    return {"tokens_per_second": rate(marks[sizes.warm - 1], marks[-1])}


def hf_compiled(name: str, row: int, sizes: Sizes) -> dict[str, Any]:
    """The same as hf_train, with torch_compile."""
    return hf_train(name, row, sizes, compiled=True)


def as_hf(batch: Any) -> list[dict[str, torch.Tensor]]:
    """HF shifts labels by itself: a column's label is its own token, if that is of a completion."""
    places = batch.documents.place
    of_completion = torch.zeros_like(batch.part, dtype=torch.bool)
    of_completion[:, 1:] = (batch.part[:, :-1] > 0) & (places[:, 1:] > 0)
    columns = batch.tokens, torch.where(of_completion, batch.tokens, -100), places
    names = "input_ids", "labels", "position_ids"
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def stacked(rows: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def rate(begin: tuple[float, int], end: tuple[float, int]) -> float:
    return (end[1] - begin[1]) / (end[0] - begin[0])
