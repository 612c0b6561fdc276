"""Packed rows: every sequence once, one shape, and the loss and gradients of padded rows."""

import itertools

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters
from torch.nn.attention import flex_attention, varlen
from torch.nn.attention.flex_attention import create_block_mask

from tests.helpers.engine import CONTEXT, VOCABULARY, check_shares, fit, learner, sequences, tiny, trained_on
from tests.helpers.runs import small
from tests.training.test_resume import StopAt, equal
from tracelab.batches.documents import Documents
from tracelab.batches.loader import FixedLoader, Loader, card
from tracelab.batches.packing import PROMPT, SOLUTION, TRACE, Packing, best_fit
from tracelab.batches.padding import collate
from tracelab.core.codec import Sequences
from tracelab.core.paths import CONF
from tracelab.models import attention
from tracelab.models.attention import block_mask, look_within, seen
from tracelab.models.gpt import GPT
from tracelab.models.kernels import choose, fastest, kept
from tracelab.runs.sets import prepare
from tracelab.runs.treatments import build_treatment
from tracelab.training.budget import Budget
from tracelab.training.checkpoint import Checkpoints
from tracelab.training.losses import packed_loss

SHAPE = {"batch_tokens": 512, "packing": 128}
PACKING = Packing(512, 128)


def packed(data, pad=0, row=128):
    """All of it, in one batch."""
    (rows,) = Packing(row * len(data), row).plan(data.tokens.lengths, 0, 0)
    return Packing(row * len(rows), row).collate(data, rows, pad), rows


def loader(data=None, **options):
    data = data or sequences()
    return Loader(lambda k: data, **(SHAPE | {"context": CONTEXT} | options))


def first(source, n):
    return list(itertools.islice(source, n))


def flat(batch):
    return [batch.tokens, batch.targets, batch.part, *batch.documents]


def same(a, b):
    equal = all(torch.equal(x, y) for x, y in zip(flat(a), flat(b), strict=True))
    return equal and a.counts == b.counts and a.after == b.after


# the layout


def test_best_fit_against_the_definition():
    sizes = np.random.default_rng(0).integers(1, 50, 300).tolist()
    left = []
    for size, row in zip(sizes, best_fit(sizes, 64), strict=True):
        roomy = [room for room in left if room >= size]
        if roomy:
            assert left[row] == min(roomy)
        else:
            assert row == len(left)
            left.append(64)
        left[row] -= size


def test_plan_has_every_sequence_once_in_rows_that_hold_them():
    lengths = sequences(500).tokens.lengths
    plan = PACKING.plan(lengths, 0, 0)
    assert sorted(np.concatenate([rows.values for rows in plan])) == list(range(500))
    sizes = [len(rows) for rows in plan]
    assert max(sizes) <= 4
    assert max(sizes) - min(sizes) <= 1
    assert all((lengths[row] - 1).sum() <= 128 for rows in plan for row in rows)
    assert card(sequences(500), 512, 128, 0)["padding"] < 0.05


def test_plan_depends_on_seed_and_chunk_alone():
    lengths = sequences(100).tokens.lengths
    plans = [PACKING.plan(lengths, *which) for which in [(0, 0), (0, 0), (0, 1), (1, 0)]]
    as_lists = [[[row.tolist() for row in rows] for rows in plan] for plan in plans]
    assert as_lists[0] == as_lists[1]
    assert as_lists[0] != as_lists[2] != as_lists[3] != as_lists[0]


def test_collate_against_loops():
    data = sequences(30)
    batch, rows = packed(data, pad=1)
    edges = []
    for r, row in enumerate(rows):
        column = 0
        for i in row.tolist():
            tokens, n = data.tokens[i], len(data.tokens[i]) - 1
            here = slice(column, column + n)
            assert batch.tokens[r, here].tolist() == tokens[:-1].tolist()
            assert batch.targets[r, here].tolist() == tokens[1:].tolist()
            parts = [PROMPT] * data.prompt[i] + [TRACE] * data.trace[i]
            parts += [SOLUTION] * (n + 1 - len(parts))
            assert batch.part[r, here].tolist() == parts[1:]
            assert batch.documents.start[r, here].tolist() == [column] * n
            assert batch.documents.place[r, here].tolist() == list(range(n))
            edges.append(r * 128 + column)
            column += n
        rest = 128 - column
        assert batch.tokens[r, column:].tolist() == [1] * rest
        assert batch.part[r, column:].tolist() == [PROMPT] * rest
        assert batch.documents.start[r, column:].tolist() == [column] * rest
        edges += [r * 128 + column] if rest else []
    assert batch.documents.edges.tolist()[: len(edges)] == edges
    assert set(batch.documents.edges.tolist()[len(edges) :]) == {len(rows) * 128}
    pairs = sum(n * (n - 1) // 2 for n in data.tokens.lengths.tolist())
    completion = len(data.tokens.values) - 90
    assert batch.counts == (len(data.tokens.values), completion, 30, pairs, data.trace.sum(), 0, 0)


def test_one_shape_for_all_batches():
    shapes = {tuple(x.shape for x in flat(batch)) for batch in first(loader(), 40)}
    assert len(shapes) == 1
    assert next(iter(shapes))[0] == (4, 128)


@pytest.mark.parametrize(
    ("batch_tokens", "packing", "says"),
    [
        (512, 100, "multiple of 128"),
        (300, 128, "multiple of data.packing"),
        (64, 128, "multiple of data.pack"),
    ],
)
def test_shapes_that_are_refused(batch_tokens, packing, says):
    with pytest.raises(ValueError, match=says):
        Packing(batch_tokens, packing)


def test_what_does_not_fit_is_refused():
    data = sequences(3, longest=200, seed=3)
    with pytest.raises(ValueError, match=r"rows have 128: raise data.packing to 256"):
        next(iter(loader(data, context=300)))
    with pytest.raises(ValueError, match="the model's context is 48"):
        next(iter(loader(data)))


# the stream


def test_every_epoch_has_every_sequence_once():
    data = sequences(60)
    expected = sorted(tuple(row.tolist()) for row in data.tokens)
    found, epoch = [], 0
    for batch in first(loader(data), 40):
        found += trained_on(batch)
        if batch.after[1] == 0:
            assert sorted(found) == expected
            found, epoch = [], epoch + 1
    assert epoch > 2


def test_the_loader_goes_on_with_the_next_batch():
    whole = first(loader(), 30)
    for done in (1, 7, 19):
        resumed = loader()
        resumed.load_state_dict({"trained": list(whole[done - 1].after)})
        assert all(same(a, b) for a, b in zip(first(resumed, 5), whole[done : done + 5], strict=True))


@pytest.mark.parametrize("processes", [2, 3, 7])
def test_processes_share_each_batch(monkeypatch, processes):
    of_each = check_shares(monkeypatch, loader, processes)
    rows = -(-4 // processes)
    assert {batch.tokens.shape for batches in of_each for batch in batches} == {(rows, 128)}


# the loss


def losses_and_gradients(module, batch):
    module.model.zero_grad()
    loss, sums = module.loss(batch)
    loss.backward()
    return loss.detach(), sums, {name: p.grad.clone() for name, p in module.model.named_parameters()}


def assert_same_loss(module, data, row=128):
    a, a_sums, a_grads = losses_and_gradients(module, collate(data, pad=0))
    b, b_sums, b_grads = losses_and_gradients(module, packed(data, row=row)[0])
    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    for name in a_sums:
        torch.testing.assert_close(a_sums[name], b_sums[name], rtol=1e-5, atol=1e-5)
    for name in a_grads:
        torch.testing.assert_close(a_grads[name], b_grads[name], rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.5, 1.0), (0.0, 1.0), (1.0, 0.0)])
@pytest.mark.parametrize("shape", [{}, {"qkv_bias": True, "qk_norm": False, "tied": False}])
def test_loss_and_gradients_are_those_of_padded_rows(weights, shape, monkeypatch):
    monkeypatch.setattr("tracelab.training.losses.CHUNK", 200)  # several chunks, the last one shorter
    module = learner(model=tiny(**shape), trace_weight=weights[0], solution_weight=weights[1])
    assert_same_loss(module, sequences(25))


@pytest.mark.parametrize("treatment", sorted(path.stem for path in (CONF / "trace").glob("*.yaml")))
def test_so_for_every_treatment(treatment, tmp_path):
    config = small(tmp_path, f"trace={treatment}", "data.train_size=12", "data.val_size=4", "eval.problems=2")
    made = build_treatment(config.trace)
    if made.thinks is not None or made.lacks:
        pytest.skip("latents are not packed: tests/models/test_latent.py; or a trained model is asked")
    data = prepare(config)
    model = GPT(len(data.vocabulary), 512, layers=2, width=32, heads=4, mlp=48)
    assert_same_loss(learner(model=model, trace_weight=0.5), data.train, row=512)


def test_no_document_sees_another():
    model, (batch, _) = tiny(), packed(sequences(12))
    start = batch.documents.start
    inside = start == sorted(set(start[0].tolist()))[1]  # the second document of the first row
    inside[1:] = False
    changed = torch.where(inside, (batch.tokens + 1) % VOCABULARY, batch.tokens)
    before, after = (
        model.logits(model.hidden(t, documents=batch.documents)) for t in (batch.tokens, changed)
    )
    assert torch.equal(before[~inside], after[~inside])
    assert not torch.isclose(before[inside], after[inside]).all(-1).any()


def test_a_document_is_what_it_is_alone():
    model, data = tiny(), sequences(12)
    batch, rows = packed(data)
    whole = model.hidden(batch.tokens, documents=batch.documents)
    for r, row in enumerate(rows):
        column = 0
        for i in row.tolist():
            tokens = torch.from_numpy(data.tokens[i][:-1].astype(np.int64))
            alone = model.hidden(tokens[None])[0]
            torch.testing.assert_close(whole[r, column : column + len(tokens)], alone, rtol=1e-5, atol=1e-5)
            column += len(tokens)


# the kernels


def random_documents(seed, B=2, T=512, cuts=6):
    generator = torch.Generator().manual_seed(seed)
    start = torch.zeros(B, T, dtype=torch.int32)
    edges = []
    for b in range(B):
        for cut in sorted({0, *torch.randint(T, (cuts,), generator=generator).tolist()}):
            start[b, cut:] = cut
            edges.append(b * T + cut)
    return Documents(start, torch.tensor(edges + [B * T] * (32 - len(edges)), dtype=torch.int32))


@pytest.mark.parametrize("cuts", [0, 1, 3, 9, 30])
def test_the_mask_of_blocks_is_torchs_own(cuts):
    documents = random_documents(cuts, cuts=min(cuts, 14))
    ours = block_mask(documents.start)
    theirs = create_block_mask(ours.mask_mod, 2, None, 512, 512, device="cpu")
    assert torch.equal(ours.to_dense(), theirs.to_dense())
    for name in ("kv_num_blocks", "full_kv_num_blocks", "q_num_blocks", "full_q_num_blocks"):
        assert torch.equal(getattr(ours, name), getattr(theirs, name)), name


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("kernel", ["flex", "varlen", "varlen of torch 2.11"])
def test_kernels_agree_with_the_definition(kernel, monkeypatch):
    kernel, *old = kernel.split(" of ")
    monkeypatch.setattr(attention, "VARLEN", {"window_size"} if old else {"window_size", "enable_gqa"})
    monkeypatch.setattr(varlen, "varlen_attn", of_old_torch if old else each_by_itself)
    documents = random_documents(0)
    q, k, v = torch.randn(4, 2, 512, 16), torch.randn(2, 2, 512, 16), torch.randn(2, 2, 512, 16)
    plain, other = (look_within(documents, name)(q, k, v) for name in ("plain", kernel))
    torch.testing.assert_close(plain, other, rtol=1e-5, atol=1e-5)


def of_old_torch(*tensors, window_size):
    return each_by_itself(*tensors, window_size=window_size, enable_gqa=True)


def each_by_itself(q, k, v, edges, edges_k, longest, longest_k, *, window_size, enable_gqa=False):
    """What varlen_attn is documented to do; torch has it on GPUs alone."""
    assert edges is edges_k
    assert window_size == (-1, 0)
    assert edges[-1] == len(q)
    out = torch.empty_like(q)
    for a, b in itertools.pairwise(edges.tolist()):
        parts = (x[None, a:b].transpose(1, 2) for x in (q, k, v))
        y = torch.nn.functional.scaled_dot_product_attention(*parts, is_causal=True, enable_gqa=enable_gqa)
        out[a:b] = y[0].transpose(0, 1)
        assert b - a <= longest == longest_k
    return out


def test_seen_against_loops():
    documents = random_documents(1, B=1, T=128)
    start, may_see = documents.start[0].tolist(), seen(documents.start)[0]
    for query, key in itertools.product(range(0, 128, 3), range(128)):
        assert may_see[query, key] == (key <= query and start[query] == start[key])


def test_the_fastest_kernel_is_chosen_and_missing_ones_are_left_out(monkeypatch):
    took = {"flex": 2.0, "varlen": 1.0}
    documents = random_documents(0, T=128)

    def seconds(kernel, model, documents):
        if took[kernel] is None:
            raise RuntimeError("no such kernel")
        return took[kernel]

    monkeypatch.setattr("tracelab.models.kernels.seconds", seconds)
    assert fastest(("flex", "varlen"), tiny(), documents) == "varlen"
    took["varlen"] = None
    with pytest.warns(UserWarning, match="attention=varlen does not run here: no such kernel"):
        assert fastest(("flex", "varlen"), tiny(), documents) == "flex"
    assert choose("auto", tiny(), documents) == "plain"  # no GPU
    with pytest.raises(ValueError, match="needs a GPU"):
        choose("flex", tiny(), documents)
    with pytest.raises(ValueError, match="choose one of auto, plain"):
        choose("fast", tiny(), documents)


def test_a_gpu_measures_once(monkeypatch, tmp_path):
    """Or the arms of a study would have kernels by chance."""
    monkeypatch.setenv("TRACELAB_CACHE", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    measured = []

    def fastest(kernels, model, documents):
        measured.append(documents.start.shape)
        return "varlen"

    monkeypatch.setattr("tracelab.models.kernels.fastest", fastest)
    for T in (128, 128, 256):
        assert kept(tiny(), random_documents(0, T=T)) == "varlen"
    assert measured == [(2, 128), (2, 256)]


# training


def train(folder, steps=20, resume=None, callbacks=(), **options):
    module = learner(Budget(steps=steps), trace_weight=0.5)
    validation = FixedLoader(sequences(10, seed=5), context=CONTEXT, **SHAPE)
    callbacks = [Checkpoints(folder, 5), *callbacks]
    return module, fit(module, loader(), validation, callbacks=callbacks, resume=resume, **options)


def test_training_resumes_bit_for_bit(tmp_path):
    train(tmp_path / "whole")
    with pytest.raises(RuntimeError, match="crash"):
        train(tmp_path / "parts", callbacks=[StopAt(13, RuntimeError("crash"))])
    module, _ = train(tmp_path / "parts", resume=tmp_path / "parts" / "last.ckpt")
    assert module.model.kernel == module.attention == "plain"
    assert equal(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize(
    ("asked", "on_gpu", "taken"),
    [("auto", True, "flex"), ("auto", False, "auto"), ("plain", True, "plain"), ("varlen", True, "varlen")],
)
def test_a_resumed_run_keeps_its_kernel_where_that_runs_and_none_is_asked_for(asked, on_gpu, taken):
    before, module = learner(attention="flex"), learner(attention=asked)
    checkpoint, module._on_gpu = {}, on_gpu
    before.on_save_checkpoint(checkpoint)
    module.on_load_checkpoint(checkpoint)
    assert module.attention == taken


def test_training_learns_and_logs(tmp_path):
    module, run = train(tmp_path, 12, log_every_n_steps=4, val_check_interval=6)
    metrics = run.callback_metrics
    assert metrics["train/data_wait_ms"] >= 0
    assert "train/mfu" not in metrics  # no known device
    data = sequences(10, seed=5)
    torch.testing.assert_close(metrics["val/loss"], module.loss(collate(data, pad=0))[0].detach())
    assert module.progress.tokens > module.progress.completion_tokens > 0


def test_only_prompts_and_padding_have_no_loss():
    data = sequences(5)
    batch, _ = packed(Sequences(data.tokens, data.prompt, np.zeros(5, np.int32)))
    assert int((batch.part == SOLUTION).sum()) == batch.counts.completion_tokens
    assert not (batch.part == TRACE).any()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch, of itself
def test_one_graph_forward_and_backward(monkeypatch):
    """As on a GPU, but for the code that is generated: FlexAttention refuses gradients on CPUs otherwise."""
    monkeypatch.setattr(flex_attention, "_validate_device", lambda *_: None)
    counters.clear()
    model, weights = tiny(), {"trace": 0.5, "solution": 1.0}
    step = torch.compile(packed_loss, dynamic=False, fullgraph=True, backend="aot_eager")
    for batch in first(loader(), 4):
        both = []
        for kernel, loss_of in (("plain", packed_loss), ("flex", step)):
            model.kernel = kernel
            model.zero_grad()
            loss, _ = loss_of(model, weights, batch.tokens, batch.targets, batch.part, batch.documents)
            loss = loss / batch.counts.completion_tokens
            loss.backward()
            both.append([loss.detach(), *(p.grad.clone() for p in model.parameters())])
        for plain, flex in zip(*both, strict=True):
            torch.testing.assert_close(plain, flex, rtol=1e-5, atol=1e-5)
        assert counters["stats"]["unique_graphs"] == 1
    assert not counters["graph_break"]
