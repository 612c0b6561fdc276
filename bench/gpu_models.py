"""Shapes and sizes that the sides of `bench/gpu.py` share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from tracelab.models.gpt import GPT
from tracelab.models.precision import REDUCED

VOCABULARY = 944  # of 30x30 mazes in the published format
SHAPES: dict[str, dict[str, Any]] = {
    "small": {"layers": 8, "width": 384, "heads": 6, "mlp": 1024, "qk_norm": True},
    "base": {"layers": 12, "width": 512, "heads": 8, "mlp": 1728, "qk_norm": True},
    "qwen2_380m": {"layers": 24, "width": 896, "heads": 14, "kv_heads": 2, "mlp": 4864, "qkv_bias": True},
    "toy": {"layers": 1, "width": 32, "heads": 2, "mlp": 64},
}


@dataclass(frozen=True)
class Sizes:
    """batch: tokens; sequences, shortest, longest: how many, how long; prompts, prompt, new: of sampling."""

    batch: int = 65_536
    sequences: int = 3500
    shortest: int = 1500
    longest: int = 3900
    warm: int = 8
    steps: int = 30
    prompts: int = 1024
    prompt: int = 128
    new: int = 256


REAL = Sizes()
SMOKE = Sizes(batch=512, sequences=102, shortest=40, longest=120, warm=1, steps=3, prompts=4, prompt=8, new=4)


def model_of(name: str, context: int) -> GPT:
    model = GPT(VOCABULARY, context, **SHAPES[name])
    model.products = REDUCED
    return model


def llama(name: str, attention: str, context: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = SHAPES[name]
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=shape["width"],
            intermediate_size=shape["mlp"],
            num_hidden_layers=shape["layers"],
            num_attention_heads=shape["heads"],
            num_key_value_heads=shape.get("kv_heads", shape["heads"]),
            max_position_embeddings=context,
            tie_word_embeddings=True,
            attn_implementation=attention,
            pad_token_id=0,
            bos_token_id=None,
            eos_token_id=None,
        )
    )


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
