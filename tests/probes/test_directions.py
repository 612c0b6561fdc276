"""Directions by contrast: what was planted is found, and nothing where nothing was, or it is confounded."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from tracelab.core.ragged import Ragged
from tracelab.data.frozen import drawn
from tracelab.models.gpt import GPT
from tracelab.probes.activations import SOLUTION, Written
from tracelab.probes.alignment import align, as_deep
from tracelab.probes.contrasts import contrast, lengths
from tracelab.probes.directions import by_problems, concordance_of, contrast_weights, exchanged, find
from tracelab.probes.settings import Fit
from tracelab.tasks.arithmetic import Arithmetic

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


def paired(random):
    """Four completions of each problem, which are alike, with a row of each of two kinds: no direction."""
    parts = np.repeat(random.standard_normal((24, 2, 8)), 4, axis=0)
    rows = (parts + 0.1 * random.standard_normal(parts.shape)).transpose(1, 0, 2).reshape(-1, 8)
    group = np.repeat(np.arange(24), 4)
    return rows, np.repeat([True, False], 96), np.tile(np.arange(96), 2), np.tile(group, 2)


def of_a_measure(random):
    """Activations and lengths of four alike samples of each problem, in two strata: no direction."""
    rows, lengths = (
        np.repeat(random.standard_normal((32, width)), 4, axis=0) + 0.1 * random.standard_normal((128, width))
        for width in (8, 1)
    )
    longer = [part > np.median(part) for part in lengths.reshape(2, -1)]
    return rows, np.concatenate(longer), np.repeat([0, 1], 64), np.repeat(np.arange(32), 4)


def of_samples(random):
    """Two texts of each problem, either of which was sampled twice: no direction."""
    rows = np.repeat(random.standard_normal((48, 8)), 2, axis=0)
    return rows, np.tile([True, True, False, False], 24), *[np.repeat(np.arange(24), 4)] * 2


@pytest.mark.parametrize("drawn", [paired, of_a_measure, of_samples])
def test_samples_that_are_alike_make_no_direction(drawn):
    """Small p are as rare as p says; they are several times as common if rows are exchanged, not problems."""
    found = [find(*drawn(np.random.default_rng(k)), seed=k) for k in range(60)]
    small = [one.p <= 1 / 21 + 1e-9 for one in found]
    assert 0 < np.mean(small) < 0.1
    assert 0.3 < np.mean([one.p <= 0.5 for one in found]) < 0.7
    assert found[0].n == 4 * found[0].problems * (2 if drawn is paired else 1)


def test_problems_exchange_all_their_labels():
    """With one of their stratum that has as many rows; or their own two, if the stratum is theirs alone."""
    stratum, group = np.array([0, 0, 0, 0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 2, 2, 3, 3])
    label = np.array([True, True, False, True, False, False, True, False])
    seen = {tuple(exchanged(label, stratum, group, 0, k).tolist()) for k in range(99)}
    pairs = [(True, True), (False, True), (False, False)]
    orders = [sum(order, ()) for order in permutations(pairs)]
    assert seen == {(*order, own, not own) for order in orders for own in (True, False)}
    alone = exchanged(label[:5], stratum[:5], group[:5], 0, 0)
    assert alone[4] == label[4], "no other problem has one row"


def test_weights_and_pairs_by_hand():
    label, stratum = np.array([1, 1, 0, 0, 1], np.bool_), np.array([0, 0, 0, 1, 2])
    assert contrast_weights(label, stratum).tolist() == [0.5, 0.5, -1, 0, 0]
    assert concordance_of(np.array([2.0, 1, 1, 0, 0]), label, stratum) == 0.75
    assert concordance_of(np.zeros(5), ~label, np.arange(5)) == 0.5
    with pytest.raises(ValueError, match=r"no stratum has both groups.*fit\.samples"):
        find(NOISE[:5], label, np.arange(5), np.arange(5), seed=0)


def written_as(problems, traces):
    """Completions of these problems whose traces have so many tokens, and whose solutions four."""
    task = Arithmetic(operations=2, distractors=0)
    examples = drawn(task, 0, "val", "problem", 0, max(problems) + 1).take(np.array(problems))
    examples = replace(examples, index=np.arange(len(problems)))
    parts = Ragged.of([[0] * count + [SOLUTION] * 4 for count in traces], dtype=np.int64)
    zeros = Ragged(np.zeros(len(parts.values), np.int32), parts.offsets)
    return Written(examples, task.prompts(examples), zeros, parts, zeros)


def reader(context):
    return GPT(64, context, layers=1, width=16, heads=2, mlp=16)


@pytest.mark.parametrize("name", ["length", "parts"])
def test_copies_of_a_problem_are_one(name):
    """They are of one half, and samples of one problem, wherever they stand in the split."""
    written = written_as([0, 0, 1, 1], [3, 5, 4, 6])
    found = contrast(name, None, reader(64), written, ["blocks.0"], match="problem")
    one, other = found.group[:4].reshape(2, 2)
    assert one[0] == one[1] != other[0] == other[1]
    assert set(found.group) == set(written.problem)
    assert found.label.sum() == len(found.label) / 2 == (2 if name == "length" else 4)


def test_texts_that_the_other_model_cannot_read_are_left_out(capsys):
    written = written_as([0, 0, 0], [3, 40, 3])
    room = len(written.prompts[0]) + 3 + 4 - 1
    found = contrast("runs", None, reader(128), written, ["blocks.0"], other=reader(room))
    assert found.rows["blocks.0"].shape == (4, 16)
    assert f"1 completions are left out: the other run's model reads {room} tokens" in capsys.readouterr().err
    with pytest.raises(ValueError, match=f"no completion ends within the {room - 1} tokens"):
        contrast("runs", None, reader(128), written, ["blocks.0"], other=reader(room - 1))


def test_completions_without_a_trace_move_no_median():
    found = lengths(reader(64), written_as([0] * 5, [0, 3, 0, 5, 0]), ["blocks.0"], "problem")
    assert found.label.tolist() == [False, True]
    assert found.rows["blocks.0"].shape == (2, 16)


def test_samples_that_are_the_same_are_refused():
    with pytest.raises(
        ValueError, match=r"fit.temperature=0 gives fit.samples=4 completions that are the same"
    ):
        Fit(problems=8, samples=4, temperature=0.0)
    assert Fit(problems=8, samples=1, temperature=0.0).samples == 1


# --- carried from one model to another ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def source():
    """(activations, problems): 200 problems of 5 tokens each, that vary along 6 of 12 axes."""
    random = np.random.default_rng(3)
    rows = random.normal(size=(1000, 6)) * [5, 4, 3, 2, 1, 1]
    return rows @ np.linalg.qr(random.normal(size=(12, 6)))[0].T, np.repeat(np.arange(200), 5)


def test_a_direction_is_carried_to_a_linear_image(source):
    rows, group = source
    map = np.random.default_rng(4).normal(size=(12, 20))
    found = align(rows, rows @ map + 7, group, rank=6, seed=0)
    direction = rows[:500].mean(0) - rows[500:].mean(0)
    assert direction @ found.map == pytest.approx(direction @ map, abs=1e-8)
    assert found.explained == pytest.approx(1)
    assert found.exchanged < 0.1
    assert found.p == pytest.approx(1 / 21)
    few = align(rows, rows @ map + 7, group, rank=2, seed=0)
    assert np.linalg.matrix_rank(few.map) == 2
    assert 0.4 < few.explained < found.explained


def test_nothing_is_carried_where_activations_have_nothing_in_common(source):
    rows, group = source
    found = align(rows, np.random.default_rng(5).normal(size=(1000, 20)), group, rank=6, seed=0)
    assert found.explained == pytest.approx(found.exchanged, abs=0.02)
    assert abs(found.explained) < 0.05
    assert found.p > 1 / 21


def test_problems_alone_have_nothing_in_common():
    """Activations of two models that know tokens by their problem, each in its own way: p is small as rarely
    as p says. It is so several times as often if tokens are exchanged one by one.
    """
    group, small = np.repeat(np.arange(40), 8), []
    for k in range(60):
        random = np.random.default_rng(k)
        source, target = (
            (np.repeat(random.normal(size=(40, 8)), 8, axis=0) + 0.5 * random.normal(size=(320, 8)))
            * np.exp(-np.arange(8))
            for _ in range(2)
        )
        small.append(align(source, target, group, rank=1, seed=k).p)
    assert 0 < np.mean([p <= 1 / 21 + 1e-9 for p in small]) < 0.12
    assert 0.3 < np.mean([p <= 0.5 for p in small]) < 0.7


def test_problems_change_places_whole():
    """With one that has as many rows, each in its order; one of another size stays."""
    group = np.array([2, 0, 0, 2, 1, 1, 1])
    seen = {tuple(by_problems(group, np.random.default_rng(k)).tolist()) for k in range(30)}
    assert seen == {(0, 1, 2, 3, 4, 5, 6), (1, 0, 3, 2, 4, 5, 6)}


def test_places_as_deep():
    assert [as_deep(f"blocks.{i}.mlp", 4, 7) for i in range(4)] == [f"blocks.{i}.mlp" for i in (0, 2, 4, 6)]
    assert as_deep("blocks.1", 2, 1) == as_deep("blocks.0", 1, 4) == "blocks.0"
    assert as_deep("norm", 2, 4) == "norm"
