"""A task's vocabulary as a word-level tokenizer.json, and back.

Special are those of the four reserved words that the task's format does not write: decoders that skip special
words must not skip one of a completion, least of all the stop word. For the same reason the unknown word is
none: it is the filler's word, too. Which token ends a completion says `eos_token_id` in config.json and
generation_config.json.
"""

from __future__ import annotations

from typing import Any

from tracelab.core.codec import BOS, EOS, PAD, SPECIALS, UNK, Codec
from tracelab.core.formats import Format

NAMED = {"pad_token": PAD, "bos_token": BOS, "eos_token": EOS}


def specials(written: Format) -> dict[str, str]:
    """Special words by what they are called, `pad_token` for one: those that a format does not write."""
    templates = [*written.prompt.values(), *written.trace.values(), *written.solution.values()]
    words = {word for template in templates for word in template.split()}
    words |= {word for field in written.fields.values() for word in field.words}
    words |= {written.trace_open, written.solution_open, written.stop}
    return {name: word for name, word in NAMED.items() if word not in words}


def tokenizer_of(codec: Codec) -> dict[str, Any]:
    """tokenizer.json: words between blanks, of a closed vocabulary; what is not in it is UNK."""
    added = [
        {
            "id": SPECIALS.index(word),
            "content": word,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for word in specials(codec.format).values()
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": codec.token, "unk_token": UNK},
    }


def tokenizer_config_of(codec: Codec, context: int) -> dict[str, Any]:
    """tokenizer_config.json. Prompts are padded on the left, as for generation."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context,
        "padding_side": "left",
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        **specials(codec.format),
    }


def vocabulary_of(tokenizer: dict[str, Any]) -> tuple[str, ...]:
    """A tokenizer.json's words by their tokens. ValueError if it is none of whole words."""
    model = tokenizer["model"]
    if model.get("type") != "WordLevel":
        raise ValueError(
            f"tokenizer.json is of type {model.get('type')}: a task's words take a WordLevel one"
        )
    vocab: dict[str, int] = model["vocab"]
    return tuple(sorted(vocab, key=vocab.__getitem__))
