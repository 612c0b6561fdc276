"""Files trained on one after the other: which problems come when, for how long, and after a stop."""

import json
import signal
from itertools import pairwise

import numpy as np
import pytest
import torch

from tests.helpers.runs import small
from tests.models.test_models import interrupt_at
from tracelab.data.frozen import arm, drawn, problems
from tracelab.data.jsonl import write_jsonl
from tracelab.probes.exposure import seen
from tracelab.runs.build import build_task
from tracelab.runs.checkpoints import load_weights
from tracelab.runs.sets import prepare, prepared
from tracelab.tasks.maze import Maze
from tracelab.traces.correct import Correct
from tracelab.training.experiment import build_loaders, train
from tracelab.training.learner import Learner

MAZES = Maze(size=5, format="compact", ood=[])
SIZES = (30, 12, 20)  # problems of each file
SAME = ("task.size=5", "task.ood=[]", "task.format=compact", "data.short_first=null", "data.batch_tokens=300")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three files, and the content of each sequence -> the file that it is of."""
    folder, sources, start = tmp_path_factory.mktemp("files"), {}, 0
    every = problems(MAZES, seed=5, split="train", count=sum(SIZES))
    for which, size in enumerate(SIZES):
        examples = every.take(np.arange(start, start + size))
        sequences = arm(MAZES, Correct(), examples, 0, "train")[0]
        write_jsonl(folder / f"{which}.jsonl", MAZES, sequences)
        sources |= {tuple(row[:-1].tolist()): which for row in sequences.tokens}
        start += size
    assert len(sources) == sum(SIZES), "no sequence is in two files"
    return folder, sources


def settings(run, folder, *overrides):
    names = ",".join(f"{folder}/{which}.jsonl" for which in range(len(SIZES)))
    return small(run, *SAME, f"data.files=[{names}]", *overrides)


def loader_of(experiment):
    return build_loaders(experiment, prepared(experiment), 512)[0]


def came(experiment, sources, batches, loader=None):
    """Of the first batches: the file of each (of none two), its tokens, its sequences."""
    found = []
    for batch, _ in zip(loader or loader_of(experiment), range(batches), strict=False):
        rows = [tuple(row[(row > 0) & (row != MAZES.codec.stop)].tolist()) for row in batch.tokens]
        (source,) = {sources[row] for row in rows}
        found.append((source, batch.counts.tokens, len(rows), sorted(rows)))
    return found


@pytest.mark.parametrize(("order", "first"), [("listed", (0, 1, 2)), ("reversed", (2, 1, 0))])
@pytest.mark.parametrize("budget", ["budget.steps=60", "budget.tokens=12000", "budget.examples=90"])
def test_each_file_has_its_share_in_its_turn(files, tmp_path, order, first, budget):
    """But for the last batch of a share: a file's passes and its share end within one."""
    unit, amount = budget.removeprefix("budget.").split("=")
    words = () if unit == "steps" else ("budget.steps=null",)
    experiment = settings(tmp_path, files[0], f"data.order={order}", budget, *words)
    found, used, batches = came(experiment, files[1], 200), 0, []
    for batch in found:
        used += {"steps": 1, "tokens": batch[1], "examples": batch[2]}[unit]
        batches.append(batch)
        if used >= int(amount):
            break
    turns = [source for source, *_ in batches]
    assert [turns[0], *(b for a, b in pairwise(turns) if a != b)] == list(first)
    for which in first:
        mine = [batch for batch in batches if batch[0] == which]
        had = {"steps": len(mine), "tokens": sum(b[1] for b in mine), "examples": sum(b[2] for b in mine)}
        one = {"steps": 1, "tokens": 300, "examples": 8}[unit]
        assert abs(had[unit] - int(amount) / 3) <= one


def test_a_file_comes_whole_before_it_comes_again(files, tmp_path):
    """In an order of its own in each pass."""
    experiment = settings(tmp_path, files[0], "data.order=listed", "budget.steps=null", "budget.examples=180")
    rows = [row for batch in came(experiment, files[1], 60) if batch[0] == 0 for row in batch[3]]
    whole = {row for row, source in files[1].items() if source == 0}
    assert set(rows[:30]) == set(rows[30:60]) == whole
    chunk = loader_of(experiment).chunk
    assert [chunk.part(k)[1:] for k in range(4)] == [(0, 0, 30), (1, 0, 30), (0, 0, 12), (1, 0, 12)]
    assert chunk(0).tokens.values.tolist() != chunk(1).tokens.values.tolist()


def test_the_next_batch_is_the_next_wherever_training_stopped(files, tmp_path):
    experiment = settings(tmp_path, files[0], "data.order=reversed", "budget.steps=30")
    whole = loader_of(experiment)
    after, batches = [], []
    for batch, _ in zip(whole, range(30), strict=False):
        after.append(batch.after)
        batches.append(batch.tokens)
    for stop in (3, 9, 10, 20, 28):
        resumed = loader_of(experiment)
        resumed.load_state_dict({"trained": list(after[stop - 1])})
        rest = [batch.tokens for batch, _ in zip(resumed, range(30 - stop), strict=False)]
        assert all(torch.equal(a, b) for a, b in zip(batches[stop:], rest, strict=True))


def test_without_an_order_the_files_are_mixed(files, tmp_path):
    """As ever: one set, whose card says nothing of an order."""
    mixed, listed = (prepare(settings(tmp_path, files[0], *words)) for words in ((), ("data.order=listed",)))
    assert not mixed.turns
    assert mixed.chunk(0).tokens.values.tolist() == mixed.train.tokens.values.tolist()
    assert "order" not in mixed.card["read"]
    names = [f"{files[0]}/{which}.jsonl" for which in range(3)]
    assert listed.card["read"]["order"] == names
    assert f"in this order: {', '.join(names)}" in listed.summary
    assert np.array_equal(mixed.train.tokens.values, listed.train.tokens.values)


def test_a_run_goes_on_bit_for_bit_from_one_file_to_the_next(files, tmp_path):
    words = ("data.order=listed", "trainer.precision=32-true", "threads=1", "eval.problems=4")
    before = signal.getsignal(signal.SIGINT)
    assert train(settings(tmp_path / "whole", files[0], *words)).metrics is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Learner, "on_train_batch_start", interrupt_at(3))
        assert train(settings(tmp_path / "run", files[0], *words)).metrics is None
    signal.signal(signal.SIGINT, before)  # Lightning ignores it from here on
    resumed = train(settings(tmp_path / "run", files[0], *words))
    assert resumed.state == "resumed"
    weights = [load_weights(tmp_path / run / "checkpoints" / "last.ckpt") for run in ("whole", "run")]
    assert all(torch.equal(a, b) for a, b in zip(weights[0].values(), weights[1].values(), strict=True))
    card = json.loads((tmp_path / "run" / "data_card.json").read_text())
    assert len(card["read"]["order"]) == 3
    with pytest.raises(ValueError, match=r"take a run whose problems were drawn \(data.files=null\)"):
        seen(resumed.run.settings, build_task(resumed.run.settings.task), 10)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        (("data.files=null",), "is of files, and there are none"),
        (("data.files=null", "data.online=true"), "is of files, and there are none"),
        (("data.short_first=0.3",), "data.short_first=0.3 says so, too"),
        (("budget.steps=null", "budget.minutes=1"), "go into minutes: give budget.tokens"),
        (("budget.steps=null", "budget.flops=1e9"), "go into flops: give budget.tokens"),
        (("data.order=easy",), "data.order='?easy'?"),
    ],
)
def test_what_an_order_does_not_go_with_says_so(files, tmp_path, monkeypatch, knobs, message):
    monkeypatch.setattr("tracelab.training.experiment.prepare", lambda *_, **__: pytest.fail("drawn"))
    with pytest.raises(ValueError, match=message):
        train(settings(tmp_path / "run", files[0], "data.order=listed", *knobs))
    assert not (tmp_path / "run").exists()


def test_a_file_of_which_nothing_is_trained_on_is_named(files, tmp_path):
    examples = drawn(MAZES, 5, "test", "problem", 0, 5)
    write_jsonl(tmp_path / "test.jsonl", MAZES, arm(MAZES, Correct(), examples, 0, "test")[0])
    names = f"data.files=[{files[0]}/0.jsonl,{tmp_path}/test.jsonl]"
    with pytest.raises(ValueError, match=r"nothing of data\.files=.*test\.jsonl is trained on"):
        prepare(settings(tmp_path / "run", files[0], names, "data.order=listed"))
