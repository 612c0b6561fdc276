"""Directions by contrast: what was planted is found, and nothing where nothing was, or it is confounded."""

import numpy as np
import pytest

from tracelab.probes.directions import concordance_of, contrast_weights, find

GENERATOR = np.random.default_rng(0)
STRATA, EACH, WIDTH = 60, 4, 16
STRATUM = np.repeat(np.arange(STRATA), EACH)
LABEL = np.tile([True, False, True, False], STRATA)
NOISE = GENERATOR.standard_normal((STRATA * EACH, WIDTH))
PLANTED = np.eye(WIDTH)[3]


def along(vector):
    return abs(vector @ PLANTED) / np.linalg.norm(vector)


def test_a_planted_direction_is_found():
    found = find(NOISE + 3 * LABEL[:, None] * PLANTED, LABEL, STRATUM, STRATUM, seed=0)
    assert along(found.vector) > 0.97
    assert np.linalg.norm(found.vector) == pytest.approx(3, abs=0.4)
    assert found.concordance > 0.95
    assert found.agreement > 0.9
    assert found.p == pytest.approx(1 / 21)
    assert abs(found.shuffled - 0.5) < 0.1


def test_nothing_is_found_where_labels_are_shuffled():
    rows, found = NOISE + 3 * LABEL[:, None] * PLANTED, []
    for seed in range(6):
        shuffled = np.concatenate([GENERATOR.permutation(part) for part in LABEL.reshape(-1, EACH)])
        found.append(find(rows, shuffled, STRATUM, STRATUM, seed=seed))
    assert abs(np.mean([one.concordance for one in found]) - 0.5) < 0.1
    assert np.median([one.p for one in found]) > 0.2


def test_what_follows_the_stratum_alone_makes_no_direction():
    """Activations say how complex a problem is, and so do lengths: at equal complexity nothing is left."""
    complexity = GENERATOR.integers(0, 6, STRATA * EACH)
    rows = NOISE + 3 * complexity[:, None] * PLANTED
    longer = complexity + GENERATOR.standard_normal(len(rows)) > 2.5
    group = np.arange(len(rows))
    pooled = find(rows, longer, np.zeros(len(rows), np.int64), group, seed=0)
    matched = find(rows, longer, complexity, group, seed=0)
    assert along(pooled.vector) > 0.97
    assert pooled.concordance > 0.9
    assert np.abs(matched.vector).max() < 1
    assert matched.p > 0.1
    assert contrast_weights(longer, complexity) @ complexity == pytest.approx(0)


def test_weights_and_pairs_by_hand():
    label, stratum = np.array([1, 1, 0, 0, 1], np.bool_), np.array([0, 0, 0, 1, 2])
    assert contrast_weights(label, stratum).tolist() == [0.5, 0.5, -1, 0, 0]
    assert concordance_of(np.array([2.0, 1, 1, 0, 0]), label, stratum) == 0.75
    assert concordance_of(np.zeros(5), ~label, np.arange(5)) == 0.5
    with pytest.raises(ValueError, match=r"no stratum has both groups.*fit\.samples"):
        find(NOISE[:5], label, np.arange(5), np.arange(5), seed=0)
