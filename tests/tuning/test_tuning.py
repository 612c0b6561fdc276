"""Searches: what is proposed, what is refused, and that a killed search goes on as if it had not been."""

import os
import re
import signal
import time

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from tests.helpers.forked import run, start
from tests.helpers.runs import KEPT, SMALL
from tests.runs.test_sweeps import jobs, workers
from tracelab.core.settings import read
from tracelab.runs.entry import composed_config
from tracelab.runs.folder import Run
from tracelab.tuning.searching import check_measured, problems_of, value_of
from tracelab.tuning.spaces import space_of
from tracelab.tuning.study import Asked, Study

TPE = "optuna.samplers.TPESampler"
RATE, LAYERS = "optim.optimizer.lr=tag(log,interval(1e-4,1e-2))", "model.layers=range(1,3)"


def asked(folder, **knobs):
    """The knobs of a search whose study lies in a folder."""
    given = {
        "objective": "val/loss",
        "direction": "minimize",
        "n_trials": 6,
        "n_jobs": 1,
        "study_name": "search",
        "storage": f"sqlite:///{folder}/study.db",
        "seed": 0,
        "sampler": {"_target_": TPE, "n_startup_trials": 3},
        "params": {},
    }
    return read(Asked, given | knobs)


def study(folder, words=(RATE, LAYERS), config=None, **knobs):
    return Study(asked(folder, **knobs), space_of(words), config or {"seed": 0}, folder)


def went(trial):
    """A value that depends on what was proposed."""
    return abs(trial.params["optim.optimizer.lr"] - 3e-3) + trial.params.get("model.layers", 0)


def told(studied, most=99):
    """The trials that a study has left, each of which is run and told."""
    found = []
    while len(found) < most and (trial := studied.next()) is not None:
        studied.tell(trial, went(trial), f"runs/{trial.number}")
        found.append(trial)
    return found


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        (RATE, FloatDistribution(1e-4, 1e-2, log=True)),
        ("a=interval(0,1)", FloatDistribution(0, 1)),
        ("a=int(interval(1,8))", IntDistribution(1, 8)),
        ("a=tag(int,log,interval(1,8))", IntDistribution(1, 8, log=True)),
        ("a=int(interval(0.5,3.9))", IntDistribution(1, 3)),
        ("a=tag(log,int(interval(0.5,3.9)))", IntDistribution(1, 3, log=True)),
        ("a=tag(int,interval(-1.5,-0.5))", IntDistribution(-1, -1)),
        ("a=int(1.5),int(2.5)", CategoricalDistribution(["1", "2"])),
        ("a=range(1,5)", IntDistribution(1, 4)),
        ("a=range(10,0,-3)", IntDistribution(1, 10, step=3)),
        ("a=range(0.5,2,0.5)", FloatDistribution(0.5, 1.5, step=0.5)),
        ("a=choice(1,'x,y',[1,2],1)", CategoricalDistribution(["1", r"x\,y", "[1,2]"])),
        ("+a@b=c,d", CategoricalDistribution(["c", "d"])),
    ],
)
def test_spaces_are_what_hydra_says(word, wanted):
    knob = word.partition("=")[0]
    space = space_of(["x=1", "~y", "x=2", word])
    assert (space.fixed, space.swept) == (["x=2", "~y"], {knob: wanted})


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("a=1", "there is nothing to search"),
        ("a=range(3,3)", r"a=range\(3,3\): it holds no number"),
        ("a=tag(log,interval(0,1))", r"a=tag\(log,interval\(0,1\)\): .*low"),
        ("a=interval(2,1)", r"a=interval\(2,1\): .*low"),
        ("a=int(interval(0.2,0.8))", r"a=int\(interval\(0.2,0.8\)\): it holds no whole number"),
        ("a=tag(int,interval(2,1))", "it holds no whole number"),
        ("a=tag(logarithmic,interval(1,2))", "the tag logarithmic is unknown; there are log and int"),
        ("a=tag(log,choice(1,2))", "a choice has no order"),
    ],
)
def test_what_is_no_space_is_named(word, reason):
    with pytest.raises(ValueError, match=reason):
        space_of([word])


def test_values_are_written_as_hydra_reads_them():
    space = space_of(["x=1", RATE, "a=choice(b,'c,d')"])
    params = {"optim.optimizer.lr": 0.1 + 0.2, "a": r"c\,d"}
    assert space.overrides(params) == ["x=1", "optim.optimizer.lr=0.3", r"a=c\,d"]
    assert [words[1:] for words in space.corners()] == [
        ["optim.optimizer.lr=0.0001", "a=b"],
        ["optim.optimizer.lr=0.01", r"a=c\,d"],
    ]


def test_a_killed_search_proposes_what_it_would_have(tmp_path):
    """Its trial under way comes first, and the seeds of proposals go by their numbers."""
    folders = [tmp_path / name for name in ("whole", "killed")]
    for folder in folders:
        folder.mkdir()
    whole = told(study(folders[0]))
    found = []
    for _ in range(3):  # each command finishes one trial, and is killed in the next
        killed = study(folders[1])
        found += told(killed, most=1)
        killed.next()
    found += told(study(folders[1]))
    assert found == whole
    assert len({trial.params["optim.optimizer.lr"] for trial in whole}) == 6
    assert study(folders[1]).next() is None
    assert [trial.number for trial in told(study(folders[1], n_trials=8))] == [6, 7]
    elsewhere = tmp_path / "other seed"
    elsewhere.mkdir()
    assert told(study(elsewhere, seed=1), most=1)[0].params != whole[0].params


def told_side_by_side(studied):
    """As `told`, n_jobs at once."""
    found = []
    while trials := studied.batch():
        for trial in trials:
            studied.tell(trial, went(trial), f"runs/{trial.number}")
        found.append(trials)
    return found


@pytest.mark.parametrize("killed", ["between two proposals", "between two values", "with all under way"])
def test_a_killed_search_of_several_jobs_proposes_what_it_would_have(tmp_path, killed):
    """The next trials are proposed by all values of those that ran side by side, and by no fewer."""
    folders = [tmp_path / name for name in ("whole", "killed")]
    for folder in folders:
        folder.mkdir()
    whole = told_side_by_side(study(folders[0], n_trials=8, n_jobs=2))
    assert [len(trials) for trials in whole] == [2, 2, 2, 2]
    begun = study(folders[1], n_trials=8, n_jobs=2)
    for _ in range(2):
        for trial in begun.batch():
            begun.tell(trial, went(trial), f"runs/{trial.number}")
    under_way = [begun.next()] if killed == "between two proposals" else begun.batch()
    if killed == "between two values":
        begun.tell(under_way[0], went(under_way[0]), "runs/4")
    found = told_side_by_side(study(folders[1], n_trials=8, n_jobs=2))
    rest = whole[2:] if killed != "between two values" else [whole[2][1:], whole[3]]
    assert found == rest


def test_a_sampler_may_have_a_seed_of_its_own(tmp_path):
    """It is then made once; two that are seeded alike propose alike."""
    sampler = {"_target_": "optuna.samplers.RandomSampler", "seed": 3}
    (trial,) = told(study(tmp_path, sampler=sampler), most=1)
    drawn = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3)).ask(
        space_of([RATE, LAYERS]).swept
    )
    assert trial.params == drawn.params


def test_what_failed_is_proposed_once_more_by_each_command(tmp_path):
    first = study(tmp_path, n_trials=2)
    failing = first.next()
    first.tell(failing, None, "runs/0")
    (well,) = told(first)
    assert first.next() is None
    again = study(tmp_path, n_trials=2)
    retried = again.next()
    assert retried.params == failing.params
    again.tell(retried, 0.1, "runs/0")
    assert again.next() is None
    assert study(tmp_path, n_trials=2).next() is None
    best = again.best()
    assert (best.number, best.value, best.user_attrs["folder"]) == (retried.number, 0.1, "runs/0")
    assert well.number == 1


def test_what_was_not_proposed_in_full_is_given_up(tmp_path):
    """Whoever was killed between two knobs of a proposal has begun no run."""
    begun = study(tmp_path, n_trials=1)
    begun.study.ask({"model.layers": IntDistribution(1, 2)})
    found = study(tmp_path, n_trials=1)
    (trial,) = told(found)
    assert trial.number == 1
    assert [each.state for each in found.trials()] == [TrialState.FAIL, TrialState.COMPLETE]
    assert study(tmp_path, n_trials=1).next() is None


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"words": (RATE, "model.layers=range(1,4)")}, "model.layers"),
        ({"words": (RATE,)}, "model.layers"),
        ({"objective": "val/trace_loss"}, "objective"),
        ({"objective": "val/solution_valid", "direction": "maximize"}, "direction, objective"),
        ({"config": {"seed": 1}}, "seed"),
        ({"config": {"seed": 0, "validate_problems": 8}}, "validate_problems"),
    ],
)
def test_another_search_is_refused(tmp_path, changed, name):
    told(study(tmp_path), most=1)
    with pytest.raises(ValueError, match=rf"is another search \(it differs in {name}\)"):
        study(tmp_path, **changed)
    same = study(tmp_path, config={"seed": 0, "threads": 1}, n_trials=2, seed=4)
    assert len(told(same)) == 1, "what changes no number may differ"


def test_a_study_whose_runs_lie_elsewhere_is_refused(tmp_path):
    """In a database that several commands share: it would run another's trial, which runs there already."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    trial = study(one).next()
    wanted = rf"has its runs in {one}: go on with hydra.sweep.dir={one}, or name .*study_name=other"
    with pytest.raises(ValueError, match=wanted):
        study(other, storage=asked(one).storage)
    assert study(other, storage=asked(one).storage, study_name="other").next().number == trial.number == 0
    moved = one.rename(tmp_path / "moved")
    assert study(moved).next() == trial, "a sweep that was moved goes on"


def test_a_study_of_somebody_else_is_refused(tmp_path):
    other = optuna.create_study(storage=asked(tmp_path).storage, study_name="search", direction="minimize")
    other.tell(other.ask(), 1.0)
    with pytest.raises(ValueError, match="trials, which were not made by this command"):
        study(tmp_path)


def test_an_objective_that_was_a_slip_may_be_mended(tmp_path):
    """As long as no trial has a value by it."""
    study(tmp_path, objective="val/lozz_loss").next()
    assert len(told(study(tmp_path))) == 6


@pytest.mark.parametrize(
    ("knobs", "reason"),
    [
        ({"objective": "test/solution_valid"}, "choose knobs by the validation set"),
        ({"objective": "val/loss", "direction": "maximize"}, "take hydra.sweeper.direction=minimize"),
        ({"direction": "down"}, "direction=down"),
        ({"n_trials": 0}, "n_trials=0"),
        ({"sampler": {"_target_": "optuna.samplers.Nowhere"}}, "Nowhere"),
        ({"sampler": {"_target_": TPE, "n_start": 1}}, "n_start"),
        ({"sampler": {"_target_": "builtins.dict"}}, "sampler"),
        ({"storage": "sqlite:////nowhere/at/all.db"}, "cannot be opened: .*unable to open database"),
        ({"storage": "nowhere"}, "storage=nowhere cannot be opened"),
        ({"trials": 3}, "trials is no knob; did you mean n_trials"),
    ],
)
def test_wrong_knobs_are_named(tmp_path, knobs, reason):
    with pytest.raises(ValueError, match=f"(?s){reason}"):
        study(tmp_path, **knobs)


SEARCH = ("hydra/sweeper=optuna", *SMALL, "optim=adamw", "hydra.sweeper.direction=minimize")
SEARCH += ("hydra.sweeper.objective=val/loss", "+hydra.sweeper.sampler.n_startup_trials=1")


@pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")  # of KEPT's task's knobs
@pytest.mark.parametrize(
    ("command", "words", "objective", "known"),
    [
        ("train", (), "val/loss", True),
        ("train", ("task=sat",), "val/trace_strict", True),
        ("train", (), "val/trace_paper", True),
        ("train", ("task=sat",), "val/trace_paper", False),
        ("train", (), "val/level", False),
        ("train", ("trainer=fsdp", "optim=adamw"), "val/loss", True),
        ("train", ("trainer=fsdp", "optim=adamw"), "val/solution_valid", False),
        ("train", ("data.teacher={knob: size, values: [5, 7], bound: 0.8}",), "val/level", True),
        ("posttrain", (f"run={KEPT}",), "val/trace_paper", True),
        ("posttrain", (f"run={KEPT}",), "val/loss", False),
        ("posttrain", (f"run={KEPT}",), "val/hard_solution_vaild", False),
        ("posttrain", ("run=runs/${seed}",), "val/trace_whatever", True),
    ],
)
def test_objectives_are_columns_of_the_runs(tmp_path, command, words, objective, known):
    """Post-training has no loss; of a run that is not known yet nobody knows the levels; a model in shards
    completes no problems.
    """
    config = OmegaConf.to_container(composed_config(command, *words), resolve=False)
    wanted = asked(tmp_path, objective=objective)
    if known:
        check_measured(wanted, config)
    else:
        with pytest.raises(ValueError, match=f"objective={objective} is not measured by these runs"):
            check_measured(wanted, config)


def test_what_is_of_the_level_that_a_teacher_led_to_chooses_nothing(tmp_path):
    """A run that never left the easy problems would be the best. The loss is that of the last level."""
    words = ("data.teacher={knob: size, values: [5, 7], bound: 0.8}",)
    config = OmegaConf.to_container(composed_config("train", *words), resolve=False)
    for objective in ("val/solution_valid", "val/hard_trace_strict", "val/truncated"):
        with pytest.raises(ValueError, match=f"{objective} is of the level .* take objective=val/loss"):
            check_measured(asked(tmp_path, objective=objective), config)
    check_measured(asked(tmp_path, objective="val/loss"), config)
    check_measured(asked(tmp_path, objective="val/level"), config)


def test_a_run_that_was_validated_on_other_problems_is_no_trial(tmp_path):
    """It lay in the search's folder before. The loss is that of the whole validation set."""
    (tmp_path / "metrics.csv").write_text(
        "step,val/loss,val/problems,val/solution_valid\n5,2.0,16,0.25\n9,1.5,8,0.5\n"
    )
    record = {"state": "skipped", "folder": str(tmp_path)}
    assert problems_of({"validate_problems": 64, "data": {"val_size": 8}}) == 8
    assert problems_of({"validate_problems": "${size}", "data": {"val_size": 8}}) is None
    assert value_of(record, "val/solution_valid", 8) == value_of(record, "val/solution_valid") == 0.5
    assert value_of(record, "val/loss", 16) == 1.5
    with pytest.raises(ValueError, match=r"on 8 problems, .* chooses by 16: take validate_problems=8, or"):
        value_of(record, "val/solution_valid", 16)


def trials(folder):
    """What a sweep's study knows."""
    return optuna.load_study(study_name="search", storage=f"sqlite:///{folder}/runs/sweep/study.db").trials


def search(cwd, *words):
    return run("-m", "tracelab.train", "-m", *SEARCH, *words, cwd=cwd, spawns=False)


def test_a_search_that_is_killed_goes_on_where_it_was(tmp_path):
    """Its trials and their values are those of an undisturbed one."""
    words = (RATE, LAYERS, "hydra.sweeper.n_trials=3", "budget.steps=30", "checkpoint_every=4")
    words += ("validate_every=10", "validate_problems=0", "eval.problems=4")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    assert search(whole, *words).returncode == 0
    with start("-m", "tracelab.train", "-m", *SEARCH, *words, cwd=killed) as process:
        while len(list(killed.glob("runs/sweep/*/checkpoints/last.ckpt"))) < 2:
            assert process.poll() is None, "the search ended before it was to be killed"
            time.sleep(0.02)
        children = workers(process)
        for pid in (process.pid, *children):
            os.kill(pid, signal.SIGKILL)
        process.wait(60)
    first, second = trials(killed)
    assert (first.state, second.state) == (TrialState.COMPLETE, TrialState.RUNNING)
    finished = Run.open(killed / first.user_attrs["folder"]).folder / "outcomes.parquet"
    before = finished.stat().st_mtime_ns

    again = search(killed, *words)
    assert again.returncode == 0, again.stderr[-2000:]
    assert jobs(killed)[0] == ["resumed", "finished"]
    assert "Resuming from" in again.stderr
    assert finished.stat().st_mtime_ns == before
    found = [
        [(trial.number, trial.params, trial.value) for trial in trials(each)] for each in (whole, killed)
    ]
    assert found[0] == found[1]
    best = min(trials(whole), key=lambda trial: trial.value)
    assert f"Best of 3 trials: val/loss {best.value:.4g} with " in again.stderr
    assert (
        f"best_run: {best.user_attrs['folder']}"
        in (killed / "runs/sweep/optimization_results.yaml").read_text()
    )

    more = search(killed, *words)
    assert more.returncode == 0, more.stderr[-2000:]
    assert "Best of 3 trials" in more.stderr
    assert len(trials(killed)) == 3


def test_what_yaml_says_is_searched(tmp_path):
    """Sweeper, space and objective. Trials of the same values are one run."""
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - override /hydra/sweeper: optuna\n"
        "hydra:\n  sweeper:\n    n_trials: 4\n    n_jobs: 2\n    objective: val/solution_loss\n"
        "    direction: minimize\n    sampler: {_target_: optuna.samplers.RandomSampler}\n"
        "    params: {trace: corrupted, trace.rate: 'choice(0,0.5)', budget.steps: 2}\n"
    )
    small = [word for word in SMALL if not word.startswith(("budget", "validate_problems"))]
    words = ("-m", "--config-dir", "conf", *small, "validate_problems=0", "experiment=mine")
    done = run("-m", "tracelab.train", *words, cwd=tmp_path, spawns=False)
    assert done.returncode == 1, "no trace can be corrupted in no step"
    states, records = jobs(tmp_path)
    assert set(states) <= {"finished", "failed", "skipped"}
    by_rate = {trial.params["trace.rate"]: trial.state.name for trial in trials(tmp_path)}
    assert by_rate == {"0": "FAIL", "0.5": "COMPLETE"}, done.stderr[-2000:]
    assert len({record["folder"] for record in records}) == 2
    failed = sum(trial.state == TrialState.FAIL for trial in trials(tmp_path))
    assert run("-m", "tracelab.train", *words, cwd=tmp_path, spawns=False).returncode == 1
    assert len(trials(tmp_path)) == 4 + failed
    assert set(jobs(tmp_path)[0]) == {"failed"}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "there is nothing to search"),
        ([RATE, "hydra.sweeper.objective=wilson/solution_valid"], "choose knobs by the validation set"),
        (
            [RATE, "hydra.sweeper.objective=val/trace_strict", "validate_problems=0"],
            "is not measured with validate_problems=0",
        ),
        ([RATE, "hydra.sweeper.objective=val/solution_vaild"], "did you mean val/solution_valid"),
        (["optim.optimiser.lr=interval(0,1)"], "a trial cannot be composed: .*optimiser"),
        (["model=choice(nano,mikro)"], "a trial cannot be composed: .*mikro"),
        (["eval.temperature=interval(0,1)"], "runs that differ in eval.temperature alone are one run"),
        (["+hydra.sweeper.params.threads='range(1,3)'"], "runs that differ in threads alone are one run"),
    ],
)
def test_a_search_that_cannot_be_is_refused(tmp_path, words, reason):
    done = search(tmp_path, *words)
    assert done.returncode == 1
    assert re.search(reason, done.stderr, re.DOTALL), done.stderr[-2000:]
    assert not list(tmp_path.glob("runs/sweep/study.db"))


def test_one_command_searches_in_a_folder(tmp_path):
    words = (RATE, "budget.steps=1000000", "hydra.sweeper.n_trials=1")
    with start("-m", "tracelab.train", "-m", *SEARCH, *words, cwd=tmp_path, spawns=False) as process:
        while not list(tmp_path.glob("runs/sweep/*/metrics.csv")):
            assert process.poll() is None, "the search ended before another was begun"
            time.sleep(0.05)
        other = search(tmp_path, *words)
        process.send_signal(signal.SIGINT)
        assert process.wait(120).returncode == 130
    assert "another command searches in runs/sweep: wait for it, or stop it" in other.stderr
    assert [trial.state for trial in trials(tmp_path)] == [TrialState.RUNNING]
