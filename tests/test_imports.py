"""Who may import whom: the table below, and nothing else; heavy libraries only where they are named.

docs/architecture.md has the picture, drawn from the imports themselves.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs import task_names
from tracelab.core.paths import PACKAGE, TASKS

# Each folder, and what it may import beside itself. What is not named here is a command, which may import
# anything but another command (those named below apart), and is imported by none.
MAY_IMPORT = {
    "core": "",
    "search": "core",
    "tasks": "core search",
    "traces": "core",
    "metrics": "core",
    "rewards": "core",
    "algorithms": "core",
    "optim": "core",
    "batches": "core",
    "plots": "core",
    "loggers": "core",
    "data": "core traces",
    "models": "core batches",
    "decoding": "core batches models",
    "runs": "core data models traces",
    "sweeps": "core runs",
    "evaluation": "core decoding metrics models plots runs",
    "training": "core batches evaluation models optim runs",
    "posttraining": "core algorithms data decoding evaluation metrics models rewards runs training",
    "probes": "core batches data decoding evaluation models runs traces training",
    "analysis": "core plots runs",
    "report": "core analysis data runs",
}
BETWEEN_COMMANDS = {("gallery", "show"), ("doctor", "demo")}
HEAVY = {"torch", "lightning", "transformers"}
WITHOUT_TORCH = {"core", "search", "tasks", "traces", "metrics", "rewards", "plots", "analysis"}
FILES = sorted({*PACKAGE.rglob("*.py"), *TASKS.rglob("*.py")})  # rglob follows no links


def module_of(path: Path) -> str:
    """The part of the package that a file belongs to: `search` for search/best_first/heap.py."""
    if path.is_relative_to(TASKS):
        return "tasks"
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def may_import(mine: str, other: str) -> bool:
    if mine in MAY_IMPORT:
        return other in MAY_IMPORT[mine].split()
    return other in MAY_IMPORT or (mine, other) in BETWEEN_COMMANDS


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
def test_each_imports_what_it_may(path):
    mine = module_of(path)
    for other in ours(path) - {mine, "__version__"}:
        assert may_import(mine, other), f"{mine} ({path.name}) imports {other}: see MAY_IMPORT"


def test_the_table_is_no_wider_than_the_imports():
    """And has no circle: each folder stands below those that import it."""
    found = {}
    for path in FILES:
        found.setdefault(module_of(path), set()).update(ours(path) - {module_of(path)})
    for mine, others in MAY_IMPORT.items():
        assert set(others.split()) <= found[mine] | {"core"}, f"{mine} does not import all that it may"
    settled: set[str] = set()
    while len(settled) < len(MAY_IMPORT):
        free = {name for name, others in MAY_IMPORT.items() if set(others.split()) <= settled} - settled
        assert free, f"a circle among {set(MAY_IMPORT) - settled}"
        settled |= free


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
            assert path.stem == "plots", f"{path.name} imports matplotlib before it draws"


def loaded_by(*names: str, path: Path | None = None) -> set[str]:
    """Modules of a fresh process that imports these. path: a folder before all others."""
    code = f"import sys; sys.path[:0] = {[str(path)] if path else []}\nimport {', '.join(names)}"
    out = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(out.stdout.split())


def test_what_needs_no_torch_loads_none():
    """Nor do matplotlib and wandb come before they are asked for, whatever imports what in between."""
    every = {"tracelab." + ".".join(p.relative_to(PACKAGE).with_suffix("").parts) for p in FILES}
    folders = WITHOUT_TORCH - {"plots", "analysis", "tasks"}
    names = sorted(name for name in every if name.split(".")[1] in folders and "__init__" not in name)
    names += [f"tracelab.tasks.{name}" for name in task_names()]
    assert not loaded_by(*names) & {*HEAVY, "matplotlib", "wandb"}
    assert not loaded_by("tracelab.analysis") & {*HEAVY, "wandb"}


def test_the_check_sees_what_is_imported_on_the_way(tmp_path):
    (tmp_path / "planted.py").write_text("from tracelab.training.experiment import train\n")
    assert loaded_by("planted", path=tmp_path) & HEAVY


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
