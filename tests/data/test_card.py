"""The data card: its figures against plain counting, its promises against data that breaks them."""

import json
import math
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hydra.utils import get_object
from omegaconf import OmegaConf
from scipy.stats import binomtest, pearsonr

from tests.helpers.runs import task_names
from tracelab.core import rng
from tracelab.core.paths import CLONE, CONF
from tracelab.core.ragged import Ragged
from tracelab.core.stats import phi, wilson
from tracelab.data.card import Arm, data_card, kept, text
from tracelab.data.frozen import KEPT_OF, arm, drawn
from tracelab.tasks.game import Game
from tracelab.tasks.knights_knaves import KnightsKnaves
from tracelab.tasks.maze import Maze
from tracelab.tasks.planning import Planning
from tracelab.tasks.sat import Sat
from tracelab.tasks.sudoku import Sudoku
from tracelab.traces.base import Treated, from_rows
from tracelab.traces.correct import Correct
from tracelab.traces.corrupted import Corrupted
from tracelab.traces.swapped import Swapped

TASK = Maze(size=7, format="compact")
EXAMPLES = drawn(TASK, 0, "train", "problem", 0, 200)


def card_of(treatment, examples=EXAMPLES, task=TASK):
    return data_card(task, treatment, {"train": Arm(examples, *arm(task, treatment, examples, 0, "train"))})


@pytest.mark.parametrize(("k", "n"), [(0, 1), (0, 50), (50, 50), (1, 50), (17, 50), (999, 1000)])
def test_wilson_against_scipy(k, n):
    theirs = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_on_arrays_and_on_nothing():
    low, high = wilson([0, 5], [10, 10])
    assert low.shape == high.shape == (2,)
    assert wilson(0, 0) == (0, 1)


def test_wilson_covers():
    """About 95 % of intervals hold the true rate."""
    random = np.random.default_rng(0)
    for rate in (0.02, 0.3, 0.9):
        low, high = wilson(random.binomial(200, rate, 20_000), 200)
        assert ((low <= rate) & (rate <= high)).mean() == pytest.approx(0.95, abs=0.025)


def test_phi_is_the_correlation():
    random = np.random.default_rng(0)
    a, b = random.random((2, 500)) < [[0.3], [0.6]]
    b[:100] = a[:100]
    assert phi(a, b) == pytest.approx(pearsonr(a, b).statistic)
    assert phi(a, a) == 1
    assert phi(a, ~a) == -1
    assert math.isnan(phi(a, np.ones(500, bool)))


def test_how_many_steps_still_stand():
    """Word for word, at whatever place, counted one by one; and what the pages say of mazes."""
    shares = {}
    for kind in ("mixed", "state", "cost", "insert", "order", "drop"):
        _, treated = arm(TASK, Corrupted(kind=kind), EXAMPLES, 0, "train")
        kept = [
            (Counter(map(tuple, before.tolist())) & Counter(map(tuple, after.tolist()))).total()
            for before, after in zip(EXAMPLES.trace, treated.rows, strict=True)
        ]
        shares[kind] = sum(kept) / EXAMPLES.trace.lengths.sum()
        card = card_of(Corrupted(kind=kind))
        assert card["splits"]["train"]["damage"]["verbatim"] == pytest.approx(shares[kind], abs=1e-12)
        assert f"steps that still stand {shares[kind]:.4f} of the reference's" in text(card)
    assert 0.35 < shares["mixed"] < 0.45
    assert max(shares["state"], shares["cost"]) < 0.02
    assert shares["insert"] == shares["order"] == 1
    assert shares["drop"] == 0


def test_figures_against_plain_counting():
    card = card_of(Correct())["splits"]["train"]
    sequences, _ = arm(TASK, Correct(), EXAMPLES, 0, "train")
    assert card["problems"] == 200
    assert card["distinct"] == len(set(EXAMPLES.identity.tolist()))
    assert card["tokens"]["whole"]["mean"] == np.mean([len(t) for t in sequences.tokens])
    assert card["tokens"]["trace"]["max"] == 1 + 4 * EXAMPLES.trace.lengths.max()
    assert card["tokens"]["solution"]["min"] == 2 + EXAMPLES.solution.lengths.min()
    histogram = card["complexity"]["expansions"]["histogram"]
    assert sum(histogram["counts"]) == 200
    low, high = histogram["edges"][:2]
    inside = (EXAMPLES.complexity["expansions"] >= low) & (EXAMPLES.complexity["expansions"] < high)
    assert histogram["counts"][0] == inside.sum()
    assert {level: r["rate"] for level, r in card["trace"].items()} == dict.fromkeys(TASK.levels, 1.0)
    assert card["trace"]["strict"]["interval"] == pytest.approx([0.98115, 1.0], abs=1e-5)


def test_damage_asked_and_got():
    card = card_of(Corrupted(0.3, "cost"))["splits"]["train"]
    damage = card["damage"]
    assert damage["asked"] == 0.3
    assert damage["got"] == pytest.approx(0.3, abs=0.01)
    assert damage["labelled_rows"] == round(damage["got"] * EXAMPLES.trace.lengths.sum())
    assert damage["not_invalidated"] == card["trace"]["strict"]["successes"] == 0
    assert card["trace"]["strict"]["n"] == 200
    assert set(card["strict_reasons"]) <= {"wrong_g", "wrong_h", "cost_mismatch"}


def test_donors_are_measured():
    random, matched = (card_of(Swapped(m))["splits"]["train"]["donors"] for m in ("none", "length"))
    for donors in (random, matched):
        assert donors["each_once"]
        assert donors["self_donors"] == donors["same_problem"] == 0
        assert donors["pairs"] == 200
    assert matched["distance"]["trace steps"]["mean"] < 0.1 < random["distance"]["trace steps"]["mean"]
    assert matched["distance"]["expansions"]["mean"] < random["distance"]["expansions"]["mean"]


def test_json_and_text():
    for treatment in (Correct(), Swapped("length"), Corrupted()):
        card = card_of(treatment)
        assert json.loads(json.dumps(card)) == card
        assert "200 problems" in text(card)
    assert "asked for: 1" in text(card)
    assert "trace strict              0.00 %  [0.00, 1.88]" in text(card)


def test_the_verdict_is_on_what_the_model_sees():
    """Break the tokens behind the treatment's back: the card does not go by the steps."""
    sequences, treated = arm(TASK, Correct(), EXAMPLES, 0, "train")
    last = sequences.tokens.offsets[7] + sequences.prompt[7] + 3
    sequences.tokens.values[last] += 1
    with pytest.raises((ValueError, AssertionError)):
        data_card(TASK, Correct(), {"train": Arm(EXAMPLES, sequences, treated)})


def test_correct_must_be_valid():
    other = Maze(size=7, format="compact", solver="dfs")
    with pytest.raises(ValueError, match="train traces are not strictly valid, the first at index"):
        card_of(Correct(), task=other)


def test_corrupted_that_stays_valid_warns_and_counts():
    sequences, treated = arm(TASK, Correct(), EXAMPLES, 0, "train")
    with pytest.warns(UserWarning, match="200 of 200 train traces are still strictly valid"):
        card = data_card(TASK, Corrupted(), {"train": Arm(EXAMPLES, sequences, treated)})
    assert card["splits"]["train"]["damage"]["not_invalidated"] == 200
    assert "200 traces that damage could not make invalid" in text(card)


@pytest.mark.parametrize("donor", [[1, 2, 1], [0, 2, 1]])
def test_swapped_must_be_a_derangement(donor):
    examples = EXAMPLES.take(np.arange(3))
    donor = np.array(donor)
    treated = from_rows(TASK, examples, examples.trace.take(donor), donor=donor)
    codec = TASK.codec
    parts = (TASK.prompts(examples), treated.trace, codec.encode(codec.solution, examples.solution))
    with pytest.raises(AssertionError):
        data_card(TASK, Swapped(), {"train": Arm(examples, codec.assemble(*parts), treated)})


def test_treated_has_a_length():
    nothing = Ragged(np.empty(0, np.int32), np.zeros(3, np.int64))
    assert len(Treated(nothing, np.zeros(2, bool), np.full(2, -1), np.zeros(2, np.int64))) == 2


@pytest.mark.parametrize(
    "task", [Sat(max_steps=30), Sudoku(max_steps=30), KnightsKnaves(max_steps=20)], ids=lambda task: task.name
)
def test_how_many_backtracking_searches_are_short_enough(task):
    keys = rng.keys(0, "train", 0, KEPT_OF, "problem")
    every = replace(task, max_steps=20_000).generate(keys, "train")
    share = (every.trace.lengths <= task.max_steps).mean()
    assert kept(task, {"train": 0})["train"]["rate"] == share
    assert 0 < share < 1


def test_no_share_is_told_of_a_limit_that_no_search_is_held_against():
    tasks = (Sat(max_steps=1 << 16), Game(left=[3, 5], longest=1 << 16, telling=False))
    assert [kept(task, {"train": 0}) for task in tasks] == [{}, {}]


def test_tasks_that_say_how_many_draws_are_kept_are_named():
    told = (CLONE / "docs" / "tasks.md").read_text().partition("that were short enough, of ")[2]
    named = set(re.findall(r"`(\w+)`", told.partition("\n")[0]))
    targets = {name: OmegaConf.load(CONF / "task" / f"{name}.yaml")["_target_"] for name in task_names()}
    assert named == {name for name, target in targets.items() if hasattr(get_object(target), "kept")}


def test_how_many_draws_are_kept():
    """Against all draws without a limit: kept are those that are short enough. Others have no such figure."""
    for task in (Planning(blocks=6), Game(left=[3, 5], longest=200)):
        free = replace(task, longest=20_000)
        shares = kept(task, {"train": 0}, 3)
        assert list(shares) == ["train", task.name]
        for name, split, seed in (("train", "train", 0), (task.name, "test", 3)):
            every = free.generate(rng.keys(seed, split, 0, KEPT_OF, "problem"), split)
            share = (every.trace.lengths <= task.longest).mean()
            assert shares[name]["rate"] == share
            assert 0 < share < 0.9
    assert kept(TASK, {"train": 0}) == kept(Planning(longest=None), {"train": 0}) == {}
    harder = kept(Planning(ood=[{"blocks": 6}]), {}, 0)
    assert list(harder) == ["planning", "blocks_6"]
    assert harder["blocks_6"]["rate"] < harder["planning"]["rate"]
    card = card_of(Correct()) | {"kept": {"train": harder["planning"], "blocks_6": harder["blocks_6"]}}
    told = [line for line in text(card).splitlines() if "draws kept" in line]
    assert [
        f"{100 * part['rate']:.2f} %" in line for part, line in zip(harder.values(), told, strict=True)
    ] == [True, True]
