"""What is read and changed inside a model: each place of each model, alone and while it samples."""

import pytest
import torch
from torch.nn.functional import silu

from tests.models.test_models import built
from tracelab.core.paths import CONF
from tracelab.models.places import add, capture, change, places, project_out, replace

MODELS = sorted(CONF.glob("model/*.yaml"))
TOKENS = torch.arange(12).view(2, 6)


@pytest.fixture(
    params=[path for path in MODELS if path.stem in ("micro", "mingru")], ids=lambda path: path.stem
)
def model(request):
    return built(request.param).eval()


@torch.no_grad()
def test_the_stream_is_the_sum_of_what_is_added_to_it(model):
    with capture(model, *places(model)) as seen:
        logits = model(TOKENS)
    stream = seen.whole("embed")
    for i in range(len(model.blocks)):
        block = model.blocks[i]
        stream = stream + seen.whole(f"blocks.{i}.mixing") + seen.whole(f"blocks.{i}.mlp")
        torch.testing.assert_close(seen.whole(f"blocks.{i}"), stream)
        torch.testing.assert_close(
            block.out(seen.whole(f"blocks.{i}.heads")), seen.whole(f"blocks.{i}.mixing")
        )
        gate, up = block.gate_up(seen.whole(f"blocks.{i}.mlp_in")).chunk(2, -1)
        torch.testing.assert_close(silu(gate) * up, seen.whole(f"blocks.{i}.neurons"))
        torch.testing.assert_close(
            block.down(seen.whole(f"blocks.{i}.neurons")), seen.whole(f"blocks.{i}.mlp")
        )
    torch.testing.assert_close(model.norm(stream), seen.whole("norm"))
    torch.testing.assert_close(model.logits(seen.whole("norm")), logits)


@torch.no_grad()
def test_tokens_read_one_by_one_pass_the_same_places(model):
    with capture(model, *places(model)) as whole:
        model(TOKENS)
    with capture(model, *places(model)) as seen:
        past = model.reading(torch.zeros(2, dtype=torch.long))
        for t in range(TOKENS.shape[1]):
            model.hidden(TOKENS[:, t : t + 1], past)
    for place in places(model):
        assert len(seen[place]) == TOKENS.shape[1]
        torch.testing.assert_close(seen.whole(place), whole.whole(place), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_what_is_changed_is_what_the_model_goes_on_with(model):
    before = model(TOKENS)
    vector = torch.linspace(-1, 1, model.embed.embedding_dim)
    with capture(model, "norm") as seen, change(model, {"blocks.1": add(vector, 2.0)}):
        model(TOKENS)
    with capture(model, "blocks.1") as stream:
        assert torch.equal(model(TOKENS), before), "the hooks are gone"
    torch.testing.assert_close(seen.whole("norm"), model.norm(stream.whole("blocks.1") + 2 * vector))
    with change(model, {"blocks.1": project_out(vector)}), capture(model, "blocks.1") as seen:
        model(TOKENS)
    assert (seen.whole("blocks.1") @ vector).abs().max() < 1e-4
    for place in places(model):  # every place matters to the logits
        with change(model, {place: lambda x: -x}):
            assert not torch.allclose(model(TOKENS), before, atol=1e-3), place
    with change(model, {"norm": replace(vector)}):
        torch.testing.assert_close(model(TOKENS), model.logits(vector).expand_as(before))
    assert torch.equal(model(TOKENS), before)


def test_gradients_reach_what_was_read(model):
    with capture(model, "blocks.0") as seen:
        loss = model(TOKENS).logsumexp(-1).sum()
    (grad,) = torch.autograd.grad(loss, seen["blocks.0"][0])
    assert grad.abs().sum() > 0


@pytest.mark.parametrize("place", ["blocks.2", "blocks.0.head", "head", "blocks", "blocks.0.out", ""])
def test_a_place_that_is_not_there_is_refused_before_anything_is_hooked(model, place):
    with (
        pytest.raises(ValueError, match=r"choose from embed, blocks\.0\.heads"),
        capture(model, "embed", place),
    ):
        pass
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
