"""Sweeps of the laws: they compose from their first job to their last, and tiny ones run."""

from itertools import pairwise

import pytest
from hydra import compose as composed_by_hydra
from hydra import initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from tests.helpers.runs import SMALL, post_training
from tracelab.analysis import efforts
from tracelab.core.files import read_json
from tracelab.core.paths import CONF
from tracelab.posttraining.experiment import posttrain
from tracelab.runs import sets
from tracelab.runs.build import build_task
from tracelab.runs.entry import compose, composed_config, prepare_process
from tracelab.training.experiment import train
from tracelab.training.initial import with_source
from tracelab.training.settings import Training

LAWS = sorted(path.stem for path in CONF.glob("experiment/law/*.yaml"))
LOGICS = "implication,conjunction,negation,disjunction,quantification"
VARIED = {"rl": "logic", "size": "size", "data": "data.train_size", "traces": "data.train_size"}


def jobs_of(law):
    """The command, and the overrides of each job of a law's sweep."""
    command = "posttrain" if law.startswith("rl_compute") else "train"
    prepare_process()
    with initialize_config_dir(str(CONF), version_base=None):
        sweep = composed_by_hydra(command, [f"experiment=law/{law}"], return_hydra_config=True)
    words = [f"{knob}={values}" for knob, values in sweep.hydra.sweeper.params.items()]
    return command, BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(words), None)[0]


@pytest.mark.parametrize("law", LAWS)
def test_a_sweep_is_the_planned_one(law):
    """What its file states stands in its last job; and seeds come before all else: few of all, then more."""
    command, jobs = jobs_of(law)
    knobs = [word.partition("=")[0] for word in jobs[0]]
    assert knobs[0] == "seed"
    assert law == "traces_start" or VARIED[law.split("_")[0]] in knobs
    assert len({word for job in jobs for word in job if word.startswith("seed")}) == (
        5 if "gpu" in law else 3
    )
    stated = OmegaConf.load(CONF / "experiment" / "law" / f"{law}.yaml")
    names = ("task", "data", "eval", "budget", "rollout", "held_out")
    stated = {name: OmegaConf.to_container(stated[name]) for name in names if name in stated}
    composed = composed_config(command, f"experiment=law/{law}", *jobs[-1])
    for name, part in stated.items():
        for knob, value in part.items():
            wanted = composed.data.train_size if value == "${data.train_size}" else value
            assert f"{name}.{knob}" in knobs or composed[name][knob] == wanted


def test_the_five_logics_hold_each_other():
    """Each YAML of conf/logic has the connectives of the one before and one more."""
    held = [OmegaConf.load(CONF / "logic" / f"{name}.yaml").task.logic for name in LOGICS.split(",")]
    assert [len(logic) for logic in held] == [0, 1, 2, 3, 4]
    assert all(set(few) < set(more) for few, more in pairwise(held))


def test_the_starts_have_the_words_of_the_deepest_problems():
    """A start's vocabulary is that of every depth, in each logic."""
    for logic in LOGICS.split(","):
        start = composed_config("train", "experiment=law/rl_start", f"logic={logic}").task
        shallow, deep = (build_task(OmegaConf.to_container(start) | more) for more in ({}, {"depth": 8}))
        assert shallow.codec.vocabulary == deep.codec.vocabulary


def asked_of(law):
    """The setting that a law's first job, the easiest, draws problems in; of post-training, its start's."""
    command, (words, *_) = jobs_of(law)
    if command == "train":
        return compose(Training, "train", f"experiment=law/{law}", *words)
    asked = composed_config("posttrain", f"experiment=law/{law}", *words)
    start = [word.lstrip("+") for word in words if not word.startswith("start")]
    start += [f"eval.problems={asked.eval.problems}", f"data.val_size={asked.held_out.problems}"]
    return compose(Training, "train", "experiment=law/rl_start", *start)


@pytest.mark.parametrize("law", LAWS)
def test_a_law_has_as_many_problems_as_it_asks_for(law):
    """For validation and for tests, none of which a split shares with another; there are fewest easy ones."""
    asked = asked_of(law)
    task, held_out = build_task(asked.task), asked.data.val_size
    assert len(sets.problems(asked, task, "val", held_out)) == held_out
    assert {len(examples) for _, examples in sets.test_sets(asked, task).values()} == {asked.eval.problems}


def test_traces_are_of_problems_whose_solutions_were_seen():
    """law/traces_start has all that law/traces goes on with, and its budget is more than a pass."""
    start = compose(Training, "train", "experiment=law/traces_start")
    sizes = {word for job in jobs_of("traces")[1] for word in job if word.startswith("data.train_size=")}
    assert max(int(word.partition("=")[2]) for word in sizes) <= start.data.train_size
    task = build_task(start.task)
    some = sets.problems(start, task, "val", 64)
    solutions = task.codec.encode(task.codec.solution, some.solution)
    tokens = (task.prompts(some).lengths + solutions.lengths).mean()
    assert start.data.train_size * tokens < start.budget.default_tokens


TINY = [word for word in SMALL if not word.startswith(("task.", "data.train", "eval."))]
FEW = ("eval.problems=8", "validate_problems=4")


def test_few_traces_behind_solutions(tmp_path, monkeypatch):
    """law/traces begins with law/traces_start, whose share is the point at 0 of every series."""
    monkeypatch.chdir(tmp_path)
    small = (*TINY, *FEW, "task.size=5", "data.train_size=64")
    start = compose(
        Training, "train", "experiment=law/traces_start", *small, "run_dir=runs/law/traces/start/0"
    )
    train(start)
    words = (
        "experiment=law/traces",
        *small,
        "data.train_size=10",
        "arm=correct",
        "run_dir=runs/law/traces/on/a",
    )
    train(with_source(compose(Training, "train", *words)))
    shares = efforts.shares("runs/law/traces", against="data.train_size")
    known = shares.filter(figure="solution_valid").select("x", "law").rows()
    assert [x for x, _ in known] == [0.0, 10.0]
    assert known[0][1] == efforts.BEGUN
    assert known[1][1].startswith("correct")


@pytest.mark.filterwarnings("ignore:no update was made")
def test_post_training_on_deeper_problems(tmp_path, monkeypatch):
    """law/rl_compute goes on from law/rl_start on other depths, and says what it took."""
    monkeypatch.chdir(tmp_path)
    choice = ("logic=implication", "seed=0")
    shape = (*TINY, *FEW, "data.train_size=64", "run_dir=runs/law/rl_start/correct-implication-0")
    train(compose(Training, "train", "experiment=law/rl_start", *choice, *shape, "eval.max_new=40"))
    few = (
        "rollout.prompts=2",
        "rollout.group=4",
        "held_out.problems=4",
        "held_out.every=1",
        "budget.steps=2",
    )
    more = ("passes.problems=2", "passes.samples=2", "eval.problems=4", "trainer=cpu", "reward=[length]")
    for depth in (2, 4):
        words = (
            *choice,
            "start=correct",
            f"+task.depth={depth}",
            *few,
            *more,
            f"run_dir=runs/law/rl/{depth}",
        )
        posttrain(post_training("experiment=law/rl_compute", *words))
    for effort in ("steps", "tokens", "flops"):
        known = efforts.until(
            "runs/law/rl", against="task.depth", of=effort, by=["names.trace", "task.logic"]
        )
        assert known["x"].to_list() == [2.0, 4.0]
        assert known["law"].unique().to_list() == ["trace=correct logic="]
    assert known["low"].to_list() == [
        read_json(tmp_path / f"runs/law/rl/{depth}/run.json")["progress"]["flops"] for depth in (2, 4)
    ]
