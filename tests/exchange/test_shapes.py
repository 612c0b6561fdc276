"""Each shape of our transformer as its reference model: logits and greedy completions, both ways."""

import inspect
import json

import pytest
import torch
from omegaconf import OmegaConf

from tests.helpers.engine import CONTEXT, VOCABULARY, tiny
from tracelab.core.files import write_json
from tracelab.core.paths import CONF
from tracelab.core.ragged import Ragged
from tracelab.decoding.sampling import generate
from tracelab.exchange import importing, shapes, tensors, weights
from tracelab.models.gpt import GPT

SHAPES = {
    "Llama": {"qk_norm": False, "norm_eps": 1e-5, "rope_theta": 500.0},
    "Qwen3 with scaled embeddings": {"qk_norm": True, "qkv_bias": False, "embed_scaled": True},
    "Qwen2": {"qk_norm": False, "qkv_bias": True, "tied": False},
    "Qwen3": {"qk_norm": True, "head_dim": 12},
    "Qwen3 with biases": {"qk_norm": True, "qkv_bias": True, "kv_heads": 4, "tied": False},
}
YAMLS = {path.stem: OmegaConf.to_container(OmegaConf.load(path)) for path in (CONF / "model").glob("*.yaml")}


def part(**changes):
    """The part of a config that describes `tiny`."""
    return {
        "_target_": shapes.TARGET,
        "layers": 2,
        "width": 32,
        "heads": 4,
        "kv_heads": 2,
        "mlp": 48,
    } | changes


def model_of(shape):
    """A tiny model whose every weight matters."""
    model = tiny(**shape)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    return model.eval()


def write(folder, model, knobs, stop):
    """What of an export makes the model."""
    tensors.write(folder / "model.safetensors", weights.to_theirs(model.state_dict(), knobs))
    write_json(folder / "config.json", shapes.config_of(knobs, VOCABULARY, CONTEXT, stop))


def prompts():
    generator = torch.Generator().manual_seed(3)
    return [torch.randint(4, VOCABULARY, (length,), generator=generator) for length in (5, 9, 14)]


@pytest.mark.parametrize("name", SHAPES)
def test_the_reference_computes_and_writes_the_same(name, tmp_path):
    """Also after they have saved it, and after it has come back."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    model, knobs = model_of(SHAPES[name]), shapes.knobs_of(part(**SHAPES[name]))
    rows = Ragged.of([row.numpy() for row in prompts()])
    stop = int(next(iter(generate(model, rows, stop=-1, max_new=20).tokens))[8])
    ours = generate(model, rows, stop=stop, max_new=20)
    assert not ours.truncated.all()
    write(tmp_path / "ours", model, knobs, stop)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ours").eval()
    theirs.save_pretrained(tmp_path / "theirs")
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "theirs").eval()
    assert type(theirs).__name__ == f"{name.split()[0]}ForCausalLM"
    for loaded in (theirs, again):
        for row, completion in zip(prompts(), ours.tokens, strict=True):
            assert_equal(loaded(row[None]).logits, model(row[None]))
            written = loaded.generate(row[None], do_sample=False, max_new_tokens=20)[0, len(row) :]
            assert written.tolist() == completion.tolist()
    back = shapes.part_of(json.loads((tmp_path / "theirs" / "config.json").read_text()))
    assert shapes.knobs_of(back) == returning(knobs)
    returned = importing.build(tmp_path / "theirs", back, VOCABULARY)
    assert_equal(returned(prompts()[2][None]), model(prompts()[2][None]))


def returning(knobs):
    """What an export is read back as: embeddings that were scaled are weights like any other then."""
    return knobs | {"embed_scaled": False, "tied": weights.ties(knobs)}


def assert_equal(theirs, ours):
    assert theirs.dtype == torch.float32
    torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", sorted(YAMLS))
def test_each_yaml_has_a_reference_or_is_refused(name):
    if name == "mingru":
        with pytest.raises(
            ValueError, match=r"model._target_=tracelab.models.recurrent.Recurrent.*nano"
        ) as no:
            shapes.knobs_of(YAMLS[name])
        assert "mingru" not in str(no.value)
        return
    assert name in shapes.exportable()
    knobs = shapes.knobs_of(YAMLS[name])
    assert shapes.family(knobs) == ("qwen2" if name == "qwen2_380m" else "qwen3")
    back = shapes.part_of(shapes.config_of(knobs, vocab_size=400, context=64, stop=4))
    assert back["context"] == 64
    assert shapes.knobs_of(back) == returning(knobs)


def test_every_knob_of_the_transformer_is_written_down():
    """A new one must find its place in a config.json, or be refused."""
    placed = {*shapes.NAMES, "rope_theta", "qkv_bias", "qk_norm", "embed_scaled"}
    known = {"vocab_size", "context", "seed", "self"}
    assert set(inspect.signature(GPT.__init__).parameters) - known == placed


def test_transformers_4_and_5_find_their_words():
    config = shapes.config_of(shapes.knobs_of(part(rope_theta=7.0)), VOCABULARY, CONTEXT, stop=4)
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 7.0
    assert config["torch_dtype"] == config["dtype"] == "float32"
    for missing in ("rope_theta", "rope_parameters"):
        rest = {name: value for name, value in config.items() if name != missing}
        assert shapes.part_of(rest)["rope_theta"] == 7.0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model_type": "gpt2"}, "model_type='gpt2' is none"),
        ({"hidden_act": "gelu"}, "hidden_act='gelu'"),
        ({"mlp_bias": True}, "mlp_bias=True"),
        ({"use_sliding_window": True}, "use_sliding_window=True"),
        ({"rope_scaling": {"factor": 2.0}}, "rope_scaling="),
        ({"rope_parameters": {"rope_type": "yarn"}}, "rope_type='yarn'"),
        ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor=0.5"),
    ],
)
def test_what_ours_does_not_compute_is_refused(change, says):
    config = shapes.config_of(shapes.knobs_of(part()), VOCABULARY, CONTEXT, stop=4)
    with pytest.raises(ValueError, match=says):
        shapes.part_of(config | change)


def test_weights_that_do_not_fit_are_named():
    knobs = shapes.knobs_of(part(qk_norm=True, qkv_bias=True))
    theirs = weights.to_theirs(tiny(qkv_bias=True).state_dict(), knobs)
    bias = f"model.layers.1.{weights.BEHIND}"
    with pytest.raises(ValueError, match=f"no place for the weight {bias}"):
        weights.to_ours(theirs | {bias: torch.ones(32)}, knobs)
    del theirs["model.layers.1.self_attn.q_norm.weight"]
    with pytest.raises(ValueError, match=r"q_norm.weight and 0 more that the weights lack"):
        weights.to_ours(theirs, knobs)
