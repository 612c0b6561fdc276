"""Weights under the names of the reference models, and back: ours are some of theirs on top of each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

OUTSIDE = {
    "embed.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "head.weight": "lm_head.weight",
}
QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
BEHIND = "self_attn.o_proj.bias"  # which ours does not have
LAYER = {  # ours -> theirs, in their order from above
    "attention_norm.weight": ("input_layernorm.weight",),
    "qkv.weight": tuple(f"{name}.weight" for name in QKV),
    "qkv.bias": tuple(f"{name}.bias" for name in QKV),
    "q_gain": ("self_attn.q_norm.weight",),
    "k_gain": ("self_attn.k_norm.weight",),
    "out.weight": ("self_attn.o_proj.weight",),
    "mlp_norm.weight": ("post_attention_layernorm.weight",),
    "gate_up.weight": ("mlp.gate_proj.weight", "mlp.up_proj.weight"),
    "down.weight": ("mlp.down_proj.weight",),
}


def ties(knobs: Mapping[str, Any]) -> bool:
    """Does the reference model have one matrix for embedding and head?"""
    return bool(knobs["tied"] and not knobs["embed_scaled"])


def names(knobs: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Our names of a model's weights -> theirs.

    A tied head is not written, for it is the embedding. If embeddings are scaled, it is: theirs are written
    times the scale, which the head lacks.
    """
    outside = {ours: (theirs,) for ours, theirs in OUTSIDE.items()}
    if ties(knobs):
        del outside["head.weight"]
    absent = set() if knobs["qkv_bias"] else {"qkv.bias"}
    absent |= set() if knobs["qk_norm"] else {"q_gain", "k_gain"}
    layer = {ours: theirs for ours, theirs in LAYER.items() if ours not in absent}
    return outside | {
        f"blocks.{i}.{ours}": tuple(f"model.layers.{i}.{name}" for name in theirs)
        for i in range(knobs["layers"])
        for ours, theirs in layer.items()
    }


def to_theirs(state: Mapping[str, Tensor], knobs: Mapping[str, Any]) -> dict[str, Tensor]:
    """Our state dict -> their tensors, float32."""
    wide, narrow = (knobs[heads] * knobs["head_dim"] for heads in ("heads", "kv_heads"))
    rows = {"qkv": [wide, narrow, narrow], "gate_up": [knobs["mlp"]] * 2}
    found: dict[str, Tensor] = {}
    for ours, theirs in names(knobs).items():
        whole, stacked = state[ours].float(), rows.get(ours.split(".")[-2])
        whole = whole * knobs["width"] ** 0.5 if ours == "embed.weight" and knobs["embed_scaled"] else whole
        found |= zip(theirs, whole.split(stacked) if stacked else [whole], strict=True)
    if knobs["qk_norm"] and knobs["qkv_bias"]:
        zero = torch.zeros(knobs["width"])
        found |= {f"model.layers.{i}.{BEHIND}": zero for i in range(knobs["layers"])}
    return found


def to_ours(tensors: Mapping[str, Tensor], knobs: Mapping[str, Any]) -> dict[str, Tensor]:
    """Their tensors -> our state dict. ValueError names what is missing, and what ours has no place for."""
    wanted = names(knobs)
    missing = [name for theirs in wanted.values() for name in theirs if name not in tensors]
    if missing:
        raise ValueError(
            f"config.json asks for {missing[0]} and {len(missing) - 1} more that the weights lack"
        )
    known = {name for theirs in wanted.values() for name in theirs} | set(OUTSIDE.values())
    known |= {name for name, tensor in tensors.items() if name.endswith(BEHIND) and not tensor.any()}
    if foreign := sorted(tensors.keys() - known):
        raise ValueError(f"the transformer here has no place for the weight {foreign[0]}")
    state = {ours: torch.cat([tensors[name] for name in theirs]) for ours, theirs in wanted.items()}
    return state if "head.weight" in state else {**state, "head.weight": state["embed.weight"]}
