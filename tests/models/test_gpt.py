"""The transformer: its shapes, its symmetries, and agreement with the reference implementations."""

import re

import hydra
import pytest
import torch
from omegaconf import OmegaConf

from tests.helpers.engine import CONTEXT, VOCABULARY, tiny
from tracelab.core.paths import CLONE, CONF
from tracelab.exchange.weights import to_ours
from tracelab.models import layers
from tracelab.models.cache import Cache
from tracelab.models.gpt import GPT, rope_table
from tracelab.models.layers import angles_at, attend, normalize, rotate


def tokens(rows=3, length=20, seed=0):
    return torch.randint(VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(seed))


def millions(path):
    """Parameters of conf/model or conf/size, in millions: with the words of default mazes."""
    part = OmegaConf.load(path)
    if path.parent.name == "size":
        part = OmegaConf.merge(OmegaConf.load(CONF / "model" / "nano.yaml"), part.model)
    words = len(hydra.utils.instantiate(OmegaConf.load(CONF / "task" / "maze.yaml")).codec.vocabulary)
    with torch.device("meta"):
        model = hydra.utils.instantiate(part, vocab_size=words, context=64)
    return sum(p.numel() for p in model.parameters()) / 1e6


@pytest.mark.parametrize(
    "path",
    sorted(path for group in ("model", "size") for path in (CONF / group).glob("*.yaml")),
    ids=lambda path: path.stem,
)
def test_sizes(path):
    """As the comment in its YAML says, to the last digit."""
    (said,) = re.findall(r"([\d.]+) million parameters on default mazes", path.read_text())
    assert f"{millions(path):.{len(said.partition('.')[2])}f}" == said


def test_sizes_of_the_laws():
    """The smallest and the largest of each sweep over sizes, as docs/laws.md says."""
    text = (CLONE / "docs" / "laws.md").read_text(encoding="utf-8")
    for name in ("size", "size_gpu"):
        sweep = OmegaConf.load(CONF / "experiment" / "law" / f"{name}.yaml").hydra.sweeper.params
        of = sorted(millions(CONF / "size" / f"{size}.yaml") for size in sweep.size.split(","))
        told = f"({of[-1]:.1f} million" if name == "size_gpu" else f"{of[0]:.3f} to {of[-1]:.2f} million"
        assert f"{told} parameters" in text


def test_logits_are_float32_and_the_seed_decides():
    model = tiny(seed=1)
    with torch.autocast("cpu", torch.bfloat16):
        assert model(tokens()).dtype == torch.float32
    assert torch.equal(model(tokens()), tiny(seed=1)(tokens()))
    assert not torch.equal(model(tokens()), tiny(seed=2)(tokens()))


def test_causality():
    model, ids = tiny(), tokens()
    changed = ids.clone()
    changed[:, 12:] = (changed[:, 12:] + 1) % VOCABULARY
    before, after = model(ids), model(changed)
    torch.testing.assert_close(before[:, :12], after[:, :12], rtol=0, atol=1e-6)
    assert not torch.allclose(before[:, 12], after[:, 12])


@pytest.mark.parametrize("shape", [{}, {"qk_norm": False, "qkv_bias": True, "kv_heads": 4}])
def test_forms_for_gpus_give_the_same(monkeypatch, shape):
    """Norms and rotation that are left to the compiler, queries and keys by tokens: outputs and gradients."""
    found = []
    for on_gpu in (False, True):
        monkeypatch.setattr(layers, "fuses", lambda x, on_gpu=on_gpu: on_gpu)
        model = tiny(**shape)
        model(tokens()).square().mean().backward()
        with torch.no_grad():
            found.append([model(tokens()), *(p.grad for p in model.parameters())])
    for own, plain in zip(*found, strict=True):
        torch.testing.assert_close(own, plain, rtol=1e-5, atol=1e-6)


def test_grouped_query_attention_is_attention_with_repeated_heads():
    q, k, v = torch.randn(6, 2, 9, 8), torch.randn(2, 2, 9, 8), torch.randn(2, 2, 9, 8)
    repeated = attend(q, k.repeat_interleave(3, 0), v.repeat_interleave(3, 0), None)
    torch.testing.assert_close(attend(q, k, v, None), repeated)
    fused = torch.nn.functional.scaled_dot_product_attention(
        q, k.repeat_interleave(3, 0), v.repeat_interleave(3, 0), is_causal=True
    )
    torch.testing.assert_close(repeated, fused)


def test_rotation_depends_on_distance_alone():
    rope = rope_table(40, 8, 100.0)
    at = [angles_at(rope[i : i + 1], torch.float32) for i in range(40)]
    q, k = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)
    products = [(rotate(q, at[i + 5]) * rotate(k, at[i])).sum() for i in range(30)]
    torch.testing.assert_close(torch.stack(products), products[0].expand(30), rtol=1e-4, atol=1e-5)


def test_own_gradients():
    double = {"dtype": torch.float64, "requires_grad": True}
    x, gain = torch.randn(3, 2, 4, 8, **double), torch.randn(3, 1, 1, 8, **double)
    angles = angles_at(rope_table(4, 8, 100.0), torch.float64)
    assert torch.autograd.gradcheck(lambda x: rotate(x, angles), x)
    assert torch.autograd.gradcheck(lambda x, gain: normalize(x, gain, 1e-3), (x, gain))
    assert torch.autograd.gradcheck(lambda x, gain: normalize(x, gain, 1e-3), (x, gain[0, 0, 0]))


def test_cache_gives_what_the_whole_forward_gives():
    model, ids = tiny(qkv_bias=True), tokens(length=CONTEXT)
    whole = model.hidden(ids)
    cache = Cache(len(model.blocks), torch.zeros(3, dtype=torch.int64))
    parts = [model.hidden(ids[:, a:b], cache) for a, b in [(0, 7), (7, 8), (8, 9), (9, 20), (20, CONTEXT)]]
    torch.testing.assert_close(torch.cat(parts, 1), whole)


def test_padding_may_be_longer_than_the_context():
    """Batches are padded to multiples of 8: 99 tokens of a context of 99 stand in 104 columns."""
    model = GPT(VOCABULARY, 99, layers=1, width=16, heads=2, mlp=16)
    tokens = torch.randint(VOCABULARY, (1, 99), generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(tokens, (0, 5))
    torch.testing.assert_close(model(padded)[:, :99], model(tokens))


def test_cache_with_left_padding_and_fewer_rows():
    model, ids = tiny(), tokens(length=16)
    start = torch.tensor([0, 3, 9])
    padded = torch.zeros_like(ids)
    for row, first in enumerate(start):
        padded[row, first:] = ids[row, : 16 - first]
    cache = Cache(len(model.blocks), start)
    model.hidden(padded[:, :12], cache)
    cache.keep(torch.tensor([0, 2]))
    last = model.hidden(padded[[0, 2], 12:], cache)[:, -1]
    torch.testing.assert_close(last[0], model.hidden(ids[:1])[0, -1])
    torch.testing.assert_close(last[1], model.hidden(ids[2:, :7])[0, -1])


def test_kv_heads_must_divide_heads():
    with pytest.raises(ValueError, match="kv_heads must divide heads"):
        tiny(kv_heads=3)


@pytest.mark.parametrize("family", ["Llama", "Qwen2", "Qwen3"])
def test_agrees_with_the_reference_implementation(family):
    transformers = pytest.importorskip("transformers")
    config = getattr(transformers, f"{family}Config")(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        rms_norm_eps=1e-5,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=False,
        pad_token_id=None,
        bos_token_id=None,
        eos_token_id=None,
    )
    theirs = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    with torch.no_grad():
        for p in theirs.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    kind = {"tied": False, "qkv_bias": family == "Qwen2", "qk_norm": family == "Qwen3"}
    ours = tiny(norm_eps=1e-5, **kind)
    ours.load_state_dict(to_ours(theirs.state_dict(), {"layers": 2, **kind}))
    torch.testing.assert_close(ours(tokens()), theirs(tokens()).logits, rtol=1e-4, atol=1e-4)


def test_scaled_embeddings_are_read_times_the_root_of_the_width():
    scaled, plain = tiny(embed_scaled=True), tiny()
    torch.testing.assert_close(scaled.embed(tokens()), plain.embed(tokens()) * 32**0.5)
    assert scaled.head.weight is scaled.embed.weight
    assert not torch.equal(scaled(tokens()), plain(tokens()))


def test_untied_head():
    assert tiny(tied=False).head.weight is not tiny().embed.weight
    assert isinstance(tiny(), GPT)
