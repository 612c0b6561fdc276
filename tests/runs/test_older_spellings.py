"""Older spellings of tasks' knobs, in configs of older runs and on the command line: the same runs."""

import shutil
import subprocess
import sys
import warnings
from dataclasses import fields

import pytest
import yaml
from hydra.utils import get_class
from omegaconf import OmegaConf

from tests.helpers.runs import KEPT, small, task_names
from tracelab import analysis
from tracelab.core.paths import CONF
from tracelab.runs.build import build_task
from tracelab.runs.entry import compose, run_name
from tracelab.runs.folder import OF_EVALUATED, Run
from tracelab.runs.older import admitted, in_todays_words
from tracelab.training.settings import Training

SAME = [  # a task, words of its command line in an older spelling, and in today's
    ("maze", "task.ood_generators=[dfs]", "task.ood=[{generator:dfs},{size:9}]"),
    (
        "maze",
        "task.size=5 task.ood_generators=[] task.ood_sizes=[7,[4,9]]",
        "task.size=5 task.ood=[{size:7},{size:[4,9]}]",
    ),
    ("maze", "task.largest=12", "task.reach.side=12"),
    ("sat", "task.most_clauses=90", "task.reach.clauses=90"),
    ("sat", "task.largest=20 task.most_clauses=90", "task.reach={variables:20,clauses:90}"),
    ("sat", "task.ood_generators=[]", "task.ood=[{variables:10},{ratio:3.5},{ratio:5.0}]"),
    ("sat", "task.ood_variables=[9] task.ood_ratios=[]", "task.ood=[{variables:9},{generator:planted}]"),
    ("knights_knaves", "task.ood_people=[7]", "task.ood=[{people:7},{depth:1},{depth:3}]"),
    (
        "knights_knaves",
        "task.ood_depths=[] task.largest=8",
        "task.ood=[{people:4},{people:6}] task.reach.people=8",
    ),
    ("arithmetic", "task.names=30", "task.reach.names=30"),
    ("arithmetic", "task.ood_operations=[[9,11]] task.ood_distractors=[]", "task.ood=[{operations:[9,11]}]"),
    ("sudoku", "task.ood_clues=[] task.largest=9", "task.ood=[{size:4}] task.reach.size=9"),
    ("sudoku", "task.ood_sizes=[]", "task.ood=[{clues:9},{clues:[15,18]}]"),
    ("deduction", "task.atoms=60 task.labels=50", "task.reach={atoms:60,labels:50}"),
    ("graph_path", "task.labels=30 task.costs=40", "task.reach={nodes:30,cost:40}"),
    ("sliding_tiles", "task.cells=12", "task.reach.cells=12"),
    ("sokoban", "task.side=9 task.most_boxes=3", "task.reach={side:9,boxes:3}"),
]


def composed(task, words):
    return compose(Training, "train", f"task={task}", *words.split(), "run_dir=unused").task


@pytest.mark.parametrize(("task", "older", "today"), SAME)
def test_the_command_line_reads_older_spellings(task, older, today):
    with pytest.warns(FutureWarning, match="an older spelling; write"):
        read = build_task(composed(task, older))
    assert read == build_task(composed(task, today))


def test_every_older_spelling_is_tried_and_leads_somewhere():
    tried = [f"{task} {word.split('=')[0]}" for task, older, _ in SAME for word in older.split()]
    for name in task_names():
        kind = get_class(OmegaConf.load(CONF / "task" / f"{name}.yaml")._target_)
        knobs = {field.name for field in fields(kind)}
        for older, place in getattr(kind, "older", {}).items():
            where, _, what = place.partition(".")
            assert older not in knobs
            assert what in (knobs if where == "ood" else kind().uses)
            assert f"{name} task.{older}" in tried


def test_other_words_stay_as_they_are():
    words = ["-m", "task=sat", "task.size=9,11", "task.ood=[]", "+task.x=1", "seed=0", "task.reach={side:9}"]
    assert admitted(words) == words


def test_a_run_is_called_as_it_was_typed():
    """So that an older sweep, given again, finds its runs."""
    assert run_name("++task.largest=9,seed=1,task.size=5") == run_name("seed=1,task.largest=9,task.size=5")
    assert run_name("++task.largest=9") == "task.largest-9"


def shown(*words, cwd):
    command = [sys.executable, "-m", "tracelab.show", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_a_command_says_what_is_written_today(tmp_path):
    done = shown("task.size=5", "task.ood_generators=[dfs]", "task.largest=12", "among=2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "write 'task.ood=[{generator: dfs}, {size: 9}]' 'task.reach={side: 12}'" in done.stderr
    wrong = shown("task.largets=12", cwd=tmp_path)
    assert wrong.returncode == 1
    assert "task.largets: maze has no such knob; it has generator, size" in wrong.stderr


def in_older_words(folder):
    """Let a run's config.yaml be as the version 0.1 wrote it."""
    stored = OmegaConf.load(folder / "config.yaml")
    task = OmegaConf.to_container(stored.task)
    assert task.pop("ood") == [{"generator": "dfs"}]
    assert task.pop("reach") is None
    stored.task = {**task, "ood_generators": ["dfs"], "ood_sizes": [], "largest": None}
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(stored))


def test_an_older_run_is_the_same_run(tmp_path):
    asked = small(tmp_path / "run")
    Run.start(asked).write_json("run.json", {"status": "evaluated"})
    for name in OF_EVALUATED:
        (tmp_path / "run" / name).touch()
    in_older_words(tmp_path / "run")
    with pytest.warns(FutureWarning, match="task.ood_generators, task.ood_sizes, task.largest: an older"):
        assert Run.finished(asked)
    with pytest.warns(FutureWarning, match="an older spelling"):
        Run.start(asked)  # resumes it
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Run.open(tmp_path / "run").settings.task["ood"] == [{"generator": "dfs"}]
    in_older_words(tmp_path / "run")
    other = small(tmp_path / "run", "task.reach.side=9")
    with (
        pytest.warns(FutureWarning, match="an older spelling"),
        pytest.raises(ValueError, match=r"differs in task\.reach"),
    ):
        Run.start(other)


def test_a_run_asked_for_in_older_words_is_kept_in_todays(tmp_path):
    with pytest.warns(FutureWarning, match="an older spelling"):
        Run.start(small(tmp_path / "run", "task.largest=9", "task.ood_generators=[prim]"))
    stored = OmegaConf.load(tmp_path / "run" / "config.yaml").task
    assert (stored.ood, stored.reach) == ([{"generator": "prim"}], {"side": 9})
    assert not {"largest", "ood_generators"} & {*stored}


def test_both_spellings_are_one_arm(tmp_path):
    for seed, name in enumerate(("older", "today")):
        shutil.copytree(KEPT, tmp_path / name)
        stored = OmegaConf.load(KEPT / "config.yaml")
        stored.seed = seed
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            plain = OmegaConf.to_container(stored)
            text = yaml.safe_dump(in_todays_words(plain) if name == "today" else plain)
        (tmp_path / name / "config.yaml").write_text(text)
    assert "ood_generators" in (tmp_path / "older" / "config.yaml").read_text()
    assert "ood_generators" not in text
    with pytest.warns(FutureWarning, match="an older spelling"):
        runs = analysis.runs(tmp_path)
    assert runs["arm"].to_list() == ["swapped", "swapped"]
    assert runs["seed"].to_list() == [0, 1]


def test_a_task_that_is_gone_stays_as_it_was_written():
    gone = {"_target_": "tracelab.tasks.gone.Gone", "largest": 9}
    assert in_todays_words({"task": gone}) == {"task": gone}
