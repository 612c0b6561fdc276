"""Refusals: what a command says of what was given wrongly, and what it leaves behind."""

import re

import pytest

from tests.helpers import forked
from tests.helpers.runs import KEPT
from tracelab.arithmetic import Arithmetic, runs_of
from tracelab.assess import Assessing
from tracelab.evaluate import Evaluation
from tracelab.export import Export
from tracelab.gallery import Page
from tracelab.intervene import Intervening
from tracelab.memorise import Memorising
from tracelab.probes import assessment, memorisation
from tracelab.reask import Reasking
from tracelab.runs.entry import compose
from tracelab.runs.folder import Run
from tracelab.runs.refusals import refusal
from tracelab.runs.words import check_inherited
from tracelab.tasks.sat import Sat
from tracelab.training.settings import Training

pytestmark = pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")  # of KEPT's task's knobs


def run(*words, cwd):
    return forked.run("-m", *words, cwd=cwd)


WHERE = "(HYDRA_FULL_ERROR=1 before the command shows where in the code)\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("train", "seed=one"), "seed=one: it should be a valid integer, "),
        (("train", "run_dir=mine/run", "ckpt_path=no.ckpt"), "ckpt_path=no.ckpt: there is no such file\n"),
        (("evaluate", "run=nowhere"), "run=nowhere is no run's folder: "),
        (("evaluate",), "give run=<the folder of a run>\n"),
        (("posttrain",), "give run=<the folder of the run whose model is post-trained>\n"),
        (("probe", "states"), "give run=<a run's folder, or one with runs below it, or a list of them>\n"),
        (("export",), "give run=<the folder of a run, post-trained or not> and to=<a new folder, or "),
        (("generate",), "give output=<NAME.arrow, NAME.parquet, NAME.jsonl for text, or a folder for "),
        (("judge",), "give completions=<a file: JSON lines (plain or gzip), "),
        (
            ("judge", "completions=no.jsonl", "metric=[]"),
            "metric=[]: give at least one of first_error, joint, ",
        ),
        (("posttrain", "run=x", "reward=[]"), "reward=[]: give at least one of form, length, "),
        (("posttrain", "run="), "run= is no run's folder: "),
        (
            ("gallery", "tasks=[nope]", "output=page.md"),
            "tasks='nope' is unknown; choose one of arithmetic, ",
        ),
    ],
)
def test_a_refusal_is_a_sentence_and_leaves_nothing(tmp_path, words, says):
    """No traceback, and no folder of a run that never was."""
    done = run(f"tracelab.{words[0]}", *words[1:], cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {says}"), done.stderr
    assert done.stderr.endswith(f"\n{WHERE}")
    assert done.stderr.count("\n") == 2
    assert not list(tmp_path.iterdir())


def test_what_a_folder_holds_stays(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("of mine")
    assert run("tracelab.train", "seed=one", "run_dir=mine/run", cwd=tmp_path).returncode == 1
    assert [path.name for path in tmp_path.glob("*/*")] == ["notes.txt"]


def raised(code, package):
    with pytest.raises(Exception) as caught:  # noqa: PT011, whichever it is
        exec(code, {"__package__": package})
    return refusal(caught.value)


def test_errors_that_are_no_refusals_keep_their_traceback(monkeypatch):
    """Of other code, or met by code of ours that did not look for them."""
    ours = "raise ValueError('take another')"
    assert raised(ours, "tracelab.runs") == f"error: take another\n{WHERE}".strip()
    assert raised(ours, "mine") is None
    assert raised("int('five')", "tracelab.runs") is None
    assert raised("import numpy; numpy.zeros(2).reshape(3)", "tracelab") is None
    assert raised("raise TypeError('no number')", "tracelab") is None
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert raised(ours, "tracelab.runs") is None


@pytest.mark.parametrize(
    ("kind", "config", "words", "empty"),
    [
        (Evaluation, "evaluate", (), "run="),
        (Training, "train", (), "run_dir="),
        (Export, "export", ("run=x",), "to="),
        (Arithmetic, "arithmetic", ("base=x", "to=y", "subtract=[z]"), "add="),
        (Reasking, "reask", (), "run=[]"),
        (Reasking, "reask", ("run=x",), "splits=[]"),
        (Intervening, "intervene", ("run=x",), "splits=[]"),
        (Assessing, "assess", ("run=x",), "kinds=[]"),
        (Memorising, "memorise", ("run=x",), "perturbations=[]"),
        (Page, "gallery", (), "tasks=[]"),
    ],
)
def test_what_is_empty_is_refused(kind, config, words, empty):
    """It is the word of a shell's variable that is not set, or nothing that could be asked about."""
    with pytest.raises(ValueError, match=rf"^{empty.partition('=')[0]}\S*=(\[\])?: it should not be empty"):
        compose(kind, config, *words, empty)


def test_an_empty_word_is_not_the_current_folder(monkeypatch):
    monkeypatch.chdir(KEPT)
    with pytest.raises(ValueError, match="run= is no run's folder"):
        Run.open("")
    assert Run.open(".").settings == Run.open(KEPT).settings


@pytest.mark.parametrize(
    ("command", "word", "says"),
    [
        ("posttrain", "task=sat", r"takes no task=sat: the task is the run's; \+task.<knob>= changes it"),
        ("posttrain", "+trace=swapped", r"the trace is the run's; \+trace.<knob>= changes it"),
        ("posttrain", "task.size=7", r"give \+task.size=7: a knob of the run's task is changed behind a \+"),
        ("posttrain", "model=nano", "takes no model=nano: the model is the run's$"),
        ("evaluate", "task=sat", "tracelab.evaluate takes no task=sat: the task is the run's$"),
        ("memorise", "task.size=7", "takes no task.size=7: the task is the run's$"),
        ("diff", "trace=swapped", "takes no trace=swapped: the trace is the run's$"),
    ],
)
def test_what_is_the_runs_is_not_chosen_again(command, word, says):
    with pytest.raises(SystemExit, match=says):
        check_inherited(command, ["run=x", word])


def test_what_is_chosen_or_changed_is_taken():
    check_inherited(
        "posttrain", ["run=x", "+task.generator=dfs", "++trace.rate=1", "task.largest=9", "~task"]
    )
    for command in ("train", "generate", "show", "import_run", "gallery"):
        check_inherited(command, ["task=sat", "task.size=3", "trace=swapped"])


def test_a_checkpoint_that_is_not_there(tmp_path):
    """Another may be."""
    run = Run(tmp_path, {})
    with pytest.raises(ValueError, match=r"best\.ckpt: nothing of it is trained yet"):
        run.trained("best")
    (tmp_path / "checkpoints").mkdir()
    run.checkpoint("last").touch()
    with pytest.raises(ValueError, match=r"best\.ckpt: there is last"):
        run.trained("best")
    with pytest.raises(ValueError, match="checkpoint=nope: it should be 'last' or 'best'"):
        compose(Export, "export", "run=x", "to=y", "checkpoint=nope")


def test_a_run_adds_nothing_to_itself():
    asked = compose(Arithmetic, "arithmetic", f"base={KEPT}", f"subtract=[{KEPT}/../{KEPT.name}:0.5]", "to=y")
    with pytest.raises(ValueError, match="all runs are the base itself"):
        runs_of(asked)


@pytest.mark.parametrize(
    ("of_run", "kinds", "says"),
    [
        (assessment.of_run, ["state", "nope"], "kinds='nope' is unknown; choose one of state, cost, order, "),
        (memorisation.of_run, ["mirror", "fly"], "perturbations='fly' is unknown; choose one of "),
    ],
)
def test_kinds_are_looked_at_before_the_model_is(of_run, kinds, says):
    """The run that is asked has no checkpoint."""
    with pytest.raises(ValueError, match=says):
        of_run(Run.open(KEPT), kinds=kinds)


def test_kinds_that_a_tasks_traces_cannot_have():
    with pytest.raises(ValueError, match=r"^kinds=cost can't be had with task sat: its steps have no costs"):
        assessment.check_kinds(Sat(), ["order", "cost"])


def test_where_a_refusal_was_met_is_shown_on_request(tmp_path, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    done = run("tracelab.train", "seed=one", cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(r"Traceback.*ValueError: seed=one: ", done.stderr, re.DOTALL)
