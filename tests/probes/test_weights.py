"""What the weights hold: arithmetic gives what was added, and steering finds and undoes what was planted."""

import copy
import shutil
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from omegaconf import OmegaConf

from tests.helpers.runs import KEPT, post_training, small
from tracelab import analysis
from tracelab.analysis import task_vectors as tables
from tracelab.arithmetic import Arithmetic, main, runs_of, weighed
from tracelab.data.frozen import references
from tracelab.evaluation.judging import trained_model
from tracelab.models.gpt import GPT
from tracelab.models.places import add, capture, change
from tracelab.posttraining.experiment import posttrain
from tracelab.probes import heads, memorisation
from tracelab.probes.activations import OTHER, SOLUTION, Written, means, parts_of
from tracelab.probes.arithmetic import CONTROL, SUM, Merge, check_related, merge
from tracelab.probes.contrasts import contrast, lengths
from tracelab.probes.directions import contrast_weights
from tracelab.probes.finding import Asked, Transfer, directions
from tracelab.probes.steering import changes, of_run
from tracelab.probes.task_vectors import cosine, effective_rank, matrices, random_like, trimmed
from tracelab.report.sections.steering import section as steered
from tracelab.report.sections.task_vectors import section
from tracelab.report.study import study_of
from tracelab.runs import sets
from tracelab.runs.build import build_task
from tracelab.runs.checkpoints import load_weights, save_weights
from tracelab.runs.entry import compose
from tracelab.runs.folder import Run
from tracelab.runs.identity import arm_of, lineage
from tracelab.runs.settings import Sampling
from tracelab.steer import main as steer
from tracelab.training.experiment import train
from tracelab.training.settings import Training

TINY = (
    "task.ood=[]",
    "task.size=5",
    "trace=solution_only",
    "task.format=compact",
    "model.context=192",
    "data.train_size=64",
    "data.val_size=16",
    "eval.problems=8",
    "eval.max_new=12",
    "budget.steps=80",
    "optim.schedule.decay=0.3",
    "data.short_first=0.3",
    "data.batch_tokens=512",
    "validate_problems=0",
    "validate_every=100",
    "trainer.precision=32-true",
    "threads=1",
)
POST = (
    "trainer=cpu",
    "rollout.prompts=2",
    "rollout.group=4",
    "rollout.max_new=8",
    "rollout.equal=keep",
    "held_out.problems=4",
    "passes.problems=4",
    "passes.samples=2",
    "budget.steps=1",
    "threads=1",
    "reward=[length]",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with a run that ends its completions, one that began with its weights, and a stranger."""
    folder = tmp_path_factory.mktemp("weights")
    base = train(small(folder / "base", *TINY)).run
    tuned = train(small(folder / "tuned", *TINY, f"init_from={base.folder}", "budget.steps=6")).run
    third = merge(Merge(base=base, models=((tuned, 1.0),), control="random"), folder / "third")
    other = Run.open(shutil.copytree(base.folder, folder / "other"))
    other.write_json("run.json", {**base.read_json("run.json"), "id": "another"})
    return {"base": base, "tuned": tuned, "third": third, "other": other}


def weights(run):
    return load_weights(run.trained())


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_what_a_training_did_is_added_and_taken_away_again(world, tmp_path):
    base, tuned = world["base"], world["tuned"]
    there = merge(Merge(base=base, models=((tuned, 1.0),)), tmp_path / "there")
    assert same(weights(there), weights(tuned))
    assert not same(weights(there), weights(base))
    back = merge(Merge(base=there, models=((tuned, -1.0), (base, 1.0))), tmp_path / "back")
    assert same(weights(back), weights(base))
    still = merge(Merge(base=base, models=((tuned, 1.0),), scale=0.0), tmp_path / "still")
    assert same(weights(still), weights(base))


@pytest.mark.parametrize("scale", [-1.0, 0.5])
def test_the_vector_between_two_runs_moves_a_third(world, tmp_path, scale):
    base, tuned, third = (world[name] for name in ("base", "tuned", "third"))
    asked = Merge(base=third, models=((tuned, 1.0), (base, -1.0)), scale=scale)
    found, parts = weights(merge(asked, tmp_path / "run")), [weights(run) for run in (third, tuned, base)]
    for name, weight in found.items():
        a, b, c = (part[name].double() for part in parts)
        torch.testing.assert_close(weight, (a + scale * (b - c)).float(), atol=1e-8, rtol=0)


def test_a_sum_is_judged_with_the_longest_limits_of_all_its_runs(world, tmp_path):
    """As they were judged: eval.max_new of the base does not cut off what the others may write."""
    folder = shutil.copytree(world["tuned"].folder, tmp_path / "longer")
    config = OmegaConf.merge(world["tuned"].config, {"eval": {"max_new": 30}})
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(config))
    found = merge(Merge(base=world["base"], models=((Run.open(folder), 1.0),)), tmp_path / "sum")
    assert found.settings.eval.limit(found.read_json("run.json")) == 30


def planted(run, to, change):
    """A copy of a run, of the same ancestors, with weights that a function has changed in place."""
    copy = merge(Merge(base=run, models=((run, 1.0),)), to)
    state = weights(copy)
    change(state)
    save_weights(copy.checkpoint(), state, copy.read_json("run.json"))
    return copy


def test_what_was_planted_is_found_in_the_tables(world, tmp_path):
    """One matrix changed, by three orthogonal parts of equal size, and the last gains."""

    def plant(state):
        grown = torch.zeros_like(state["blocks.1.down.weight"])
        grown[range(3), range(3)] = 0.5
        state["blocks.1.down.weight"] += grown
        state["norm.weight"] *= 2

    base = world["base"]
    run = planted(base, tmp_path / "planted", plant)
    found = merge(Merge(base=base, models=((run, 0.5),)), tmp_path / "found")
    rows = pl.read_parquet(found.folder / tables.VECTORS).filter(vector=SUM)
    touched = rows.filter(pl.col("norm") > 1e-6)
    assert set(touched["matrix"]) == {"blocks.1.down.weight", "norm.weight"}
    down = rows.row(by_predicate=pl.col("matrix") == "blocks.1.down.weight", named=True)
    assert down["effective_rank"] == pytest.approx(3, abs=1e-3)
    assert down["norm"] == pytest.approx(0.5 * 0.5 * 3**0.5, abs=1e-6)
    assert down["changed"] == 3 / down["entries"]
    assert rows.filter(matrix="norm.weight")["changed"].item() == 1.0
    without = merge(Merge(base=base, models=((run, 1.0),), gains=False), tmp_path / "without")
    assert torch.equal(weights(without)["norm.weight"], weights(base)["norm.weight"])
    assert torch.equal(weights(without)["blocks.1.down.weight"], weights(run)["blocks.1.down.weight"])


def test_a_random_control_has_the_norm_of_every_matrix(world, tmp_path):
    asked = {"base": world["base"], "models": ((world["tuned"], 1.0),), "control": "random"}
    one, again, other = (
        merge(Merge(**asked, seed=seed), tmp_path / name)
        for name, seed in (("one", 1), ("again", 1), ("other", 2))
    )
    assert same(weights(one), weights(again))
    assert not same(weights(one), weights(other))
    rows = pl.read_parquet(one.folder / tables.VECTORS)
    norms = [rows.filter(vector=name)["norm"].to_numpy() for name in (SUM, CONTROL)]
    assert norms[0] == pytest.approx(norms[1])
    assert (norms[0] > 0).any()
    assert {"blocks.0.gate_up.weight.0", "blocks.0.gate_up.weight.1"} < set(rows["matrix"])
    pairs = pl.read_parquet(one.folder / tables.COSINES).filter(matrix="all", vector=SUM)
    assert abs(pairs["cosine"].item()) < 0.1
    whole = tables.of_run(one.folder)
    assert whole["vector"].to_list() == [str(world["tuned"].folder), SUM, CONTROL]
    assert whole["cosine_with_sum"].to_list()[:2] == [pytest.approx(1), None]


def test_vectors_by_hand():
    vector = {"a": torch.tensor([[1.0, -4.0], [3.0, 2.0]]).double(), "qkv": torch.eye(4).double()}
    stacks = {"qkv": (2, 2)}
    assert [name for name, _ in matrices(vector, stacks)] == ["a", "qkv.0", "qkv.1"]
    kept = trimmed(vector, 0.5, stacks)
    assert kept["a"].tolist() == [[0, -4], [3, 0]]
    noise = random_like(vector, 0, stacks)
    for (_, mine), (_, theirs) in zip(matrices(noise, stacks), matrices(vector, stacks), strict=True):
        assert mine.norm() == pytest.approx(theirs.norm())
    assert effective_rank(vector["qkv"]) == pytest.approx(4)
    assert effective_rank(torch.zeros(2, 2)) is effective_rank(torch.ones(2)) is None
    assert cosine(vector["a"], -vector["a"]) == pytest.approx(-1)
    assert cosine(vector["a"], torch.zeros(2, 2).double()) is None
    assert weighed("runs/a:0.5", -1) == ("runs/a", -0.5)
    assert weighed("runs/a", 1) == ("runs/a", 1.0)
    assert weighed("runs/12:30", 1) == ("runs/12", 30.0)
    assert weighed("runs/a:b", 1) == ("runs/a:b", 1.0)


def test_a_gate_that_changed_more_takes_nothing_from_what_it_gates():
    """Each is a matrix of its own: in what is kept, in a random vector's norms, in its rank."""
    model = GPT(20, 16, layers=1, width=16, heads=2, mlp=32)
    vector = {name: torch.zeros_like(w, dtype=torch.float64) for name, w in model.named_parameters()}
    name, generator = "blocks.0.gate_up.weight", torch.Generator().manual_seed(0)
    vector[name] = torch.randn(64, 16, generator=generator, dtype=torch.float64)
    vector[name][:32] *= 10
    kept = trimmed(vector, 0.25, model.parts)[name] != 0
    assert kept[:32].sum() == kept[32:].sum() == 32 * 16 / 4
    noise = random_like(vector, 0, model.parts)[name]
    for half in (slice(32), slice(32, 64)):
        assert noise[half].norm() == pytest.approx(vector[name][half].norm())
    ranks = {name: effective_rank(matrix) for name, matrix in matrices(vector, model.parts)}
    assert ranks[f"{name}.0"] == pytest.approx(effective_rank(vector[name][:32]))
    assert ranks[f"{name}.1"] == pytest.approx(effective_rank(vector[name][32:]))


def test_strangers_are_refused(world, tmp_path):
    base, other = world["base"], world["other"]
    with pytest.raises(ValueError, match="go back to no common run"):
        merge(Merge(base=base, models=((other, 1.0),)), tmp_path / "no")
    assert not (tmp_path / "no").exists()
    shape = Run(other.folder, {**base.config, "model": {**base.config["model"], "layers": 3}})
    record = {**base.read_json("run.json"), "ancestors": lineage(base)}
    shape.write_json("run.json", record)
    with pytest.raises(ValueError, match="has another shape than the base"):
        check_related(Merge(base=base, models=((shape, 1.0),)))
    with pytest.raises(ValueError, match="holds a run already"):
        merge(Merge(base=base, models=((base, 1.0),)), world["tuned"].folder)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of the older run's spellings
@pytest.mark.parametrize("knob", ["base", "add", "subtract"])
def test_a_folder_that_is_no_run_is_named_with_its_knob(knob):
    words = [f"{name}={'nowhere' if name == knob else KEPT}" for name in ("base", "add", "subtract")]
    with pytest.raises(ValueError, match=f"^{knob}=nowhere is no run's folder"):
        runs_of(compose(Arithmetic, "arithmetic", *words, "to=never"))


@pytest.mark.parametrize("weight", ["nan", "inf", "-inf"])
def test_a_weight_is_a_finite_number(weight):
    with pytest.raises(ValueError, match=f"^runs/a:{weight}: the weight of a run is a finite number"):
        weighed(f"runs/a:{weight}", 1)


def test_ancestors_that_were_not_noted_are_looked_up(world):
    tuned = world["tuned"]
    assert lineage(tuned)[1:] == lineage(world["base"])
    record = tuned.read_json("run.json")
    tuned.write_json("run.json", {name: value for name, value in record.items() if name != "ancestors"})
    assert lineage(tuned)[1:] == lineage(world["base"])
    tuned.write_json("run.json", record)


def test_the_command_makes_a_run_of_its_own(world, tmp_path, monkeypatch, capsys):
    """It is judged, pooled with nobody, post-trained, and shown by the report."""
    base, tuned = world["base"], world["tuned"]
    place = tmp_path / "runs"
    words = [f"base={base.folder}", f"add={tuned.folder}:1.5", f"subtract={base.folder}:0.5"]
    monkeypatch.setattr(sys, "argv", ["arithmetic", *words, "lambda=0.5", f"to={place / 'half'}"])
    main()
    assert "cosine with sum" in capsys.readouterr().out
    noise = merge(Merge(base=base, models=((tuned, 1.5), (base, -0.5)), control="random"), place / "noise")
    noise.write_json("run.json", {**noise.read_json("run.json"), "status": "evaluated"})
    shutil.copy(place / "half" / "outcomes.parquet", noise.folder)  # whose they are does not matter here
    for run in (base, tuned):
        (place / run.folder.name).symlink_to(run.folder)
    arms = dict(analysis.runs(place).select("run", "arm").iter_rows())
    assert len(set(arms.values())) == 4
    half = Run.open(place / "half")
    assert half.read_json("run.json")["status"] == "evaluated"
    models = half.read_json("run.json")["merge"]["models"]
    assert [(model["model"], model["weight"]) for model in models] == [
        (str(tuned.folder), 1.5),
        (str(base.folder), -0.5),
    ]
    assert set(lineage(half)) == {half.read_json("run.json")["id"], *lineage(tuned)}
    after = posttrain(post_training(f"run={half.folder}", f"run_dir={tmp_path / 'after'}", *POST)).run
    assert lineage(after)[1:] == lineage(half)
    with pytest.raises(ValueError, match="made of others' weights"):
        memorisation.of_run(half)
    shown = section(study_of([place], tmp_path / "page.html"))
    assert "control: a random vector" in shown
    assert str(tuned.folder) in shown


# --- directions in a model, and what they do -------------------------------------------------------------


@pytest.fixture(scope="module")
def model(world):
    run = world["base"]
    return trained_model(run, build_task(run.settings.task), "last", run.read_json("run.json")["context"])


@pytest.fixture(scope="module")
def written(world):
    """Reference completions, with their traces."""
    task = build_task(world["base"].settings.task)
    examples = sets.problems(world["base"].settings, task, "val", 16)
    return Written.of(task, examples, references(task, examples))


def asked(*ways, **more):
    fit = Sampling(problems=8)
    usual = {"kind": None, "match": "problem", "fit": fit, "places": ("blocks.0",), "together": False}
    usual |= {"scales": (-1.0,), "heads": 0.25, "control": True}
    return Asked(contrast="runs", ways=ways, **(usual | more))


def test_the_parts_of_a_completion(written):
    for trace, solution, parts, within in zip(
        written.examples.trace, written.examples.solution, written.parts, written.within, strict=True
    ):
        assert within[1 : 1 + 4 * len(trace)].tolist() == [0, 1, 2, 3] * len(trace)
        assert not within[1 + 4 * len(trace) :].any()
        assert parts[0] == OTHER  # the word that opens the trace
        assert np.array_equal(parts[1 : 1 + 4 * len(trace)], np.repeat(trace[:, 0], 4))
        assert (parts[2 + 4 * len(trace) :] == SOLUTION).sum() == len(solution) + 1  # and the stop
    assert written.trace_tokens.tolist() == (4 * written.examples.trace.lengths).tolist()


@pytest.mark.parametrize("name", ["compact", "searchformer"])
def test_behind_a_trace_that_breaks_off_there_is_no_solution_until_one_begins(name):
    """With a word that opens solutions there is none without it."""
    task = build_task(compose(Training, "train", "task=maze", f"task.format={name}").task)
    examples = task.generate(np.arange(1, dtype=np.uint64), "val")
    whole = references(task, examples)[0]
    at, opened = task.codec.solution_at(whole), int(name == "compact")
    solution = whole[at + opened :]
    stray = np.repeat(whole[at - 1], 3)  # ends of steps, that begin nothing
    for completion, count in (
        (np.concatenate([whole[:at], stray, whole[at:]]), len(solution)),
        (np.concatenate([whole[:at], stray, solution]), 0 if opened else len(solution)),
        (np.concatenate([whole[:at], stray]), 0),
    ):
        parts = parts_of(task, completion)[0]
        assert (parts == SOLUTION).sum() == (parts[len(parts) - count :] == SOLUTION).sum() == count
        assert (parts[at : at + 3] == OTHER).all()
        assert (parts >= 0).sum() == at - opened


def test_means_are_over_the_chosen_tokens(model, written):
    chosen = written.parts.values == 1
    found, some = means(model, written, ["blocks.1"], chosen)
    row = np.concatenate([written.prompts[3], written.completions[3]])
    with torch.no_grad(), capture(model, "blocks.1") as seen:
        model(torch.from_numpy(row.astype(np.int64))[None])
    begin = len(written.prompts[3])
    own = seen.whole("blocks.1")[0, begin:][torch.from_numpy(written.parts[3] == 1)]
    assert found["blocks.1"][3] == pytest.approx(own.mean(0).numpy(), abs=1e-5)
    assert some.all()
    assert not means(model, written, ["blocks.1"], chosen & False)[1].any()


def test_a_shift_between_two_readers_is_found_and_taken_back(world, model, written):
    """The other reader is this one with a vector added to its stream: that is the direction, all of it."""
    task, other = build_task(world["base"].settings.task), copy.deepcopy(model)
    planted = torch.linspace(-1, 2, 32)
    options = {"other": other, "kind": None, "match": "problem"}
    with change(other, {"blocks.0": add(planted)}):
        found = contrast("runs", task, model, written, ["blocks.0", "embed"], **options)
        known = directions(found, ["blocks.0"], 0)
        vector = torch.from_numpy(known["blocks.0"].vector)
        torch.testing.assert_close(vector.float(), planted, atol=1e-4, rtol=0)
        assert known["blocks.0"].concordance == 1.0
        embedded = found.rows["embed"]
        assert np.array_equal(embedded[found.label], embedded[~found.label]), "before it nothing is different"
        back, gone = (
            list(changes(other, {"blocks.0": vector}, asked(way), 0))[1] for way in ("add", "project_out")
        )
        tokens = torch.arange(12).view(2, 6)
        with torch.no_grad(), back.context:
            torch.testing.assert_close(other(tokens), model(tokens), atol=1e-3, rtol=0)
        with torch.no_grad(), gone.context, capture(other, "blocks.0") as seen:
            other(tokens)
        assert (seen.whole("blocks.0") @ planted).abs().max() < 1e-3


def test_lengths_are_compared_at_equal_complexity(model, written):
    found = lengths(model, written, ["blocks.0"], "optimal_cost")
    kept = np.array([written.problem.tolist().index(key) for key in found.group.tolist()])
    weights = contrast_weights(found.label, found.stratum)
    assert weights.any()
    assert weights @ written.examples.complexity["optimal_cost"][kept] == pytest.approx(0)
    assert weights @ written.trace_tokens[kept] > 0


def test_heads_that_are_edited_write_nothing_along_the_direction(world, model, written):
    task = build_task(world["base"].settings.task)
    places = [*heads.places(model), "blocks.1.mixing"]
    found = contrast("steps", task, model, written, places, other=None, kind="close", match="problem")
    shares, units = heads.contributions(model, found), heads.stream_directions(model, found)
    whole = found.rows["blocks.1.mixing"][~found.label].mean(0) @ units[1].numpy()
    assert shares.shape == (2, 2)
    assert shares[1].sum() == pytest.approx(whole, abs=1e-6)
    before = copy.deepcopy(model.state_dict())
    with heads.edited(model, np.array([3]), units):
        weight = model.blocks[1].out.weight.double()
        assert (units[1] @ weight[:, 16:]).abs().max() < 1e-6
        assert torch.equal(weight[:, :16].float(), before["blocks.1.out.weight"][:, :16])
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def steering_asked(other):
    fit = "fit.problems=8, fit.samples=1, fit.temperature=1.0"
    return f"other={arm_of(other)}, heads=0.04, {fit}"


def test_steering_by_the_command(world, tmp_path, monkeypatch, capsys):
    base, tuned = world["base"], world["tuned"]
    words = [
        f"run={base.folder}",
        f"other={tuned.folder}",
        "contrast=runs",
        "fit.problems=8",
        "fit.samples=1",
    ]
    words += ["places=[blocks.1]", "ways=[add,project_out,edit_heads]", "scales=[0,50]", "problems=6"]
    monkeypatch.setattr(sys, "argv", ["steer", *words])
    steer()
    assert "concordance" in capsys.readouterr().out
    rows = pl.read_parquet(base.folder / "steering.parquet")
    assert len(rows) == 6 * (1 + 2 * (2 + 1 + 1))
    figures = ["problem_key", "completion", "mean_logprob"]
    as_it_is = rows.filter(way="none").select(figures)
    for direction in ("found", "random"):
        added = rows.filter(way="add", direction=direction)
        assert added.filter(scale=0.0).select(figures).equals(as_it_is)
        assert not added.filter(scale=50.0).select(figures).equals(as_it_is)
    assert set(rows["asked"].unique()) == {steering_asked(tuned)}
    shown = steered(study_of([base.folder], tmp_path / "page.html"))
    assert all(words in shown for words in ("Outcomes under steering", "<svg"))
    monkeypatch.setattr(sys, "argv", ["steer", *words, "ways=[project_out]"])
    steer()
    shown = steered(study_of([base.folder], tmp_path / "page.html"))
    assert "project_out" in shown
    assert "<svg" not in shown, "what is taken out has no scale"
    with pytest.raises(ValueError, match=r"name it, other=runs/"):
        of_run(base, asked("add"), None, None, 2)


def twice_as_wide(run, to):
    """A copy of a run whose model has each number of the stream twice, and says the same."""
    copied = Run.open(shutil.copytree(run.folder, to))
    model = {**copied.config["model"], "width": 64, "head_dim": 16}
    copied.write_text("config.yaml", OmegaConf.to_yaml(OmegaConf.create({**copied.config, "model": model})))
    state = weights(run)
    for name, weight in state.items():
        if name.endswith(("out.weight", "down.weight")):
            state[name] = torch.cat([weight, weight])
        elif weight.shape[-1] == 32:  # what reads the stream: half of the sum of both
            halved = not name.endswith("_norm.weight") and "embed" not in name and "head" not in name
            state[name] = torch.cat([weight, weight], -1) / (2 if halved else 1)
    save_weights(copied.checkpoint(), state, copied.read_json("run.json"))
    return Run.open(to)


def test_a_direction_of_a_narrow_model_steers_a_wide_one(world, tmp_path):
    """The wide one is an image of the narrow one, so there the direction does what it does here."""
    narrow, other = world["base"], world["tuned"]
    wide = twice_as_wide(narrow, tmp_path / "wide")
    fit = Sampling(problems=96, samples=2, temperature=1.0)
    plain = asked("add", scales=(1.0, -20.0), control=False, fit=fit)
    transfer = Transfer(narrow, rank=32, tokens=12)
    known, found = of_run(wide, replace(plain, transfer=transfer), other, None, 6)
    here, outcomes = of_run(narrow, plain, other, None, 6)
    (vector,), (mine,) = (np.array(table["vector"].to_pylist()) for table in (known, here))
    assert vector == pytest.approx(np.tile(mine, 2), abs=1e-4 * np.abs(mine).max())
    assert known["explained"][0].as_py() > 0.999 > 0.5 > known["exchanged"][0].as_py()
    assert (known["source"][0].as_py(), known["place"][0].as_py()) == ("blocks.0", "blocks.0")
    figures = ["problem_key", "way", "scale", "completion"]
    assert found.select(figures).equals(outcomes.select(figures))
    with pytest.raises(ValueError, match=r"leave it out, or transfer\.run"):
        of_run(wide, replace(plain, transfer=transfer, ways=("edit_heads",)), other, None, 6)
    pair = replace(transfer, places=("blocks.0", "blocks.1"))
    with pytest.raises(ValueError, match="names 2 places for 1"):
        of_run(wide, replace(plain, transfer=pair), other, None, 6)
