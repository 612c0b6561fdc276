"""Slots that are refilled while others go on: lines are those of batches, no step waits."""

import numpy as np
import pytest
import torch
from torch._dynamo.exc import FailOnRecompileLimitHit, Unsupported
from torch.utils._python_dispatch import TorchDispatchMode

from tests.helpers.engine import VOCABULARY, tiny
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.decoding import continuous, sampling, stepping
from tracelab.decoding.choosing import uniform
from tracelab.decoding.continuous import PACK, Batch, Queue
from tracelab.decoding.sampling import Stream, generate
from tracelab.decoding.slots import GROWTH, Slots, slot_bytes, slots_for, widths
from tracelab.decoding.stepping import Rows, Steps, Wish, draw
from tracelab.models import precision
from tracelab.models.gpt import GPT
from tracelab.models.places import add, change

STOP, CONTEXT, LONGEST = 12, 420, 150
ENDLESS = VOCABULARY  # a token that no model of the tests can write


def made(**shape):
    """Few of its lines are alike, and they end anywhere."""
    shape = {"layers": 2, "width": 32, "heads": 4, "kv_heads": 2, "mlp": 48, "qk_norm": True} | shape
    model = GPT(VOCABULARY, CONTEXT, seed=3, **shape)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.mul_(8)
    return model


def prompts(n=20, seed=0):
    generator = np.random.default_rng(seed)
    lengths = generator.integers(2, LONGEST, n)
    return Ragged.of([generator.integers(4, VOCABULARY, length) for length in lengths])


@pytest.fixture
def shapes(monkeypatch):
    """(rows, width) of all runs of steps."""
    seen = []
    run = Steps.run

    def noted(self, n, width, times):
        seen.append((n, width))
        run(self, n, width, times)

    monkeypatch.setattr(Steps, "run", noted)
    return seen


@pytest.fixture
def both(monkeypatch):
    """Completions the one way and the other."""

    def run(*arguments, **options):
        batches = generate(*arguments, **options)
        monkeypatch.setattr(sampling, "CONTINUOUS", ("cpu",))
        return batches, generate(*arguments, **options)

    return run


def assert_equal(batches, slots):
    assert slots.tokens.values.tolist() == batches.tokens.values.tolist()
    assert slots.tokens.offsets.tolist() == batches.tokens.offsets.tolist()
    assert slots.truncated.tolist() == batches.truncated.tolist()
    assert np.allclose(slots.logprobs.values, batches.logprobs.values, atol=1e-4)
    assert np.allclose(slots.mean_logprob, batches.mean_logprob, atol=1e-4)


OTHER = {"qk_norm": False, "qkv_bias": True, "kv_heads": 4}
LINES = [(1, 0.0), (1, 0.7), (4, 0.7)]  # samples, temperature; greedy ones repeat each other
CASES = [(shape, *line) for shape in ({}, OTHER) for line in LINES] + [({}, 2, 0.0)]


@pytest.mark.parametrize(("shape", "samples", "temperature"), CASES)
def test_lines_are_those_of_batches(both, shapes, shape, samples, temperature):
    """Fewer slots than samples; slots change hands, and the batch shrinks at the end."""
    options = {"samples": samples, "temperature": temperature, "batch_size": 17, "stream": Stream(2)}
    assert_equal(*both(made(**shape), prompts(), stop=STOP, max_new=200, **options))
    assert shapes[0][0] == 17
    assert shapes[-1][0] < 17


def test_lines_that_end_at_the_context(both, shapes):
    """All widths up to the context's are looked at."""
    batches, slots = both(made(), prompts(6), stop=ENDLESS, max_new=1000, batch_size=4, temperature=0.7)
    assert_equal(batches, slots)
    assert slots.truncated.all()
    assert slots.tokens.lengths.tolist() == (CONTEXT - prompts(6).lengths).tolist()
    assert {width for _, width in shapes} == {256, 384, 512}


def test_prompts_are_read_in_packs_once_for_their_samples(monkeypatch):
    read = []
    packed = continuous.packed

    def noted(some):
        read.append(some.lengths)
        return packed(some)

    monkeypatch.setattr(continuous, "packed", noted)
    monkeypatch.setattr(sampling, "CONTINUOUS", ("cpu",))
    done = generate(made(), prompts(50), stop=ENDLESS, max_new=1, samples=3)
    assert done.tokens.lengths.tolist() == [1] * 150
    assert sorted(np.concatenate(read)) == sorted(prompts(50).lengths)
    assert 1 < len(read) < 50
    assert max(lengths.sum() for lengths in read) <= PACK["plain"]


def test_numbers_are_those_of_the_streams_of_keys():
    keys = rng.keys(0, "sampling", 0, 50, "tokens")
    words = torch.from_numpy(keys.view(np.int64))
    state = keys.copy()
    for number in range(5):
        wanted = [int(rng.next64(state[i : i + 1])) >> 40 for i in range(50)]
        assert (uniform(words, torch.tensor(number)) * 2**24).tolist() == wanted
    each = uniform(words, torch.arange(50))
    assert each[7] == uniform(words, torch.tensor(7))[7]


def test_what_is_recorded_is_replayed(monkeypatch, both):
    """The first step of a shape is taken, the others are replays: none is lost or taken twice."""
    replays = []

    class Graph:
        def __init__(self, once):
            self.once = once

        def replay(self):
            replays.append(1)
            self.once()

    monkeypatch.setattr(stepping, "RECORDED", ("cpu",))
    monkeypatch.setattr(Steps, "_recorded", lambda self, *shape: Graph(lambda: self._once(*shape)))
    assert_equal(*both(made(), prompts(), stop=STOP, max_new=100, temperature=0.7, batch_size=9))
    assert len(replays) > 50


def test_where_nothing_can_be_recorded_sampling_goes_on(monkeypatch, both):
    def fail(self, *shape):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(stepping, "RECORDED", ("cpu",))
    monkeypatch.setattr(Steps, "_recorded", fail)
    with pytest.warns(UserWarning, match="without CUDA graphs and slower: operation not permitted"):
        assert_equal(*both(made(), prompts(), stop=STOP, max_new=100, temperature=0.7, batch_size=9))


class Noted(TorchDispatchMode):
    """Names of all operations."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        self.names.add(function.__name__.split(".")[0])
        return function(*arguments, **(options or {}))


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_a_step_neither_waits_nor_copies_from_the_host(temperature):
    """Else no graph could be recorded of it."""
    model, device = made(), torch.device("cpu")
    slots, rows = Slots.empty(model, 3, 128), Rows.idle(3, 9, device)
    wish = Wish.of(STOP, temperature, device)
    before = [part.data_ptr() for part in (*slots.keys, *slots.values, *rows)]
    with torch.no_grad(), Noted() as noted:
        Steps(model, slots, rows, wish, compiled=False).run(3, 128, 2)
    waits = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "_assert_async"}
    assert "store_and_look" in noted.names
    assert not noted.names & (waits | {"lift_fresh", "scalar_tensor", "_to_copy.device"})
    assert before == [part.data_ptr() for part in (*slots.keys, *slots.values, *rows)]


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_all_that_a_step_needs_is_on_the_device(monkeypatch, temperature):
    """On one without memory, where asking for a value fails, as does what lies elsewhere."""
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)  # it does not know this device
    model, device = made().to("meta"), torch.device("meta")
    waiting = prompts(12)
    keys = rng.keys(0, "sampling", 0, 24, "tokens").reshape(12, 2)
    queue = Queue(waiting, keys, np.full(12, 50))
    batch = Batch(model, queue, 24, 256, Wish.of(STOP, temperature, device))
    steps = Steps(model, batch.slots, batch.rows, batch.wish, compiled=False)
    with torch.no_grad():
        batch._admit()
        steps.run(24, 256, 2)
        batch.live[5:] = False
        batch._shrink()
        assert len(batch.sample) == 6
        steps.run(6, 256, 2)
        with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
            batch.rows.done.any().item()
        with pytest.raises(RuntimeError, match="meta"):
            draw(batch.rows, torch.zeros(24, VOCABULARY), batch.wish)


@pytest.mark.parametrize("error", [Unsupported("no compiler"), FailOnRecompileLimitHit("no compiler")])
def test_where_nothing_can_be_compiled_sampling_goes_on(monkeypatch, error):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(stepping, "compiled_step", lambda: fail)
    keys = rng.keys(0, "sampling", 0, 20, "tokens").reshape(-1, 1)
    options = {"stop": STOP, "max_new": 20, "temperature": 0.7, "rows": 8}
    with pytest.warns(UserWarning, match="uncompiled and slower: no compiler"):
        lines = continuous.complete(made(), prompts(), keys, compiled=True, **options)
    plain = continuous.complete(made(), prompts(), keys, **options)
    assert [line.tokens.tolist() for line in lines] == [line.tokens.tolist() for line in plain]


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # the compiler's own
@pytest.mark.parametrize("first", ["plain", "hooked"])
def test_a_compiled_step_does_what_hooks_do(monkeypatch, first):
    """Whether the program was made of the model without hooks, or would be made of the model with them."""
    program = torch.compile(stepping.step, fullgraph=True, backend="eager")
    monkeypatch.setattr(stepping, "compiled_step", lambda: program)
    model, some = made(), prompts(8)
    keys = rng.keys(0, "sampling", 0, 8, "tokens").reshape(-1, 1)
    options = {"stop": STOP, "max_new": 20, "temperature": 0.0, "rows": 8}
    vector = torch.randn(32, generator=torch.Generator().manual_seed(1))

    def lines(compiled, hooked):
        changes = {"blocks.0": add(vector), "blocks.1.neurons": add(torch.tensor(0.5))} if hooked else {}
        with change(model, changes):
            found = continuous.complete(model, some, keys, compiled=compiled, **options)
        return [line.tokens.tolist() for line in found]

    wanted = {hooked: lines(False, hooked) for hooked in (False, True)}
    assert wanted[False] != wanted[True]
    for hooked in (first == "hooked", first == "plain"):
        assert lines(True, hooked) == wanted[hooked]


def test_nothing_is_recorded_of_a_model_with_hooks(monkeypatch, both):
    """What is seen there is seen at every step."""
    monkeypatch.setattr(stepping, "RECORDED", ("cpu",))
    monkeypatch.setattr(Steps, "_recorded", lambda self, *shape: pytest.fail("a step is recorded"))
    model = made()
    with change(model, {"blocks.0": add(torch.ones(32))}):
        assert_equal(*both(model, prompts(), stop=STOP, max_new=50, temperature=0.7, batch_size=9))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # the compiler's own
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_one_compilation_serves_all_shapes(shapes, temperature):
    """Other numbers of rows and of prompts, widths, lengths of lines, temperatures and weights."""
    options = {"stop": STOP, "temperature": temperature}
    keys = rng.keys(0, "sampling", 0, 100, "tokens")
    first = keys[:12].reshape(-1, 1)
    continuous.complete(made(), prompts(12), first, max_new=150, rows=12, compiled=True, **options)
    options["temperature"] *= 2
    with torch.compiler.set_stance("fail_on_recompile"):
        for n, samples, rows, max_new in ((30, 1, 20, 300), (20, 4, 9, 40)):
            some = keys[: n * samples].reshape(n, samples)
            sizes = {"max_new": max_new, "rows": rows}
            got = continuous.complete(made(), prompts(n), some, compiled=True, **sizes, **options)
            wanted = continuous.complete(made(), prompts(n), some, **sizes, **options)
            for one, other in zip(got, wanted, strict=True):
                assert one.tokens.tolist() == other.tokens.tolist()
                assert np.allclose(one.sampled, other.sampled, atol=1e-4)
    assert len(set(shapes)) > 5


def test_as_many_slots_as_fit():
    model = tiny()
    each = slot_bytes(model, 128)
    slots = Slots.empty(model, 3, 128)
    assert sum(part.nbytes for part in (*slots.keys, *slots.values)) == 3 * each
    assert slots_for(100, each, 10 * each, 128) == 8
    assert slots_for(5, each, 10 * each, 128) == 5
    with pytest.raises(ValueError, match=r"one sequence of 128 tokens .* lower max_new"):
        slots_for(100, each, each, 128)


def test_widths_are_few_and_not_much_wider_than_needed():
    found = [widths(columns) for columns in range(1, 8193)]
    assert all(width >= columns for columns, width in enumerate(found, 1))
    assert len(set(found)) < 20
    assert max(width / columns for columns, width in enumerate(found, 1) if columns > 1000) < GROWTH + 0.15


@pytest.fixture
def exact():
    """float32 products with all of float32's digits."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.filterwarnings("ignore:TensorFloat32 tensor cores:UserWarning")  # not, for the CPU has none
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # the compiler's own
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_on_a_gpu(exact, temperature):
    """float32: lines of the CPU, but where two tokens are as likely; bfloat16: they end as they must."""
    options = {"stop": STOP, "max_new": 200, "temperature": temperature, "samples": 3, "batch_size": 17}
    cpu = generate(made(), prompts(), **options)
    gpu = generate(made().cuda(), prompts(), **options)
    alike = [a.tolist() == b.tolist() for a, b in zip(cpu.tokens, gpu.tokens, strict=True)]
    assert np.mean(alike) > 0.9
    again = generate(made().cuda(), prompts(), **options)
    assert again.tokens.values.tolist() == gpu.tokens.values.tolist()
    model = made().cuda()
    model.products = precision.REDUCED
    reduced = generate(model, prompts(), **options)
    ends = [row[-1] == STOP for row in reduced.tokens]
    assert reduced.truncated.tolist() == np.logical_not(ends).tolist()
    assert np.isfinite(reduced.logprobs.values).all()
