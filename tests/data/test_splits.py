"""Splits share no problem; test sets are drawn where their names say."""

from dataclasses import replace

import numpy as np
import pytest

from tracelab.data.frozen import drawn, problems
from tracelab.data.splits import assert_disjoint, stream_of
from tracelab.data.splits import test_sets as sets_of
from tracelab.tasks.arithmetic import Arithmetic
from tracelab.tasks.maze import Maze

TASK = Maze(size=7, format="compact")


@pytest.fixture(autouse=True)
def cache(own_cache):
    """Every test has a cache folder of its own."""
    return own_cache / "data"


def test_seeds_and_splits_share_nothing():
    sets = {s: problems(TASK, seed=0, split=s, count=60) for s in ("train", "val", "test", "ood")}
    assert_disjoint(sets)
    other = problems(TASK, seed=1, split="train", count=60)
    assert (other.identity[:20] != sets["train"].identity[:20]).all()


def test_shared_problems_are_counted():
    examples = drawn(TASK, 0, "train", "problem", 0, 30)
    with pytest.raises(ValueError, match="train and test share 3 problems"):
        assert_disjoint(
            {"train": examples, "val": examples.take(np.arange(0)), "test": examples.take(np.arange(3))}
        )


def test_test_sets():
    changes = [{"generator": "kruskal"}, {"generator": "braided"}, {"size": 9}]
    task = Maze(size=7, format="compact", ood=changes)
    train = problems(task, seed=0, split="train", count=200)
    sets = sets_of(task, 0, 40, {"train": train})
    assert list(sets) == ["wilson", "kruskal", "braided", "wilson_9x9"]
    for variant, examples in sets.values():
        assert len(examples) == 40
        assert variant.codec.vocabulary == task.codec.vocabulary
        assert variant.judge_traces(examples, examples.trace).all()
    identities = [set(examples.identity.tolist()) for _, examples in sets.values()]
    assert len(set.union(*identities)) > 150, "sets of their own"
    with pytest.raises(ValueError, match="mine and wilson share 40"):
        sets_of(task, 0, 40, {"mine": sets["wilson"][1]})
    with pytest.raises(ValueError, match="two test sets are called wilson"):
        sets_of(replace(task, ood=[{"generator": "wilson"}]), 0, 40)


def test_a_split_may_name_a_test_set():
    """What is drawn for it is what models are tested on; `ood` alone names none."""
    task = Maze(size=7, format="compact", ood=[{"generator": "braided"}])
    sets = sets_of(task, 0, 4)
    for split, name in (("test", "wilson"), ("braided", "braided")):
        mine, of, stream = stream_of(task, split)
        assert mine == sets[name][0]
        assert (drawn(mine, 0, of, stream, 0, 4).identity == sets[name][1].identity).all()
    for split in ("ood", "kruskal"):
        with pytest.raises(ValueError, match=rf"^split='{split}' is unknown; .*, test, .* name: braided$"):
            stream_of(task, split)
    with pytest.raises(ValueError, match=r"there are none, for task\.ood is empty"):
        stream_of(replace(task, ood=()), "ood")


def test_a_task_may_say_how_its_own_test_set_is_called():
    own = [*sets_of(replace(TASK, generator="prim"), 0, 4), *sets_of(Arithmetic(), 0, 4)]
    assert own == ["prim", "arithmetic"]  # which says nothing
