"""The dialect that all tasks have in common: test sets (`ood`), and how far the vocabulary goes (`reach`)."""

from dataclasses import replace

import numpy as np
import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from tests.helpers.runs import task_names
from tracelab.core import rng
from tracelab.core.paths import CLONE, CONF
from tracelab.data.splits import test_sets as sets_of
from tracelab.runs.build import build_task
from tracelab.runs.entry import compose
from tracelab.tasks.countdown import Countdown
from tracelab.tasks.deduction import Deduction
from tracelab.tasks.graph_path import GraphPath
from tracelab.tasks.maze import Maze
from tracelab.tasks.planning import Planning
from tracelab.tasks.sat import Sat
from tracelab.tasks.shared.variants import MOST
from tracelab.tasks.sudoku import Sudoku
from tracelab.training.settings import Training

# Test sets of the YAMLs. A name is part of the stream of its problems: another name is another set.
NAMES = {
    "arithmetic": "operations_10 operations_14 distractors_8",
    "countdown": "held_out_targets number_range_51x100 target_range_101x150",
    "deduction": "depth_5x6 width_3 distractors_8x10",
    "game": "left_5",
    "graph_path": "grid_density_1.2 star density_2.0 nodes_20",
    "hops": "hops_6_distractors_12 hops_8_distractors_16 distractors_12",
    "knights_knaves": "4_people 6_people depth_1 depth_3",
    "maze": "kruskal dfs braided drunkards_walk searchformer wilson_9x9",
    "planning": "blocks_6_longest_160 blocks_7_longest_160",
    "sat": "10_variables ratio_3.5 ratio_5 planted",
    "sliding_tiles": "scramble_12x18_longest_80 shape_2x4",
    "sokoban": "pulls_7x12_longest_120 walls_6 size_8_longest_120",
    "sudoku": "4x4 9_clues 15_to_18_clues",
}


@pytest.fixture(params=task_names())
def task(request):
    """As its YAML has it."""
    return instantiate(OmegaConf.load(CONF / "task" / f"{request.param}.yaml"), _convert_="all")


def test_the_names_of_test_sets_are_what_they_were(task):
    assert " ".join(task.test_sets()) == NAMES[task.name]


def test_a_knob_that_a_task_lacks_is_named(task):
    with pytest.raises(ValueError, match=r"task\.ood: 'colour' is no knob that may differ; choose from"):
        replace(task, ood=[{"colour": 1}])
    for knob in (*task.fixed, "ood", "reach"):
        with pytest.raises(ValueError, match=f"'{knob}' is no knob that may differ"):
            replace(task, ood=[{knob: getattr(task, knob)}])
    with pytest.raises(ValueError, match=r"task\.ood: 'solver' is no mapping of knobs"):
        replace(task, ood=["solver"])


def test_all_test_sets_have_the_tasks_words(task):
    assert {other.codec.vocabulary for other in task.test_sets().values()} == {task.codec.vocabulary}


def test_a_vocabulary_goes_as_far_as_is_asked(task):
    words = task.codec.vocabulary
    for name, used in task.in_use.items():
        further = replace(task, reach={name: task.reaches[name] + 1})
        assert {**task.reaches, name: task.reaches[name] + 1} == further.reaches
        longer = len(further.codec.vocabulary) > len(words)
        assert longer or name in ("boxes", "facts")  # which have no words of their own
        assert {other.codec.vocabulary for other in further.test_sets().values()} == {
            further.codec.vocabulary
        }
        with pytest.raises(ValueError, match=f"task.reach: {name}={used - 1} is below the {used} in use"):
            replace(task, reach={name: used - 1})
        beyond = task.farthest.get(name, MOST) + 1
        with pytest.raises(ValueError, match=f"{name}={beyond} is above"):
            replace(task, reach={name: beyond})
    with pytest.raises(ValueError, match=r"task\.reach: 'colours' is unknown; choose from"):
        replace(task, reach={"colours": 9})


# Their problems have names that are drawn among all words: another vocabulary draws others of the same kind.
NAMED = {"arithmetic", "deduction", "graph_path"}


def test_problems_do_not_depend_on_how_far_the_vocabulary_goes(task):
    """The same are drawn; or, under other names, such as have the same complexity on average."""
    n = 150 if task.name in NAMED else 10
    keys = rng.keys(0, "train", 0, n, "problem")
    near, same = task.generate(keys, "train"), True
    for name, far in task.reaches.items():
        more = min(far + 12, task.farthest.get(name, far + 12))
        further = replace(task, reach={**task.reaches, name: more}).generate(keys, "train")
        same = same and further.problem.values.tobytes() == near.problem.values.tobytes()
        for measure in task.complexities:
            one, other = near.complexity[measure], further.complexity[measure]
            error = np.sqrt((one.var() + other.var()) / n)
            assert abs(one.mean() - other.mean()) <= 4 * error, (name, measure)
    assert same == (task.name not in NAMED)
    said = next(
        line for line in (CLONE / "docs" / "tasks.md").read_text().splitlines() if "names from" in line
    )
    said = said[said.index("Problems of `arithmetic`") : said.index("take their names from")]
    assert {name for name in NAMED if f"`{name}`" in said} == NAMED


def test_a_search_may_meet_as_many_states_however_far_the_vocabulary_goes():
    """Of logistics a longer vocabulary would have allowed fewer, and left out the problems that meet more."""
    knobs = {"domain": "logistics", "packages": 3, "longest": None, "heuristic": "none", "solver": "bfs"}
    keys = rng.keys(0, "train", 0, 3, "problem")
    near = Planning(**knobs).generate(keys, "train")
    reach = {"locations": 24, "trucks": 8, "planes": 4, "packages": 10}
    further = Planning(**knobs, reach=reach).generate(keys, "train")
    assert near.trace.lengths.min() > 6000
    assert further.problem.values.tolist() == near.problem.values.tolist()
    assert further.trace.lengths.tolist() == near.trace.lengths.tolist()


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize(
    ("task", "knob"),
    [
        (Deduction(logic=[], ood=[{"width": 3}]), "width"),
        (GraphPath(ood=[{"generator": "star", "nodes": 20}]), "nodes"),
        (GraphPath(generator="star", ood=[{"density": 2.5}]), "density"),
        (GraphPath(generator="star", ood=[{"min_distance": 2}]), "min_distance"),
        (Maze(size=7, ood=[{"generator": "dfs"}, {"density": [0.5, 0.6]}]), "density"),
        (Maze(size=7, ood=[{"coverage": 0.8}]), "coverage"),
        (Maze(size=7, ood=[{"braid": 0.9}]), "braid"),
    ],
)
def test_a_test_set_that_changes_nothing_is_refused(task, knob):
    with pytest.raises(ValueError, match=rf"task\.ood, .*{knob}: .*: {knob} changes nothing"):
        sets_of(task, 0, 10)


def test_no_test_set_of_a_config_is_refused(task):
    """Also where its knobs change little: what bounds searches, or how the same problems are solved."""
    assert set(task.idle(0)) <= {-1}


def test_a_test_set_may_change_the_search_alone():
    assert Maze(size=7, ood=[{"solver": "dfs"}, {"tie_break": "random"}]).idle(0) == [-1, -1]


def test_a_test_set_may_change_the_prompt_alone():
    assert GraphPath(nodes=8, ood=[{"query": "last"}]).idle(0) == [-1]


def test_its_own_knobs_are_the_reach_of_a_test_set():
    assert Maze(size=5, ood=[{"size": [4, 11]}]).reaches == {"side": 11}
    assert Sat(ood=[{"variables": 12}, {"ratio": 6}]).reaches == {"variables": 12, "clauses": 48}
    assert Countdown(ood=[{"limit": 300}]).reaches == {"number": 300}
    assert Maze(reach={"side": None}).reaches == {"side": 30}


def test_what_a_change_brings_with_it():
    """Planted formulas are satisfiable; a sudoku of another size has as large a share of clues."""
    task = Sat(ood=[{"generator": "planted"}, {"generator": "planted", "satisfiable": "natural"}])
    assert [other.satisfiable for other in task.test_sets().values()] == ["yes", "natural"]
    assert Sudoku(ood=[{"size": 4}]).test_sets()["4x4"].clues == [4, 6]


def test_own_test_sets_are_called_by_their_generator():
    assert (Maze(generator="prim").in_distribution, Sat().in_distribution) == ("prim", "uniform")
    assert not hasattr(Countdown(), "in_distribution")  # it is the task's name


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("maze", "{density: 0.3, generator: searchformer}", r"task\.ood\.density=0\.3: it should be"),
        ("maze", "{size: wide}", r"task\.ood\.size=wide: it should be"),
        ("sat", "{variables: many}", r"task\.ood\.variables=many: it should be"),
    ],
)
def test_a_knob_of_another_type_is_refused_by_name(name, change, complaint):
    """As it is in training: before anything is drawn."""
    config = compose(Training, "train", f"task={name}", f"task.ood=[{change}]", "run_dir=unused")
    with pytest.raises((ValueError, InstantiationException), match=complaint):
        build_task(config.task)
