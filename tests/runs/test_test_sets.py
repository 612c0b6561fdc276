"""Test sets that come with a task go where its other knobs leave no room for them; others are refused."""

import shutil

import pytest
from omegaconf import OmegaConf

from tests.helpers import forked
from tests.helpers.bench import script
from tests.helpers.runs import KEPT
from tracelab.core.paths import CONF
from tracelab.posttraining.settings import inherited
from tracelab.runs.build import build_task
from tracelab.runs.entry import compose, composed_config
from tracelab.runs.test_sets import effective, fitted
from tracelab.training.settings import Training

with script("learning") as learning:
    KNOBS = learning.DIFFICULTIES
DOCUMENTED = [
    *((f"task={task}", *words) for task, levels in KNOBS.items() for words in levels.values()),
    ("task=hops", "task.hops=[1,2]", "task.distractors=2"),
    ("task=hops", "task.hops=[6,8]", "task.distractors=[12,20]"),
    ("task=maze", "task.generator=kruskal"),
    ("task=graph_path", "task.generator=star"),
]


def asked(*words):
    """An experiment of these words as it is run, and what was said of its test sets."""
    experiment, said = fitting(*words)
    return effective(experiment, said.append), said


def fitting(*words):
    """The same before anything is drawn."""
    said = []
    return fitted(compose(Training, "train", *words, "run_dir=unused"), said.append), said


@pytest.mark.parametrize("words", DOCUMENTED, ids=" ".join)
def test_what_is_documented_has_test_sets(words):
    """No two of one name, none that cannot be; what is left out is said."""
    experiment, said = fitting(*words)
    part, task = experiment.task, build_task(experiment.task)
    assert getattr(task, "in_distribution", task.name) not in task.test_sets()
    every = compose(Training, "train", words[0], "run_dir=unused").task["ood"]
    assert len(said) == len(every) - len(part["ood"])


@pytest.mark.parametrize(
    ("words", "gone", "why"),
    [
        (("task=maze", "task.generator=kruskal"), {"generator": "kruskal"}, "it is what is trained on"),
        (("task=sudoku", "task.size=4", "task.clues=[5,8]"), {"clues": [15, 18]}, "of 16 cells one at least"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_drawn(words, gone, why):
    experiment, said = fitting(*words)
    assert gone not in experiment.task["ood"]
    (line,) = (line for line in said if why in line)
    assert line.startswith("A test set that comes with the task is left out: ")


def test_what_would_change_nothing_is_said():
    experiment, said = asked("task=deduction", "logic=implication")
    assert experiment.task["ood"] == [{"depth": [5, 6]}, {"distractors": [8, 10]}]
    assert "{width: 3}: width changes nothing" in said[0]
    assert effective(experiment, pytest.fail) == experiment, "once is enough"


def test_what_somebody_asks_for_is_refused():
    with pytest.raises(ValueError, match="two test sets are called kruskal"):
        asked("task.generator=kruskal", "task.ood=[{generator: kruskal}]")
    with pytest.raises(ValueError, match=r"\{size: 9\}: size changes nothing"):
        asked("task.size=9", "task.ood=[{size: 9}]")


def test_the_defaults_keep_theirs():
    experiment, said = asked("task=maze")
    assert experiment == compose(Training, "train", "task=maze", "run_dir=unused")
    assert said == []


def test_post_training_on_other_problems(tmp_path, capsys):
    """Of its source's test sets the one goes that it is trained on now."""
    source = shutil.copytree(KEPT, tmp_path / "run")
    config = OmegaConf.load(source / "config.yaml")
    for older in ("ood_generators", "ood_sizes", "largest"):
        del config.task[older]
    config.task.ood = OmegaConf.load(CONF / "task" / "maze.yaml").ood
    OmegaConf.save(config, source / "config.yaml")
    words = (f"run={source}", "+task.generator=dfs", "run_dir=unused")
    experiment = inherited(OmegaConf.to_container(composed_config("posttrain", *words), resolve=True))
    assert {"generator": "dfs"} in OmegaConf.to_container(config.task.ood)
    assert {"generator": "dfs"} not in experiment.task["ood"]
    assert "{generator: dfs}: it is what is trained on" in capsys.readouterr().err


def test_one_example_is_shown_of_a_task_that_leaves_no_room(tmp_path):
    """Silently, for it is drawn from no test set; and nothing is compiled for it."""
    words = ("task=sudoku", "task.size=4", "task.clues=[5,8]", "trace=corrupted")
    done = forked.run("-m", "tracelab.show", *words, cwd=tmp_path, spawns=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "trace strict" in done.stdout
