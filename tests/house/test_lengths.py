"""Files, functions and parameter lists are short; what is longer is named here, with its reason."""

import ast

import pytest

from tests.house.test_kernels import KERNELS, decorators
from tracelab.core.paths import CLONE, PACKAGE, TASKS

# Lines of a file. What a test file is about may need many cases, and stays together.
FOLDERS = {PACKAGE: 280, TASKS: 280, CLONE / "bench": 280, CLONE / "tests": 480}
LINES, KERNEL_LINES = 50, 60  # of a function
PARAMETERS, KERNEL_PARAMETERS = 9, 14  # of a function, `self` apart; a kernel takes its arrays one by one

EXCEPTIONS = {
    "models/gpt.py GPT.__init__": "its keywords are the knobs of conf/model/*.yaml and of older runs",
    "helpers/maze_oracle.py replay": "the definition's rules, in its order: they are read beside it",
}


def files():
    """(path, most lines), each once: rglob follows no links."""
    return [(path, most) for folder, most in FOLDERS.items() for path in sorted(folder.rglob("*.py"))]


def functions(tree, owner=""):
    """(qualified name, node) of all functions, those within others too."""
    for node in ast.iter_child_nodes(tree):
        name = f"{owner}{getattr(node, 'name', '')}"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield name, node
        yield from functions(node, f"{name}." if isinstance(node, ast.ClassDef) else owner)


def parameters(function):
    """How many there are, `self` and `cls` apart."""
    named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return sum(argument.arg not in ("self", "cls") for argument in named)


def too_long(source):
    """Name -> what is too long about it, of the functions of a file."""
    found = {}
    for name, function in functions(ast.parse(source)):
        kernel = bool(decorators(function) & KERNELS)
        lines = function.end_lineno - function.lineno + 1
        most_lines, most = (KERNEL_LINES, KERNEL_PARAMETERS) if kernel else (LINES, PARAMETERS)
        if lines > most_lines:
            found[name] = f"{lines} lines, of {most_lines}"
        elif parameters(function) > most:
            found[name] = f"{parameters(function)} parameters, of {most}"
    return found


def test_files_have_one_subject():
    found = {path: len(path.read_text(encoding="utf-8").splitlines()) for path, _ in files()}
    assert len(found) > 400
    assert not {str(path): found[path] for path, most in files() if found[path] > most}


def test_functions_and_signatures_are_short():
    """And no exception is named that is none."""
    found = {
        f"{path.parent.name}/{path.name} {name}": reason
        for path, _ in files()
        for name, reason in too_long(path.read_text(encoding="utf-8")).items()
    }
    assert not {name: reason for name, reason in found.items() if name not in EXCEPTIONS}
    assert set(EXCEPTIONS) <= set(found), "these are short enough by now: leave them out"


@pytest.mark.parametrize(
    ("decorator", "lines", "count"),
    [("", LINES, PARAMETERS), ("@njit\n", KERNEL_LINES, KERNEL_PARAMETERS)],
)
def test_these_tests_can_fail(decorator, lines, count):
    def source(lines, count):
        names = ", ".join(f"a{k}" for k in range(count))
        return f"{decorator}def f({names}):\n" + "    x = 0\n" * (lines - 1)

    assert too_long(source(lines, count)) == {}
    assert too_long(source(lines + 1, count)) == {"f": f"{lines + 1} lines, of {lines}"}
    assert too_long(source(lines, count + 1)) == {"f": f"{count + 1} parameters, of {count}"}


def test_methods_and_inner_functions_are_counted_too():
    wide = ", ".join(f"a{k}" for k in range(PARAMETERS + 1))
    source = f"class A:\n    def f(self, *, {wide}):\n        def g({wide}): pass\n"
    assert list(too_long(source)) == ["A.f", "A.g"]
