"""What a training changed in the MLPs is found where it was planted, and nothing where nothing was."""

import json
import sys
import threading
from copy import deepcopy
from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow.parquet
import pytest
import torch

from tests.helpers.runs import small
from tests.probes.test_weights import TINY, planted
from tracelab.analysis import diff as analysis
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.data.frozen import references
from tracelab.decoding.continuous import complete
from tracelab.decoding.sampling import generate
from tracelab.diff import main
from tracelab.evaluation.judging import trained_model
from tracelab.models.gpt import GPT
from tracelab.models.places import capture, change
from tracelab.models.precision import REDUCED
from tracelab.probes.activations import OTHER, SOLUTION, Written
from tracelab.probes.diff import Asked, hybrid, largest_first, of_runs
from tracelab.probes.diffing import Pair, batches, divergences, losses, real_tokens
from tracelab.probes.firing import features
from tracelab.probes.settings import Fitting
from tracelab.probes.transcoders import adapted, beside, without
from tracelab.report.sections.diff import section
from tracelab.report.study import study_of
from tracelab.runs import sets, stamps
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run
from tracelab.runs.settings import Sampling
from tracelab.training.experiment import train

LAYER = 0  # of what is planted
CONTEXT = 128
LEAST = 1e-3  # the default
EASY = (
    "task.generator=drunkards_walk",
    "task.coverage=0.9",
    "task.size=4",
    f"model.context={CONTEXT}",
    "data.train_size=1000",
    "data.batch_tokens=1024",
    "eval.problems=64",
    "optim.optimizer.lr=0.03",
    "optim.schedule.warmup=10",
    "budget.steps=200",
)
QUICK = Fitting(steps=100, batch_tokens=512, learning_rate=0.01, sparsity=0.01)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A run that solves easy mazes, one whose MLP lacks a direction, and that: the change has rank 1."""
    folder = tmp_path_factory.mktemp("diff")
    after = train(small(folder / "after", *TINY, *EASY)).run
    direction = written_most(after)

    def damage(state):
        weight = state[f"blocks.{LAYER}.down.weight"]
        weight -= torch.outer(direction, direction @ weight)

    return planted(after, folder / "before", damage), after, direction


@torch.no_grad()
def written_most(run):
    """The direction along which what an MLP gives varies most, over prompts."""
    task, found = build_task(run.settings.task), []
    model = trained_model(run, task, "last", CONTEXT)
    for prompt in task.prompts(sets.problems(run.settings, task, "val", 16)):
        with capture(model, f"blocks.{LAYER}.mlp") as seen:
            model(torch.from_numpy(prompt.astype(np.int64))[None])
        found.append(seen.whole(f"blocks.{LAYER}.mlp")[0])
    return torch.pca_lowrank(torch.cat(found), 4, niter=8)[2][:, 0]


@pytest.fixture(scope="module")
def pair(world):
    task = build_task(world[0].settings.task)
    return Pair(*(trained_model(run, task, "last", CONTEXT) for run in world[:2])), task


@pytest.fixture(scope="module")
def written(pair):
    """Reference completions, with their traces."""
    _, task = pair
    examples = task.generate(np.arange(8, dtype=np.uint64), "val")
    return Written.of(task, examples, references(task, examples))


def test_a_planted_change_is_found_and_its_gain_recovered(world, tmp_path, monkeypatch, capsys):
    before, after, planted_direction = world
    words = [f"before={before.folder}", f"after={after.folder}", "features=32", "fit.problems=32"]
    words += [f"fitting.{name}={value}" for name, value in vars(QUICK).items()] + ["removed=[1,100]"]
    monkeypatch.setattr(sys, "argv", ["diff", *words])
    main()
    assert "recovered" in capsys.readouterr().out
    summary = json.loads((after.folder / analysis.SUMMARY).read_text())
    nats = summary["nats"]
    assert summary["nats_recovered"] > 0.9
    assert nats["after"] == 0
    assert (after.folder / "figures" / "diff.csv").is_file()
    for name in (analysis.FILE, analysis.FEATURES):
        assert stamps.read(pyarrow.parquet.read_schema(after.folder / name).metadata)["steps"] == 200
    gains, living = analysis.of_run(after.folder)
    direction = np.linalg.svd(np.array(living["written"].to_list()))[2][0]
    assert abs(direction @ planted_direction.numpy()) > 0.95
    assert living.group_by("layer").agg(pl.col("mlp_share").first())["mlp_share"].sum() <= 1 + 1e-9
    assert living.filter(layer=LAYER)["added"].sum() > 0.9 * living["added"].sum()
    found = {row["variant"]: row for row in gains.filter(of="solution").iter_rows(named=True)}
    adapted, less = found["adapted"], found["less top"]
    assert adapted["recovered"] > 0.5
    assert adapted["recovered_low"] > 0
    assert less["removed"] == len(living) == summary["features"]["living"]
    assert nats[f"less top {len(living)}"] == pytest.approx(nats["before"], rel=0.1), "all of it is theirs"
    assert less["recovered"] < 0.4
    assert "The gain, and what features have of it" in section(
        study_of([after.folder], tmp_path / "page.html")
    )


def test_where_nothing_changed_nothing_is_found(world):
    _, after, _ = world
    fit = Sampling(problems=16, temperature=1.0)
    asked = Asked("after", 16, fit, replace(QUICK, steps=20), (4,), LEAST, 0)
    found = of_runs(after, after, asked, problems=8)
    assert len(found.features) == 0
    assert found.summary["nats_recovered"] is None
    assert set(found.outcomes["variant"].to_pylist()) == {"before", "after", "MLPs before", "adapted"}
    gains = analysis.gains(pl.from_arrow(found.outcomes).lazy(), by=["split"])
    assert gains["gain"].to_list() == [0.0] * len(gains)
    assert gains["recovered"].null_count() == len(gains)


def test_at_first_the_adapted_model_is_the_model(pair, written):
    before, after = pair[0].before, pair[0].after
    transcoders = beside(before, 16, seed=0)
    tokens = torch.arange(12).view(2, 6)
    with torch.no_grad():
        plain = before(tokens)
        with adapted(before, transcoders) as found:
            assert torch.equal(before(tokens), plain)
    assert found[LAYER].shape == (2, 6, 16)
    assert torch.equal(before(tokens), plain), "the hooks are gone"
    micro = next(batches(written, QUICK, 0))
    real = real_tokens(written, micro)
    for cut in (0, 1, 2):
        changed, same = (
            [term.item() for term in losses(Pair(before, model), transcoders, micro, real, cut)]
            for model in (after, before)
        )
        # one MLP was changed: of the two mixed models one is before, and the other after or not asked for
        kl, bridging, error, sparsity = changed
        assert bridging == pytest.approx(kl, rel=1e-4)
        assert min(kl, error) > 1e-3
        assert sparsity == 0
        assert same == pytest.approx([0.0] * 4, abs=1e-6)


def test_what_a_feature_adds_goes_with_it(pair, written):
    model = pair[0].before
    transcoders = beside(model, 16, seed=0)
    with torch.no_grad():
        transcoders[LAYER].decode.weight[:, 3:5] = 0.5
    others = {
        "plain": (model, lambda: change(model, {})),
        "both": (model, lambda: adapted(model, transcoders)),
    }
    nats = divergences(model, written, others)
    assert nats["plain"] == 0
    assert nats["both"] > 1e-3
    with without(transcoders, [(LAYER, 3), (LAYER, 4)]):
        assert divergences(model, written, others)["both"] == 0
    assert divergences(model, written, others) == nats


def test_a_model_that_computes_in_bfloat16_is_adapted_too(pair, written):
    """As slots complete prompts: all weights cast once, the transcoders' not."""
    model = deepcopy(pair[0].before)
    model.products = REDUCED
    transcoders = beside(model, 16, seed=0)
    keys = rng.keys(0, "sampling", 0, 4, "tokens").reshape(-1, 1)
    options = {"stop": 3, "max_new": 20, "temperature": 0.0, "rows": 4}

    def lines():
        return complete(model, written.prompts.take(np.arange(4)), keys, **options)

    plain = [line.tokens.tolist() for line in lines()]
    with adapted(model, transcoders):
        assert [line.tokens.tolist() for line in lines()] == plain
        with torch.no_grad():
            transcoders[LAYER].decode.weight.fill_(1.0)
        assert [line.tokens.tolist() for line in lines()] != plain


def test_batches_that_run_side_by_side_get_their_own_features():
    """Two threads meet between what an MLP reads and what it gives, as any two batches may."""
    model = GPT(20, 64, layers=2, width=16, heads=2, mlp=24)
    transcoders = beside(model, 8, seed=0)
    for one in transcoders:
        torch.nn.init.normal_(one.decode.weight, generator=torch.Generator().manual_seed(0))
    random = np.random.default_rng(0)
    prompts = Ragged.of([random.integers(0, 20, length) for length in range(3, 15)])
    both, met = threading.Barrier(2), threading.local()

    def meet(x):
        if both_run and not hasattr(met, "once"):
            met.once = both.wait()
        return x

    def tokens():
        with adapted(model, transcoders), change(model, {"blocks.0.neurons": meet}):
            return generate(model, prompts, stop=20, max_new=20, batch_size=3).tokens.values.tolist()

    both_run, threads = False, torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = tokens()
        both_run = True
        torch.set_num_threads(2)
        assert tokens() == alone
    finally:
        torch.set_num_threads(threads)
    assert alone != generate(model, prompts, stop=20, max_new=20).tokens.values.tolist()


@torch.no_grad()
def read_by_the_first_mlp(model, texts):
    found = []
    for text in texts:
        with capture(model, "blocks.0.mlp_in") as seen:
            model(torch.from_numpy(text.astype(np.int64))[None])
        found.append(seen.whole("blocks.0.mlp_in")[0])
    return torch.cat(found)


def test_what_makes_features_fire_by_hand(pair, written):
    """A feature that is on for a tenth of the tokens: how often it is, and where it adds most."""
    model, task = pair[0].before, pair[1]
    transcoders = beside(model, 4, seed=0)
    texts = [np.concatenate(both)[:-1] for both in zip(written.prompts, written.completions, strict=True)]
    values = read_by_the_first_mlp(model, texts) @ transcoders[0].encode.weight[2].detach()
    with torch.no_grad():
        transcoders[0].encode.bias[2] = -values.quantile(0.9)
        transcoders[0].decode.weight[0, 2] = 0.5
    on, words = torch.relu(values - values.quantile(0.9)).numpy() / 2, np.concatenate(texts)
    (row,) = features(model, transcoders, written, task, least=1e-9)
    assert (row["layer"], row["feature"], row["fires"]) == (0, 2, pytest.approx(0.1, abs=0.005))
    sums = np.bincount(words, on)
    assert row["word"] == task.codec.vocabulary[sums.argmax()]
    assert row["word_added"] == pytest.approx(sums.max() / on.sum(), rel=1e-3)
    assert row["word_tokens"] == pytest.approx((words == sums.argmax()).mean())
    kinds = [
        "prompt" if k < len(prompt) else {SOLUTION: "solution", OTHER: "other"}.get(part, f"step {part}")
        for prompt, parts in zip(written.prompts, written.parts, strict=True)
        for k, part in enumerate([*prompt, *parts[:-1].tolist()])
    ]
    by_kind = {kind: on[np.array(kinds) == kind].sum() / on.sum() for kind in sorted(set(kinds))}
    assert len(by_kind) == 5
    assert row["kind_added"] == pytest.approx(max(by_kind.values()), rel=1e-3)
    assert row["kind_added"] >= row["place_added"] > 0


def test_features_are_held_against_what_the_mlp_gives_without_them(pair, written):
    """One that adds more than the MLP gives has more than all of it."""
    model, task = pair[0].before, pair[1]
    transcoders = beside(model, 4, seed=0)
    plain = mean_norm(model, written)
    with torch.no_grad():
        transcoders[LAYER].encode.weight[1] = 0.0
        transcoders[LAYER].encode.bias[1] = 1.0
        transcoders[LAYER].decode.weight[0, 1] = 5 * plain
    (row,) = features(model, transcoders, written, task, LEAST)
    assert row["fires"] == 1
    assert row["added"] == pytest.approx(5, rel=1e-4)


@torch.no_grad()
def mean_norm(model, written):
    """Of what the first MLP gives, over tokens that are read."""
    norms = []
    for prompt, completion in zip(written.prompts, written.completions, strict=True):
        text = torch.from_numpy(np.concatenate([prompt, completion])[:-1].astype(np.int64))[None]
        with capture(model, f"blocks.{LAYER}.mlp") as seen:
            model.hidden(text)
        norms.append(seen.whole(f"blocks.{LAYER}.mlp")[0].norm(dim=-1))
    return torch.cat(norms).mean().item()


def test_a_hybrid_has_the_mlps_before_and_all_else_after():
    shape = {"vocab_size": 20, "context": 16, "layers": 2, "width": 16, "heads": 2, "mlp": 24}
    before, after = GPT(**shape, seed=0), GPT(**shape, seed=1)
    mixed = hybrid(before, after)
    for name, weight in mixed.state_dict().items():
        theirs = before if "down" in name or "gate_up" in name else after
        assert torch.equal(weight, theirs.state_dict()[name]), name


def test_a_feature_of_a_larger_mlp_comes_before_one_with_more_of_a_small_one():
    rows = [
        {"feature": k, "added": added, "mlp_share": share}
        for k, (added, share) in enumerate([(0.9, 0.1), (0.3, 0.6), (0.5, 0.1), (0.6, 0.3)])
    ]
    assert [row["feature"] for row in largest_first(rows)] == [1, 3, 0, 2]


def test_gains_by_hand():
    """Of four problems one is right before, all are after, and two or three are of the changed models."""
    right = {"before": [1, 0, 0, 0], "after": [1, 1, 1, 1], "adapted": [1, 1, 1, 0], "less top": [1, 1, 0, 0]}
    rows = [
        {"split": "a", "run": "r", "problem_key": k, "variant": name, "removed": int(name == "less top")}
        | {"solution_valid": bool(valid), "trace_strict": True, "trace_strict_reason": ""}
        for name, values in right.items()
        for k, valid in enumerate(values * 10)
    ]
    found = analysis.gains(pl.LazyFrame(rows), by=["split"])
    solution = found.filter(of="solution")
    assert solution["variant"].to_list() == ["adapted", "less top"]
    assert solution["gain"].to_list() == [0.75, 0.75]
    assert solution["recovered"].to_list() == [pytest.approx(2 / 3), pytest.approx(1 / 3)]
    assert found.filter(of="trace_strict")["recovered"].to_list() == [None, None]
    low, high = solution.row(0, named=True)["recovered_low"], solution.row(0, named=True)["recovered_high"]
    assert low < 2 / 3 < high


def table_of(run="r", keys=range(10), **right):
    """Outcomes of a run's models on problems: are all solutions right?"""
    return [
        {"split": "a", "run": run, "problem_key": key, "variant": name, "removed": 0, "solution_valid": valid}
        for name, valid in right.items()
        for key in keys
    ]


@pytest.mark.parametrize("better", [True, False])
def test_what_is_recovered_everywhere_is_uncertain_as_the_gain_is(better):
    rows = table_of(before=not better, after=better, adapted=better)
    (found,) = analysis.gains(pl.LazyFrame(rows), by=["split"]).iter_rows(named=True)
    assert found["recovered"] == 1
    room = (found["gain_high"] - found["gain_low"]) / 2
    assert room > 0.1
    assert (found["recovered_low"], found["recovered_high"]) == (
        pytest.approx(1 - room),
        pytest.approx(1 + room),
    )


@pytest.mark.parametrize("keys", [range(12), range(1, 11)])
def test_runs_that_were_asked_different_problems_are_no_seeds_of_one_arm(keys):
    right = {"before": False, "after": True, "adapted": True}
    rows = [*table_of("one", **right), *table_of("two", keys, **right)]
    with pytest.raises(ValueError, match=r"one and two, runs of one arm, were asked different problems"):
        analysis.gains(pl.LazyFrame(rows), by=["split"])


def test_what_features_add_is_of_all_mlps_by_arm():
    """Two layers, the second with three quarters of the norm; one of the arm's two runs has no features."""
    rows = [("x", "a", "add", 0.4, 0.25), ("x", "a", "add", 0.5, 0.75), ("x", "a", "let", 0.2, 0.75)]
    rows += [("y", "c", "add", 0.3, 0.5)]
    names = ["arm", "run", "kind", "added", "mlp_share"]
    runs = pl.DataFrame({"arm": ["x", "x", "y"], "run": ["a", "b", "c"]})
    found = analysis.by_kind(pl.DataFrame(rows, names, orient="row"), runs)
    assert found.select("arm", "kind", "n").rows() == [("x", "add", 2), ("x", "let", 1), ("y", "add", 1)]
    wanted = [(0.4 * 0.25 + 0.5 * 0.75) / 2, 0.2 * 0.75 / 2, 0.3 * 0.5]
    assert found["added"].to_list() == pytest.approx(wanted)
    older = pl.DataFrame(rows, names, orient="row").with_columns(mlp_share=pl.lit(None, pl.Float64))
    assert analysis.by_kind(older, runs)["added"].to_list() == [None] * 3


def test_strangers_are_refused(world):
    before, after, _ = world
    asked = Asked("before", 4, Sampling(problems=4), QUICK, (), LEAST, 0)
    other = Run(before.folder, {**before.config, "model": {**before.config["model"], "layers": 3}})
    with pytest.raises(ValueError, match=r"before=.* has another shape than .* take two runs of one model"):
        of_runs(other, after, asked)
    larger = Run(after.folder, {**after.config, "task": {**after.config["task"], "size": 5}})
    with pytest.raises(ValueError, match="holds a checkpoint of another vocabulary"):
        of_runs(before, larger, asked)
