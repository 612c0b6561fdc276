"""Named randomness: addressed by name, the same in any chunking, and uniform."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare

from tracelab.core import rng


def test_keys_are_the_same_in_any_chunking():
    whole = rng.keys(7, "train", 0, 101, "problem")
    for size in (1, 3, 4, 5, 64):
        parts = [rng.keys(7, "train", a, min(a + size, 101), "problem") for a in range(0, 101, size)]
        assert np.array_equal(np.concatenate(parts), whole)
    far = 10**12
    late = rng.keys(7, "train", far, far + 5, "problem")
    assert np.array_equal(late[3:], rng.keys(7, "train", far + 3, far + 5, "problem"))


def test_no_two_names_share_an_item():
    names = list(product((0, 1, 2, 3), ("train", "test"), ("problem", "treatment")))
    streams = [rng.keys(seed, split, 0, 2000, purpose) for seed, split, purpose in names]
    assert len(np.unique(np.concatenate(streams))) == len(names) * 2000


def test_an_empty_range_has_no_keys():
    for start in (0, 1, 2, 3, 4, 17):
        assert rng.keys(0, "train", start, start, "problem").shape == (0,)


def test_keys_are_pinned():
    """The bytes that published data sets are made of: a change here changes every problem."""
    assert rng.keys(0, "train", 0, 2, "problem").tolist() == [
        18010012985301719647,
        11763218881016508205,
    ]


def test_generators_by_index():
    draws = [rng.rng(0, "train", i, "treatment").integers(2**62) for i in range(50)]
    assert len(set(draws)) == 50
    assert draws[17] == rng.rng(0, "train", 17, "treatment").integers(2**62)


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="seed must be 0 or more"):
        rng.keys(-1, "train", 0, 1, "problem")


def test_splitmix64_against_its_published_values():
    """The first words from state 1234567 (the reference implementation's own test vector)."""
    state = np.array([1234567], np.uint64)
    words = [int(rng.next64(state)) for _ in range(3)]
    assert words == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_below_is_uniform_and_in_range():
    state = np.array([3], np.uint64)
    for n in (1, 2, 7):
        counts = np.bincount([rng.below(state, n) for _ in range(7000)], minlength=n)
        assert len(counts) == n
        assert n == 1 or chisquare(counts).pvalue > 1e-4


def test_shuffle_is_uniform():
    state, counts = np.array([5], np.uint64), {}
    for _ in range(12_000):
        values = np.arange(4)
        rng.shuffle(state, values)
        counts[tuple(values.tolist())] = counts.get(tuple(values.tolist()), 0) + 1
    assert len(counts) == 24
    assert chisquare(list(counts.values())).pvalue > 1e-4
