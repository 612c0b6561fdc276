"""The shapes of our transformer as reference models: a config.json of Llama, Qwen2 or Qwen3, and back.

    qk_norm              Qwen3   one gain for the queries of all heads of a layer, one for their keys, as ours
    qkv_bias             Qwen2
    neither              Llama
    qk_norm, qkv_bias    Qwen3 with attention_bias, whose bias behind attention is zero

Embeddings that are scaled are written as they are read, and a tied head beside them. Nothing is
approximated: what a config asks for that our transformer does not compute is refused, and so is a model of
ours that none of them is.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from tracelab.core.codec import BOS, PAD, SPECIALS
from tracelab.core.paths import CONF
from tracelab.core.settings import Part
from tracelab.exchange.weights import ties
from tracelab.models.gpt import GPT

TARGET = f"{GPT.__module__}.{GPT.__name__}"
NAMES = {  # our knobs -> theirs
    "layers": "num_hidden_layers",
    "width": "hidden_size",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "mlp": "intermediate_size",
    "norm_eps": "rms_norm_eps",
    "tied": "tie_word_embeddings",
}
OURS = {  # what our transformer always does, where a config may ask for something else
    "hidden_act": "silu",
    "mlp_bias": False,
    "use_sliding_window": False,
    "rope_scaling": None,
    "partial_rotary_factor": 1.0,
}
FAMILIES = {"llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3"}  # model_type -> as classes are called


def knobs_of(part: Part) -> dict[str, Any]:
    """All knobs of a model's part of a config, defaults filled in. ValueError if it has no reference."""
    if part["_target_"] != TARGET:
        raise ValueError(
            f"model._target_={part['_target_']}: no reference model has this shape, so that nothing else "
            f"could load it. What can be exported are runs of model={', '.join(exportable())}"
        )
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(GPT).parameters.items()
        if parameter.kind == parameter.KEYWORD_ONLY and name != "seed"
    }
    knobs = defaults | {name: value for name, value in part.items() if name in defaults}
    knobs["kv_heads"] = knobs["kv_heads"] or knobs["heads"]
    knobs["head_dim"] = knobs["head_dim"] or knobs["width"] // knobs["heads"]
    return knobs


def exportable() -> list[str]:
    """The YAMLs of conf/model/ that can be exported."""
    paths = sorted((CONF / "model").glob("*.yaml"))
    return [path.stem for path in paths if OmegaConf.select(OmegaConf.load(path), "_target_") == TARGET]


def family(knobs: Mapping[str, Any]) -> str:
    """The reference model of this shape, as its `model_type` calls it."""
    if knobs["qk_norm"]:
        return "qwen3"
    return "qwen2" if knobs["qkv_bias"] else "llama"


def config_of(knobs: Mapping[str, Any], vocab_size: int, context: int, stop: int) -> dict[str, Any]:
    """The config.json of a model. stop: the token that ends a completion.

    The base of the rotation stands there twice: transformers 4 reads `rope_theta`, 5 `rope_parameters`. So do
    weights' types: `torch_dtype` and `dtype`.
    """
    kind, theta = family(knobs), knobs["rope_theta"]
    return {
        "architectures": [f"{FAMILIES[kind]}ForCausalLM"],
        "model_type": kind,
        "vocab_size": vocab_size,
        "max_position_embeddings": context,
        **{theirs: knobs[ours] for ours, theirs in NAMES.items()},
        NAMES["tied"]: ties(knobs),
        **{name: value for name, value in OURS.items() if name != "partial_rotary_factor"},
        "attention_bias": knobs["qkv_bias"],
        "attention_dropout": 0.0,
        "rope_theta": theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": theta},
        "pad_token_id": SPECIALS.index(PAD),
        "bos_token_id": SPECIALS.index(BOS),
        "eos_token_id": stop,
        "torch_dtype": "float32",
        "dtype": "float32",
    }


def part_of(config: Mapping[str, Any]) -> Part:
    """A config.json -> the model's part of a run's config. ValueError names what ours does not compute."""
    kind = config.get("model_type")
    if kind not in FAMILIES:
        raise ValueError(
            f"config.json: model_type={kind!r} is none of those that can be imported, {', '.join(FAMILIES)}"
        )
    rope = {"rope_theta": config.get("rope_theta", 10_000.0), **(config.get("rope_parameters") or {})}
    asked = {**rope, **config}
    wrong = {name: asked[name] for name, ours in OURS.items() if asked.get(name, ours) != ours}
    if rope.get("rope_type", "default") != "default":
        wrong["rope_type"] = rope["rope_type"]
    if wrong:
        words = ", ".join(f"{name}={value!r}" for name, value in wrong.items())
        raise ValueError(f"config.json asks for {words}, which the transformer here does not compute")
    heads, width = config["num_attention_heads"], config["hidden_size"]
    usual = {"kv_heads": heads, "head_dim": width // heads, "norm_eps": 1e-6, "tied": False}
    stated = {ours: config.get(theirs) for ours, theirs in NAMES.items()}
    return {
        "_target_": TARGET,
        "context": config["max_position_embeddings"],
        **{name: usual.get(name) if value is None else value for name, value in stated.items()},
        "rope_theta": rope["rope_theta"],
        "qkv_bias": kind == "qwen2" or bool(config.get("attention_bias", False)),
        "qk_norm": kind == "qwen3",
        "embed_scaled": False,
    }
