"""Who may import whom: the table below, and nothing else; heavy libraries only where they are named.

docs/architecture.md has the picture, drawn from the imports themselves.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import networkx as nx
import pytest

from tests.helpers import layers
from tests.helpers.layers import (
    FILES,
    HEAVY,
    MAY_IMPORT,
    TRACKERS,
    WITHOUT_TORCH,
    imports,
    may_import,
    module_of,
    ours,
)
from tests.helpers.runs import task_names
from tracelab.core.paths import CLONE, PACKAGE, TASKS


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_imports_what_it_may(path):
    mine = module_of(path)
    for other in ours(path) - {mine, "__version__"}:
        assert may_import(mine, other), f"{mine} ({path.name}) imports {other}: see MAY_IMPORT"


def test_the_table_is_no_wider_than_the_imports():
    """And has no circle: each folder stands below those that import it."""
    found = layers.found()
    for mine, others in MAY_IMPORT.items():
        assert set(others.split()) <= found[mine] | {"core"}, f"{mine} does not import all that it may"
    settled: set[str] = set()
    while len(settled) < len(MAY_IMPORT):
        free = {name for name, others in MAY_IMPORT.items() if set(others.split()) <= settled} - settled
        assert free, f"a circle among {set(MAY_IMPORT) - settled}"
        settled |= free


def test_no_files_import_each_other():
    """In functions or at their top: who reads one file has an end to come to."""
    names = {"tracelab." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in FILES}
    graph = nx.DiGraph()
    for mine, path in names.items():
        for name, _ in imports(path):
            graph.add_edges_from((mine, other) for other in (name, name.rpartition(".")[0]) if other in names)
    assert graph.has_edge("tracelab.runs.trained", "tracelab.runs.folder")
    assert graph.has_edge("tracelab.tasks.maze.task", "tracelab.core.types")
    circles = [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]
    assert not circles


def test_the_picture_is_of_these_imports():
    written = (CLONE / "docs" / "architecture.md").read_text()
    assert written == layers.page(), "draw it anew: python -m tests.helpers.layers"


def test_tasks_do_not_know_each_other():
    for path in TASKS.rglob("*/*.py"):
        folder = path.relative_to(TASKS).parts[0]
        others = {name.split(".")[2] for name, _ in imports(path) if name.startswith("tracelab.tasks.")}
        assert others <= {folder, "shared"}, f"{path} imports another task"


LOOPS = ("search.search", "judge.judge_one", "replay", "paper", "heap")


def test_tasks_leave_best_first_loops_to_their_grammar():
    """They take `batch`: who searched, replayed or judged themselves would import one of these."""
    grammar = "tracelab.search.best_first."
    for path in TASKS.rglob("*.py"):
        own = [name for name, _ in imports(path) if name.startswith(tuple(grammar + loop for loop in LOOPS))]
        assert not own, f"{path} imports {', '.join(own)}: see search/best_first/batch.py"
    for loop in LOOPS:
        assert importlib.util.find_spec(grammar + loop.split(".")[0]), f"there is no {loop}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_heavy_packages_are_kept_out(path):
    for name, at_top in imports(path):
        package = name.split(".")[0]
        assert not (module_of(path) in WITHOUT_TORCH and package in HEAVY), f"{path.name} imports {name}"
        assert not (at_top and package in TRACKERS), f"{path.name} imports {package} before it is asked for"
        if at_top and package == "matplotlib":
            assert path.stem == "plots", f"{path.name} imports matplotlib before it draws"


def test_a_config_ends_at_the_door():
    """Whoever is not Hydra's own gets typed settings."""
    seen = {path.relative_to(PACKAGE).as_posix() for path in FILES if "DictConfig" in path.read_text()}
    assert seen == {"runs/entry.py", "sweeps.py", "launching/jobs.py", "tuning/searching.py"}


def loaded_by(*names: str, path: Path | None = None) -> set[str]:
    """Modules of a fresh process that imports these. path: a folder before all others."""
    code = f"import sys; sys.path[:0] = {[str(path)] if path else []}\nimport {', '.join(names)}"
    out = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(out.stdout.split())


def test_what_needs_no_torch_loads_none():
    """Nor do matplotlib and trackers come before they are asked for, whatever imports what in between."""
    every = {"tracelab." + ".".join(p.relative_to(PACKAGE).with_suffix("").parts) for p in FILES}
    folders = WITHOUT_TORCH - {"plots", "analysis", "tasks"}
    names = sorted(name for name in every if name.split(".")[1] in folders and "__" not in name)
    names += [f"tracelab.tasks.{name}" for name in task_names()]
    assert not loaded_by(*names) & {*HEAVY, *TRACKERS, "matplotlib"}
    assert not loaded_by("tracelab.analysis") & {*HEAVY, *TRACKERS}


def test_trackers_come_when_something_is_logged(tmp_path):
    """And the check sees what is imported on the way."""
    (tmp_path / "planted.py").write_text("from tracelab.training.experiment import train\n")
    loaded = loaded_by("planted", "tracelab.evaluation.judging", path=tmp_path)
    assert loaded & HEAVY
    assert not loaded & TRACKERS


def test_this_test_can_fail(tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text("import torch\ndef f():\n    from tracelab.tasks import maze\n    import wandb\n")
    found = dict(imports(path))
    assert found == {"torch": True, "tracelab.tasks.maze": False, "wandb": False}
    assert ours(path) == {"tasks"}
    assert not may_import("search", "tasks")
    assert not may_import("analysis", "training")
    assert not may_import("traces", "tasks")
    assert may_import("train", "training")
    assert not may_import("train", "posttrain")
