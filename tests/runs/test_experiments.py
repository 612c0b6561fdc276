"""Experiments: the published setting composes and trains; the study's sweeps are those of its plan."""

import re
from pathlib import Path

import pytest
import torch
from hydra import compose as composed_by_hydra
from hydra import initialize_config_dir

from tracelab.batches.loader import FixedLoader, card
from tracelab.batches.packing import PROMPT, TRACE
from tracelab.core.files import read_json
from tracelab.core.paths import CLONE, CONF
from tracelab.runs import sets
from tracelab.runs.build import build_model, build_task, precision_of
from tracelab.runs.entry import compose
from tracelab.training.experiment import build_learner
from tracelab.training.settings import Training

ARMS = {
    "paper_maze": "correct",
    "paper_maze_swapped": "swapped",
    "paper_maze_solution_only": "solution_only",
}
PROTOCOL = ["wilson", "kruskal", "dfs", "drunkards_walk", "searchformer", "free_space"]
FEW = ("data.train_size=24", "data.val_size=4", "eval.problems=2", "task.ood=[{generator:kruskal}]")
TINY = ("model.layers=1", "model.width=16", "model.heads=1", "model.mlp=16", "data.batch_tokens=8192")


@pytest.mark.parametrize("model", ["small", "base", "qwen2_380m"])
@pytest.mark.parametrize("experiment", ARMS)
def test_arms_are_one_setting(experiment, model):
    composed = compose(Training, "train", f"experiment={experiment}", f"model={model}")
    assert composed.names.trace == ARMS[experiment]
    assert composed.names.model == model
    assert [{"generator": name} for name in PROTOCOL[1:]] == composed.task["ood"]
    assert [composed.task[knob] for knob in ("generator", "size", "format")] == [PROTOCOL[0], 30, "paper"]
    assert (composed.data.train_size, composed.data.packing, composed.eval.problems) == (50_000, 8192, 1000)
    assert composed.budget.default_tokens == 2_000_000_000
    assert composed.loss.trace_weight == composed.loss.solution_weight == 1.0


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("arm=correct", "trace=swapped"), "arm=correct stands for trace=correct, .* sets trace=swapped"),
        (("arm=correct", "experiment=paper_maze_swapped"), "arm=correct stands for trace=correct"),
        (("arm=corrupted_010", "experiment=study/corrupted_100"), r"trace\.rate=0\.1, .* trace\.rate=1\.0"),
        (("size=w128_d1", "experiment=paper_maze", "model=nano"), None),
        (("arm=corrupted_010", "trace.rate=0.3"), None),
        (("arm=corrupted_100", "trace=corrupted", "trace.rate=1"), None),
        (("arm=solution_only", "experiment=law/traces_start"), None),
        (("task=deduction", "logic=negation"), None),
    ],
)
def test_an_arm_counts_or_is_refused(words, wanted):
    if wanted is None:
        assert compose(Training, "train", *words, "run_dir=never")
    else:
        with pytest.raises(ValueError, match=wanted):
            compose(Training, "train", *words, "run_dir=never")


@pytest.mark.parametrize("online", [False, True])
@pytest.mark.parametrize("experiment", ARMS)
def test_arms_train(experiment, online):
    composed = compose(Training, "train", f"experiment={experiment}", f"data.online={online}", *FEW, *TINY)
    data = sets.prepare(composed)
    assert len(data.vocabulary) == 944
    sizes = {"batch_tokens": 8192, "packing": 8192}
    assert card(data.train, **sizes, seed=0)["padding"] < 0.5
    batch = next(iter(FixedLoader(data.train, context=data.context, **sizes)))
    assert batch.tokens.shape == (1, 8192)
    assert (batch.part != PROMPT).any()
    assert (batch.part == TRACE).any() == (ARMS[experiment] != "solution_only")
    short = data.train.take(data.train.tokens.lengths.argsort()[:1])  # the CPU's attention is quadratic
    (one,) = FixedLoader(short, batch_tokens=3072, packing=3072, context=data.context)
    precision = precision_of(composed)
    model = build_model(composed.model, data.vocabulary, data.context, composed.seed, precision)
    learner = build_learner(composed, model)
    with torch.no_grad():
        loss, _ = learner.loss(one)
    assert 6.5 < loss < 7.2  # log 944 = 6.85


STUDY = {"maze": 10, "graph_path": 5, "countdown": 5, "sat": 5, "arithmetic": 5}  # seeds
LATENTS = ("arithmetic", "deduction", "graph_path")
RUNGS = {  # arms -> treatment, feedback
    "correct": ("Correct", None),
    "solution_only": ("SolutionOnly", None),
    "latents/curriculum": ("Latent", "none"),
    "latents/pause": ("Latent", "pause"),
    "latents/recycled": ("Latent", "recycled"),
    "filler": ("Filler", None),
}
PREDICTION = Path(__file__).parents[2] / "docs" / "results" / "prediction.md"


@pytest.mark.parametrize("task", STUDY)
def test_a_sweep_of_the_study_is_the_planned_one(task):
    with initialize_config_dir(str(CONF), version_base=None):
        sweep = composed_by_hydra("train", [f"experiment=study/{task}"], return_hydra_config=True)
    assert sweep.hydra.sweep.dir == f"runs/study/{task}"
    assert [*sweep.hydra.sweeper.params] == ["seed", "arm"]  # all arms of a seed before the next seed
    assert sweep.hydra.sweeper.params.seed == f"range({STUDY[task]})"
    arms = sweep.hydra.sweeper.params.arm.split(",")
    assert arms == ["correct", "solution_only", "swapped", "corrupted_100"]
    assert all((CONF / "arm" / f"{arm}.yaml").is_file() for arm in arms)
    assert re.search(rf"^\| {task} \| .* \| (≥ )?{STUDY[task]} \|$", PREDICTION.read_text(), re.MULTILINE)


def test_pilots_on_latents_ended_at_what_is_told():
    pilots = read_json(CLONE / "bench" / "results" / "pilots.json")
    correct, without = (
        100
        * pilots[f"latents_arithmetic-{arm}-2000000"]["test_sets"]["arithmetic"]["solution_valid"]["value"]
        for arm in ("correct", "solution_only")
    )
    told = PREDICTION.with_name("prediction_latents.md").read_text(encoding="utf-8")
    assert f"`correct` ended at {correct:.1f} % and `solution_only` at {without:.1f} %" in told


@pytest.mark.parametrize("task", LATENTS)
def test_a_sweep_on_latents_is_the_planned_one(task):
    with initialize_config_dir(str(CONF), version_base=None):
        sweep = composed_by_hydra("train", [f"experiment=latents/{task}"], return_hydra_config=True)
    assert sweep.hydra.sweep.dir == f"runs/latents/{task}"
    assert dict(sweep.hydra.sweeper.params) == {"seed": "range(5)", "arm": ",".join(RUNGS)}
    for arm, (treatment, feedback) in RUNGS.items():
        trace = compose(Training, "train", f"experiment=latents/{task}", f"arm={arm}").trace
        assert (trace["_target_"].rpartition(".")[2], trace.get("feedback")) == (treatment, feedback)
    told = PREDICTION.with_name("prediction_latents.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([\w/]+)` \|", told, re.MULTILINE) == [*RUNGS]


@pytest.mark.parametrize(
    "sweep", [f"study/{task}" for task in STUDY] + [f"latents/{task}" for task in LATENTS]
)
def test_the_test_sets_of_the_studies_are_drawn(sweep):
    composed = compose(Training, "train", f"experiment={sweep}")
    drawn = sets.test_sets(composed, build_task(composed.task))
    assert len(drawn) == 1 + len(composed.task["ood"])
    assert {len(examples) for _, examples in drawn.values()} == {512}
