"""Who may import whom: arrows point downwards, siblings do not know each other.

core ← search ← tasks | traces | models | metrics | algorithms | rewards | optim ← data, learner, sampling
and what surrounds them ← evaluation, training, posttraining ← entry points (every module not named here).
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs import task_names
from tracelab.core.paths import PACKAGE, TASKS

LAYERS = (
    {"core", "paths"},
    {"search"},
    {"tasks", "traces", "models", "metrics", "algorithms", "rewards", "optim"},
    {"data", "learner", "sampling", "budget", "checkpoint", "experiment", "outcomes", "run"}
    | {"accelerate", "loggers", "losses", "throughput", "progress", "figures", "curves", "tables"}
    | {"processes", "entry", "policy", "rollout", "groups", "postlearner", "continuous", "updates"},
    {"evaluation", "validation", "fitting", "training", "posttraining"},
)
SIBLINGS = LAYERS[2]
WITHOUT_TORCH = {"core", "search", "tasks", "traces", "metrics", "rewards", "analysis", "paths"}
HEAVY = {"torch", "lightning", "transformers"}
FILES = sorted({*PACKAGE.rglob("*.py"), *TASKS.rglob("*.py")})  # rglob follows no links


def module_of(path: Path) -> str:
    """The part of the package that a file belongs to: `search` for search/heap.py."""
    if path.is_relative_to(TASKS):
        return "tasks"
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer_of(module: str) -> int:
    return next((k for k, layer in enumerate(LAYERS) if module in layer), len(LAYERS))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(what is imported, at module level?); what only type checkers see is left out."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    at_top = {id(node) for top in tree.body if not is_scope(top) for node in ast.walk(top)}
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((name, id(node) in at_top) for name in names)


def is_scope(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def ours(path: Path) -> set[str]:
    """Parts of tracelab that a file imports."""
    return {name.split(".")[1] for name, _ in imports(path) if name.startswith("tracelab.")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_arrows_point_downwards(path):
    mine = module_of(path)
    for other in ours(path) - {mine, "__version__"}:
        assert layer_of(other) <= layer_of(mine), f"{mine} ({path.name}) imports {other}, which is above it"
        assert not {mine, other} <= SIBLINGS, f"{mine} ({path.name}) imports its sibling {other}"


def test_tasks_do_not_know_each_other():
    for path in TASKS.rglob("*/*.py"):
        folder = path.relative_to(TASKS).parts[0]
        others = {name.split(".")[2] for name, _ in imports(path) if name.startswith("tracelab.tasks.")}
        assert others <= {folder, "shared"}, f"{path} imports another task"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_heavy_packages_are_kept_out(path):
    for name, at_top in imports(path):
        package = name.split(".")[0]
        assert not (module_of(path) in WITHOUT_TORCH and package in HEAVY), f"{path.name} imports {name}"
        assert not (at_top and package == "wandb"), f"{path.name} imports wandb before it is asked for"
        if at_top and package == "matplotlib":
            assert path.stem == "figures", f"{path.name} imports matplotlib before it draws"


def test_tasks_run_without_torch():
    names = ["tracelab.traces", "tracelab.metrics"]
    names += [f"tracelab.tasks.{name}" for name in task_names()]
    code = f"import sys, {', '.join(names)}; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(out.stdout.split()) & {*HEAVY, "matplotlib", "wandb"}


def test_this_test_can_fail(tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text("import torch\ndef f():\n    from tracelab.tasks import maze\n    import wandb\n")
    found = dict(imports(path))
    assert found == {"torch": True, "tracelab.tasks.maze": False, "wandb": False}
    assert ours(path) == {"tasks"}
    assert layer_of("tasks") > layer_of("search") > layer_of("core")
    assert layer_of("train") > layer_of("evaluation") > layer_of("learner") > layer_of("tasks")
