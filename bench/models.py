"""The nano shape on both sides: 4 layers, width 128, 4 heads; 0.83M parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

    from tracelab.models.gpt import GPT
    from tracelab.models.precision import Precision

VOCABULARY, CONTEXT = 60, 512


def best() -> Precision:
    """The format of matrix products that is faster on this CPU: what each side computes in."""
    import torch

    from tracelab.models.precision import choose

    return choose("auto", torch.device("cpu"), tokens=4096, width=128, hidden=704)


def nano(width: int = 128, context: int = CONTEXT) -> GPT:
    """Ours, or one of another width; alone has QK-norm."""
    from tracelab.models.gpt import GPT

    model = GPT(
        VOCABULARY, context, layers=4, width=width, heads=width // 32, mlp=width * 11 // 4, qk_norm=True
    )
    model.products = best().products
    return model


def llama(attention: str, **options: Any) -> LlamaForCausalLM:
    """Hugging Face's. attention: eager or sdpa."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        attn_implementation=attention,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=None,
        **options,
    )
    return LlamaForCausalLM(config)
