"""Sets of several pieces: the same problems as one piece, every promise kept, and constant memory."""

import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.runs import small
from tracelab.data import frozen, pieces
from tracelab.data.card import Arm
from tracelab.data.pieces import Frozen
from tracelab.data.survey import survey
from tracelab.runs.build import build_task
from tracelab.runs.sets import prepare
from tracelab.tasks.maze import Maze
from tracelab.traces.correct import Correct
from tracelab.training.experiment import build_loaders

TASK = Maze(size=7, format="compact")
MAZES = ("task.ood=[{size:9}]", "eval.problems=4", "data.val_size=4")


@pytest.fixture(autouse=True)
def cache(own_cache, monkeypatch):
    """A cache folder of its own, and small pieces."""
    monkeypatch.setattr(pieces, "PIECE", 32)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, [1]), (200, [200]), (202, [202]), (203, [200, 3]), (400, [200, 200]), (401, [200, 201])],
)
def test_no_piece_is_too_small_for_donors(monkeypatch, count, sizes):
    """A rest of one problem would have nobody to exchange its trace with."""
    monkeypatch.setattr(pieces, "PIECE", 200)
    frozen = Frozen(Maze(size=3), seed=5, split="train", count=count)
    assert [frozen.size(k) for k in range(len(frozen))] == sizes


def test_pieces_are_the_set(monkeypatch):
    chunks = Frozen(TASK, 0, "train", 100)
    parts = [chunks[i] for i in range(len(chunks))]
    assert [len(part) for part in parts] == [chunks.size(i) for i in range(4)] == [32, 32, 32, 4]
    monkeypatch.setattr(pieces, "PIECE", 100)
    whole = Frozen(TASK, 0, "train", 100)[0]
    assert np.concatenate([part.index for part in parts]).tolist() == whole.index.tolist()
    assert np.concatenate([part.trace.values for part in parts]).tolist() == whole.trace.values.tolist()


def test_every_pass_takes_every_piece_in_an_order_of_its_own():
    chunks = Frozen(TASK, 0, "train", 320)
    passes = [[chunks.piece(10 * epoch + turn) for turn in range(10)] for epoch in range(5)]
    assert all(sorted(order) == list(range(10)) for order in passes)
    assert len({tuple(order) for order in passes}) == 5
    assert passes[0] != [Frozen(TASK, 1, "train", 320).piece(k) for k in range(10)]


def test_what_is_distinct_is_one_piece():
    chunks = Frozen(Maze(size=5), 0, "train", 100, distinct=True)
    assert len(chunks) == 1
    assert len(np.unique(chunks[0].identity)) == chunks.size(0) == 100


@pytest.mark.parametrize("arm", ["correct", "swapped", "corrupted"])
def test_a_pass_trains_on_every_problem_once_and_the_card_is_about_all(tmp_path, arm):
    config = small(tmp_path, *MAZES, f"trace={arm}", "data.train_size=100", "data.batch_tokens=300")
    task, data = build_task(config.task), prepare(config)
    whole, opens = data.card["whole training set"], task.codec.markers[0]
    prompts = Counter()
    for batch in build_loaders(config, data, data.context)[0]:
        prompts.update(tuple(row[: row.index(opens)]) for row in batch.tokens.tolist())
        if prompts.total() >= 100:
            break
    assert batch.after == (4, 0)
    written = task.prompts(frozen.drawn(task, 0, "train", "problem", 0, 100))
    assert prompts == Counter(tuple(row.tolist()) for row in written)
    assert (whole["pieces"], whole["problems"]) == (4, 100)
    assert whole["trace"]["strict"]["n"] == sum(whole["strict_reasons"].values()) == 100
    assert whole["trace"]["strict"]["rate"] == pytest.approx(float(arm == "correct"), abs=0.05)
    assert whole["longest"] <= data.context


def test_a_later_piece_may_not_share_problems_either():
    chunks = Frozen(TASK, 0, "train", 100)

    def arms():
        for examples in (chunks[i] for i in range(len(chunks))):
            yield Arm(examples, *frozen.arm(TASK, Correct(), examples, 0, "train"))

    mine = chunks[3].take(np.array([1]))
    with pytest.raises(ValueError, match="train and test share 1 problem"):
        survey(TASK, Correct(), arms(), {"test": mine})
    lying = replace(mine, identity=mine.identity + np.uint64(1))
    assert survey(TASK, Correct(), arms(), {"test": lying})["problems"] == 100


def mapped(folder):
    """Files of a folder that this process holds in its memory."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split()[-1] for line in lines if str(folder) in line}


def test_memory_does_not_grow_with_the_set(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", 1000)
    peaks = []
    for count in (2000, 16000):
        config = small(tmp_path, *MAZES, f"data.train_size={count}", "data.workers=1")
        data = prepare(config)
        loader, whole = build_loaders(config, data, data.context)[0], data.card["whole training set"]
        tracemalloc.start()
        prepare(config)
        seen = 0
        for batch in loader:
            seen += batch.counts.examples
            if batch.after[0] == whole["pieces"]:
                break
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert seen == count
        assert len(mapped(tmp_path / "cache" / "data")) <= 5  # val, test, and pieces: at hand, coming, going
        del data, loader
    assert peaks[1] < 1.2 * peaks[0]
