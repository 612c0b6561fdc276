"""Tools that look into models see every head of an export: TransformerLens 4 and nnsight."""

import numpy as np
import pytest
import torch

from tests.exchange.test_shapes import assert_equal
from tracelab.evaluation.judging import trained_model
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run

PROMPT = "start 0,0 goal 3,2 1,1 2,1 3,1 4,1"
OF_TOOLS = "pip install 'tracelab[exchange]' brings it"
pytestmark = pytest.mark.filterwarnings("default")  # theirs


@pytest.fixture(scope="module")
def ours(run):
    """(tokens, our logits, our model)."""
    run = Run.open(run)
    task = build_task(run.settings.task)
    tokens = torch.from_numpy(task.codec.tokens_of(PROMPT).astype(np.int64))[None]
    model = trained_model(run, task, "last", run.read_json("run.json")["context"])
    with torch.no_grad():
        return tokens, model(tokens), model


def test_transformer_lens(folder, ours):
    bridge = pytest.importorskip("transformer_lens.model_bridge", reason=OF_TOOLS)
    tokens, logits, model = ours
    lens = bridge.TransformerBridge.boot_transformers(str(folder), device="cpu", dtype=torch.float32)
    assert torch.equal(lens.to_tokens(PROMPT), tokens)
    with torch.no_grad():
        theirs, cache = lens.run_with_cache(tokens)
        assert_equal(theirs, logits)
        for layer, block in enumerate(model.blocks):
            pattern = cache["pattern", layer]
            assert pattern.shape == (1, block.heads[0], tokens.shape[1], tokens.shape[1])
            torch.testing.assert_close(pattern.sum(-1), torch.ones(pattern.shape[:-1]))
        last = cache["resid_post", len(model.blocks) - 1]
        assert_equal(lens.unembed(lens.ln_final(last)), logits)


def test_nnsight(folder, ours):
    nnsight = pytest.importorskip("nnsight", reason=OF_TOOLS)
    tokens, logits, model = ours
    heads, width = model.blocks[0].heads[0], model.blocks[0].head_dim
    seen = nnsight.LanguageModel(str(folder), device_map="cpu", dispatch=True)
    with torch.no_grad(), seen.trace(PROMPT):
        mixed = seen.model.layers[1].self_attn.o_proj.input.save()
        theirs = seen.lm_head.output.save()
    assert_equal(theirs, logits)
    assert mixed.shape == (1, tokens.shape[1], heads * width)
    with torch.no_grad():
        assert model.blocks[1].out(mixed).shape == (1, tokens.shape[1], heads * width)
