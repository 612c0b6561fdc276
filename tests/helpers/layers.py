"""Who may import whom, and who does: read from the sources.

python -m tests.helpers.layers        # draws the picture in docs/architecture.md anew
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import networkx as nx

from tracelab.core.paths import CLONE, PACKAGE, TASKS

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
    "runs": "core batches data decoding models traces",
    "sweeps": "core runs",
    "launching": "core runs sweeps",
    "tuning": "core runs sweeps",
    "exchange": "core models runs",
    "evaluation": "core data decoding metrics models plots runs",
    "training": "core batches decoding evaluation loggers models optim runs",
    "posttraining": "core algorithms data decoding evaluation metrics models rewards runs training",
    "probes": "core analysis batches data decoding evaluation models runs traces training",
    "analysis": "core metrics plots runs",
    "report": "core analysis data runs",
    "watch": "core runs",
    "adapters": "core data evaluation rewards",
}
BETWEEN_COMMANDS = {("gallery", "show"), ("doctor", "demo")}
HEAVY = {"torch", "lightning", "transformers"}
TRACKERS = {"wandb", "tensorboard", "mlflow"}
WITHOUT_TORCH = {"core", "search", "tasks", "traces", "metrics", "rewards", "plots", "analysis", "watch"}
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


@cache
def imports(path: Path) -> tuple[tuple[str, bool], ...]:
    """(what is imported, at module level?); what only type checkers see is left out. A file is read once."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
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


def found() -> dict[str, set[str]]:
    """Each part, and the parts that it imports."""
    arrows: dict[str, set[str]] = {}
    for path in FILES:
        arrows.setdefault(module_of(path), set()).update(ours(path) - {module_of(path), "__version__"})
    return arrows


def picture() -> str:
    """The imports as a Mermaid flowchart. Left out: what others imply, and `core`, which all import."""
    arrows = {mine: others - {"core"} for mine, others in found().items() if mine in MAY_IMPORT}
    graph = nx.transitive_reduction(nx.DiGraph(arrows))
    lines = [f"    {mine} --> {other}" for mine, other in sorted(graph.edges)]
    alone = sorted(node for node, arrows_at in graph.degree if not arrows_at and node != "core")
    return "\n".join(["```mermaid", "flowchart TD", *lines, *(f"    {node}" for node in alone), "```"])


def page() -> str:
    """docs/architecture.md with the picture as it is today."""
    text = (CLONE / "docs" / "architecture.md").read_text()
    before, _, rest = text.partition("```mermaid\n")
    return before + picture() + "\n" + rest.partition("```\n")[2]


if __name__ == "__main__":
    (CLONE / "docs" / "architecture.md").write_text(page())
