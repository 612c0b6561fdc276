"""The batch plan, padding, and a loader that goes on where it was."""

import itertools
import threading

import numpy as np
import pytest
import torch

from tests.helpers.engine import CONTEXT, check_shares, loader, sequences, shares, trained_on, validation
from tracelab.batches.loader import FixedLoader, Loader
from tracelab.batches.padding import ROUND, Padding, batch_plan, collate


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a[:4], b[:4], strict=True)) and a[4:] == b[4:]


def first(source, n):
    return list(itertools.islice(source, n))


def test_plan_is_a_partition_of_near_equal_lengths():
    lengths = sequences(500).tokens.lengths
    plan = batch_plan(lengths, 256, seed=0, chunk=0)
    assert sorted(np.concatenate(plan)) == list(range(500))
    assert all(len(rows) * lengths[rows].max() <= 256 + len(rows) * ROUND for rows in plan)
    padded = sum(len(rows) * (lengths[rows].max() - 1) for rows in plan)
    assert padded < 1.15 * (lengths - 1).sum()


def test_plan_depends_on_seed_and_chunk_alone():
    lengths = sequences(100).tokens.lengths
    plans = [batch_plan(lengths, 256, seed, chunk) for seed, chunk in [(0, 0), (0, 0), (0, 1), (1, 0)]]
    as_lists = [[rows.tolist() for rows in plan] for plan in plans]
    assert as_lists[0] == as_lists[1]
    assert as_lists[0] != as_lists[2] != as_lists[3] != as_lists[0]


def test_collate():
    data = sequences(6, longest=20)
    batch = collate(data, pad=0)
    assert batch.tokens.shape[1] % ROUND == 0
    flat_next = torch.zeros(batch.tokens.shape, dtype=torch.int64)
    expected, trace = [], []
    for i, row in enumerate(data.tokens):
        assert batch.tokens[i, : len(row) - 1].tolist() == row[:-1].tolist()
        flat_next[i, : len(row) - 1] = torch.from_numpy(row[1:])
        expected += row[3:].tolist()
        trace += [j < 3 + data.trace[i] for j in range(3, len(row))]
    assert batch.targets.tolist() == expected == flat_next.flatten()[batch.at].tolist()
    assert batch.trace.tolist() == trace
    assert batch.counts[:3] == (len(data.tokens.values), len(expected), 6)


def test_short_sequences_come_first_and_all_of_them_once():
    lengths = sequences(3000, longest=200).tokens.lengths
    plain, warm = Padding(256).plan(lengths, 0, 0), Padding(256, short_first=20_000).plan(lengths, 0, 0)
    assert sorted(np.concatenate([b.values for b in warm])) == list(range(3000))
    assert sorted(b.values.tolist() for b in warm) == sorted(b.values.tolist() for b in plain)
    used = np.cumsum([0, *(lengths[b.values].sum() for b in warm)])[:-1]
    longest = np.array([lengths[b.values].max() for b in warm])
    for share in (0.1, 0.5, 0.9):  # of the warm-up gone by
        limit = np.quantile(lengths, share + 0.02) + 2
        assert longest[used < share * 20_000].max() <= limit
    assert longest[used < 20_000].max() >= lengths.max() - 4  # it has grown to all lengths
    assert Padding(256, short_first=20_000).plan(lengths, 0, 1)[0].values.tolist() == (
        Padding(256).plan(lengths, 0, 1)[0].values.tolist()
    ), "later passes are in any order"


def test_too_few_short_sequences_are_followed_by_the_shortest_left():
    lengths = sequences(50, longest=200).tokens.lengths
    longest = [lengths[b.values].max() for b in Padding(64, short_first=10**9).plan(lengths, 0, 0)]
    assert longest == sorted(longest)


def test_a_resumed_warm_up_goes_on_where_it_was():
    options = {"short_first": 2000}
    whole = first(loader(**options), 30)
    resumed = loader(**options)
    resumed.load_state_dict({"trained": list(whole[6].after)})
    assert all(same(a, b) for a, b in zip(first(resumed, 5), whole[7:12], strict=True))


def test_loader_is_endless_and_covers_every_chunk():
    chunks = [sequences(20, seed=k) for k in range(4)]
    asked = []

    def chunk(k):
        asked.append((k, threading.current_thread().name))
        return chunks[k % 4]

    examples = [batch.counts[2] for batch in first(Loader(chunk, batch_tokens=256, context=CONTEXT), 12)]
    assert sum(examples) >= 40
    assert [k for k, _ in asked] == sorted({k for k, _ in asked})
    assert all("next-chunk" in name for _, name in asked)


def test_loader_goes_on_with_the_next_batch():
    whole = first(loader(), 30)
    for done in (1, 7, 19):
        resumed = loader()
        resumed.load_state_dict({"trained": list(whole[done - 1].after)})
        assert all(same(a, b) for a, b in zip(first(resumed, 5), whole[done : done + 5], strict=True))


def test_batches_are_pinned_for_a_gpu_alone(monkeypatch):
    """On a CPU it would make CUDA start where there is a GPU."""
    pins = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pins.append(1) or tensor)
    next(iter(loader()))
    assert not pins
    next(iter(loader(pins=True)))
    assert pins


def test_a_sequence_longer_than_the_context():
    message = "longest sequence has 40 tokens, the model's context is 30: raise model.context to 40"
    data = sequences(200)
    with pytest.raises(ValueError, match=message):
        next(iter(loader(data, context=30)))
    with pytest.raises(ValueError, match=message):
        FixedLoader(data, batch_tokens=256, context=30)


def test_fixed_loader():
    data = FixedLoader(sequences(50), batch_tokens=256, context=CONTEXT)
    assert len(data) == len(list(data))
    assert sum(batch.counts[2] for batch in data) == 50
    assert all(same(a, b) for a, b in zip(data, data, strict=True))


@pytest.mark.parametrize("processes", [2, 3, 7])
def test_processes_share_each_batch(monkeypatch, processes):
    check_shares(monkeypatch, loader, processes)


def test_a_share_may_be_empty(monkeypatch):
    alone, other = check_shares(monkeypatch, lambda: loader(batch_tokens=8), 2)
    assert all(len(batch.targets) for batch in alone)
    assert all(len(batch.tokens) == 1 and not len(batch.targets) for batch in other)


def test_processes_share_validation(monkeypatch):
    whole, parts = validation(), list(shares(monkeypatch, validation, 2, 100))
    together = [trained_on(a) + trained_on(b) for a, b in zip(*parts, strict=True)]
    assert [sorted(batch) for batch in together] == [sorted(trained_on(batch)) for batch in whole]


def test_one_sequence_may_be_longer_than_a_batch():
    assert len(batch_plan(sequences(3).tokens.lengths, 4, seed=0, chunk=0)) == 3
