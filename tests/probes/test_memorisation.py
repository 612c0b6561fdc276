"""What a model remembers is found where it is, and its sets are what they say."""

import shutil
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from tests.helpers.runs import small
from tests.runs.test_entry import run as command
from tracelab.analysis import memorisation
from tracelab.batches.packing import Packed
from tracelab.core import rng
from tracelab.data import pieces
from tracelab.evaluation.outcomes import write
from tracelab.probes.exposure import contents, seen
from tracelab.probes.memorisation import of_run, probes
from tracelab.runs import sets
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run, runs_at
from tracelab.training.experiment import build_loaders, train

MAZES = (
    "trace=solution_only",
    "task.format=compact",
    "task.generator=drunkards_walk",
    "task.ood=[]",
)
TINY = (
    *MAZES,
    "data.batch_tokens=1024",
    "optim.schedule.warmup=10",
    "validate_every=1000",
    "eval.problems=200",
)
FEW, ENDLESS = ("data.train_size=24", "budget.steps=150"), ("data.online=true", "budget.steps=400")


def judged(folder, *overrides):
    """A small run with its memorisation.parquet."""
    run = train(small(folder, *TINY, *overrides)).run
    write(of_run(run), folder / memorisation.FILE)
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One that was trained on few problems for long, and one that met (nearly) no problem twice."""
    folder = tmp_path_factory.mktemp("memory")
    return judged(folder / "few", *FEW), judged(folder / "endless", *ENDLESS)


@pytest.fixture(scope="module")
def few(runs):
    return pl.read_parquet(runs[0].folder / memorisation.FILE)


# --- what a run was trained on -------------------------------------------------------------------------


def rows_of(batch):
    """The sequences of a batch, padded or packed."""
    if not isinstance(batch, Packed):
        return [tuple(row[row > 0].tolist()) for row in batch.tokens]
    flat = batch.tokens.flatten()
    edges = batch.documents.edges.tolist()
    documents = [flat[a:b] for a, b in pairwise(edges)]
    return [tuple(row[row > 0].tolist()) for row in documents if row.any()]


@pytest.mark.parametrize("layout", ["data.batch_tokens=60", "data.batch_tokens=512 data.packing=256"])
@pytest.mark.parametrize("online", [False, True])
@pytest.mark.parametrize("count", [10, 40, 97])
@pytest.mark.parametrize("piece", [100_000, 16])
def test_seen_is_what_the_loader_gave(tmp_path, monkeypatch, online, count, layout, piece):
    """Three passes, or three chunks, the last of them not whole; the set in one piece or in three.

    The run was extended: short sequences come first as its first budget said.
    """
    before = ["1 steps"]
    monkeypatch.setattr(pieces, "PIECE", piece)
    pace = ("data.short_first=0.5", "budget.steps=400")
    options = (f"data.online={online}", "data.train_size=40", "task.size=4", *pace, *layout.split())
    experiment = small(tmp_path, *MAZES, *options)
    task, data = build_task(experiment.task), sets.prepare(experiment)
    loader, given = build_loaders(experiment, data, data.context, before)[0], Counter()
    for batch in loader:
        given.update(rows_of(batch))
        if given.total() >= count:
            break
    known = seen(experiment, task, given.total(), before)
    keys = rng.keys(0, "train", 0, int(known.index.max()) + 1, "problem")[known.index]
    examples = task.generate(keys, "train")
    assert np.array_equal(examples.identity, known.identity)
    assert np.array_equal(contents(examples), known.content)
    opens = task.codec.token["solution"]
    prompts = Counter()
    for row, times in given.items():
        prompts[row[: row.index(opens)]] += times
    ours = {tuple(p.tolist()): n for p, n in zip(task.prompts(examples), known.times.tolist(), strict=True)}
    assert ours == prompts


# --- found where it is ---------------------------------------------------------------------------------


def test_who_met_few_problems_remembers_them(few):
    found = memorisation.by_set(few.lazy(), by=())
    share = dict(found.select("split", "solution").iter_rows())
    assert share["train"] > 0.95
    assert all(share[name] < 0.2 for name in ("move_goal", "mirror", "rotate", "relabel", "fresh"))
    recited = dict(found.select("split", "recited").iter_rows())
    assert recited["move_goal"] > 0.4  # the old goal's path
    assert recited["train"] is recited["fresh"] is None


def test_who_met_problems_without_end_solves_fresh_ones_as_well(runs):
    found = memorisation.of_file(runs[1].folder / memorisation.FILE)
    share = dict(found.select("split", "solution").iter_rows())
    assert share["train"] > 0.6
    assert all(
        abs(share["train"] - share[name]) < 0.15 for name in ("move_goal", "mirror", "rotate", "fresh")
    )
    assert found.filter(split="train")["times_trained"].item() < 1.2


def test_gaps_tell_them_apart(runs):
    frame = memorisation.gaps(memorisation.load_memorisation(*(run.folder for run in runs)))
    fresh = dict(frame.filter(split="fresh").select("arm", "low").iter_rows())
    (endless,) = [arm for arm in fresh if "online=True" in arm]
    (remembers,) = set(fresh) - {endless}
    assert fresh[remembers] > 0.8
    assert fresh[endless] < 0.1
    paired = frame.filter(arm=remembers, split="mirror").row(0, named=True)
    assert paired["limem"] > 0.8
    assert paired["consistent"] < 0.2


# --- the sets are what they say --------------------------------------------------------------------------


def test_every_problem_is_accounted_for(few):
    kinds = [name for name in memorisation.sets_of(few.lazy()) if name not in ("train", "fresh")]
    assert len(kinds) == 6
    trained = few.filter(split="train")
    assert trained["times_trained"].to_list() == [150] * 24
    for kind in kinds:
        part = few.filter(split=kind)
        assert len(part) + part["impossible"][0] + part["known"][0] == 24
        both = part.join(trained, on="index", suffix="_trained")
        assert both["parent_key"].to_list() == both["problem_key_trained"].to_list()
        assert (both["problem"] != both["problem_trained"]).all()
    whole = few.filter(pl.col("split") != "train")["problem"].to_list()
    assert not set(map(tuple, whole)) & set(map(tuple, trained["problem"].to_list()))
    assert not set(few.filter(split="fresh")["problem_key"]) & set(trained["problem_key"])


def test_what_is_recited_is_the_trained_solution(few):
    assert few.filter(split="train")["parent_solves"].all()
    assert not few.filter(split="move_goal")["parent_solves"].any()  # it ends at the old goal
    opened = few.filter(split="open_wall")
    assert opened["parent_solves"].all()  # an old way stays a way
    recited = few.filter("recites")
    assert (recited["solution_valid"] == recited["parent_solves"]).all()


class Unchanging:
    """A task that offers no small changes."""

    def __init__(self, task):
        self.task = task

    def __getattr__(self, name):
        if name in ("perturb", "perturbations"):
            raise AttributeError(name)
        return getattr(self.task, name)


def test_a_task_without_small_changes_has_the_other_two_sets(runs):
    experiment = runs[0].settings
    task = build_task(experiment.task)
    sets = list(probes(experiment, Unchanging(task), seen(experiment, task, 100), problems=10))
    assert [(probe.name, len(probe.examples)) for probe in sets] == [("train", 10), ("fresh", 10)]


def test_arms_of_a_seed_are_asked_for_the_same_problems(runs):
    whole, drawn = runs[0].settings, []
    task = build_task(whole.task)
    for k, count in enumerate((200, 150, 150)):  # half of what the third has seen, the first has, too
        data = replace(whole.data, train_size=200, batch_tokens=whole.data.batch_tokens - 100 * (k + 1))
        experiment = replace(whole, data=data)
        train = next(iter(probes(experiment, task, seen(experiment, task, count), problems=50)))
        drawn.append(set(train.examples.index.tolist()))
    assert len(drawn[0] & drawn[1]) > 30
    assert len(drawn[1] & drawn[2]) > 25


def test_what_cannot_be_asked(runs, tmp_path):
    with pytest.raises(ValueError, match="perturbations='shift' is unknown; choose one of move_goal"):
        of_run(runs[0], kinds=["shift"])
    folder = tmp_path / "copy"
    shutil.copytree(runs[0].folder, folder)
    run = Run.open(folder)
    outcomes = pl.read_parquet(folder / "outcomes.parquet")
    outcomes.with_columns(pl.col("problem_key") + 1).write_parquet(folder / "outcomes.parquet")
    with pytest.raises(ValueError, match="this version of tracelab draws differently"):
        of_run(run)
    (folder / "outcomes.parquet").unlink()
    with pytest.raises(ValueError, match="is not evaluated: python"):
        of_run(run)
    run.write_json("run.json", {**run.read_json("run.json"), "source": "runs/it"})
    run = Run(folder, {**run.config, "names": {**run.config["names"], "algorithm": "grpo"}})
    with pytest.raises(ValueError, match=r"was post-trained.*run=runs/it"):
        of_run(run)
    with pytest.raises(ValueError, match="there is none below it"):
        runs_at([tmp_path / "nowhere"])


def test_the_command(runs, tmp_path):
    done = command(
        "tracelab.memorise", f"run={runs[0].folder}", "problems=4", "perturbations=[mirror]", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "mirror" in done.stdout
    assert "move_goal" not in done.stdout
