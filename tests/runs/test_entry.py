"""The command line: folder names, a sweep, and generating."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from omegaconf import OmegaConf

from tests.helpers import forked
from tests.helpers.runs import SMALL
from tracelab.core.files import read_json
from tracelab.core.paths import CONF, PACKAGE
from tracelab.core.settings import read
from tracelab.data.workers import Workers
from tracelab.posttraining.rollout import Rollout
from tracelab.runs.entry import compose, composed_config, run_name
from tracelab.runs.settings import shared
from tracelab.runs.signals import STOPS, as_ctrl_c
from tracelab.runs.words import SWEPT, axes_of
from tracelab.training.settings import Training


def test_run_names():
    assert run_name("") == "defaults"
    assert run_name("seed=1,task.size=5,trace=correct") == "seed-1_trace-correct_task.size-5"
    assert run_name("task.size=[9,7],trace=swapped") == "trace-swapped_task.size--9-7-"
    long = [run_name(f"trace=swapped,{'x' * 300}={i}") for i in range(2)]
    assert long[0] != long[1]
    assert max(map(len, long)) < 200


def test_values_that_differ_in_signs_are_runs_of_their_own():
    """All others are called as they always were, so that an older sweep finds its runs."""
    operations = ["+", "-", "*", "/", "+-", "-+", "+*", "*+", "+/", "/+", "*/", "/*", "+-*", "+-/", "+-*/"]
    names = [run_name(f"seed=1,task.operations={signs}") for signs in operations]
    assert len(set(names)) == len(operations)
    assert all(re.fullmatch(r"[\w.+-]+", name) for name in names)
    assert names[4] == "seed-1_task.operations-+-"
    for asked, name in {
        "init_from=runs/a.b/,optim.lr=1e-3": "init_from-runs-a.b-_optim.lr-1e-3",
        "data.files=[/data/a.jsonl,'../b c.gz',~/d]": "data.files---data-a.jsonl--..-b-c.gz----d-",
        "experiment=study/countdown,metric@eval.m=x": "experiment-study-countdown_metric-eval.m-x",
        "+task.ood=[{size: 9}],loss={trace_weight:1}": "loss--trace_weight-1-_+task.ood---size--9--",
    }.items():
        assert run_name(asked) == name


@pytest.mark.parametrize("path", sorted(CONF.glob("experiment/*.yaml")), ids=lambda path: path.stem)
def test_an_experiment_sets_what_it_states(path):
    """Every value of its file survives composition: it is merged after the defaults."""
    stated = OmegaConf.load(path)
    stated.pop("defaults", None)
    composed = composed_config("train", f"experiment={path.stem}", "run_dir=never")  # none that is a time
    assert OmegaConf.merge(composed, stated) == composed
    assert composed.budget.default_tokens


def run(*words, cwd):
    return forked.run("-m", *words, cwd=cwd)


def test_a_sweep_is_one_table(tmp_path):
    arms = "trace=correct,solution_only"
    words = ("-m", *SMALL, "budget.steps=2", arms, "seed=0,1")
    done = forked.run("-m", "tracelab.train", *words, cwd=tmp_path, spawns=False)
    assert done.returncode == 0, done.stderr[-2000:]
    outcomes = pl.read_parquet(tmp_path / "runs/*/*/outcomes.parquet")
    groups = outcomes.group_by("treatment", "seed", "split").len()
    assert len(groups) == 2 * 2 * 2
    assert set(groups["len"]) == {24}


def on_a_full_disk(*words, cwd):
    """As `run`, where no byte of a file can be written."""
    limit = "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
    command = [sys.executable, "-c", limit + words[0], *words[1:]]
    cache = {**os.environ, "TRACELAB_CACHE": str(cwd / "cache")}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=cache)


@pytest.mark.parametrize("compiled", ["false", pytest.param("true", marks=pytest.mark.slow)])
def test_show_on_a_full_disk(tmp_path, compiled):
    module = 'runpy.run_module("tracelab.show", run_name="__main__", alter_sys=True)'
    words = ("task.size=3", "trace=swapped", "among=4", f"compiled={compiled}")
    done = on_a_full_disk(module, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "trace strict" in done.stdout
    assert done.stderr.count("Set TRACELAB_CACHE to a folder") == (compiled == "true")


def test_a_cache_that_cannot_be_written_is_said_once(tmp_path):
    """However many kernels and sets are not kept: each is another file."""
    code = """
import numpy as np
from tracelab.core import jit
from tracelab.data import store
for name in "ab":
    store.cached(name, {}, lambda: {"index": np.arange(9)})
@jit.njit
def one(x):
    return x + 1
@jit.njit
def two(x):
    return x + 2
print(one(1), two(1))
"""
    (tmp_path / "kernels.py").write_text(code)
    done = on_a_full_disk('runpy.run_path("kernels.py")', cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "2 3\n"
    assert done.stderr.count("Set TRACELAB_CACHE to a folder") == 1, done.stderr


def test_generate_arrow_and_text(tmp_path):
    arrow = run("tracelab.generate", "trace=corrupted", "count=20", "output=a/set.arrow", cwd=tmp_path)
    assert arrow.returncode == 0, arrow.stderr[-2000:]
    columns = pl.read_ipc(tmp_path / "a/set.arrow")
    assert len(columns) == 20
    assert not columns["residual_valid"].any()
    assert len(read_json(tmp_path / "a/set.arrow.card.json")["splits"]) == 1
    words = ("task.format=paper", "count=20", "output=a/set.jsonl")
    assert run("tracelab.generate", *words, cwd=tmp_path).returncode == 0
    cards = [read_json(tmp_path / f"a/set.{kind}.card.json") for kind in ("arrow", "jsonl")]
    assert [card["task"]["format"] == "paper" for card in cards] == [False, True]
    lines = (tmp_path / "a/set.jsonl").read_text().splitlines()
    assert len(lines) == 20
    assert lines[0].startswith('{"text":"query start ')
    wrong = run("tracelab.generate", "output=set.txt", cwd=tmp_path)
    assert wrong.returncode == 1
    assert "must end in .arrow, .jsonl or .parquet, or name a folder" in wrong.stderr


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("data.train_size=0", "data.train_size=0: it should be greater than or equal to 1"),
        ("+data.trian_size=9", "data.trian_size is no knob; did you mean train_size?"),
        ("seed=one", "seed=one: it should be a valid integer"),
        ("seed=1.5", "seed=1.5: it should be a valid integer"),
        ("seed=-1", "seed=-1: it should be greater than or equal to 0"),
        ("seed=5000000000", "seed=5000000000: it should be less than 4294967296"),
        ("budget.tokens=-1", "budget.tokens=-1: it should be greater than or equal to 1"),
        ("budget.steps=2.5", "budget.steps=2.5: it should be a valid integer"),
        ("budget.minutes=inf", "budget.minutes=inf: it should be a finite number"),
        ("eval.temperature=-0.5", "eval.temperature=-0.5: it should be greater than or equal to 0"),
        ("eval.temperature=nan", "eval.temperature=nan: it should be greater than or equal to 0"),
        ("eval.temperature=1e-300", "eval.temperature=1e-300: it should be 1e-30 or more, or 0"),
        ("eval.max_new=0", "eval.max_new=0: it should be greater than or equal to 1"),
        ("validate_every=0", "validate_every=0: it should be greater than or equal to 1"),
        ("checkpoint_every=0", "checkpoint_every=0: it should be greater than or equal to 1"),
        ("loss={trace_weight:0,solution_weight:0}", "are both 0: nothing would be learned"),
    ],
)
def test_a_wrong_knob_is_named(override, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        compose(Training, "train", override, "run_dir=never")
    assert not Path("never").exists()


@pytest.mark.parametrize("temperature", [0.0, 1e-300])
def test_rollouts_have_a_temperature_that_logits_can_be_divided_by(temperature):
    with pytest.raises(ValueError, match=f"temperature={temperature}: it should be"):
        read(Rollout, {"prompts": 8, "group": 4, "temperature": temperature})


def test_a_folder_may_be_called_by_a_number():
    assert compose(Training, "train", "run_dir=20251125").run_dir == "20251125"


def test_settings_are_written_as_they_are_read():
    """config.yaml has all of them, so that a run's own folder is enough."""
    experiment = compose(Training, "train", "run_dir=never")
    assert read(Training, experiment.as_dict()) == experiment


def test_a_config_of_a_version_without_the_later_knobs_is_read():
    """As what it was: with distinct problems in any order, in this process's threads."""
    config = compose(Training, "train", "run_dir=never").as_dict()
    for name in ("attention", "compile", "init_from", "validate_problems"):
        del config[name]
    for name in ("distinct", "short_first", "packing", "backend", "address", "files"):
        del config["data"][name]
    older = shared(config)
    assert older.data.distinct
    assert older.data.short_first is older.data.packing is older.data.files is None
    assert older.data.drawn_by == Workers()
    assert read(Training, config).validate_problems == 0


def test_wrong_spellings_name_the_choices(tmp_path):
    for words, says in (
        (("tracelab.train", "trace=corupted"), "corrupted"),
        (("tracelab.evaluate", "run=nowhere"), "does not hold config.yaml and run.json"),
        (("tracelab.show", "task.generator=wilsen"), "choose one of wilson"),
        (("tracelab.show", "split=ood"), "a test set out of distribution by its name: kruskal, dfs"),
        (("tracelab.generate", "split=tset", "output=x.arrow"), "choose one of train"),
        (("tracelab.generate", "split=dfs", "output=x"), "let output end in .arrow, .jsonl or .parquet"),
    ):
        done = run(*words, cwd=tmp_path)
        assert done.returncode == 1
        assert says in done.stderr


COMMANDS = sorted({"train", *(path.stem.removesuffix("_help") for path in CONF.glob("*_help.yaml"))})


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command, tmp_path):
    """Whatever else the command line lacks; an axis names all its members."""
    done = run(f"tracelab.{command}", "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"python -m tracelab.{command}" in done.stdout
    assert all(f"\n  {path.stem} " in done.stdout for path in (CONF / command).glob("*.yaml"))
    groups = {name for name in re.findall(r"^(\w+): ", done.stdout, re.MULTILINE) if (CONF / name).is_dir()}
    taken = {axis for axis in axes_of(command) if (CONF / axis).is_dir()}
    assert groups == (taken if command in SWEPT else set())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_what_ends_a_job_ends_any_command_as_ctrl_c_does(tmp_path, number):
    """A batch script tells by the status 130 that time was up, whatever the command was at."""
    words = ("-m", "tracelab.generate", "task=maze", "count=100000000", "output=mazes.jsonl")
    with forked.start(*words, cwd=tmp_path) as process:
        said = process.said[1]
        while not said.is_file() or "Drawing problems" not in said.read_text():
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(number)
        ended = process.wait(60)
    assert ended.returncode == 130
    assert "Interrupted. What was written is kept." in ended.stderr


def test_no_command_is_left_out_of_that():
    lines = [line for path in PACKAGE.rglob("*.py") for line in path.read_text("utf-8").splitlines()]
    ended = [line for line in lines if "with interruptible(" in line]
    assert len(ended) == 4, "Hydra's commands, report, package and doctor"
    assert all("), as_ctrl_c():" in line for line in ended)


def test_what_is_ignored_stays_ignored():
    """As `nohup` has SIGHUP."""
    before = {number: signal.getsignal(number) for number in STOPS}
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with as_ctrl_c():
            signal.raise_signal(signal.SIGHUP)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before[signal.SIGHUP])
    assert {number: signal.getsignal(number) for number in STOPS} == before


@pytest.mark.parametrize("word", ["-m", "--multirun", "hydra.mode=MULTIRUN"])
def test_what_keeps_no_records_of_a_sweep_is_not_swept(tmp_path, word):
    done = run("tracelab.evaluate", word, "run=a,b", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip().startswith("tracelab.evaluate takes no -m")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "word", "says"),
    [
        ("show", "experiment=study/sat", "task= and trace= and their knobs (conf/experiment/study/sat.yaml)"),
        ("generate", "+arm=swapped", "takes no arm=, which is for training: give what it stands for"),
        ("judge", "experiment=study/sat", "for by task= and their knobs ("),
        ("evaluate", "experiment=study/sat", "takes no experiment=, which is for training\n"),
        ("posttrain", "arm=swapped", "takes no arm=, which is for training\n"),
    ],
)
def test_a_choice_that_stands_for_those_of_training_is_refused_elsewhere(tmp_path, command, word, says):
    done = run(f"tracelab.{command}", word, cwd=tmp_path)
    assert done.returncode == 1
    assert says in done.stderr
    assert "defaults list" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_those_that_are_swept_are_those_with_a_sweeps_records():
    """What conf/run.yaml gives them."""
    stated = {path.stem: OmegaConf.load(path).get("defaults", []) for path in CONF.glob("*.yaml")}
    names = [name for name, defaults in stated.items() if "run" in defaults]
    assert sorted(names) == sorted(SWEPT)


def test_libraries_do_not_report_on_fonts(tmp_path):
    """Hydra has all report; the first thing that is said would be that matplotlib has looked for fonts."""
    code = (
        "import logging; import tracelab.train; logging.basicConfig(level=logging.INFO)\n"
        "import matplotlib.font_manager, logging; logging.getLogger('fontTools.subset').info('a table')"
    )
    environment = {**os.environ, "MPLCONFIGDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert any(tmp_path.iterdir())
    assert not done.stderr
